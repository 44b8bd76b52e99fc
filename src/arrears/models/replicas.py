"""Copies of a small local model, each on one core in a process of its own.

A model of some million parameters spends more time between its kernels than in them, and there one
Python process uses one core, shared with the debtors and the ledger. On a processor several copies
with a thread each therefore write more than one with several threads.
All messages of one conversation go to the copy that has read its beginning.
"""

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from math import ceil
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final, NamedTuple

from arrears.errors import ArrearsError, ModelError, RunStopped, UsageError
from arrears.models.chat import Completion, Message, Sampling
from arrears.models.kept import KEEPS

_SMALL: Final = 256 << 20
"""Bytes of weights up to which copies pay: above, a step is long enough for all threads."""
_LEAST: Final = 8
"""Messages at once that a copy must get before it is worth its start."""
_MOST: Final = 8
"""Copies at most: each takes a gigabyte of memory or two, whatever its weights."""


def useful_copies(path: Path, batch: int, cores: int, accelerated: bool) -> int:
    """How many copies of the model in `path` to hold for `batch` messages at once; 1 means none
    but the one of this process."""
    if accelerated:
        return 1
    weights = sum(file.stat().st_size for file in path.glob("*.safetensors"))
    if not 0 < weights <= _SMALL:
        return 1
    return max(1, min(cores, batch // _LEAST, _MOST))


class Gone(NamedTuple):
    """An error on its way to the other process: its text, and whether the run has to stop."""

    text: str
    stops: bool = False

    def error(self) -> ArrearsError:
        """The error again, as a caller of the model gets it."""
        return RunStopped(self.text) if self.stops else ModelError(self.text)


class Replicas:
    """As many copies of one model as were asked for."""

    def __init__(self, path: Path, batch: int, count: int) -> None:
        """UsageError where the folder holds no model that can be opened."""
        self._copies = [_Copy(path, ceil(batch / count), KEEPS // count) for _ in range(count)]
        self._homes: dict[int, _Copy] = {}
        """Where a conversation is known, by the hash of its beginning."""
        try:
            for copy in self._copies:
                copy.wait()
        except BaseException:
            self.close()
            raise

    @property
    def busy(self) -> float:
        """Seconds that a copy has worked so far, on average."""
        return sum(copy.busy for copy in self._copies) / len(self._copies)

    async def answer(self, messages: Sequence[Message], sampling: Sampling) -> Completion:
        """The answer of the copy that knows this conversation. ModelError where it does not fit,
        RunStopped where the copy has gone."""
        beginning = hash(tuple(message["content"] for message in messages[:2]))
        home = self._homes.get(beginning)
        if home is None:
            home = min(self._copies, key=lambda copy: copy.asked)
            self._homes[beginning] = home
        return await home.answer(list(messages), sampling)

    def close(self) -> None:
        """End the processes."""
        for copy in self._copies:
            copy.close()


class _Copy:
    """One process and the pipe to it."""

    def __init__(self, path: Path, batch: int, keeps: int) -> None:
        self._path = path
        self._pipe, there = Pipe()
        words = (str(there.fileno()), str(path), str(batch), "1", str(keeps))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "arrears.models.replica", *words],
            pass_fds=(there.fileno(),), stdin=subprocess.DEVNULL,
        )  # fmt: skip
        there.close()
        self._answers: dict[int, asyncio.Future[Completion]] = {}
        self._next = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self.busy = 0.0
        """Seconds of its work."""

    @property
    def asked(self) -> int:
        """Messages that it still has to write."""
        return len(self._answers)

    def wait(self) -> None:
        """Until it is ready. UsageError with the reason where it never will be."""
        try:
            told = self._pipe.recv()
        except (EOFError, OSError):
            raise UsageError(
                f"hf/{self._path} cannot be loaded: its process ended (for want of memory?)"
            ) from None
        if told is not None:
            raise UsageError(told)

    async def answer(self, messages: list[Message], sampling: Sampling) -> Completion:
        """Ask, and wait for the answer."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            # Also where it was asked from another loop before: nobody would hear its answers.
            if self._loop is not None and not self._loop.is_closed():
                self._loop.remove_reader(self._pipe.fileno())
            self._loop = loop
            loop.add_reader(self._pipe.fileno(), self._hear, self._pipe)
        number, self._next = self._next, self._next + 1
        found: asyncio.Future[Completion] = loop.create_future()
        self._answers[number] = found
        try:
            self._pipe.send((number, messages, sampling))
        except OSError:
            self._gone()
        try:
            return await found
        finally:
            self._answers.pop(number, None)

    def _hear(self, pipe: Connection) -> None:
        try:
            while pipe.poll():
                number, found, self.busy = pipe.recv()
                waiting = self._answers.get(number)
                if waiting is None or waiting.done():
                    continue
                if isinstance(found, Gone):
                    waiting.set_exception(found.error())
                else:
                    waiting.set_result(found)
        except Exception:
            # Nothing else that comes can be trusted to belong to the message it names.
            self._process.kill()
            self._gone()

    def _gone(self) -> None:
        if self._loop is not None:
            self._loop.remove_reader(self._pipe.fileno())
            self._loop = None
        for waiting in self._answers.values():
            if not waiting.done():
                waiting.set_exception(
                    RunStopped(
                        f"a process of hf/{self._path} was ended from outside (for want of "
                        "memory?). What is finished is kept; resume with the same command, perhaps "
                        "with a smaller --concurrency"
                    )
                )

    def close(self) -> None:
        """End it: it has nothing to lose."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._pipe.fileno())
        self._pipe.close()
        self._process.kill()
        self._process.wait()
