"""Files that survive a kill at any moment: lines that stand whole or not at all, whole files
replaced in one step, and a failing disk told in words.
"""

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import sha256
from operator import itemgetter
from pathlib import Path
from platform import node
from secrets import token_hex
from typing import Any, BinaryIO, Final, NamedTuple, Self, TypeVar

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
    """A file that grows by whole lines. Opening it makes it and cuts a torn last line.

    One process at a time should write it (`arrears.runs.lock`). Where two do all the same, neither
    takes away a line that the other has finished.
    """

    def __init__(self, path: Path) -> None:
        """StorageError where it cannot be written."""
        self._path = path
        with storage(path):
            self._fd = self._open()

    def _open(self) -> int:
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            size = os.fstat(fd).st_size
            whole = _end_of_last_line(fd)
            if whole < size == os.fstat(fd).st_size:
                os.ftruncate(fd, whole)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def append(self, lines: Sequence[bytes]) -> list[Span]:
        """Write lines at the end, all or none. StorageError where they cannot be written."""
        data = b"".join(lines)
        written: list[Span] = []
        unseen: tuple[int, int] | None = None
        done = 0
        try:
            while done < len(data):
                unseen = (os.lseek(self._fd, 0, os.SEEK_CUR), os.fstat(self._fd).st_size)
                count = os.write(self._fd, data[done:])
                # Where the file's end was is known only now: another process may have written.
                written.append(Span(os.lseek(self._fd, 0, os.SEEK_CUR) - count, count))
                unseen = None
                done += count
                if written[0].start + done != sum(written[-1]):
                    raise OSError(errno.EBUSY, "another process writes this file too")
        except BaseException as error:
            if unseen is not None:
                # A signal may come when the bytes are written and before their number is known.
                before, start = unseen
                end = os.lseek(self._fd, 0, os.SEEK_CUR)
                if end != before and 0 < end - start <= len(data) - done:
                    written.append(Span(start, end - start))
            self._take_back(written)
            if isinstance(error, OSError):
                raise unwritten(self._path, error) from error
            raise
        spans = []
        at = written[0].start if written else 0
        for line in lines:
            spans.append(Span(at, len(line)))
            at += len(line)
        return spans

    def _take_back(self, written: Sequence[Span]) -> None:
        """Undo a failed append: only what it wrote itself, and nothing that stands behind it."""
        for span in reversed(written):
            if os.fstat(self._fd).st_size == sum(span):
                os.ftruncate(self._fd, span.start)
                continue
            # Another process has written behind it. Spaces before its line leave that readable.
            fd = os.open(self._path, os.O_WRONLY)
            try:
                os.pwrite(fd, b" " * span.length, span.start)
            finally:
                os.close(fd)

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

    Whatever happens on the way, `path` is either what it was or the whole new file. Several
    processes may do so at once; the last one's file stands. StorageError.
    """
    with storage(path):
        _remove_left_over(path)
        new = path.with_name(f"{_beside(path)}{os.getpid()}-{token_hex(4)}{_NEW}")
        try:
            with open(new, "xb") as out:
                write(out)
                out.flush()
                os.fsync(out.fileno())
            os.replace(new, path)
        except BaseException:
            with suppress(OSError):
                new.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)


_NEW: Final = ".new"


def _beside(path: Path) -> str:
    """How the names of files that are to replace `path` begin, on this machine."""
    name = path.name.encode("utf-8", "surrogateescape")[:120].decode("utf-8", "ignore")
    return f".{name}.{_machine()}-"


@cache
def _machine() -> str:
    """This machine among those that may share a disk."""
    return sha256(node().encode("utf-8", "surrogateescape")).hexdigest()[:8]


def _remove_left_over(path: Path) -> None:
    """Remove what a process that was killed here had begun to write in place of `path`."""
    start = _beside(path)
    with suppress(OSError):
        for entry in os.scandir(path.parent):
            if entry.name.startswith(start) and entry.name.endswith(_NEW):
                process = entry.name[len(start) :].partition("-")[0]
                if process.isdecimal() and not is_running(int(process)):
                    os.unlink(entry.path)


def is_running(process: int) -> bool:
    """Whether a process of that number runs on this machine."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True


def _sync_folder(folder: Path) -> None:
    """See that a renamed file is found under its new name even after a power cut."""
    try:
        fd = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return  # It may be written and not be read.
    try:
        os.fsync(fd)
    except OSError as error:
        # Some file systems have no such thing for folders.
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF):
            raise
    finally:
        os.close(fd)


@contextmanager
def storage(path: Path) -> Iterator[None]:
    """Turns a failing disk into a StorageError that says what to do."""
    try:
        yield
    except OSError as error:
        raise unwritten(path, error) from error


def unwritten(path: Path, error: OSError) -> StorageError:
    """What to tell about a run's file that could not be written."""
    return cannot_write(path, error, kept="What was finished is kept")
