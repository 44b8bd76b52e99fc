"""Commands that are killed or interrupted at a known place, so that no test races against them.

    python tests/halting.py FILE BYTES WORD…

runs `arrears WORD…`, which halts in the write that would take FILE beyond so many bytes: what still
fits is on disk, so that most often a line is torn, and nothing more happens until a signal comes or its stdin ends.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_HALTED = "halted\n"


def halted(
    file: Path,
    size: int,
    *words: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> "subprocess.Popen[str]":
    """The command, in a session of its own, once it has halted with `size` bytes in `file`.

    To interrupt it, send it a signal and then `communicate`, which closes its stdin.
    """
    process = subprocess.Popen(
        [sys.executable, __file__, str(file), str(size), *words], cwd=cwd,
        env={**os.environ, **(env or {})}, start_new_session=True, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    told = []
    for line in process.stderr:
        if line == _HALTED:
            return process
        told.append(line)
    raise AssertionError("it ended before it halted: " + "".join(told))


def kill(process: "subprocess.Popen[Any]") -> None:
    """Kill a process that leads a session, and all that it has started, without warning."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def wait_until(reached: Callable[[], bool], process: "subprocess.Popen[Any]") -> None:
    """Wait for something that a running process does; it must not end before.

    For a process that cannot run away meanwhile, because it needs answers from this one. Asks a
    hundred times a second: to ask all the time would take a core from those it waits for.
    """
    while not reached():
        try:
            process.wait(0.01)
        except subprocess.TimeoutExpired:
            continue
        assert reached(), f"it ended before, with exit code {process.returncode}"
        return


def _main(path: str, size: int, words: list[str]) -> None:
    write = os.write

    def halting(fd: int, data: bytes) -> int:
        at = os.fstat(fd).st_size
        if not _is(fd, path) or at + len(data) <= size:
            return write(fd, data)
        done = write(fd, data[: max(0, size - at)])
        os.write = write
        sys.stderr.write(_HALTED)
        sys.stderr.flush()
        # Until a signal comes, or the other end closes this pipe after it has sent one: a signal
        # that came just before would be waited for in vain.
        os.read(0, 1)
        return done

    os.write = halting  # type: ignore[assignment]
    sys.argv = ["arrears", *words]
    from arrears.cli.main import main

    main()


def _is(fd: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
