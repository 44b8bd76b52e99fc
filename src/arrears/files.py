"""Files that survive a kill at any moment: lines that stand whole or not at all, whole files
replaced in one step, and a failing disk told in words.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Self, TypeVar

import orjson

from arrears.errors import BrokenFile, StorageError, cannot_write

K = TypeVar("K")
_COPY = 1 << 20

CASE: Callable[[Any], str] = itemgetter("case")
"""What most lines of a run are found by."""


class Span(NamedTuple):
    """Where one line lies in a file, its newline included; bytes."""

    start: int
    length: int


class LineReader:
    """A file of whole lines, read by place. Use it as a context manager."""

    def __init__(self, path: Path) -> None:
        """BrokenFile where it cannot be opened."""
        self._path = path
        try:
            self._fd = self._open()
        except OSError as error:
            raise BrokenFile(path, error.strerror or str(error)) from error

    def _open(self) -> int:
        return os.open(self._path, os.O_RDONLY)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back."""
        os.close(self._fd)

    def index(self, key: Callable[[Any], K]) -> dict[K, Span]:
        """Where the line with each key lies, by what `key` takes from its JSON; a torn last line
        is passed over.

        BrokenFile, with the line's number, for any other line that cannot be read.
        """
        found: dict[K, Span] = {}
        at = 0
        with open(self._fd, "rb", closefd=False) as file:
            file.seek(0)
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break
                try:
                    name = key(orjson.loads(line))
                except (KeyError, TypeError, ValueError) as error:
                    why = f"not a stored dialogue ({error}); remove this line to play it again"
                    raise BrokenFile(self._path, why, line=number) from None
                if name in found:
                    raise BrokenFile(
                        self._path, f"{name} is stored twice; remove this line", line=number
                    )
                found[name] = Span(at, len(line))
                at += len(line)
        return found

    def read(self, span: Span) -> bytes:
        """One line, its newline included."""
        return os.pread(self._fd, span.length, span.start)


class LineFile(LineReader):
    """A file that grows by whole lines. Opening it makes it and cuts a torn last line."""

    def __init__(self, path: Path) -> None:
        """StorageError where it cannot be written."""
        self._path = path
        with storage(path):
            self._fd = self._open()

    def _open(self) -> int:
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._size = _end_of_last_line(fd)
        if self._size < os.fstat(fd).st_size:
            os.ftruncate(fd, self._size)
        return fd

    def append(self, lines: Sequence[bytes]) -> list[Span]:
        """Write lines at the end, all or none. StorageError where they cannot be written."""
        data = b"".join(lines)
        done = 0
        try:
            while done < len(data):
                done += os.write(self._fd, data[done:])
        except BaseException as error:
            os.ftruncate(self._fd, self._size)
            if isinstance(error, OSError):
                raise unwritten(self._path, error) from error
            raise
        spans = []
        for line in lines:
            spans.append(Span(self._size, len(line)))
            self._size += len(line)
        return spans

    def copy(self, spans: Sequence[Span], out: BinaryIO) -> None:
        """Write the lines in the order given, never holding more than one."""
        for span in spans:
            out.write(self.read(span))


def _end_of_last_line(fd: int) -> int:
    """Where the last whole line of a file ends."""
    end = os.fstat(fd).st_size
    while end > 0:
        start = max(0, end - _COPY)
        newline = os.pread(fd, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def replace_file(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file beside its place and move it there in one step.

    Whatever happens on the way, `path` is either what it was or the whole new file.
    """
    new = path.with_name(f".{path.name}.new")
    with storage(path):
        try:
            with open(new, "wb") as out:
                write(out)
                out.flush()
                os.fsync(out.fileno())
            os.replace(new, path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise


@contextmanager
def storage(path: Path) -> Iterator[None]:
    """Turns a failing disk into a StorageError that says what to do."""
    try:
        yield
    except OSError as error:
        raise unwritten(path, error) from error


def unwritten(path: Path, error: OSError) -> StorageError:
    """What to tell about a run's file that could not be written."""
    return cannot_write(
        path,
        error,
        "Finished dialogues are kept; make room, then resume with the same command",
    )
