"""What can go wrong, by name.

Every error that a person can cause or mend is an `ArrearsError`; the command line prints its
message and leaves with its `exit_code` (2 for usage, 1 for the rest). Anything else is a bug.
"""

import errno
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final


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


class BadTurn(ArrearsError):
    """A seat of the user's own returned something that cannot be entered as its turn."""


class ModelError(ArrearsError):
    """A model gave no answer, with the provider's words; ends its dialogue as `error`."""


class UnreadableAnswer(ModelError):
    """A model answered, and what it was asked for cannot be read from it: its own failing."""


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


def _numbers(*names: str) -> frozenset[int]:
    """Error numbers by name; not every system has all of them."""
    return frozenset(getattr(errno, name) for name in names if hasattr(errno, name))


_MISNAMED: Final = _numbers(
    "EACCES", "EPERM", "EROFS", "ENOTDIR", "EISDIR", "EEXIST", "ENAMETOOLONG", "ENOENT", "ELOOP",
    "EINVAL", "EILSEQ", "ENOSYS", "EOPNOTSUPP", "ENOTSUP", "ETXTBSY",
)  # fmt: skip
"""The place cannot be written, now or later."""
_REMEDIES: Final[Mapping[str, frozenset[int]]] = {
    "make room": _numbers("ENOSPC", "EDQUOT"),
    "raise the limit on the size of a file (ulimit -f, or that of the disk)": _numbers("EFBIG"),
    "close other programs, or raise the limit on open files (ulimit -n)": _numbers(
        "EMFILE", "ENFILE"
    ),
    "free memory": _numbers("ENOMEM", "ENOBUFS"),
    "see that the disk, or the server behind it, works again": _numbers(
        "EIO", "ESTALE", "ENXIO", "ENODEV", "ENOTCONN", "ETIMEDOUT", "EHOSTDOWN", "EREMOTEIO",
        "ECONNRESET", "ECONNABORTED", "ENETUNREACH", "EHOSTUNREACH", "ENOLINK", "ENOMEDIUM",
        "EUCLEAN", "EBADMSG", "ESHUTDOWN",
    ),
}  # fmt: skip
"""What to do about a place that could be written and cannot be now."""


def cannot_write(
    path: Path, error: OSError, *, kept: str = "", again: str = "resume with the same command"
) -> StorageError:
    """The error for a file that could not be written, with what to do about it.

    UnwritablePlace where another place has to be named; a plain StorageError where the same place
    can be written once something is mended. That message says what is `kept`, such as "Finished
    dialogues are kept", and ends in what to do then, `again`.
    """
    text = f"cannot write {path}: {error.strerror or error}"
    if error.errno in _MISNAMED:
        return UnwritablePlace(f"{text}; choose a place that can be written")
    found = [remedy for remedy, numbers in _REMEDIES.items() if error.errno in numbers]
    todo = f"{found[0]}, then {again}" if found else f"once that is mended, {again}"
    return StorageError(f"{text}. {kept}; {todo}" if kept else f"{text}; {todo}")
