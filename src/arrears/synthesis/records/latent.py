"""From columns with ties to smooth normals: what a copula can be fitted to.

A point that many rows share (a zero, a category) is a stretch of the uniform scale, and nothing
says where in it a row lies. Drawing that place at random weakens every dependence; here it is drawn
given the row's other columns, by Gibbs sweeps through a Gaussian copula.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from arrears.synthesis.records.table import Table

_SWEEPS: Final = 5
_RIDGE: Final = 1e-3
_EDGE: Final = 1e-6


def latent_normals(table: Table, rng: np.random.Generator) -> NDArray[np.float64]:
    """Standard normals, shape (rows, columns), that give the table's ranks back."""
    from scipy.special import ndtr, ndtri

    data = np.where(np.isnan(table.data), -np.inf, table.data)
    low, high = _places(data)
    n, k = data.shape
    latent = ndtri(np.clip(low + (high - low) * rng.random((n, k)), _EDGE, 1 - _EDGE))
    z_low, z_high = ndtri(np.clip(low, 0, 1)), ndtri(np.clip(high, 0, 1))
    for _ in range(_SWEEPS):
        correlation = np.corrcoef(latent.T) if k > 1 else np.ones((1, 1))
        precision = np.linalg.inv(correlation + _RIDGE * np.eye(k))
        for j in range(k):
            rest = np.arange(k) != j
            mean = -(latent[:, rest] @ precision[rest, j]) / precision[j, j]
            sd = 1 / np.sqrt(precision[j, j])
            a, b = ndtr((z_low[:, j] - mean) / sd), ndtr((z_high[:, j] - mean) / sd)
            inside = ndtri(np.clip(a + (b - a) * rng.random(n), _EDGE, 1 - _EDGE)) * sd + mean
            # Where the conditional has no mass in the row's stretch, the nearest end is taken.
            latent[:, j] = np.clip(inside, z_low[:, j], z_high[:, j])
        latent = np.clip(latent, ndtri(_EDGE), ndtri(1 - _EDGE))
    found: NDArray[np.float64] = latent
    return found


def in_order(table: Table) -> tuple[Table, dict[str, tuple[int, ...]]]:
    """The table with the values of categories in an order that goes with the numbers.

    Also the new places' old ones, by column. Categories have no order of their own; a copula needs
    one, and takes the one in which the mean of the other columns rises.
    """
    from scipy.stats import rankdata

    numeric = [i for i, c in enumerate(table.columns) if c.kind == "numeric"]
    filled = np.where(np.isnan(table.data), -np.inf, table.data)
    ranks = np.column_stack([rankdata(filled[:, i]) for i in numeric])
    centred = (ranks - ranks.mean(axis=0)) / np.maximum(ranks.std(axis=0), 1e-12)
    _, _, axes = np.linalg.svd(np.cov(centred.T).reshape(len(numeric), -1))
    score = centred @ axes[0]
    data, orders = table.data.copy(), {}
    for i, column in enumerate(table.columns):
        if column.kind == "categorical":
            codes = range(len(column.levels))
            rows = [table.data[:, i] == code for code in codes]
            # Where some of the rows are looked at, a value may be without any.
            means = [float(score[has].mean()) if has.any() else 0.0 for has in rows]
            order = tuple(int(code) for code in np.argsort(means, kind="stable"))
            for new, old in enumerate(order):
                data[table.data[:, i] == old, i] = new
            orders[column.name] = order
    return Table(table.columns, data), orders


def _places(data: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of rows below each value, and below or at it."""
    from scipy.stats import rankdata

    n = len(data)
    low = np.column_stack([rankdata(c, method="min") - 1 for c in data.T]) / n
    high = np.column_stack([rankdata(c, method="max") for c in data.T]) / n
    return low, high
