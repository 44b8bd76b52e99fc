"""Several processes where that pays.

The parent deals out chunks of cases and is the only one that writes. A worker whose parent is
gone, however it went, reads the end of its pipe and leaves.
"""

import asyncio
import gc
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any

from arrears.bench.plan import Case
from arrears.bench.play import Played, Player
from arrears.errors import ArrearsError
from arrears.machine import cores

PAYS_FROM = 750
"""Cases that a process must get before it is worth its start."""
_CHUNK = 24
_AHEAD = 2  # Chunks in a worker's hand: it never waits for the parent to write.
FORKS = sys.platform == "linux"
"""Elsewhere a fork is not safe once system libraries run threads, so workers are spawned."""


class WorkerFailed(ArrearsError):
    """A worker process ended before its work did."""


def useful_workers(cases: int, asked: int | None) -> int:
    """How many processes to play in; 1 means in this one. As asked, or as many as pay."""
    if asked is not None:
        return max(1, min(asked, cases))
    return max(1, min(cores(), cases // PAYS_FROM))


def play_here(player: Player, cases: Sequence[Case]) -> Iterator[Played]:
    """Play in this process; some dialogues at a time, since entering a loop has its price."""
    with event_loop() as loop, few_collections():
        for at in range(0, len(cases), _CHUNK):
            yield loop.run_until_complete(player.play(cases[at : at + _CHUNK]))


@contextmanager
def event_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A bare loop. `asyncio.Runner` installs a signal handler with every call, which costs more
    than some talks; without it Ctrl-C is a plain KeyboardInterrupt, as it should be here.
    """
    loop = asyncio.new_event_loop()
    try:
        yield loop
    finally:
        loop.close()


@contextmanager
def few_collections() -> Iterator[None]:
    """Let Python look for cycles rarely: a talk makes many small values and hardly a cycle."""
    before = gc.get_threshold()
    gc.set_threshold(50_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def play_in_workers(player: Player, cases: Sequence[Case], workers: int) -> Iterator[Played]:
    """Play in several processes; chunks come out in the order in which they are done.

    WorkerFailed where a process was ended from outside; what a worker raised is raised here.
    """
    chunks = iter([cases[at : at + _CHUNK] for at in range(0, len(cases), _CHUNK)])
    context: Any = get_context("fork" if FORKS else "spawn")
    pipes: list[Connection] = []
    processes = []
    gc.freeze()  # Shared pages stay shared: no worker's collector writes into them.
    for _ in range(workers):
        here, there = context.Pipe()
        # A forked worker holds copies of the ends that exist by now; with those open, no sibling
        # would ever see the end of its pipe.
        inherited = [*pipes, here] if FORKS else []
        process = context.Process(target=_work, args=(there, inherited, player), daemon=True)
        process.start()
        there.close()
        pipes.append(here)
        processes.append(process)
    try:
        yield from _deal(chunks, pipes)
    finally:
        gc.unfreeze()
        for pipe in pipes:
            pipe.close()
        for process in processes:
            process.join(timeout=2)
            if process.is_alive():
                process.kill()
                process.join()


def _deal(chunks: Iterator[Sequence[Case]], pipes: list[Connection]) -> Iterator[Played]:
    out = dict.fromkeys(pipes, 0)
    try:
        for pipe in pipes * _AHEAD:
            _hand(pipe, chunks, out)
        while any(out.values()):
            ready: Any = wait([p for p, waiting in out.items() if waiting])
            for pipe in ready:
                answer = pipe.recv()
                out[pipe] -= 1
                _hand(pipe, chunks, out)
                if isinstance(answer, BaseException):
                    raise answer
                yield answer
    except (EOFError, ConnectionError, BrokenPipeError):
        raise WorkerFailed(
            "a worker process was ended from outside (for want of memory?). Finished dialogues "
            "are kept; resume with the same command, perhaps with fewer --workers"
        ) from None


def _hand(pipe: Connection, chunks: Iterator[Sequence[Case]], out: dict[Any, int]) -> None:
    chunk = next(chunks, None)
    if chunk is not None:
        pipe.send(chunk)
        out[pipe] += 1


def _work(pipe: Connection, inherited: Sequence[Connection], player: Player) -> None:
    """A worker's life: play what comes through the pipe until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent decides; Ctrl-C reaches it too.
    for end in inherited:
        end.close()
    with event_loop() as loop, few_collections():
        while True:
            try:
                chunk = pipe.recv()
            except (EOFError, OSError):
                return
            try:
                answer: object = loop.run_until_complete(player.play(chunk))
            except ArrearsError as error:
                answer = error
            except Exception:
                answer = RuntimeError(f"in a worker process:\n{traceback.format_exc()}")
            try:
                pipe.send(answer)
            except OSError:
                return
