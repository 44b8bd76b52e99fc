"""`gaussian`: DebtBench's records (§3.1 and appendix B.1).

A multivariate normal on a transformed scale gives many candidates; each real row then chooses its
nearest candidate over what is demographic and what is of the debt, and the chosen are kept. The
choice brings the population's shape back, and ties every kept row to one real person: the evidence
shows how closely.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from arrears.synthesis.records.pool import PoolModel
from arrears.synthesis.records.privacy import ACCOUNT
from arrears.synthesis.records.table import Table

_RIDGE: Final = 1e-6
_CANDIDATES: Final = 10
"""For each real row, at least: 100,000 for 11,000 in the paper."""
_CHUNK: Final = 2_000


def fit_gaussian(table: Table, rng: np.random.Generator, pool: int) -> PoolModel:
    """One kept candidate for each real row; `pool` candidates to choose from, if that is more."""
    from sklearn.preprocessing import PowerTransformer

    shape = _Shape(table)
    scale = PowerTransformer(method="yeo-johnson")
    transformed = np.nan_to_num(scale.fit_transform(shape.numbers))
    encoded = np.hstack([transformed, shape.dummies])
    mean, covariance = encoded.mean(axis=0), np.cov(encoded.T)
    root = np.linalg.cholesky(covariance + _RIDGE * np.eye(len(mean)))
    count = max(pool, _CANDIDATES * len(table))
    drawn = mean + rng.standard_normal((count, len(mean))) @ root.T
    numbers = scale.inverse_transform(drawn[:, : transformed.shape[1]])
    candidates = shape.table_of(numbers, drawn[:, transformed.shape[1] :])
    chosen = _nearest(table, candidates)
    return PoolModel(table.columns, candidates[chosen[rng.permutation(len(chosen))]])


class _Shape:
    """How a table becomes numbers and dummies, and comes back."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._numeric = [i for i, c in enumerate(table.columns) if c.kind == "numeric"]
        values = table.data[:, self._numeric]
        self._holes = [j for j in range(values.shape[1]) if np.isnan(values[:, j]).any()]
        with np.errstate(all="ignore"):
            middle = np.nan_to_num(np.nanmedian(values, axis=0))
        self.numbers = np.where(np.isnan(values), middle, values)
        self._bounds = self.numbers.min(axis=0), self.numbers.max(axis=0)
        parts = [np.isnan(values[:, [j]]).astype(float) for j in self._holes]
        for i, column in enumerate(table.columns):
            if column.kind == "categorical":
                codes = np.nan_to_num(table.data[:, i], nan=len(column.levels)).astype(int)
                parts.append(np.eye(len(column.levels) + 1)[codes])
        self.dummies = np.hstack(parts) if parts else np.empty((len(table), 0))

    def table_of(
        self, numbers: NDArray[np.float64], dummies: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Rows again: numbers within the table's bounds, the strongest dummy's category."""
        table = self._table
        found = np.full((len(numbers), len(table.columns)), np.nan)
        low, high = self._bounds
        # Far out in a tail the inverse transform may be no number: there is the bound.
        numbers = np.clip(np.where(np.isnan(numbers), high, numbers), low, high)
        for j, i in enumerate(self._numeric):
            step = table.columns[i].step
            found[:, i] = np.round(numbers[:, j] / step) * step if step else numbers[:, j]
        for at, j in enumerate(self._holes):
            found[dummies[:, at] > 0.5, self._numeric[j]] = np.nan
        at = len(self._holes)
        for i, column in enumerate(table.columns):
            if column.kind == "categorical":
                width = len(column.levels) + 1
                place = dummies[:, at : at + width].argmax(axis=1).astype(float)
                found[:, i] = np.where(place == len(column.levels), np.nan, place)
                at += width
        return found


def _nearest(table: Table, candidates: NDArray[np.float64]) -> NDArray[np.int64]:
    """The nearest candidate of each row that no earlier row has taken; the nearest of all where ten
    are taken.
    """
    from sklearn.neighbors import NearestNeighbors

    on = [table.places[name] for name in ACCOUNT if name in table.places]
    real, made = table.data[:, on], candidates[:, on]
    scale = np.nanstd(real, axis=0)
    scale[scale == 0] = 1.0
    tree = NearestNeighbors(n_neighbors=10).fit(np.nan_to_num(made / scale))
    taken: set[int] = set()
    chosen = []
    for start in range(0, len(real), _CHUNK):
        near = tree.kneighbors(np.nan_to_num(real[start : start + _CHUNK] / scale),
                               return_distance=False)  # fmt: skip
        for places in near.tolist():
            place = next((p for p in places if p not in taken), places[0])
            taken.add(place)
            chosen.append(place)
    return np.array(chosen)
