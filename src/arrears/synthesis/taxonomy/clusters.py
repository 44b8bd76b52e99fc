"""Groups of like texts: a reduction, HDBSCAN, and what a person looks at of each group."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from arrears.errors import UsageError
from arrears.synthesis.extras import extra
from arrears.synthesis.taxonomy.embeddings import Vectors

Reduction = Literal["pca", "umap", "none"]
REDUCTIONS: Final[tuple[Reduction, ...]] = ("pca", "umap", "none")
Labels = NDArray[np.int64]
"""The group of each row, 0 …; -1 is noise."""

SHOWN: Final = 10
_LARGEST: Final = 1 / 3
"""Most that one group may hold of all texts."""
_SAMPLE: Final = 2_000
"""Points on which a silhouette is measured: it takes their square."""
_ALIKE: Final = 0.95
"""Cosine from which two representatives say the same."""


class Settings(NamedTuple):
    """How texts are grouped. The defaults are those of docs/strategies.md."""

    reduce: Reduction = "pca"
    dims: int = 32
    min_cluster: int | None = None
    """Least size of a group; None: by the number of texts (`least_size`)."""
    min_samples: int = 1


def least_size(texts: int) -> int:
    """The least size of a group among so many texts where nobody has said one."""
    return max(5, min(40, round(texts / 150)))


def reduced(vectors: Vectors, settings: Settings, rng: np.random.Generator) -> Vectors:
    """Fewer dimensions. UsageError where umap-learn is asked for and missing."""
    extra("sklearn")
    seed = int(rng.integers(1 << 31))
    dims = min(settings.dims, vectors.shape[1], len(vectors) - 1)
    if settings.reduce == "none" or dims < 1:
        return vectors
    if settings.reduce == "pca":
        from sklearn.decomposition import PCA

        found = PCA(dims, svd_solver="full", random_state=seed).fit_transform(vectors)
        return np.asarray(found, dtype=np.float32)
    try:
        umap: Any = import_module("umap")
    except ImportError:
        raise UsageError("--reduce umap needs umap-learn: pip install umap-learn") from None
    if len(vectors) <= dims + 2:
        raise UsageError(f"--reduce umap needs over {dims + 2} texts; there are {len(vectors)}")
    mapper = umap.UMAP(
        n_components=dims, n_neighbors=min(15, len(vectors) - 1), min_dist=0.0, metric="cosine",
        random_state=seed, n_jobs=1,
    )  # fmt: skip
    return np.asarray(mapper.fit_transform(vectors), dtype=np.float32)


def grouped(points: Vectors, settings: Settings) -> Labels:
    """HDBSCAN, largest group first. UsageError where there are too few texts for one group."""
    from sklearn.cluster import HDBSCAN

    least = settings.min_cluster or least_size(len(points))
    if len(points) < 2 * least:
        raise UsageError(
            f"{len(points)} texts are too few for groups of {least}; bring more conversations "
            "or a smaller --min-cluster"
        )
    # Texts of one trade are all alike: unbounded, nearly all of them are one group.
    found = HDBSCAN(
        min_cluster_size=least,
        min_samples=min(settings.min_samples, least),
        max_cluster_size=max(2 * least, round(_LARGEST * len(points))),
        copy=True,
    ).fit_predict(points)  # fmt: skip
    return by_size(np.asarray(found, dtype=np.int64))


def by_size(labels: Labels) -> Labels:
    """The same groups, numbered from the largest; noise stays noise."""
    kinds, counts = np.unique(labels[labels >= 0], return_counts=True)
    order = {int(k): new for new, k in enumerate(kinds[np.argsort(-counts, kind="stable")])}
    return np.array([order.get(int(label), -1) for label in labels], dtype=np.int64)


def centroids(points: Vectors, labels: Labels) -> Vectors:
    """The mean of each group, by its number."""
    return np.stack([points[labels == k].mean(axis=0) for k in range(int(labels.max()) + 1)])


def without_noise(points: Vectors, labels: Labels) -> Labels:
    """Noise given to the group with the nearest mean; unchanged where there is no group."""
    if labels.max() < 0 or labels.min() >= 0:
        return labels
    means = centroids(points, labels)
    noise = labels < 0
    rest = points[noise]
    far = (rest**2).sum(1)[:, None] - 2 * rest @ means.T + (means**2).sum(1)
    filled = labels.copy()
    filled[noise] = far.argmin(axis=1)
    return filled


def representatives(
    texts: Sequence[str], vectors: Vectors, members: NDArray[np.int64], count: int = SHOWN
) -> tuple[int, ...]:
    """Rows that stand for a group: near its middle, no two (nearly) the same, so that they differ.

    Half of them are the nearest to the middle; each of the rest is, among the nearer half of the
    group, the one least like those already taken.
    """
    middle = vectors[members].mean(axis=0)
    near = members[np.argsort(-(vectors[members] @ middle), kind="stable")]
    seen: set[str] = set()
    different: list[int] = []
    for row in near:
        text = " ".join(texts[row].lower().split())
        if text and text not in seen:
            seen.add(text)
            different.append(int(row))
    taken: list[int] = []
    for row in different:
        if len(taken) == (count + 1) // 2:
            break
        if all(float(vectors[row] @ vectors[other]) < _ALIKE for other in taken):
            taken.append(row)
    pool = [r for r in different[: max(count * 2, len(different) // 2)] if r not in taken]
    while pool and len(taken) < count:
        likeness = (vectors[pool] @ vectors[taken].T).max(axis=1)
        taken.append(pool.pop(int(likeness.argmin())))
    return tuple(taken)


def sub_groups(points: Vectors, most: int, rng: np.random.Generator) -> tuple[Labels, float]:
    """A group in 2 … `most` parts by k-means, the number by the silhouette (returned, -1 … 1);
    largest part first. One part, and -1, where it cannot be cut.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    seed = int(rng.integers(1 << 31))
    best: tuple[float, Labels] | None = None
    for k in range(2, min(most, len(points) - 1) + 1):
        parts = KMeans(k, n_init=5, random_state=seed).fit_predict(points)
        if len(np.unique(parts)) < 2:
            continue
        sample = _SAMPLE if len(points) > _SAMPLE else None
        mark = float(silhouette_score(points, parts, sample_size=sample, random_state=seed))
        if best is None or mark > best[0]:
            best = mark, np.asarray(parts, dtype=np.int64)
    if best is None:
        return np.zeros(len(points), dtype=np.int64), -1.0
    return by_size(best[1]), best[0]


def alike(vectors: Vectors, labels: Labels, least: float) -> dict[int, int]:
    """Groups that say nearly the same as a larger one: which, by the cosine of their means.

    A group is merged into the most similar larger one that is not itself merged.
    """
    if labels.max() < 1:
        return {}
    means = centroids(vectors, labels)
    means = means / np.linalg.norm(means, axis=1, keepdims=True).clip(1e-9)
    into: dict[int, int] = {}
    for k in range(1, len(means)):
        roots = [j for j in range(k) if j not in into]
        marks = means[roots] @ means[k]
        if float(marks.max()) >= least:
            into[k] = roots[int(marks.argmax())]
    return into
