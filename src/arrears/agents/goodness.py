"""One scale for all four dimensions: how good a legal value is for the debtor, 0 … 1.

0 is the creditor's favourite end of the grid, 1 the debtor's. Both sides concede along it.
"""

from collections.abc import Mapping
from math import ceil, floor

from arrears.terms import CREDITOR_PREFERS, DIMENSIONS, GRID, Dimension, Value

_ORDERED: Mapping[Dimension, tuple[Value, ...]] = {
    d: GRID[d] if CREDITOR_PREFERS[d] < 0 else GRID[d][::-1] for d in DIMENSIONS
}
_GOODNESS: Mapping[Dimension, Mapping[Value, float]] = {
    d: {v: i / (len(values) - 1) for i, v in enumerate(values)} for d, values in _ORDERED.items()
}
_NEAR = 1e-8


def goodness(dimension: Dimension, value: Value) -> float:
    """How good a legal value is for the debtor. Values of a grid are evenly spaced on it."""
    return _GOODNESS[dimension][value]


def value_at_least(dimension: Dimension, wanted: float) -> Value:
    """The creditor's favourite among the values at least that good for the debtor."""
    values = _ORDERED[dimension]
    last = len(values) - 1
    return values[min(last, max(0, ceil(wanted * last - _NEAR)))]


def value_at_most(dimension: Dimension, granted: float) -> Value:
    """The debtor's favourite among the values at most that good for it."""
    values = _ORDERED[dimension]
    last = len(values) - 1
    return values[min(last, max(0, floor(granted * last + _NEAR)))]


def conceded_share(time: float, beta: float) -> float:
    """How much of the way to its limit a time-dependent tactic has gone: time^(1/β).

    `time` is the share of the own horizon that has passed (clipped to 0 … 1); β < 1 is Boulware,
    β > 1 conceder (Faratin, Sierra and Jennings 1998).
    """
    share: float = min(1.0, max(0.0, time)) ** (1.0 / beta)
    return share
