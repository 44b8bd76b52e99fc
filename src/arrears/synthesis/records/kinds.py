"""`copula`: the table's rows in a few kinds, and a copula for each.

A table of accounts holds several kinds of people: who never uses the card, who pays it off, who is
late. One vine smears them into each other, and a classifier sees it; one for each kind keeps them
apart, at the same cost and with distances to real rows that stay above those of other real rows
(docs/experiments.md).
"""

import lzma
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from arrears.errors import BrokenFile
from arrears.files import replace_file
from arrears.synthesis.extras import one_thread
from arrears.synthesis.records.copula import CopulaModel, copula_from, fit_copula
from arrears.synthesis.records.table import Column, Table

_FILE: Final = "copula.json.xz"
KINDS: Final = 5
_ROWS_EACH: Final = 1_000
"""Rows for each kind on average, at least: kinds of a few people would be those people."""
_LEAST: Final = 200


@dataclass(frozen=True)
class CopulaKinds:
    """Copulas and the share of the rows of each."""

    columns: tuple[Column, ...]
    shares: tuple[float, ...]
    models: tuple[CopulaModel, ...]

    def rows(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """As `Synthesizer.rows`."""
        counts = rng.multinomial(n, self.shares)
        parts = [m.rows(int(k), rng) for m, k in zip(self.models, counts, strict=True) if k]
        found: NDArray[np.float64] = np.vstack(parts)[rng.permutation(n)]
        return found

    def store(self, folder: Path) -> None:
        """Write `copula.json.xz`."""
        document = {"shares": self.shares, "kinds": [m.document() for m in self.models]}
        packed = lzma.compress(orjson.dumps(document), preset=1)
        replace_file(folder / _FILE, lambda file: file.write(packed))


def fit_kinds(table: Table, rng: np.random.Generator, most: int = KINDS) -> CopulaKinds:
    """Up to `most` kinds, fewer for small tables; seconds for ten thousand rows of 20 columns."""
    labels = _kinds(table, rng, min(most, len(table) // _ROWS_EACH))
    groups = [np.flatnonzero(labels == k) for k in range(int(labels.max()) + 1)]
    models = tuple(fit_copula(table.rows(group), rng) for group in groups)
    return CopulaKinds(table.columns, tuple(len(g) / len(table) for g in groups), models)


def load_kinds(folder: Path, columns: tuple[Column, ...]) -> CopulaKinds:
    """What `store` wrote. BrokenFile."""
    path = folder / _FILE
    try:
        document = orjson.loads(lzma.decompress(path.read_bytes()))
        return CopulaKinds(
            columns,
            tuple(document["shares"]),
            tuple(copula_from(kind, columns) for kind in document["kinds"]),
        )
    except (
        OSError, EOFError, lzma.LZMAError, KeyError, TypeError, ValueError, RuntimeError,
    ) as error:  # fmt: skip
        raise BrokenFile(path, f"is no copula that was stored here ({error})") from error


def _kinds(table: Table, rng: np.random.Generator, count: int) -> NDArray[np.int64]:
    """Which kind each row is of, by k-means over the ranks of its numbers."""
    from scipy.stats import rankdata
    from sklearn.cluster import KMeans

    numeric = [i for i, column in enumerate(table.columns) if column.kind == "numeric"]
    if count < 2:
        return np.zeros(len(table), dtype=np.int64)
    data = np.where(np.isnan(table.data), -np.inf, table.data)
    ranks = np.column_stack([rankdata(data[:, i]) / len(table) for i in numeric])
    means = KMeans(count, n_init=3, random_state=int(rng.integers(1 << 31)))
    with one_thread():
        labels = means.fit_predict(ranks)
    found = np.asarray(labels, dtype=np.int64)
    small = [k for k in range(count) if (found == k).sum() < _LEAST]
    # A kind of few rows goes to the largest.
    largest = int(np.bincount(found).argmax())
    found[np.isin(found, small)] = largest
    _, dense = np.unique(found, return_inverse=True)
    return np.asarray(dense, dtype=np.int64)
