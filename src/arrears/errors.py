"""What can go wrong, by name.

Every error that a person can cause or mend is an `ArrearsError`; the command line prints its
message and leaves with its `exit_code` (2 for usage, 1 for the rest). Anything else is a bug.
"""

from collections.abc import Iterable
from errno import EACCES, EEXIST, EISDIR, ENAMETOOLONG, ENOTDIR, EPERM, EROFS
from pathlib import Path


class ArrearsError(Exception):
    """An error whose message is written for the person who has to act on it."""

    exit_code = 1


class UsageError(ArrearsError):
    """The request itself cannot be carried out; the message says what would be."""

    exit_code = 2


class TermsError(UsageError):
    """A value or a name that is not part of what can be agreed."""


class UnknownName(UsageError):
    """A name that nothing answers to. Nothing ever falls back to another one."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, tuple(known)
        super().__init__(f"unknown {kind} {name!r}; known: {', '.join(self.known)}")


class BrokenFile(UsageError):
    """A file that cannot be read: where it breaks, at which field, and why.

    `line` counts from 1; of a parquet file it is the row.
    """

    def __init__(
        self, path: Path | str, why: str, line: int | None = None, field: str = ""
    ) -> None:
        self.path, self.line, self.field = Path(path), line, field
        unit = "row" if self.path.suffix.lower() == ".parquet" else "line"
        place = f"{path}" + (f", {unit} {line}" if line is not None else "")
        super().__init__(f"{place}: " + (f"{field}: " if field else "") + why)


class ActSyntaxError(ArrearsError):
    """A message whose action cannot be read. The text is what the model is told."""


class MalformedReply(ArrearsError):
    """A seat that could not bring out a readable message; ends its dialogue as `malformed`."""


class ModelError(ArrearsError):
    """A model gave no answer, with the provider's words; ends its dialogue as `error`."""


class RunStopped(ArrearsError):
    """The whole run has to stop now. No dialogue swallows it; those on their way are owed again."""


class BudgetSpent(RunStopped):
    """The money that the run may cost is spent."""


class EndpointDown(RunStopped):
    """An endpoint has failed for so many calls in a row, or for so long, that it counts as down."""


class TooManyFailures(ArrearsError):
    """Everything that could be done was done and stored, and more of it failed than was allowed."""


class RunMismatch(UsageError):
    """A run folder that was made by another configuration or another format version."""


class StorageError(ArrearsError):
    """A folder that cannot be written or a disk that is full; what was finished is kept."""


class UnwritablePlace(StorageError):
    """A place that cannot be written as it was named: another one has to be given."""

    exit_code = 2


_MISNAMED = frozenset({EACCES, EPERM, EROFS, ENOTDIR, EISDIR, EEXIST, ENAMETOOLONG})


def cannot_write(path: Path, error: OSError, advice: str = "") -> StorageError:
    """The error for a file that could not be written: by its place, or for want of room."""
    text = f"cannot write {path}: {error.strerror or error}"
    if error.errno in _MISNAMED:
        return UnwritablePlace(f"{text}; choose a place that can be written")
    return StorageError(f"{text}. {advice}" if advice else text)
