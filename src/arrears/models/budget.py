"""Money: what was spent, by call, and a limit on it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import orjson

from arrears.errors import BudgetSpent
from arrears.files import LineFile
from arrears.models.chat import Purpose
from arrears.models.usage import Usage


class Call(NamedTuple):
    """One call that was answered, or a try of one that was paid for and brought no answer, as it
    stands in the log of calls.
    """

    purpose: Purpose
    model: str
    usage: Usage
    cost: float | None
    """None where the model has no price."""
    tries: int
    seconds: float
    cached: bool
    """Answered from the cache on disk: nothing was sent, nothing was paid."""
    rejected: str = ""
    """Of a try that brought no answer: why. "" for a call that was answered."""


class CallLog:
    """`calls.jsonl`: one line a call, written at once, so that a kill forgets none that was
    answered. A try that was billed and rejected has a line of its own, with `rejected`.
    """

    def __init__(self, path: Path) -> None:
        """StorageError where it cannot be written. Costs of earlier sessions are read back."""
        self.spent = sum(call.cost or 0.0 for call in read_calls(path))
        self._file = LineFile(path)

    def add(self, call: Call) -> None:
        """Count a call."""
        self.spent += call.cost or 0.0
        usage = call.usage
        line = {
            **call.purpose._asdict(),
            "model": call.model,
            "in": usage.tokens_in,
            "out": usage.tokens_out,
            "cached": usage.tokens_cached,
            "cost": call.cost,
            "tries": call.tries,
            "seconds": round(call.seconds, 4),
            "from_cache": call.cached,
        }
        if call.rejected:
            line["rejected"] = call.rejected
        self._file.append([orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)])

    def note(self, model: str, told: str) -> None:
        """Write down something about a model that is no call; readers of calls pass it over."""
        line = {"model": model, "note": told}
        self._file.append([orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)])

    def close(self) -> None:
        """Give the file back."""
        self._file.close()


def read_calls(path: Path) -> Iterator[Call]:
    """The calls of a run, and the billed tries among them; lines that a kill has torn are passed
    over.
    """
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
                    row.get("rejected", ""),
                )
            except (orjson.JSONDecodeError, KeyError, TypeError):
                continue


class Budget:
    """A limit on the money of a run. Every try reserves what it may cost at most beforehand.

    A try that could pass the limit waits for those in flight to turn out cheaper, and is refused
    with BudgetSpent when none is left: so the limit holds, and nothing that fits is refused. A call
    that is tried again reserves again. Reserving for all its tries at once would hold the limit no
    better, and would refuse calls that fit, since most are answered by the first try.
    """

    def __init__(self, limit: float, spent: float = 0.0) -> None:
        self.limit = limit
        self.spent = spent
        self._reserved = 0.0
        self._in_flight = 0
        self._turn = asyncio.Condition()

    async def reserve(self, most: float) -> None:
        """Set aside what a try may cost. BudgetSpent where that would pass the limit."""
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
        """The try is over; it cost this."""
        async with self._turn:
            self._reserved -= most
            self._in_flight -= 1
            self.spent += cost
            self._turn.notify_all()
