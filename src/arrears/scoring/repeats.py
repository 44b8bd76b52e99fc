"""What repeats tell: how far a success can be relied on, and where spread comes from."""

from collections.abc import Mapping, Sequence
from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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


def pass_hat(successes: Mapping[str, Sequence[bool]]) -> dict[int, float]:
    """pass^k for k = 1 … the fewest repeats of any case: the chance that k talks all succeed.

    For c successes in n repeats a case contributes C(c, k) / C(n, k), which is unbiased (Yao et al.
    2024, tau-bench). Empty without cases.
    """
    if not successes:
        return {}
    fewest = min(len(found) for found in successes.values())
    return {
        k: float(np.mean([comb(sum(f), k) / comb(len(f), k) for f in successes.values()]))
        for k in range(1, fewest + 1)
    }


def components(scores: Floats) -> Components:
    """Variance components of scores of shape (cases, repeats), by analysis of variance.

    ValueError below two cases or two repeats.
    """
    cases, repeats = scores.shape
    if cases < 2 or repeats < 2:
        raise ValueError(f"{cases} cases and {repeats} repeats cannot be told apart")
    means = scores.mean(axis=1)
    within = float(((scores - means[:, None]) ** 2).sum() / (cases * (repeats - 1)))
    between = float(repeats * ((means - means.mean()) ** 2).sum() / (cases - 1))
    return Components(max(0.0, (between - within) / repeats), within)


def components_with_judges(scores: Floats) -> Components:
    """The same for scores of shape (cases, repeats, judges): judges differ within a dialogue.

    Nested: judges in repeats in cases. ValueError below two of any.
    """
    cases, repeats, judges = scores.shape
    if min(cases, repeats, judges) < 2:
        raise ValueError(f"{scores.shape} is too little to be told apart")
    talk = scores.mean(axis=2)
    judge = float(((scores - talk[:, :, None]) ** 2).sum() / (cases * repeats * (judges - 1)))
    # The mean of several judges carries their variance divided by their number.
    inner = components(talk)
    repeat = max(0.0, inner.repeats - judge / judges)
    return Components(inner.cases, repeat, judge)
