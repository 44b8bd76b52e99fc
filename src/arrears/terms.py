"""What can be agreed: the four dimensions, their grids, the mandate, fees and the payment plan.

DCN Table 5 and DebtBench appendix A.2 give the grids. Ratios are fractions (0.25), days and
months are whole numbers. Amounts on a plan are whole minor units (cents, fen).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from math import isfinite
from typing import Final, Literal, NamedTuple, cast

from arrears.errors import TermsError

Dimension = Literal["disc_ratio", "pmt_ratio", "pmt_days", "inst_prds"]
Value = float | int

DIMENSIONS: Final[tuple[Dimension, ...]] = ("disc_ratio", "pmt_ratio", "pmt_days", "inst_prds")
RATIOS: Final[frozenset[str]] = frozenset({"disc_ratio", "pmt_ratio"})
GRID: Final[Mapping[Dimension, tuple[Value, ...]]] = {
    "disc_ratio": tuple(p / 100 for p in range(0, 31, 5)),
    "pmt_ratio": tuple(p / 100 for p in range(5, 51, 5)),
    "pmt_days": tuple(range(1, 15)),
    "inst_prds": (3, 6, 9, 12, 18, 24),
}
# The sign of what the creditor prefers: an earlier, larger payment over fewer months.
CREDITOR_PREFERS: Final[Mapping[Dimension, int]] = {
    "disc_ratio": -1,
    "pmt_ratio": 1,
    "pmt_days": -1,
    "inst_prds": -1,
}
TITLES: Final[Mapping[Dimension, str]] = {
    "disc_ratio": "discount on the debt",
    "pmt_ratio": "share paid at once",
    "pmt_days": "days until that payment",
    "inst_prds": "monthly instalments for the rest",
}


def dimension_named(name: str) -> Dimension:
    """The dimension of that name; TermsError lists the four when there is none."""
    if name in GRID:
        return cast(Dimension, name)
    raise TermsError(f"unknown term {name!r}; the terms are {', '.join(DIMENSIONS)}")


class Snapped(NamedTuple):
    """A proposed number brought onto the grid."""

    value: Value
    repair: Literal["", "snapped", "clamped"]


def snap(dimension: Dimension, proposed: float) -> Snapped:
    """The nearest legal value, ties toward the creditor; out of range is clamped.

    `proposed` is a fraction for the ratios. TermsError where it is not a finite number.
    """
    if not isfinite(proposed):
        raise TermsError(f"{dimension}={proposed} is not a number")
    grid = GRID[dimension]
    if proposed < grid[0] - 1e-9 or proposed > grid[-1] + 1e-9:
        return Snapped(grid[0] if proposed < grid[0] else grid[-1], "clamped")
    prefers = CREDITOR_PREFERS[dimension]
    # Distances are compared in ten-millionths: 0.125 must tie although 0.15 has no exact binary.
    nearest = min(grid, key=lambda v: (round(abs(v - proposed) * 1e7), -prefers * v))
    return Snapped(nearest, "" if abs(nearest - proposed) < 1e-9 else "snapped")


def written(dimension: Dimension, value: Value) -> str:
    """A value as it is written in an action: `25%`, `7`, `12`."""
    return f"{round(value * 100)}%" if dimension in RATIOS else str(int(value))


@dataclass(frozen=True, slots=True)
class Terms:
    """A complete agreement, always on the legal grid (TermsError otherwise)."""

    disc_ratio: float
    """Share of the debt that is waived, 0 … 0.30."""
    pmt_ratio: float
    """Share of the discounted debt that is paid at once, 0.05 … 0.50."""
    pmt_days: int
    """Days until that payment, 1 … 14."""
    inst_prds: int
    """Months over which the rest is paid, one of 3, 6, 9, 12, 18, 24."""

    def __post_init__(self) -> None:
        for dimension in DIMENSIONS:
            value = getattr(self, dimension)
            if value not in GRID[dimension]:
                legal = ", ".join(written(dimension, v) for v in GRID[dimension])
                raise TermsError(f"{dimension}={value} is not legal; legal values: {legal}")

    def __str__(self) -> str:
        return ", ".join(f"{d}={written(d, getattr(self, d))}" for d in DIMENSIONS)


def all_terms() -> tuple[Terms, ...]:
    """Every legal agreement: 7 × 10 × 14 × 6 = 5,880, the last dimension varying fastest."""
    return tuple(
        Terms(float(disc), float(pmt), int(days), int(prds))
        for disc, pmt, days, prds in product(*(GRID[d] for d in DIMENSIONS))
    )


@dataclass(frozen=True, slots=True)
class Mandate:
    """The limits that the creditor has set. The ledger enforces them at the seal.

    The default is the whole grid.
    """

    max_disc_ratio: float = 0.30
    """Largest discount, a fraction."""
    min_pmt_ratio: float = 0.05
    """Smallest upfront share, a fraction."""
    max_pmt_days: int = 14
    """Latest day of the upfront payment."""
    max_inst_prds: int = 24
    """Longest number of instalments."""

    def allows(self, dimension: Dimension, value: Value) -> bool:
        """Whether a legal value may be sealed."""
        if dimension == "disc_ratio":
            return value <= self.max_disc_ratio + 1e-9
        if dimension == "pmt_ratio":
            return value >= self.min_pmt_ratio - 1e-9
        if dimension == "pmt_days":
            return value <= self.max_pmt_days
        return value <= self.max_inst_prds

    def allowed(self, dimension: Dimension) -> tuple[Value, ...]:
        """The legal values within the limits."""
        return tuple(v for v in GRID[dimension] if self.allows(dimension, v))


DEFAULT_FEES: Final[Mapping[int, int]] = {3: 195, 6: 360, 9: 540, 12: 720, 18: 1170, 24: 1500}
"""Instalment fee by number of months, in hundredths of a percent of the financed rest.

A bank's usual credit-card schedule; DCN points at one without printing it.
"""


class Payment(NamedTuple):
    """One row of a plan. Amounts in minor units; `amount` = `principal` + `fee`."""

    day: int
    principal: int
    fee: int
    amount: int


def minor_units(amount: float) -> int:
    """Yuan to whole fen, half a fen rounded up in size."""
    return round(amount * 100 + (1e-6 if amount >= 0 else -1e-6))


def payment_plan(
    need_coll_amt: int, terms: Terms, fees: Mapping[int, int] = DEFAULT_FEES
) -> tuple[Payment, ...]:
    """The upfront payment and the instalments that settle a debt under the terms.

    `need_coll_amt` and every amount are whole minor units. The principal column sums exactly to
    the debt less its discount, the fee column to the fee. The discount is rounded down to the
    cent; cumulative principal and cumulative fee are rounded up, so that 25 % upfront of an
    undiscounted debt is never a cent short of 25 %.
    """
    disc, pmt = round(terms.disc_ratio * 100), round(terms.pmt_ratio * 100)
    owed = need_coll_amt - need_coll_amt * disc // 100
    upfront = _up(owed * pmt, 100)
    rest, months = owed - upfront, terms.inst_prds
    fee = (rest * fees[months] + 5000) // 10000
    rows = [Payment(terms.pmt_days, upfront, 0, upfront)]
    for k in range(1, months + 1):
        principal = _up(rest * k, months) - _up(rest * (k - 1), months)
        charge = _up(fee * k, months) - _up(fee * (k - 1), months)
        rows.append(Payment(terms.pmt_days + 30 * k, principal, charge, principal + charge))
    return tuple(rows)


def _up(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
