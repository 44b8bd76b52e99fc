"""What repeats tell: how far a success can be relied on, and where spread comes from."""

from collections.abc import Hashable, Mapping, Sequence
from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arrears.scoring.statistics import share

Floats = NDArray[np.float64]


class Components(NamedTuple):
    """Variance of a score, split by a random-effects model; none is below 0."""

    cases: float
    """Between debtors."""
    repeats: float
    """Between repeats with the same debtor."""
    judge: float | None = None
    """Between judges of the same dialogue; None where one judge only has scored."""

    def shares(self) -> "Components":
        """The same as shares of their sum; zeros where nothing varies."""
        total = self.cases + self.repeats + (self.judge or 0.0)
        if total == 0:
            return Components(0.0, 0.0, None if self.judge is None else 0.0)
        judge = None if self.judge is None else self.judge / total
        return Components(self.cases / total, self.repeats / total, judge)


class Pass(NamedTuple):
    """pass^k of one k, with the ends of its 95 % interval over cases."""

    value: float
    low: float
    high: float
    cases: int
    """Those with at least k repeats, over which it is taken."""


def pass_hat(successes: Mapping[Hashable, Sequence[bool]]) -> dict[int, Pass]:
    """pass^k for k = 1 … the most repeats of any case: the chance that k dialogues all succeed.

    For c successes in n repeats a case contributes C(c, k) / C(n, k), which is unbiased (Yao et al.
    2024, tau-bench); it needs k repeats, so `Pass.cases` counts those that have as many. Value and
    interval are of the same cases and the same repeats: all of them. Empty without cases.
    """
    found = {}
    for k in range(1, max(map(len, successes.values()), default=0) + 1):
        cases = [runs for runs in successes.values() if len(runs) >= k]
        chances = np.array([comb(sum(runs), k) / comb(len(runs), k) for runs in cases])
        # Each case counts alike, however many repeats it has.
        repeats = np.full(len(cases), sum(map(len, cases)) / len(cases))
        found[k] = Pass(*share(chances * repeats, repeats), len(cases))
    return found


def components(scores: Floats) -> Components:
    """Variance components of scores of shape (cases, repeats), by analysis of variance.

    NaN where a repeat is missing: cases may have different numbers of them. ValueError below two
    cases, and where none has two repeats.
    """
    there = ~np.isnan(scores)
    there = there[there.any(axis=1)]
    scores = np.where(there, scores[~np.isnan(scores).all(axis=1)], 0.0)
    counts = there.sum(axis=1)
    cases, n = len(counts), int(counts.sum())
    if cases < 2 or n == cases:
        most = int(counts.max(initial=0))
        raise ValueError(f"{cases} cases and {most} repeats cannot be told apart")
    means = scores.sum(axis=1) / counts
    gaps = np.where(there, scores - means[:, None], 0.0)
    within = float((gaps**2).sum() / (n - cases))
    between = float((counts * (means - scores.sum() / n) ** 2).sum() / (cases - 1))
    # How many repeats a case has, as far as the variance between cases goes; their number where
    # all have as many.
    typical = (n - float((counts**2).sum()) / n) / (cases - 1)
    return Components(max(0.0, (between - within) / typical), within)


def components_with_judges(scores: Floats) -> Components:
    """The same for scores of shape (cases, repeats, judges): judges differ within a dialogue.

    Nested: judges in repeats in cases. A dialogue that not all judges have scored is left out.
    ValueError below two cases or judges, and where no case has two repeats.
    """
    judges = scores.shape[2]
    if judges < 2:
        raise ValueError(f"{judges} judge cannot be told apart")
    # NaN where one judge is missing.
    dialogue = scores.mean(axis=2)
    gaps = (scores - dialogue[:, :, None])[~np.isnan(dialogue)]
    inner = components(dialogue)
    judge = float((gaps**2).sum() / (len(gaps) * (judges - 1)))
    # The mean of several judges carries their variance divided by their number.
    repeat = max(0.0, inner.repeats - judge / judges)
    return Components(inner.cases, repeat, judge)
