"""What an agreement does to both sides over two years (DCN §3 and appendices D and F).

Day 0 … 730, balances at the end of the day after its income and payments. The arithmetic is in
`kernel`, compiled; `domain.md` of the design, "The economy", is the rule that it follows.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from types import ModuleType
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from arrears.economy.position import Money
from arrears.terms import DEFAULT_FEES, Terms, all_terms

HORIZON: Final = 730
"""Projected days."""
FLOOR: Final = 50_000
"""Minor units (500 yuan); an agreement succeeds while assets stay strictly above it."""
TIERS: Final = (200_000, 500_000, 1_000_000, 2_000_000)
"""Minor units from which assets are in tier 2, 3, 4 and 5 (DCN appendix D)."""


class Projection(NamedTuple):
    """One agreement, two years later. Days count from the day of the agreement."""

    success: bool
    """Assets stay above 500 yuan on every day 0 … 730."""
    recovery: float
    """RR: share of the debt that is repaid, 1 − discount; 0 where the agreement fails."""
    qrd: int
    """First day on which a quarter of the undiscounted debt is repaid by plan."""
    hrd: int
    """First day on which half of the undiscounted debt is repaid by plan."""
    cd: int
    """Day of the last instalment; may lie after day 730."""
    l1d: int
    """Days in tier 1, of days 1 … 730."""
    l2d: int
    """Days in tier 2, of days 1 … 730."""
    atv: float
    """Sample variance of the tier over days 1 … 730."""
    atv_365: float
    """The same over days 1 … 365, the paper's printed reading."""
    min_assets: int
    """Lowest assets on days 0 … 730, minor units."""


class Path(NamedTuple):
    """Two years in which nothing is paid; fields as in `Projection`."""

    l1d: int
    l2d: int
    atv: float
    atv_365: float
    min_assets: int


class Projections(NamedTuple):
    """`Projection` as a struct of arrays.

    Every array is (5880,) for one debtor or (n, 5880) for n, in the order of `all_terms()`.
    """

    success: NDArray[np.bool_]
    recovery: NDArray[np.float64]
    qrd: NDArray[np.int16]
    hrd: NDArray[np.int16]
    cd: NDArray[np.int16]
    l1d: NDArray[np.int16]
    l2d: NDArray[np.int16]
    atv: NDArray[np.float64]
    atv_365: NDArray[np.float64]
    min_assets: NDArray[np.int64]


def project(money: Money, terms: Terms, fees: Mapping[int, int] = DEFAULT_FEES) -> Projection:
    """The projection of one agreement, exact to the minor unit and the day.

    `fees` maps months to hundredths of a percent, as in `terms.payment_plan`.
    """
    return Projection._make(
        _kernel().project_one(
            money[0],
            money[1],
            money[2],
            round(terms.disc_ratio * 100),
            round(terms.pmt_ratio * 100),
            terms.pmt_days,
            terms.inst_prds,
            fees[terms.inst_prds],
        )
    )


def project_without_agreement(money: Money) -> Path:
    """The two years of a debtor who pays nothing."""
    fields = _kernel().project_one(money[0], money[1], money[2], 0, 0, HORIZON + 1, 0, 0)
    return Path._make(fields[5:])


def project_all(money: Money, fees: Mapping[int, int] = DEFAULT_FEES) -> Projections:
    """All 5,880 agreements of one debtor, arrays of shape (5880,)."""
    return Projections._make(field[0] for field in project_many((money,), fees))


def project_many(moneys: Sequence[Money], fees: Mapping[int, int] = DEFAULT_FEES) -> Projections:
    """All agreements of many debtors, arrays of shape (n, 5880), about 50 bytes an agreement."""
    grid = grid_of_terms(tuple(sorted(fees.items())))
    shape = (len(moneys), len(grid))
    success = np.empty(shape, np.bool_)
    recovery = np.empty(shape)
    days = np.empty((5, *shape), np.int16)
    atv = np.empty((2, *shape))
    min_assets = np.empty(shape, np.int64)
    rows = np.array(moneys, np.int64).reshape(-1, 3)
    _kernel().project_grid(rows, grid, success, recovery, days, atv, min_assets)
    return Projections(success, recovery, *days, *atv, min_assets)


@cache
def grid_of_terms(fees: tuple[tuple[int, int], ...]) -> NDArray[np.int64]:
    """`all_terms()` as integers, (5880, 5): disc %, pmt %, days, months, fee rate. Read-only."""
    rate = dict(fees)
    grid = np.array(
        [
            (
                round(t.disc_ratio * 100),
                round(t.pmt_ratio * 100),
                t.pmt_days,
                t.inst_prds,
                rate[t.inst_prds],
            )
            for t in all_terms()
        ],
        np.int64,
    )
    grid.setflags(write=False)
    return grid


@cache
def _kernel() -> ModuleType:
    from arrears.economy import kernel

    return kernel
