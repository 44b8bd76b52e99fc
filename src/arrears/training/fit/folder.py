"""The folder of a training: what it is of, who writes it, and whether it is finished.

- `fit.json` comes first, atomically, and is never changed: a course is taken up by the same recipe,
  model and data or not at all.
- `checkpoints/` and `metrics.jsonl` grow as it goes.
- The weights come at the end, and `training.json` last of all: where it stands, all is there.
"""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from arrears.debtors.record import Record
from arrears.errors import BrokenFile, UsageError
from arrears.files import replace_file
from arrears.runs.lock import NAME, lock_folder
from arrears.runs.pinned import RULES as RULES_FIELD
from arrears.runs.pinned import read_pinned, refuse
from arrears.training.fit.recipe import Kind, Recipe, flat

PLAN, RECORD, METRICS = "fit.json", "training.json", "metrics.jsonl"
CHECKPOINTS, BOARD = "checkpoints", "tensorboard"
FORMAT = 1
"""Of the folder."""
_TOLD_ONLY = ("arrears", "model", "data")
RULES = (
    "training.fit.course", "training.fit.dpo", "training.fit.head", "training.fit.lora",
    "training.fit.order", "training.fit.rows", "training.fit.sft",
)  # fmt: skip
"""What the steps of a training are made by."""


class FitPlan(Record):
    """What a folder's training is of."""

    format: int = FORMAT
    """Format version of the folder."""
    arrears: str
    """Version that began it, for the record."""
    rules: str = ""
    """Digest of the code that its steps are made by (`arrears.runs.rules`); "" in folders that an
    earlier arrears began."""
    kind: Kind
    """Of the training."""
    recipe: Recipe
    """As it is used, settings of the command line included."""
    model: str
    """Folder of the base, for the record; the digests say which model it is."""
    weights: str
    """SHA-256 of the base's weights."""
    tokenizer: str
    """SHA-256 of its tokenizer and chat template."""
    data: str
    """File of the rows, for the record."""
    rows: str
    """SHA-256 of that file."""
    processes: int
    """That train together: they share out the rows, and so decide the order of sums."""
    merge: bool
    """Whether an adapter goes into the weights at the end."""

    def differences(self, other: "FitPlan") -> list[tuple[str, Any, Any]]:
        """Dotted names of what would make another training, with both values."""
        mine, theirs = (
            dict(flat(plan.model_dump(mode="json", exclude=set(_TOLD_ONLY))))
            for plan in (self, other)
        )
        keys = [*mine, *(key for key in theirs if key not in mine)]
        return [
            (key, mine.get(key), theirs.get(key))
            for key in keys
            if mine.get(key) != theirs.get(key)
        ]


class FitFolder:
    """A folder that this process alone writes. Use it as a context manager."""

    def __init__(self, path: Path, plan: FitPlan) -> None:
        """Make the folder or take up the training in it.

        UsageError for a folder with other things in it; RunMismatch for another training, or one
        that another process is writing; StorageError for a place that cannot be written.
        """
        self.path = path
        check_place(path)
        self._lock = lock_folder(path)
        try:
            _agree(path, plan)
        except BaseException:
            self._lock.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._lock.close()


def check_place(path: Path) -> None:
    """UsageError for a place that is no folder, or a folder with other things in it."""
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is a file; --out names a folder")
    if path.is_dir() and not (path / PLAN).exists():
        others = sorted(entry.name for entry in path.iterdir() if entry.name != NAME)
        if others:
            raise UsageError(
                f"{path} is not empty and holds no training ({others[0]} is in it); choose another "
                "--out"
            )


def finished(path: Path) -> dict[str, Any] | None:
    """The record of a finished training; None where it is not finished. BrokenFile."""
    return read_json(path / RECORD)


def read_json(path: Path) -> dict[str, Any] | None:
    """An object that a file holds; None where there is no such file. BrokenFile."""
    try:
        raw = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BrokenFile(path, error.strerror or str(error)) from error
    except orjson.JSONDecodeError as error:
        raise BrokenFile(path, f"is not JSON: {error}") from None
    if not isinstance(raw, dict):
        raise BrokenFile(path, "is no JSON object")
    return raw


def write_json(path: Path, value: Any) -> None:
    """Write an object in one step, indented. StorageError."""
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    replace_file(path, lambda out: out.write(text))


def _agree(folder: Path, plan: FitPlan) -> None:
    """Store the plan, or see that the stored one is the same."""
    path = folder / PLAN
    if not path.exists():
        write_json(path, plan.model_dump(mode="json"))
        return
    stored = read_pinned(path, FitPlan)
    differing = stored.differences(plan)
    if (folder / RECORD).exists():
        # It is finished: nothing of this one's code would go into it.
        differing = [one for one in differing if one[0] != RULES_FIELD]
    refuse(
        folder, "training",
        {"arrears": stored.arrears, **{key: there for key, there, _ in differing}},
        {key: asked for key, _, asked in differing},
        [key for key, _, _ in differing],
        remedy="resume it with its own recipe, model and data, or choose another --out",
    )  # fmt: skip
