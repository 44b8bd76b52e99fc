"""Local models make room for each other, and are opened again where they are needed."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from arrears.models import hf
from arrears.models.chat import Completion, Message, Purpose, Sampling
from arrears.models.shelf import IDLE, LocalSeat, Shelf
from arrears.models.usage import Usage


class Model:
    """A model that says its name, once it may."""

    def __init__(self, name: str) -> None:
        self.name, self.closed = name, False
        self.may = asyncio.Event()
        self.may.set()

    async def answer(self, messages: Sequence[Message], sampling: Sampling) -> Completion:
        """Its name."""
        assert not self.closed
        await self.may.wait()
        return Completion(self.name, "", Usage())

    def close(self) -> None:
        """It must not be asked any more."""
        self.closed = True


class Watch:
    """Time that goes on when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Model]:
    """Every model that was opened, in order."""
    found: list[Model] = []

    def opened(path: Path, batch: int) -> Model:
        assert batch == 8
        found.append(Model(path.name))
        return found[-1]

    monkeypatch.setattr(hf, "opened", opened)
    return found


def seat(shelf: Shelf, spec: str) -> LocalSeat:
    """A seat that nobody keeps account of."""
    return LocalSeat(shelf, spec, Purpose("c", "collector", "speaker"), None)


async def said(seat: LocalSeat) -> str:
    """What a seat answers."""
    return (await seat.complete((), Sampling())).text


def test_a_model_that_nobody_asks_makes_room_for_the_next_and_comes_back(
    made: list[Model],
) -> None:
    async def run() -> None:
        watch = Watch()
        shelf = Shelf(8, watch)
        first = seat(shelf, "hf/a")
        assert await said(first) == "a"
        watch.now += IDLE + 1
        assert await said(seat(shelf, "hf/b")) == "b"
        assert [(m.name, m.closed) for m in made] == [("a", True), ("b", False)]
        assert await said(first) == "a", "a talk that was begun goes on"
        assert [(m.name, m.closed) for m in made[1:]] == [("b", False), ("a", False)]
        shelf.close()
        assert all(m.closed for m in made)

    asyncio.run(run())


def test_models_that_take_turns_stay(made: list[Model]) -> None:
    async def run() -> None:
        watch = Watch()
        shelf = Shelf(8, watch)
        seats = [seat(shelf, f"hf/{name}") for name in "abc"]
        for _ in range(5):
            watch.now += IDLE / 2
            assert [await said(one) for one in seats] == ["a", "b", "c"]
        assert len(made) == 3

    asyncio.run(run())


def test_a_model_that_writes_is_not_idle_however_long_it_takes(made: list[Model]) -> None:
    async def run() -> None:
        watch = Watch()
        shelf = Shelf(8, watch)
        first = seat(shelf, "hf/a")
        made[0].may.clear()
        slow = asyncio.create_task(said(first))
        await asyncio.sleep(0)
        watch.now += 100 * IDLE
        assert await said(seat(shelf, "hf/b")) == "b"
        assert not made[0].closed
        made[0].may.set()
        assert await slow == "a"

    asyncio.run(run())
