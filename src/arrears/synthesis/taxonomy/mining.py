"""From texts to a taxonomy for review: embed, reduce, group, show, name, propose."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from arrears.errors import UsageError
from arrears.rng import rng_for
from arrears.strategies import Seat
from arrears.synthesis.extras import one_thread
from arrears.synthesis.taxonomy.clusters import (
    Labels,
    Settings,
    alike,
    grouped,
    least_size,
    reduced,
    representatives,
    sub_groups,
)
from arrears.synthesis.taxonomy.embeddings import Embedder, Vectors
from arrears.synthesis.taxonomy.file import Entry, Part
from arrears.synthesis.taxonomy.naming import Name, names_by_words
from arrears.synthesis.taxonomy.review import free_key

_MERGE_FROM: Final = 0.9
"""Cosine of two groups' means from which a merge is proposed where no model proposes any."""
_SPLIT_FROM: Final = 0.35
"""Silhouette of the parts from which a split is proposed where no model proposes any."""
_MOST_PARTS: Final = 4


class Groups(NamedTuple):
    """The groups of one seat."""

    texts: tuple[str, ...]
    vectors: Vectors
    points: Vectors
    """The vectors, reduced."""
    labels: Labels
    """Of each text; the groups run from 0, the largest, -1 is noise."""
    shown: tuple[tuple[int, ...], ...]
    """What stands for each group: places in `texts`."""

    def members(self, group: int) -> NDArray[np.int64]:
        """The places of a group's texts."""
        return np.flatnonzero(self.labels == group)

    @property
    def noise(self) -> int:
        """Texts of no group."""
        return int((self.labels < 0).sum())


def find_groups(
    texts: Sequence[str], embed: Embedder, settings: Settings, seed: int, seat: Seat
) -> Groups:
    """The groups of what one seat said. UsageError where there are too few texts, or no group."""
    least = settings.min_cluster or least_size(len(texts))
    if len(texts) < 2 * least:
        raise UsageError(
            f"{len(texts)} texts of the {seat} are too few for groups of {least}; bring more "
            "conversations, a smaller --min-cluster, or the other --seat"
        )
    embed.fit(texts)
    vectors = embed.encode(texts)
    # Two embeddings side by side are longer than 1: from here on a product is a cosine.
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-9)
    with one_thread():
        points = reduced(vectors, settings, rng_for(seed, "reduce", seat))
        labels = grouped(points, settings)
    if labels.max() < 0:
        raise UsageError(
            f"no group stands out among {len(texts)} texts of the {seat}; bring more "
            "conversations or a smaller --min-cluster"
        )
    shown = tuple(
        representatives(texts, vectors, np.flatnonzero(labels == k))
        for k in range(int(labels.max()) + 1)
    )
    return Groups(tuple(texts), vectors, points, labels, shown)


def by_words(found: Mapping[Seat, Groups]) -> dict[Seat, list[Name]]:
    """Names and proposals without a model: words, and how far apart the groups lie."""
    named: dict[Seat, list[Name]] = {}
    for seat, groups in found.items():
        names = names_by_words([[groups.texts[i] for i in groups.members(k)]
                                for k in range(len(groups.shown))])  # fmt: skip
        for group, into in alike(groups.vectors, groups.labels, _MERGE_FROM).items():
            names[group] = names[group]._replace(do="merge", into=into)
        named[seat] = names
    return named


def taxonomy_of(
    found: Mapping[Seat, Groups], named: Mapping[Seat, Sequence[Name]], seed: int, least: int = 5
) -> tuple[Entry, ...]:
    """Entries for review, largest group first. A group is given its parts where a model has
    proposed a split, or where no model was asked and they lie apart, each of at least `least`.
    """
    entries: list[Entry] = []
    for seat, groups in found.items():
        names = named[seat]
        taken = {name.key for name in names}
        for group, name in enumerate(names):
            members = groups.members(group)
            parts: tuple[Part, ...] = ()
            if name.do == "split" or (name.do == "keep" and not name.by_model):
                parts = _parts(groups, members, name, seed, f"{seat}-{group}", taken, least)
            entries.append(
                Entry(
                    seat, name.key, name.name, name.meaning, name.zh, name.zh_meaning,
                    size=len(members),
                    examples=tuple(groups.texts[i] for i in groups.shown[group]),
                    merge_with=names[name.into].key if name.into is not None else "",
                    split_into=parts,
                    drop="the draft calls it no strategy" if name.do == "drop" else "",
                )
            )  # fmt: skip
    return tuple(entries)


def _parts(
    groups: Groups, members: NDArray[np.int64], name: Name, seed: int, address: str,
    taken: set[str], least: int,
) -> tuple[Part, ...]:  # fmt: skip
    """The parts of a group; none where no model wants them and they are not clear."""
    rng = rng_for(seed, "split", address)
    with one_thread():
        cut, mark = sub_groups(groups.points[members], _MOST_PARTS, rng)
    sizes = np.bincount(cut)
    if len(sizes) < 2 or (not name.by_model and (mark < _SPLIT_FROM or sizes.min() < least)):
        return ()
    halves = [members[cut == k] for k in range(len(sizes))]
    titles = names_by_words([[groups.texts[i] for i in half] for half in halves])
    parts: list[Part] = []
    for half, title in zip(halves, titles, strict=True):
        key = free_key(title.key, taken)
        taken.add(key)
        shown = representatives(groups.texts, groups.vectors, half)
        texts = tuple(groups.texts[i] for i in shown)
        parts.append(Part(key, title.name, title.meaning, len(half), texts))
    return tuple(parts)
