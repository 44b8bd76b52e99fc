"""Intervals and tests: how far a mean can be trusted, and whether two collectors differ.

The unit is the debtor (the case): its repeats and all judgements of them are drawn together, since
repeats with the same debtor are no new debtors. Resampling takes a passed generator; 2,000
resamples by default.
"""

from collections.abc import Callable, Hashable, Sequence
from math import sqrt
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RESAMPLES: Final = 2000
# Resamples that are held in memory at once; 1,000 cases and 8 columns are then some megabytes.
_BLOCK: Final = 100
SIGNIFICANT: Final = 0.05
"""A difference is marked where its p, after Holm over the table's comparisons, is below this."""
# A sign-flip test goes on until so many flips are as extreme as what was observed …
_EXTREME: Final = 10
# … or until even Holm's largest factor could not lift the p of none at all above half of .05.
_FLIPS_PER_COMPARISON: Final = 40
# Debtors who always succeed, and as many who never do, that `effective_n` adds to those it has.
_PSEUDO: Final = 2


class Interval(NamedTuple):
    """A value and the ends of its 95 % interval."""

    value: float
    low: float
    high: float
    """NaN where there is no interval, as of a single debtor."""

    @property
    def ends(self) -> tuple[float | None, float | None]:
        """Both ends; None where there is no interval."""
        known = self.low == self.low and self.high == self.high
        return (self.low, self.high) if known else (None, None)


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
    where a statistic is undefined; such resamples are left out. The ends are NaN of a single case
    too: drawn again and again it gives the same each time, which is no certainty. ValueError for a
    table without rows.
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
    ends = _ends(np.concatenate(drawn), alone=n == 1)
    return [
        Interval(float(v), float(low), float(high))
        for v, low, high in zip(point, *ends, strict=True)
    ]


def mean_interval(
    values: Sequence[float],
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
    clusters: Sequence[Hashable] | None = None,
) -> Interval:
    """Mean and percentile interval of plain scores. ValueError for none.

    `clusters` names the debtor of each value; those of one debtor are drawn together, however
    many they are. Without it each value is a case of its own. The ends are NaN where all values
    are one case's.
    """
    if clusters is None:
        clusters = range(len(values))
    table = np.stack(totals(values, clusters), axis=1)
    (found,) = bootstrap(table, _ratio, rng, resamples)
    return found


def totals(values: Sequence[float], clusters: Sequence[Hashable]) -> tuple[Floats, Floats]:
    """Sum and number of the values of each cluster, in the order in which clusters first occur."""
    places: dict[Hashable, int] = {}
    at = [places.setdefault(cluster, len(places)) for cluster in clusters]
    sums = np.bincount(at, np.asarray(values, dtype=np.float64), len(places))
    return sums.astype(np.float64), np.bincount(at, minlength=len(places)).astype(np.float64)


def stacked(table: Floats, clusters: Sequence[Hashable]) -> tuple[Floats, int]:
    """The rows of a table (n, k) with those of a cluster in a row, and how many these are.

    Each cluster has as many as the largest; what others lack is NaN, which no mean counts. So the
    result goes into `bootstrap` with that number as `cluster`.
    """
    places: dict[Hashable, list[int]] = {}
    for at, cluster in enumerate(clusters):
        places.setdefault(cluster, []).append(at)
    most = max(map(len, places.values()))
    if most == 1:
        return table, 1
    wide = np.full((len(places), most, table.shape[1]), np.nan)
    for at, found in enumerate(places.values()):
        wide[at, : len(found)] = table[found]
    return wide.reshape(-1, table.shape[1]), most


def share(sums: Floats, counts: Floats) -> Interval:
    """A share over debtors with repeats, and its Wilson interval at the effective number of them.

    `sums` are the successes of each debtor, or its sum of values from 0 to 1, as votes with ties;
    `counts` are its dialogues; a debtor without any is left out. ValueError where nothing is
    counted.
    """
    there = counts > 0
    sums, counts = sums[there], counts[there]
    if not len(counts):
        raise ValueError("a share of nothing")
    n = effective_n(sums, counts)
    value = float(sums.sum() / counts.sum())
    return wilson(value * n, n)._replace(value=value)


