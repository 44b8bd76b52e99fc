"""What a seat can do: ask, accept, reject, nothing, or (the debtor only) leave.

One `Act` speaks of one dimension; `ask(disc_ratio=0, inst_prds=6)` is two acts.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from arrears.terms import GRID, Dimension, Value, written

Kind = Literal["ask", "accept", "reject", "non", "leave"]


@dataclass(frozen=True, slots=True)
class Act:
    """One act on at most one dimension."""

    kind: Kind
    """What is done."""
    dim: Dimension | None = None
    """The dimension; None for `non` and `leave`."""
    value: Value | None = None
    """The legal value that it comes to; None for a bare `reject(dim)`, `non` and `leave`."""
    said: float | None = None
    """The value as it was written, where that was not legal (off the grid or out of range)."""

    def __str__(self) -> str:
        return _text(self.kind, self.dim, self.value)


@cache
def _text(kind: Kind, dim: Dimension | None, value: Value | None) -> str:
    if dim is None:
        return kind if kind == "non" else f"{kind}()"
    return f"{kind}({dim})" if value is None else f"{kind}({dim}={written(dim, value)})"


@cache
def act(kind: Kind, dim: Dimension, value: Value | None = None) -> Act:
    """An act on a legal value. The same arguments give the same object."""
    return Act(kind, dim, value)


# Every legal act is there before anyone asks: numpy's 6 equals Python's 6, so it finds the act that
# has that one, and is itself never handed to another seat.
for _dim, _values in GRID.items():
    for _value in _values:
        for _kind in ("ask", "accept", "reject"):
            act(_kind, _dim, _value)


NON: Final = Act("non")
LEAVE: Final = Act("leave")
