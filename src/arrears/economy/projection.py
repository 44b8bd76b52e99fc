"""What an agreement does to both sides over two years (DCN §3 and appendices D and F).

Day 0 … 730, balances at the end of the day after its income and payments. The arithmetic is in
`kernel`, compiled; docs/domain.md, "The economy", is the rule that it follows.
"""

from collections.abc import Mapping
from functools import cache
from types import ModuleType
from typing import Final, NamedTuple

from arrears.economy.position import Money
from arrears.terms import DEFAULT_FEES, Terms

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


@cache
def _kernel() -> ModuleType:
    from arrears.economy import kernel

    return kernel
