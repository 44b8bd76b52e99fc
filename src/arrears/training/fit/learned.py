"""What of the rows is learned: labels of answers, and where the two of a pair differ.

Rows without either go through a training and leave no trace: the loss has no gradient there.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from arrears.errors import ArrearsError, BrokenFile
from arrears.models.opening import ChatForm, told
from arrears.training.fit.data import KEYS, Data
from arrears.training.fit.recipe import Recipe

_NO_LABEL: Final = -100
"""Of a token that is read and not learned."""


def in_roles(data: Data, form: ChatForm) -> Data:
    """The rows in the roles that the model's chat template takes."""
    if not form.folds:
        return data
    first = KEYS[data.form][0]
    return data._replace(rows=[{**row, first: form.messages(row[first])} for row in data.rows])


def blame_row(data: Data, tokenizer: Any) -> None:
    """BrokenFile with the line of the first row that the chat template cannot lay out, if any."""
    first, *answers = KEYS[data.form]
    for row, line in zip(data.rows, data.lines, strict=True):
        for talk in [[*row[first], *row[key]] for key in answers] or [row[first]]:
            try:
                tokenizer.apply_chat_template(talk, tokenize=False)
            except Exception as error:
                raise BrokenFile(
                    data.path, f"the model's chat template cannot lay it out ({told(error)})", line
                ) from error


def inert_rows(rows: Any, data: Data, recipe: Recipe) -> int:
    """How many rows nothing can be learned from. BrokenFile where that is all of them.

    `rows`: a trainer's, with their tokens, in the order of the file.
    """
    preferences = recipe.dpo is not None
    of = _alike if preferences else _unlabelled
    count = sum(of(rows))
    if count < len(rows):
        return count
    if recipe.dpo is not None:
        until = recipe.dpo.until
        where = f" up to dpo.until = {until!r}" if until else ""
        raise BrokenFile(
            data.path,
            f"in none of {count:,} pairs do the two answers differ{where}; there is nothing to "
            "prefer" + ("; compare them whole with --set dpo.until=" if until else ""),
        )
    raise BrokenFile(
        data.path,
        f"in none of {count:,} rows does the chat template leave anything of the assistant to "
        "learn; look at its {% generation %} marks",
    )


def check_gradients(lines: Iterator[Mapping[str, Any]]) -> None:
    """ArrearsError where the gradients were 0 in every line of metrics: nothing was learned."""
    norms = [line["grad_norm"] for line in lines if "grad_norm" in line]
    if norms and not any(norms):
        raise ArrearsError(
            "the gradients were 0 at every step: the model has learned nothing, and is not saved. "
            "Look at what the rows teach and at the recipe, and begin in another --out"
        )


def _alike(rows: Any) -> Iterator[bool]:
    for row in rows.select_columns(["chosen_ids", "rejected_ids"]):
        yield row["chosen_ids"] == row["rejected_ids"]


def _unlabelled(rows: Any) -> Iterator[bool]:
    if "labels" not in rows.column_names:
        yield from (False for _ in range(len(rows)))
        return
    for row in rows.select_columns(["labels"]):
        # A first token has nothing before it from which it could be foretold.
        yield all(label == _NO_LABEL for label in row["labels"][1:])
