"""Quality and privacy of one fitted model, as figures and as a verdict for each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from arrears.synthesis.records.privacy import Privacy, privacy
from arrears.synthesis.records.quality import Quality, associations, expanded, quality
from arrears.synthesis.records.table import Table

KS_MOST: Final = 0.10
CORRELATION_MOST: Final = 0.05
MEMBERSHIP_MOST: Final = 0.55
_PCA: Final = 2
_PICTURED: Final = 1_500
_DUMMY: Final = 2


class Finding(NamedTuple):
    """One figure, what it would be for real rows, and what it should be."""

    name: str
    value: float
    real: float | None
    """The same figure for the holdout's own rows."""
    limit: float | None
    """None where a figure is told, not judged."""
    at_least: bool
    """Whether the limit is one from below."""
    meaning: str

    @property
    def met(self) -> bool | None:
        """Whether the limit is kept; None without one, and where nothing could be measured."""
        if self.limit is None or self.value != self.value:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit


@dataclass(frozen=True)
class Evidence:
    """All that was measured."""

    fitted: int
    """Rows that the model was fitted on."""
    holdout: int
    """Real rows beside them."""
    quality: Quality
    floor: Quality
    """The fitted rows against the holdout: what two sets of real rows differ in."""
    privacy: Privacy
    findings: tuple[Finding, ...]
    associations: tuple[NDArray[np.float64], NDArray[np.float64]]
    """Of the holdout and of the synthetic rows, shape (columns, columns)."""
    pca: tuple[NDArray[np.float64], NDArray[np.float64]]
    """Some of both in the holdout's first two principal components, shape (rows, 2)."""
    explained: tuple[float, float]
    """Share of the holdout's variance in these two."""

    def document(self) -> Mapping[str, Any]:
        """For JSON."""
        return {
            "fitted": self.fitted,
            "holdout": self.holdout,
            "findings": [f._asdict() | {"met": f.met} for f in self.findings],
            "marginals": dict(self.quality.marginals),
            "marginals_real": dict(self.floor.marginals),
            "copies": self.privacy.copies,
            "copies_drawn_again": self.privacy.drawn_again,
            "copies_holdout": self.privacy.holdout_copies,
            "copies_rows": self.privacy.copies_rows,
        }


def evidence(
    made: Table, fitted: Table, holdout: Table, seed: int, drawn_again: int = 0
) -> Evidence:
    """Measure synthetic rows against the rows that a model was fitted on and a holdout.

    `drawn_again` rows had equalled a fitted one before these were taken.
    """
    found, floor = quality(made, holdout, seed), quality(fitted, holdout, seed)
    given_away = privacy(made, fitted, holdout, drawn_again)
    pca, explained = _components(made, holdout)
    return Evidence(
        len(fitted),
        len(holdout),
        found,
        floor,
        given_away,
        _findings(found, floor, given_away),
        (associations(holdout), associations(made)),
        pca,
        explained,
    )


def _findings(found: Quality, floor: Quality, given: Privacy) -> tuple[Finding, ...]:
    ours, theirs = given.made.summary(), given.holdout.summary()
    return (
        Finding("mean KS", found.mean_ks, floor.mean_ks, KS_MOST, False,
                "distance of each column's distribution (total variation for categories)"),
        Finding("correlations", found.correlations, floor.correlations, CORRELATION_MOST, False,
                "mean absolute difference over all pairs of columns"),
        Finding("rank correlations", found.rank_correlations, floor.rank_correlations, None, False,
                "the same with Spearman between numbers"),
        Finding("AUC trees", found.auc_trees, floor.auc_trees, None, False,
                "boosted trees telling synthetic from real; 0.5 is a guess, 1 always right"),
        Finding("AUC linear", found.auc_linear, floor.auc_linear, None, False,
                "logistic regression doing so"),
        Finding("copies", given.copies, given.holdout_copies, 0, False,
                "rows equal to a fitted row in every column"),
        Finding("… drawn again", given.drawn_again, given.holdout_copies, None, False,
                "rows that were, and were drawn again, as `sample` does"),
        Finding("DCR 5 %", ours[0], theirs[0], theirs[0], True,
                "distance to the closest fitted row, fifth percentile"),
        Finding("DCR median", ours[1], theirs[1], theirs[1], True, "the same, median"),
        Finding("NNDR 5 %", ours[2], theirs[2], theirs[2], True,
                "nearest over second nearest fitted row, fifth percentile"),
        Finding("NNDR median", ours[3], theirs[3], None, True, "the same, median"),
        Finding("membership AUC", given.membership_auc, None, MEMBERSHIP_MOST, False,
                "attack: who has a synthetic row near was among the fitted; 0.5 is a guess"),
        Finding("… of the unusual", given.unusual_auc, None, MEMBERSHIP_MOST, False,
                "the same over the tenth of people who are least like anybody"),
        Finding("… by the account", given.account_auc, None, MEMBERSHIP_MOST, False,
                "the same by somebody who knows age, sex, amounts and days overdue only"),
    )  # fmt: skip


def _components(
    made: Table, holdout: Table
) -> tuple[tuple[NDArray[np.float64], NDArray[np.float64]], tuple[float, float]]:
    """DebtBench's Figure 3: both sets in the plane in which the real rows spread most."""
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import QuantileTransformer

    numbers = expanded(holdout, made)
    # Numbers on a normal scale, so that a few rich accounts are not the whole picture; categories
    # as the zeros and ones that they are.
    wide = [len(np.unique(column)) > _DUMMY for column in numbers.T]
    spread = QuantileTransformer(
        n_quantiles=min(1000, len(holdout)), output_distribution="normal", random_state=0
    )
    spread.fit(numbers[: len(holdout)][:, wide])
    numbers[:, wide] = np.clip(spread.transform(numbers[:, wide]), -3, 3)
    scores = numbers
    plane = PCA(_PCA, random_state=0).fit(scores[: len(holdout)])
    seen = plane.transform(scores)
    real, synthetic = seen[: len(holdout)][:_PICTURED], seen[len(holdout) :][:_PICTURED]
    first, second = (float(v) for v in plane.explained_variance_ratio_)
    return (real, synthetic), (first, second)
