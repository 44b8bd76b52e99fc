"""A change between two sets of talks with the same debtors: how large, how sure.

Both sides are resampled together: each resample draws debtors, with all their talks before and
after. So a ratio of means (of agreements only, which differ) has an interval like any other mean,
and so has an index that is made from means.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np

from arrears.scoring.dcn import means
from arrears.scoring.statistics import (
    RESAMPLES,
    SIGNIFICANT,
    Floats,
    bootstrap,
    holm,
    sign_flip,
)

Derive = Callable[[Floats], Floats]
"""From the means of the columns, (…, k), to what is compared, (…, m)."""
Verdict = Literal["better", "worse", "other", "same", ""]


class Change(NamedTuple):
    """One figure before and after. None where nothing could be scored."""

    before: float | None
    after: float | None
    difference: float | None
    """After less before."""
    low: float | None
    high: float | None
    """Ends of its 95 % interval over debtors; None of a single debtor too."""
    p: float | None
    """Two-sided, of a sign-flip permutation over debtors."""
    p_adjusted: float | None = None
    """Holm over all that was tested together."""
    scored: tuple[int, int] = (0, 0)
    """Talks before and after that had a score."""

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    @property
    def significant(self) -> bool:
        """Whether the test still finds it after Holm: what is bold in every table."""
        return self.p_adjusted is not None and self.p_adjusted < SIGNIFICANT

    def verdict(self, better: int) -> Verdict:
        """What it is, where more (1), less (−1) or neither (0) is better; "" where unscored.

        `same` before `adjusted` has corrected it for all that was tested with it.
        """
        if self.difference is None:
            return ""
        if not self.significant:
            return "same"
        return "other" if not better else "better" if self.difference * better > 0 else "worse"


def changes(
    before: Floats,
    after: Floats,
    rng: np.random.Generator,
    *,
    derive: Derive = lambda of: of,
    repeats: int = 1,
    resamples: int = RESAMPLES,
    comparisons: int = 1,
) -> list[Change]:
    """Every column's change, or every figure's that is derived from the columns' means.

    `before` and `after`: (debtors × repeats, k), a debtor's talks in a row and at the same places
    in both; NaN is unscored and left out of its mean. `scored` is left to whoever knows the
    columns. `comparisons` are all that Holm will correct for, as in `sign_flip`. ValueError for
    tables of two shapes, or without rows.
    """
    if before.shape != after.shape:
        raise ValueError(f"tables of {before.shape} and {after.shape} are no pairs")
    k = before.shape[1]

    def three(values: Floats) -> Floats:
        of = means(values)
        first, second = derive(of[..., :k]), derive(of[..., k:])
        return np.concatenate([first, second, second - first], axis=-1)

    found = bootstrap(np.concatenate([before, after], axis=1), three, rng, resamples, repeats)
    m = len(found) // 3
    ps = sign_flip(_shares(before, after, derive, repeats), rng, resamples, comparisons)
    return [
        Change(
            _known(first.value),
            _known(second.value),
            _known(gap.value),
            _known(gap.low),
            _known(gap.high),
            _known(p),
        )
        for first, second, gap, p in zip(
            found[:m], found[m : 2 * m], found[2 * m :], ps, strict=True
        )
    ]


def adjusted(tested: Sequence[Change]) -> list[Change]:
    """The same with Holm's correction over all of them that have a p."""
    found = iter(holm([one.p for one in tested if one.p is not None]))
    return [one if one.p is None else one._replace(p_adjusted=next(found)) for one in tested]


def _shares(before: Floats, after: Floats, derive: Derive, repeats: int) -> Floats:
    """What each debtor adds to each change, (debtors, m): the jackknife's pseudo-values.

    Of a plain mean these are the differences themselves. A mean over agreements only has no
    differences debtor by debtor; exchanging such debtors' sides would change how many agreements
    each side has, and that would be tested with it.
    """
    sides = []
    for table in (before, after):
        sums, counts = _totals(table, repeats)
        whole = _mean(sums.sum(axis=0), counts.sum(axis=0))
        without = _mean(sums.sum(axis=0) - sums, counts.sum(axis=0) - counts)
        n = len(sums)
        # Of a single debtor nothing is left without it.
        left = (n - 1) * derive(without) if n > 1 else 0.0
        sides.append(np.atleast_2d(n * derive(whole) - left))
    return np.asarray(sides[1] - sides[0])


def _totals(table: Floats, repeats: int) -> tuple[Floats, Floats]:
    """Sums and counts by debtor, NaN left out."""
    wide = table.reshape(-1, repeats, table.shape[1])
    there = ~np.isnan(wide)
    return np.where(there, wide, 0.0).sum(axis=1), there.sum(axis=1).astype(float)


def _mean(sums: Floats, counts: Floats) -> Floats:
    return np.where(counts > 0, sums / np.maximum(counts, 1.0), np.nan)


def _known(value: float) -> float | None:
    return None if value != value else float(value)
