"""Intervals and tests: how far a mean can be trusted, and whether two collectors differ.

Everything resamples debtors (the cases), with a passed generator; 2,000 resamples by default.
"""

from collections.abc import Callable, Sequence
from math import sqrt
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RESAMPLES: Final = 2000
# Resamples that are held in memory at once; 1,000 cases and 8 columns are then some megabytes.
_BLOCK: Final = 100


class Interval(NamedTuple):
    """A value and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


class Difference(NamedTuple):
    """A paired comparison: a − b over the same debtors."""

    value: float
    low: float
    high: float
    p: float
    """Two-sided, of a sign-flip permutation; 1 where nothing differs."""
    n: int
    """Pairs."""


def bootstrap(
    values: Floats,
    statistic: Callable[[Floats], Floats],
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
    cluster: int = 1,
) -> list[Interval]:
    """Percentile intervals of statistics of a table (n cases, k columns).

    `cluster` rows in a row belong to one case and are drawn together: repeats with the same debtor
    are no new debtors. `statistic` takes (…, n, k) and gives (…, m): m numbers a resample. NaN
    where a statistic is undefined; such resamples are left out. ValueError for a table without
    rows.
    """
    n = len(values) // cluster
    if n == 0:
        raise ValueError("no cases to resample")
    groups = values.reshape(n, cluster, -1)
    point = np.atleast_1d(statistic(values))
    drawn = []
    for start in range(0, resamples, _BLOCK):
        picks = rng.integers(0, n, (min(_BLOCK, resamples - start), n))
        rows = groups[picks].reshape(len(picks), n * cluster, -1)
        drawn.append(np.atleast_2d(statistic(rows)))
    ends = _ends(np.concatenate(drawn))
    return [
        Interval(float(v), float(low), float(high))
        for v, low, high in zip(point, *ends, strict=True)
    ]


def mean_interval(
    values: Sequence[float], rng: np.random.Generator, resamples: int = RESAMPLES
) -> Interval:
    """Mean and percentile interval of plain scores. ValueError for none."""
    table = np.asarray(values, dtype=np.float64).reshape(len(values), 1)
    return bootstrap(table, lambda t: t.mean(axis=-2), rng, resamples)[0]


def wilson(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """A share and its Wilson score interval. ValueError for n = 0."""
    if n <= 0:
        raise ValueError("a share of nothing")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Interval(share, max(0.0, centre - half), min(1.0, centre + half))


def paired(
    a: Sequence[float], b: Sequence[float], rng: np.random.Generator, resamples: int = RESAMPLES
) -> Difference:
    """Mean of a − b with a bootstrap interval, and a sign-flip permutation test.

    `a` and `b` are scores of two collectors over the same debtors, in the same order. ValueError
    where they differ in length or are empty.
    """
    if len(a) != len(b) or not len(a):
        raise ValueError(f"{len(a)} and {len(b)} scores are no pairs")
    gaps = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    interval = mean_interval(list(gaps), rng, resamples)
    beyond = 0
    for start in range(0, resamples, _BLOCK):
        signs = rng.integers(0, 2, (min(_BLOCK, resamples - start), len(gaps))) * 2 - 1
        flipped = np.abs((signs * gaps).mean(axis=1))
        beyond += int((flipped >= abs(interval.value) - 1e-12).sum())
    return Difference(*interval, (beyond + 1) / (resamples + 1), len(gaps))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values for several tests at once (Holm 1979), in the given order."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def _ends(drawn: Floats) -> tuple[Floats, Floats]:
    """2.5 % and 97.5 % of each column, leaving out NaN."""
    low = np.full(drawn.shape[1], np.nan)
    high = low.copy()
    for j in range(drawn.shape[1]):
        there = drawn[~np.isnan(drawn[:, j]), j]
        if len(there):
            low[j], high[j] = np.quantile(there, [0.025, 0.975])
    return low, high
