"""Money: what was spent, by call, and a limit that is never passed."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import orjson

from arrears.errors import BudgetSpent, cannot_write
from arrears.models.chat import Purpose
from arrears.models.usage import Usage


class Call(NamedTuple):
    """One call that was answered, as it stands in the log of calls."""

    purpose: Purpose
    model: str
    usage: Usage
    cost: float | None
    """None where the model has no price."""
    tries: int
    seconds: float
    cached: bool
    """Answered from the cache on disk: nothing was sent, nothing was paid."""


class CallLog:
    """`calls.jsonl`: one line a call, written at once, so that a kill forgets no money."""

    def __init__(self, path: Path) -> None:
        """StorageError where it cannot be written. Costs of earlier sessions are read back."""
        self.spent = sum(call.cost or 0.0 for call in read_calls(path))
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            if _torn(path):
                os.write(self._fd, b"\n")
        except OSError as error:
            raise cannot_write(path, error) from error
        self._path = path

    def add(self, call: Call) -> None:
        """Count a call."""
        self.spent += call.cost or 0.0
        usage = call.usage
        line = orjson.dumps(
            {
                **call.purpose._asdict(),
                "model": call.model,
                "in": usage.tokens_in,
                "out": usage.tokens_out,
                "cached": usage.tokens_cached,
                "cost": call.cost,
                "tries": call.tries,
                "seconds": round(call.seconds, 4),
                "from_cache": call.cached,
            },
            option=orjson.OPT_APPEND_NEWLINE,
        )
        try:
            os.write(self._fd, line)
        except OSError as error:
            raise cannot_write(self._path, error, "make room, then resume") from error

    def close(self) -> None:
        """Give the file back."""
        os.close(self._fd)


def read_calls(path: Path) -> Iterator[Call]:
    """The calls of a run; lines that a kill has torn are passed over."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            try:
                row = orjson.loads(line)
                yield Call(
                    Purpose(row["case"], row["seat"], row["role"]),
                    row["model"],
                    Usage(row["in"], row["out"], row["cached"]),
                    row["cost"],
                    row["tries"],
                    row["seconds"],
                    row["from_cache"],
                )
            except (orjson.JSONDecodeError, KeyError, TypeError):
                continue


def _torn(path: Path) -> bool:
    size = path.stat().st_size
    if not size:
        return False
    with path.open("rb") as file:
        file.seek(size - 1)
        return file.read(1) != b"\n"


class Budget:
    """A limit on the money of a run. Every call reserves what it may cost at most beforehand.

    A call that could pass the limit waits for those in flight to turn out cheaper, and is refused
    with BudgetSpent when none is left: so the limit holds, and nothing that fits is refused.
    """

    def __init__(self, limit: float, spent: float = 0.0) -> None:
        self.limit = limit
        self.spent = spent
        self._reserved = 0.0
        self._in_flight = 0
        self._turn = asyncio.Condition()

    async def reserve(self, most: float) -> None:
        """Set aside what a call may cost. BudgetSpent where that would pass the limit."""
        async with self._turn:
            while self.spent + self._reserved + most > self.limit:
                if not self._in_flight:
                    raise BudgetSpent(
                        f"the next call could pass --max-cost {self.limit:g} ({self.spent:.4f} is "
                        "spent); everything that had finished is kept. Resume with the same "
                        "command and a higher --max-cost"
                    )
                await self._turn.wait()
            self._reserved += most
            self._in_flight += 1

    async def settle(self, most: float, cost: float) -> None:
        """The call is over; it cost this."""
        async with self._turn:
            self._reserved -= most
            self._in_flight -= 1
            self.spent += cost
            self._turn.notify_all()
