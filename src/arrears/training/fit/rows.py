"""The rows as a trainer has made tokens of them: none is cut, and their order is laid out."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from arrears.errors import BrokenFile
from arrears.training.fit.data import Data
from arrears.training.fit.order import order_of
from arrears.training.fit.recipe import Recipe

Length = Callable[[Mapping[str, Any]], int]


class Laid(NamedTuple):
    """The rows of a course."""

    rows: int
    """That are trained on."""
    left_out: int
    """Too long, where the recipe leaves them out."""
    longest: int
    """Tokens of the longest row that is trained on."""
    tokens: int
    """Of all rows, each once; both answers of a pair are counted, with the prompt each."""
    order: list[int]
    """Positions of rows for the whole course, epoch after epoch."""
    inert: int = 0
    """Rows, of all in the file, that nothing can be learned from (`learned`)."""


def lay_out(trainer: Any, recipe: Recipe, data: Data, length: Length, tokens: Length) -> Laid:
    """Give the trainer its rows in the order of the course.

    `length` and `tokens` measure a row with tokens: the longest text in it, and all of it.
    BrokenFile where rows are longer than the recipe or the model takes, unless the recipe leaves
    them out; and where none remains.
    """
    part = recipe.training
    rows = trainer.train_dataset
    words = rows.select_columns([name for name in rows.column_names if name.endswith("_ids")])
    sizes = [(length(row), tokens(row)) for row in words]
    lengths = [longest for longest, _ in sizes]
    most, limit = _limit(trainer, part.max_length)
    fit = [at for at, size in enumerate(lengths) if size <= most]
    left_out = len(lengths) - len(fit)
    if left_out and (part.too_long == "refuse" or not fit):
        worst = max(range(len(lengths)), key=lengths.__getitem__)
        remedy = (
            "; raise it, or leave such rows out with --set training.too_long=leave_out"
            if fit and limit == "training.max_length"
            else "; leave such rows out with --set training.too_long=leave_out"
            if fit
            else ""
        )
        raise BrokenFile(
            data.path,
            f"{left_out:,} of {len(lengths):,} rows are longer than {limit} = {most:,} tokens (the "
            f"longest, line {data.lines[worst]}: {lengths[worst]:,}){remedy}",
        )
    kept = [lengths[at] for at in fit]
    order = order_of(
        kept,
        epochs=part.epochs,
        batch=part.batch,
        seed=part.seed,
        grouped=part.group_by_length,
        max_steps=part.max_steps,
    )
    total = sum(sizes[at][1] for at in fit)
    trainer.train_dataset = rows.select([fit[at] for at in order])
    return Laid(len(fit), left_out, max(kept), total, order)


def _limit(trainer: Any, asked: int) -> tuple[int, str]:
    """Most tokens of a row, and who says so."""
    own = getattr(trainer.model.config, "max_position_embeddings", None)
    return (own, "the model's positions") if own and own < asked else (asked, "training.max_length")
