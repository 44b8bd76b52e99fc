"""All legal agreements at once, as arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from arrears.economy.indices import (
    comprehensive_collection_index,
    creditor_recovery_index,
    debtor_health_index,
)
from arrears.economy.position import Money
from arrears.terms import DEFAULT_FEES, Mandate, Terms, all_terms

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Days = NDArray[np.int32]
Flags = NDArray[np.bool_]


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
    rows = terms_rows(legal_terms())
    rows.setflags(write=False)
    return rows


def rows_for(fees: Mapping[int, int]) -> Ints:
    """The kernel's rows of all legal agreements under a fee schedule. Not to be written to."""
    return _legal_rows() if fees is DEFAULT_FEES else terms_rows(legal_terms(), fees)


def within(mandate: Mandate) -> Flags:
    """Which legal agreements a mandate allows, (5880,)."""
    rows = _legal_rows()
    return (
        (rows[:, 0] <= mandate.max_disc_ratio * 100 + 1e-6)
        & (rows[:, 1] >= mandate.min_pmt_ratio * 100 - 1e-6)
        & (rows[:, 2] <= mandate.max_pmt_days)
        & (rows[:, 3] <= mandate.max_inst_prds)
    )


@dataclass(frozen=True, slots=True)
class GridProjection:
    """`Projection` as a struct of arrays; every array is … × agreements but `rows`."""

    rows: Ints
    """(agreements, 5), as `terms_rows` makes them."""
    success: Flags
    qrd: Days
    hrd: Days
    cd: Days
    l1d: Days
    l2d: Days
    atv: Floats
    atv_365: Floats
    min_assets: Ints

    @property
    def recovery(self) -> Floats:
        """1 − discount where the plan succeeds, else 0."""
        return np.where(self.success, 1.0 - self.rows[:, 0] / 100.0, 0.0)

    def own_cri(self) -> Floats:
        """Each agreement's own CRI: SR is 1 or 0."""
        days = (f.astype(np.float64) for f in (self.qrd, self.hrd, self.cd))
        return creditor_recovery_index(self.success.astype(np.float64), self.recovery, *days)

    def own_dhi(self) -> Floats:
        """Each agreement's own DHI."""
        return debtor_health_index(
            self.l1d.astype(np.float64), self.l2d.astype(np.float64), self.atv
        )

    def own_cci(self) -> Floats:
        """Each agreement's own CCI; 0 where the plan fails or an index is not positive."""
        cci = comprehensive_collection_index(self.own_cri(), self.own_dhi())
        return np.where(self.success, cci, 0.0)

    def of_debtor(self, i: int) -> "GridProjection":
        """One debtor out of many; arrays keep the agreements' dimension alone."""
        return GridProjection(
            self.rows,
            self.success[i],
            self.qrd[i],
            self.hrd[i],
            self.cd[i],
            self.l1d[i],
            self.l2d[i],
            self.atv[i],
            self.atv_365[i],
            self.min_assets[i],
        )


def project_rows(money: Sequence[Money], rows: Ints) -> GridProjection:
    """Project every debtor under every row; arrays are debtors × agreements."""
    # Compiled code, and half a second of numba: loaded where something is projected.
    from arrears.economy import kernel

    people = np.array(money, dtype=np.int64).reshape(len(money), 3)
    shape = (len(people), len(rows))
    success, lowest = np.empty(shape, dtype=np.bool_), np.empty(shape, dtype=np.int64)
    days = np.empty((5, *shape), dtype=np.int32)
    atv = np.empty((2, *shape))
    kernel.project_grid(people, rows, success, days, atv, lowest)
    return GridProjection(
        rows, success, days[0], days[1], days[2], days[3], days[4], atv[0], atv[1], lowest
    )


def project_all(money: Money, fees: Mapping[int, int] = DEFAULT_FEES) -> GridProjection:
    """One debtor under all 5,880 agreements; arrays have that one dimension."""
    return project_rows([money], rows_for(fees)).of_debtor(0)


def project_many(money: Sequence[Money], fees: Mapping[int, int] = DEFAULT_FEES) -> GridProjection:
    """Every debtor under all 5,880 agreements, arrays (n, 5880): some 400 kB a debtor."""
    return project_rows(money, rows_for(fees))