def effective_n(sums: Floats, counts: Floats) -> float:
    """How many independent dialogues a share over debtors with repeats is worth.

    Between Kish's n² / Σ counts², the number of debtors where each has as many repeats and these
    always come out alike, and the number of dialogues n, where they come out independently. Between
    the two it is n over the design effect, the variance of the share over debtors (linearised)
    against that of n coins. Two debtors who always succeed and two who never do are added before it
    is estimated: where all dialogues succeed, nothing is known of how alike repeats are, and the
    smaller number holds.
    """
    n = float(counts.sum())
    least = n * n / float((counts**2).sum())
    size = n / len(counts)
    sums = np.concatenate([sums, np.repeat([size, 0.0], _PSEUDO)])
    counts = np.concatenate([counts, np.full(2 * _PSEUDO, size)])
    whole, debtors = counts.sum(), len(counts)
    p = sums.sum() / whole
    variance = ((sums - p * counts) ** 2).sum() / whole**2 * debtors / (debtors - 1)
    design = variance / (p * (1 - p) / whole)
    return float(np.clip(n / design, least, n))


def wilson(successes: float, n: float, confidence: float = 0.95) -> Interval:
    """A share and its Wilson score interval. ValueError for n = 0."""
    if n <= 0:
        raise ValueError("a share of nothing")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    value = successes / n
    centre = (value + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(value * (1 - value) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Interval(value, max(0.0, centre - half), min(1.0, centre + half))


def paired(
    a: Sequence[float],
    b: Sequence[float],
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
    comparisons: int = 1,
) -> Difference:
    """Mean of a − b with a bootstrap interval, and a sign-flip permutation test.

    `a` and `b` are scores of two collectors over the same debtors, in the same order.
    `comparisons` as in `sign_flip`. ValueError where they differ in length or are empty.
    """
    if len(a) != len(b) or not len(a):
        raise ValueError(f"{len(a)} and {len(b)} scores are no pairs")
    gaps = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    (interval,) = bootstrap(gaps[:, None], lambda t: t.mean(axis=-2), rng, resamples)
    (p,) = sign_flip(gaps[:, None], rng, resamples, comparisons)
    return Difference(*interval, p, len(gaps))


def sign_flip(
    gaps: Floats, rng: np.random.Generator, flips: int = RESAMPLES, comparisons: int = 1
) -> list[float]:
    """Two-sided p of each column's mean being other than 0, by flipping the signs of cases.

    `gaps` is (cases, k): what each case adds to each of k differences; a column with a NaN has a p
    of NaN. Where Holm's correction follows, over `comparisons` of them, there are more flips where
    they are needed: the smallest p that `flips` can give, times the comparisons, may be no evidence
    at all.
    """
    n = len(gaps)
    observed = np.abs(gaps.mean(axis=0))
    # What is equal but for the last digits of a sum is equal.
    bar = observed - 1e-9 * np.abs(gaps).mean(axis=0)
    beyond, made = np.zeros(len(observed)), np.zeros(len(observed), dtype=np.intp)
    going = ~np.isnan(observed)
    most = max(flips, _FLIPS_PER_COMPARISON * comparisons)
    while going.any():
        # All that are still going have come equally far.
        far = int(made[going].max())
        size = min(_BLOCK, (flips if far < flips else most) - far)
        # Flipping some signs takes twice what they stand for from the sum.
        bits = rng.integers(0, 256, (size, -(-n // 8)), dtype=np.uint8)
        flipped = np.unpackbits(bits, axis=1, count=n).astype(np.float64) @ gaps[:, going]
        means = np.abs(gaps[:, going].sum(axis=0) - 2 * flipped) / n
        beyond[going] += (means >= bar[going]).sum(axis=0)
        made[going] += size
        going &= (made < flips) | ((made < most) & (beyond < _EXTREME))
    return [float(x) for x in np.where(made > 0, (beyond + 1) / (made + 1), np.nan)]


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values for several tests at once (Holm 1979), in the given order."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def _ratio(table: Floats) -> Floats:
    """Mean of all values from the sums and numbers of clusters, (…, n, 2) to (…, 1)."""
    sums = table.sum(axis=-2)
    return np.asarray(sums[..., :1] / sums[..., 1:])


def _ends(drawn: Floats, alone: bool) -> tuple[Floats, Floats]:
    """2.5 % and 97.5 % of each column, leaving out NaN; NaN for what is drawn from one case."""
    low = np.full(drawn.shape[1], np.nan)
    high = low.copy()
    for j in range(0 if alone else drawn.shape[1]):
        there = drawn[~np.isnan(drawn[:, j]), j]
        if len(there):
            low[j], high[j] = np.quantile(there, [0.025, 0.975])
    return low, high
