"""In which order the rows are seen: a pure function, so that a course can be taken up anywhere."""

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np

from arrears.rng import rng_for

_WINDOW = 50
"""Batches that are sorted by length together."""


def order_of(
    lengths: Sequence[int],
    *,
    epochs: float,
    batch: int,
    seed: int,
    grouped: bool = False,
    max_steps: int | None = None,
) -> list[int]:
    """Positions of rows, one after another for the whole course; each `batch` of them is a step.

    Every row comes once before any comes again. `lengths` are tokens, one for each row. Grouped,
    the rows of fifty batches are sorted by length and cut into batches, which are shuffled; the
    batch with the longest row comes first, so that a want of memory shows at once. Fewer than one
    step is never asked for.
    """
    rows = len(lengths)
    total = max(1, round(rows * epochs))
    if max_steps is not None:
        total = min(total, max_steps * batch)
    rng = rng_for(seed, "order of rows")
    passes = [_shuffled(rng, rows) for _ in range(ceil(total / rows))]
    order: list[int] = np.concatenate(passes)[:total].tolist()
    if not grouped:
        return order
    batches: list[list[int]] = []
    for start in range(0, total, _WINDOW * batch):
        window = sorted(order[start : start + _WINDOW * batch], key=lambda row: -lengths[row])
        cut = [window[at : at + batch] for at in range(0, len(window), batch)]
        # Only the very last batch may be smaller, or the batches after it would be cut anew.
        tail = [cut.pop()] if len(cut[-1]) < batch else []
        batches += [cut[at] for at in _shuffled(rng, len(cut))] + tail
    whole = [at for at, rows_ in enumerate(batches) if len(rows_) == batch]
    if whole:
        longest = max(whole, key=lambda at: max(lengths[row] for row in batches[at]))
        batches[0], batches[longest] = batches[longest], batches[0]
    return [row for rows_ in batches for row in rows_]


def _shuffled(rng: np.random.Generator, count: int) -> Any:
    # numpy promises stable raw uniforms, not a stable `permutation`.
    return np.argsort(rng.random(count), kind="stable")
