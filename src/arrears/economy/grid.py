"""All legal agreements at once, as arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from arrears.economy.indices import (
    MAX_CD,
    MAX_HRD,
    MAX_L1D,
    MAX_L2D,
    MAX_QRD,
    comprehensive_collection_indices,
)
from arrears.economy.position import Money
from arrears.terms import DEFAULT_FEES, Mandate, Terms, all_terms

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@cache
def legal_terms() -> tuple[Terms, ...]:
    """The 5,880 legal agreements, in the order of every array here."""
    return all_terms()


def terms_rows(terms: Sequence[Terms], fees: Mapping[int, int] = DEFAULT_FEES) -> Ints:
    """A row (disc %, pmt %, days, months, fee in 0.01 %) an agreement, as the kernel takes it."""
    return np.array(
        [
            (
                round(t.disc_ratio * 100),
                round(t.pmt_ratio * 100),
                t.pmt_days,
                t.inst_prds,
                fees[t.inst_prds],
            )
            for t in terms
        ],
        dtype=np.int64,
    ).reshape(len(terms), 5)


@cache
def _legal_rows() -> Ints:
    return terms_rows(legal_terms())


def rows_for(fees: Mapping[int, int]) -> Ints:
    """The kernel's rows of all legal agreements under a fee schedule."""
    return _legal_rows() if fees is DEFAULT_FEES else terms_rows(legal_terms(), fees)


def within(mandate: Mandate) -> NDArray[np.bool_]:
    """Which legal agreements a mandate allows."""
    rows = _legal_rows()
    return (
        (rows[:, 0] <= mandate.max_disc_ratio * 100 + 1e-6)
        & (rows[:, 1] >= mandate.min_pmt_ratio * 100 - 1e-6)
        & (rows[:, 2] <= mandate.max_pmt_days)
        & (rows[:, 3] <= mandate.max_inst_prds)
    )


@dataclass(frozen=True, slots=True)
class GridProjection:
    """A struct of arrays; every array is … × agreements. See `Projection` for the fields."""

    rows: Ints
    success: NDArray[np.bool_]
    qrd: Ints
    hrd: Ints
    cd: Ints
    l1d: Ints
    l2d: Ints
    atv: Floats
    min_assets: Ints

    @property
    def recovery(self) -> Floats:
        """1 − discount where the plan succeeds, else 0."""
        return np.where(self.success, 1.0 - self.rows[:, 0] / 100.0, 0.0)

    def own_cri(self) -> Floats:
        """Each agreement's own CRI: SR is 1 or 0."""
        return (
            0.25 * self.success
            + 0.25 * self.recovery
            + 0.2 * (MAX_QRD - self.qrd) / MAX_QRD
            + 0.15 * (MAX_HRD - self.hrd) / MAX_HRD
            + 0.15 * (MAX_CD - self.cd) / MAX_CD
        )

    def own_dhi(self) -> Floats:
        """Each agreement's own DHI."""
        return (
            1.2 * (MAX_L1D - self.l1d) / MAX_L1D + 0.8 * (MAX_L2D - self.l2d) / MAX_L2D - self.atv
        )

    def own_cci(self) -> Floats:
        """Each agreement's own CCI; 0 where the plan fails or an index is not positive."""
        cci = comprehensive_collection_indices(self.own_cri(), self.own_dhi())
        return np.where(self.success, cci, 0.0)


def project_rows(money: Sequence[Money], rows: Ints) -> GridProjection:
    """Project every debtor under every row; arrays are debtors × agreements."""
    from arrears.economy import kernel

    people = np.array(money, dtype=np.int64).reshape(len(money), 3)
    shape = (len(people), len(rows))
    qrd, hrd, l1d, l2d, lowest = (np.empty(shape, dtype=np.int64) for _ in range(5))
    atv = np.empty(shape)
    kernel.project_many(people, rows, qrd, hrd, l1d, l2d, atv, lowest)
    cd = np.broadcast_to(rows[:, 2] + 30 * rows[:, 3], shape)
    return GridProjection(rows, lowest > kernel.FLOOR, qrd, hrd, cd, l1d, l2d, atv, lowest)


def project_all(money: Money, fees: Mapping[int, int] = DEFAULT_FEES) -> GridProjection:
    """One debtor under all 5,880 agreements; arrays have that one dimension."""
    g = project_rows([money], rows_for(fees))
    return GridProjection(
        g.rows, g.success[0], g.qrd[0], g.hrd[0], g.cd[0], g.l1d[0], g.l2d[0], g.atv[0],
        g.min_assets[0],
    )  # fmt: skip
