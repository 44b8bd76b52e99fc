"""The folder of a training: what it is of, who writes it, and whether it is finished.

- `fit.json` comes first, atomically, and is never changed: a course is taken up by the same recipe,
  model and data or not at all.
- `checkpoints/` and `metrics.jsonl` grow as it goes.
- The weights come at the end, and `training.json` last of all: where it stands, all is there.
"""

import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson
from pydantic import ValidationError

from arrears.bench.folder import lock
from arrears.debtors.record import Record
from arrears.errors import BrokenFile, RunMismatch, UsageError, cannot_write
from arrears.files import replace_file
from arrears.training.fit.recipe import Kind, Recipe, flat

PLAN, RECORD, METRICS = "fit.json", "training.json", "metrics.jsonl"
CHECKPOINTS, BOARD = "checkpoints", "tensorboard"
FORMAT = 1
"""Of the folder."""
_LOCK = ".lock"
_TOLD_ONLY = ("arrears", "model", "data")


class FitPlan(Record):
    """What a folder's training is of."""

    format: int = FORMAT
    """Format version of the folder."""
    arrears: str
    """Version that began it, for the record."""
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
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = lock(path)
        except OSError as error:
            raise cannot_write(path, error) from error
        try:
            _agree(path, plan)
        except BaseException:
            os.close(self._lock)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        os.close(self._lock)


def check_place(path: Path) -> None:
    """UsageError for a place that is no folder, or a folder with other things in it."""
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is a file; --out names a folder")
    if path.is_dir() and not (path / PLAN).exists():
        others = sorted(entry.name for entry in path.iterdir() if entry.name != _LOCK)
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
    raw = read_json(folder / PLAN)
    if raw is None:
        write_json(folder / PLAN, plan.model_dump(mode="json"))
        return
    if raw.get("format") != FORMAT:
        raise RunMismatch(
            f"{folder} has format version {raw.get('format')}, this arrears reads {FORMAT}; use "
            "the arrears that wrote it, or another --out"
        )
    try:
        stored = FitPlan.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise BrokenFile(folder / PLAN, first["msg"], field=field) from None
    differing = stored.differences(plan)
    if differing:
        lines = "\n".join(
            f"  {key}: {there} there, {asked} asked" for key, there, asked in differing
        )
        raise RunMismatch(
            f"{folder} holds another training; it differs in "
            f"{', '.join(key for key, _, _ in differing)}:\n{lines}\n"
            "resume it with its own recipe, model and data, or choose another --out"
        )
