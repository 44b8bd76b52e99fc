"""What a seat can do: ask, accept, reject, nothing, or (the debtor only) leave.

One `Act` speaks of one dimension; `ask(disc_ratio=0, inst_prds=6)` is two acts.
"""

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final, Literal

from arrears.terms import Dimension, Value, written

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


# By type too: else numpy's 6, once seen, would be handed to whoever asks for Python's.
@lru_cache(maxsize=None, typed=True)
def act(kind: Kind, dim: Dimension, value: Value | None = None) -> Act:
    """An act on a legal value. The same arguments give the same object."""
    return Act(kind, dim, value)


NON: Final = Act("non")
LEAVE: Final = Act("leave")
