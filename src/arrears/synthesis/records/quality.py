"""How near synthetic rows are to real ones that the model never saw.

Every figure has a floor beside it: the same figure for two sets of real rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from arrears.synthesis.records.table import Table

_FOLDS: Final = 3
_LEAST: Final = 2
_QUANTILES: Final = 1000


@dataclass(frozen=True)
class Quality:
    """One set of rows against the holdout."""

    marginals: Mapping[str, float]
    """Kolmogorov–Smirnov distance of a number, total variation of a category; 0 … 1."""
    correlations: float
    """Mean absolute difference over all pairs of columns: Pearson between numbers, the correlation
    ratio between a number and a category, Cramér's V between categories."""
    rank_correlations: float
    """The same with Spearman between numbers."""
    auc_trees: float
    """Of gradient-boosted trees that tell synthetic from real, cross-validated; 0.5 is a guess."""
    auc_linear: float
    """The same by logistic regression on normal scores."""

    @property
    def mean_ks(self) -> float:
        """Over all columns."""
        return float(np.mean(list(self.marginals.values())))


def quality(made: Table, holdout: Table, seed: int) -> Quality:
    """Compare rows with the holdout. Both need the same columns."""
    trees, linear = _told_apart(made, holdout, seed)
    return Quality(
        {c.name: marginal(made, holdout, c.name) for c in holdout.columns},
        _difference(associations(made), associations(holdout)),
        _difference(associations(made, ranks=True), associations(holdout, ranks=True)),
        trees,
        linear,
    )


def marginal(made: Table, real: Table, name: str) -> float:
    """KS distance or total variation of one column; a missing value counts as one of its own."""
    column = real.columns[real.places[name]]
    a, b = made.column(name), real.column(name)
    if column.kind == "categorical":
        count = len(column.levels) + 1

        def shares(values: NDArray[np.float64]) -> NDArray[np.float64]:
            codes = np.nan_to_num(values, nan=count - 1).astype(int)
            return np.bincount(codes, minlength=count) / len(codes)

        return float(np.abs(shares(a) - shares(b)).sum() / 2)
    a, b = (np.sort(np.where(np.isnan(v), -np.inf, v)) for v in (a, b))
    at = np.concatenate([a, b])
    below = [np.searchsorted(v, at, side="right") / len(v) for v in (a, b)]
    return float(np.abs(below[0] - below[1]).max())


def associations(table: Table, ranks: bool = False) -> NDArray[np.float64]:
    """Shape (columns, columns); NaN where a column has one value."""
    k = len(table.columns)
    found = np.eye(k)
    for i, j in combinations(range(k), 2):
        found[i, j] = found[j, i] = _association(table, i, j, ranks)
    return found


def _association(table: Table, i: int, j: int, ranks: bool) -> float:
    a, b = table.data[:, i], table.data[:, j]
    there = ~(np.isnan(a) | np.isnan(b))
    a, b = a[there], b[there]
    if len(a) < _LEAST or (a == a[0]).all() or (b == b[0]).all():
        return np.nan
    kinds = table.columns[i].kind, table.columns[j].kind
    if kinds == ("numeric", "numeric"):
        if ranks:
            from scipy.stats import rankdata

            a, b = rankdata(a), rankdata(b)
        return float(np.corrcoef(a, b)[0, 1])
    if kinds == ("categorical", "categorical"):
        return _cramers_v(a.astype(int), b.astype(int))
    return _ratio(b, a) if kinds[0] == "categorical" else _ratio(a, b)


def _ratio(numbers: NDArray[np.float64], codes: NDArray[np.float64]) -> float:
    """Correlation ratio: the root of the share of variance between categories."""
    total = ((numbers - numbers.mean()) ** 2).sum()
    between = sum(
        (codes == code).sum() * (numbers[codes == code].mean() - numbers.mean()) ** 2
        for code in np.unique(codes)
    )
    return float(np.sqrt(between / total)) if total > 0 else 0.0


def _cramers_v(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    counts = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(counts, (a, b), 1)
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    chi = ((counts - expected) ** 2 / expected).sum()
    return float(np.sqrt(chi / counts.sum() / max(1, min(counts.shape) - 1)))


def _difference(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Mean absolute difference above the diagonal; NaN where no pair says anything.

    A pair that varies on neither side says nothing; one that varies on one side only is compared
    with 0.
    """
    upper = np.triu_indices(len(a), 1)
    x, y = a[upper], b[upper]
    known = ~(np.isnan(x) & np.isnan(y))
    return (
        float(np.abs(np.nan_to_num(x) - np.nan_to_num(y))[known].mean()) if known.any() else np.nan
    )


def _told_apart(made: Table, holdout: Table, seed: int) -> tuple[float, float]:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import QuantileTransformer

    rows = np.vstack([made.data, holdout.data])
    synthetic = np.repeat([1, 0], [len(made), len(holdout)])
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    trees = HistGradientBoostingClassifier(random_state=seed)
    spread = QuantileTransformer(
        n_quantiles=min(_QUANTILES, len(rows) // 2), output_distribution="normal", random_state=seed
    )
    linear = make_pipeline(spread, LogisticRegression(max_iter=1000))
    aucs = []
    for classifier, values in ((trees, rows), (linear, expanded(made, holdout))):
        guessed = cross_val_predict(classifier, values, synthetic, cv=folds, method="predict_proba")
        aucs.append(float(roc_auc_score(synthetic, guessed[:, 1])))
    return aucs[0], aucs[1]


def expanded(*tables: Table) -> NDArray[np.float64]:
    """Rows of several tables as plain numbers: a column for each category, holes at the median."""
    parts = []
    for i, column in enumerate(tables[0].columns):
        values = np.concatenate([t.data[:, i] for t in tables])
        if column.kind == "categorical":
            codes = np.nan_to_num(values, nan=len(column.levels)).astype(int)
            parts.append(np.eye(len(column.levels) + 1)[codes])
            continue
        holes = np.isnan(values)
        middle = np.median(values[~holes]) if not holes.all() else 0.0
        parts.append(np.where(holes, middle, values)[:, None])
    return np.hstack(parts)
