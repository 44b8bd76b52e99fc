"""One scale for all four dimensions: how good a legal value is for the debtor, 0 … 1.

0 is the creditor's favourite end of the grid, 1 the debtor's. Both sides concede along it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping

from arrears.terms import CREDITOR_PREFERS, DIMENSIONS, GRID, Dimension, Value

_ORDERED: Mapping[Dimension, tuple[Value, ...]] = {
    d: GRID[d] if CREDITOR_PREFERS[d] < 0 else GRID[d][::-1] for d in DIMENSIONS
}
_SCALE: Mapping[Dimension, tuple[float, ...]] = {
    d: tuple(i / (len(values) - 1) for i in range(len(values))) for d, values in _ORDERED.items()
}
_GOODNESS: Mapping[Dimension, Mapping[Value, float]] = {
    d: dict(zip(_ORDERED[d], _SCALE[d], strict=True)) for d in DIMENSIONS
}
_NEAR = 1e-9


def goodness(dimension: Dimension, value: Value) -> float:
    """How good a legal value is for the debtor. Values of a grid are evenly spaced on it."""
    return _GOODNESS[dimension][value]


def value_at_least(dimension: Dimension, wanted: float) -> Value:
    """The creditor's favourite among the values at least that good for the debtor."""
    at = bisect_left(_SCALE[dimension], wanted - _NEAR)
    return _ORDERED[dimension][min(at, len(_SCALE[dimension]) - 1)]


def value_at_most(dimension: Dimension, granted: float) -> Value:
    """The debtor's favourite among the values at most that good for it."""
    at = bisect_right(_SCALE[dimension], granted + _NEAR) - 1
    return _ORDERED[dimension][max(at, 0)]


def conceded_share(time: float, beta: float) -> float:
    """How much of the way to its limit a time-dependent tactic has gone: time^(1/β).

    `time` is the share of the own horizon that has passed (clipped to 0 … 1); β < 1 is Boulware,
    β > 1 conceder (Faratin, Sierra and Jennings 1998).
    """
    share: float = min(1.0, max(0.0, time)) ** (1.0 / beta)
    return share
