"""What was given away: what the same debtor could have carried beyond what was agreed.

One term at a time, the other three as agreed: how much less discount, how many months fewer, how
much larger a first payment the projection still finds kept for two years. The three are not to be
added up: whoever carries one of them may not carry two.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

from arrears.economy.grid import project_rows, terms_rows
from arrears.economy.position import Money
from arrears.terms import DEFAULT_FEES, GRID, Dimension, Terms, Value

_ASKED: Final[tuple[Dimension, ...]] = ("disc_ratio", "inst_prds", "pmt_ratio")


class Spare(NamedTuple):
    """Room that an agreement left unused; never negative."""

    discount: float
    """Share of the debt that was waived without need, 0 … 0.30."""
    months: int
    """Months of instalments that were granted without need, 0 … 21."""
    upfront: float
    """Share of the discounted debt that could have come at once besides, 0 … 0.45."""

    @property
    def anything(self) -> bool:
        """Whether there was any."""
        return self.discount > 0 or self.months > 0 or self.upfront > 0


def spare(money: Money, terms: Terms, fees: Mapping[int, int] = DEFAULT_FEES) -> Spare | None:
    """The room of one agreement; None where the debtor cannot keep the agreement itself."""
    asked = [(dim, value) for dim in _ASKED for value in GRID[dim]]
    others = [_with(terms, dim, value) for dim, value in asked]
    held = project_rows([money], terms_rows([terms, *others], fees)).success[0]
    if not held[0]:
        return None
    kept: dict[Dimension, list[Value]] = {}
    for (dim, value), holds in zip(asked, held[1:], strict=True):
        if holds:
            kept.setdefault(dim, []).append(value)
    return Spare(
        discount=round(terms.disc_ratio - min(kept["disc_ratio"]), 2),
        months=int(terms.inst_prds - min(kept["inst_prds"])),
        upfront=round(max(kept["pmt_ratio"]) - terms.pmt_ratio, 2),
    )


def _with(terms: Terms, dim: Dimension, value: Value) -> Terms:
    changed: dict[str, Any] = {dim: value}
    return replace(terms, **changed)
