"""One writer at a time: a lock on a folder, or on a file, that ends with its process."""

import errno
import os
from contextlib import suppress
from pathlib import Path
from platform import node
from typing import Final, Self

from arrears.errors import RunMismatch, UnwritablePlace
from arrears.files import is_running, storage

try:
    import fcntl
except ImportError:  # Not on this system; whoever wants a lock is told so.
    fcntl = None  # type: ignore[assignment]

NAME: Final = ".lock"
"""Of the lock in a folder. Which process holds it stands in the file."""
_HAVE_NONE: Final = (
    errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL, errno.ENOTTY,
)  # fmt: skip
_held: set[tuple[int, int, int] | None] = set()
"""Process, device and inode of the locks that this process holds. A record lock does not keep a
process from itself, and goes with the first of its descriptors that is closed."""


class Lock:
    """A lock that is held from its making until it is closed. A context manager.

    A record lock and not `flock`: worker processes inherit the latter, and one that outlives its
    killed parent by a moment would keep the run from being resumed.
    """

    def __init__(self, place: Path, what: Path, *, remove: bool = False) -> None:
        """Lock the file `place`, which stands for `what`; `remove` it in the end.

        RunMismatch if somebody has it, with the process where that is known; UnwritablePlace on a
        file system without locks; StorageError.
        """
        if fcntl is None:
            raise UnwritablePlace(
                f"{what} cannot be locked: this Python has no fcntl; arrears writes runs on Linux "
                "and macOS"
            )
        with storage(place):
            self._fd = _open(place, what)
            self._key = _key(os.fstat(self._fd))
            _held.add(self._key)
        self._remove = place if remove else None
        _write(self._fd, f"{os.getpid()} {node()}\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the next one in."""
        if self._remove is not None:
            with suppress(OSError):
                self._remove.unlink()
        _write(self._fd, "")
        _held.discard(self._key)
        os.close(self._fd)


def lock_folder(folder: Path) -> Lock:
    """Make a folder where there is none, and lock it. Errors as `Lock`."""
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return Lock(folder / NAME, folder)


def lock_file(path: Path) -> Lock:
    """Lock a file that may lie among others; its folder is made. Errors as `Lock`.

    The lock is a file of its own beside it, so that `path` may be replaced.
    """
    with storage(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    return Lock(path.with_name(f".{path.name}{NAME}"), path, remove=True)


def _open(place: Path, what: Path) -> int:
    """A descriptor of the lock file, locked."""
    while True:
        if _key(_status(place)) in _held:
            raise RunMismatch(f"{what} is being written by this process already")
        fd = os.open(place, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _take(fd, what)
            if _key(_status(place)) == _key(os.fstat(fd)):
                return fd
        except BaseException:
            os.close(fd)
            raise
        # Whoever had it before has removed it in between; a lock on what is gone is none.
        os.close(fd)


def _take(fd: int, what: Path) -> None:
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        raise RunMismatch(
            f"{what} is being written by another process{_holder(fd)}; wait until it has ended"
        ) from None
    except OSError as error:
        if error.errno not in _HAVE_NONE:
            raise
        raise UnwritablePlace(
            f"{what} cannot be locked ({error.strerror}): this file system has no locks; put "
            "--out elsewhere"
        ) from error


def _holder(fd: int) -> str:
    """The process that says in the file that it has the lock; "" where that cannot be right."""
    process, _, machine = os.pread(fd, 200, 0).decode("utf-8", "replace").strip().partition(" ")
    if not process.isdecimal():
        return ""
    if machine != node():
        return f" ({process} on {machine})"
    return f" ({process})" if is_running(int(process)) else ""


def _status(place: Path) -> os.stat_result | None:
    try:
        return place.stat()
    except FileNotFoundError:
        return None


def _key(status: os.stat_result | None) -> tuple[int, int, int] | None:
    return None if status is None else (os.getpid(), status.st_dev, status.st_ino)


def _write(fd: int, text: str) -> None:
    """Who holds the lock, for people. It holds where the disk has no room for that, too."""
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, text.encode("utf-8", "replace"), 0)
    except OSError:
        pass
