"""How far judges agree: with each other, and with people.

Tables are units (dialogues) by raters; NaN where a rater gave no score. Undefined is NaN, never 0
or 1: where everybody gives the same mark to everything, agreement beyond chance has no meaning.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from arrears.scoring.statistics import Interval

Floats = NDArray[np.float64]
Level = Literal["nominal", "ordinal", "interval"]
RESAMPLES: Final = 1000


def fleiss_kappa(table: Floats) -> float:
    """Fleiss' κ of nominal marks, shape (units, raters) (Fleiss 1971).

    Units that not every rater has marked are left out. NaN without units, with fewer than two
    raters, or where all marks are one.
    """
    whole = table[~np.isnan(table).any(axis=1)]
    n, raters = whole.shape
    if n == 0 or raters < 2:
        return float("nan")
    kinds = np.unique(whole)
    counts = (whole[:, :, None] == kinds).sum(axis=1).astype(float)
    within = ((counts**2).sum(axis=1) - raters) / (raters * (raters - 1))
    chance = ((counts.sum(axis=0) / (n * raters)) ** 2).sum()
    return float((within.mean() - chance) / (1 - chance)) if chance < 1 else float("nan")


def krippendorff_alpha(table: Floats, level: Level = "interval") -> float:
    """Krippendorff's α, shape (units, raters), missing marks allowed (Krippendorff 2011).

    1 − observed over expected disagreement, by the coincidences of marks within units. NaN where
    fewer than two marks can be paired, or where all of them are one.
    """
    there = ~np.isnan(table)
    marks = there.sum(axis=1)
    paired, there, marks = table[marks >= 2], there[marks >= 2], marks[marks >= 2]
    n = int(marks.sum())
    if n < 2:
        return float("nan")
    if level == "interval":
        return _interval_alpha(np.where(there, paired, 0.0), marks, n)
    values = np.unique(paired[there])
    counts = np.asarray((paired[:, :, None] == values).sum(axis=1), dtype=np.float64)
    weights = 1.0 / (marks - 1)
    together = (counts * weights[:, None]).T @ counts - np.diag(weights @ counts)
    totals = together.sum(axis=0)
    distance = _distance(values, totals, level)
    expected = (np.outer(totals, totals) * distance).sum() / (n - 1)
    return float(1 - (together * distance).sum() / expected) if expected > 0 else float("nan")


def _interval_alpha(filled: Floats, marks: NDArray[np.intp], n: int) -> float:
    """The same for squared differences, which sums and sums of squares hold already."""
    sums, squares = filled.sum(axis=1), (filled**2).sum(axis=1)
    observed = ((marks * squares - sums**2) / (marks - 1)).sum()
    expected = (n * squares.sum() - sums.sum() ** 2) / (n - 1)
    return float(1 - observed / expected) if expected > 1e-12 else float("nan")


def _distance(values: Floats, totals: Floats, level: Level) -> Floats:
    if level == "nominal":
        return np.asarray(values[:, None] != values, dtype=np.float64)
    reach = np.cumsum(totals)
    middle = reach - totals / 2
    return np.asarray((middle[:, None] - middle) ** 2, dtype=np.float64)


def spearman(a: Floats, b: Floats) -> float:
    """Spearman's ρ over the units that both have marked, ties by mean rank. NaN where undefined."""
    both = ~(np.isnan(a) | np.isnan(b))
    if both.sum() < 3:
        return float("nan")
    x, y = _ranks(a[both]), _ranks(b[both])
    sx, sy = x.std(), y.std()
    if sx == 0 or sy == 0:
        return float("nan")
    return float(((x - x.mean()) * (y - y.mean())).mean() / (sx * sy))


def _ranks(values: Floats) -> Floats:
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[where], dtype=np.float64)


def within_sd(judge: Floats, humans: Floats) -> Floats:
    """Whether a judge lies within one human standard deviation of the human mean, 1 or 0 by unit.

    NaN where the judge or every person gave no score. `humans` has shape (units, raters). The
    deviation is that of people about their own mean, pooled over all units with at least two of
    them (DebtBench appendix F.2 plots it and does not say); with one person a unit it is the
    deviation of the human scores over the units, and NaN where there is a single one.
    """
    with np.errstate(invalid="ignore"):
        counts = (~np.isnan(humans)).sum(axis=1)
        sums = np.nansum(humans, axis=1)
    there = (counts > 0) & ~np.isnan(judge)
    found = np.full(len(judge), np.nan)
    if not there.any():
        return found
    means = sums[there] / counts[there]
    squares = np.nansum((humans[there] - means[:, None]) ** 2, axis=1)
    free = np.maximum(counts[there] - 1, 0).sum()
    sd = np.sqrt(squares.sum() / free) if free else means.std(ddof=1) if len(means) > 1 else np.nan
    if sd == sd:  # People who cannot differ say nothing about how far a judge may.
        found[there] = np.abs(judge[there] - means) <= sd + 1e-12
    return found


def share_within_sd(judge: Floats, humans: Floats) -> float:
    """Share of units on which a judge lies `within_sd`. NaN without any."""
    hits = within_sd(judge, humans)
    hits = hits[~np.isnan(hits)]
    return float(hits.mean()) if len(hits) else float("nan")


def with_interval(
    statistic: Callable[[Floats], float],
    table: Floats,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
    clusters: Sequence[Hashable] | None = None,
) -> Interval:
    """A statistic of a table and the ends of its 95 % bootstrap interval.

    `clusters` names the debtor of each unit; the units of one debtor are drawn together.
    Without it each unit is a case of its own. Resamples in which the statistic is undefined are
    left out; the ends are NaN where none is left, and where all units are one case's.
    """
    value = statistic(table)
    places: dict[Hashable, list[int]] = {}
    for at, cluster in enumerate(range(len(table)) if clusters is None else clusters):
        places.setdefault(cluster, []).append(at)
    n = len(places)
    if n < 2:
        return Interval(value, float("nan"), float("nan"))
    in_a_row = table[[at for found in places.values() for at in found]]
    sizes = np.array([len(found) for found in places.values()])
    firsts = np.cumsum(sizes) - sizes

    def resample() -> Floats:
        picks = rng.integers(0, n, n)
        many = sizes[picks]
        # From each one's first row on, as many as it has.
        steps = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many)
        return np.asarray(in_a_row[np.repeat(firsts[picks], many) + steps])

    drawn = np.array([statistic(resample()) for _ in range(resamples)])
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn):
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(value, float(low), float(high))
