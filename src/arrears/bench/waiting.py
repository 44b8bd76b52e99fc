"""Playing with models: many dialogues in flight in one process, each stored as it ends.

A dialogue that fails is stored with its reason. What stops the run (money spent, a full disk) lets
the dialogues that can still end do so, and takes no new one.
"""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

from arrears.bench.plan import Case
from arrears.bench.play import Played, Player
from arrears.dialogue.record import as_line
from arrears.errors import RunStopped
from arrears.models.backends import Backends, Settings

T = TypeVar("T")
Store = Callable[[Played], None]


def play_with_models(
    player: Player, cases: Sequence[Case], settings: Settings, log: Path, store: Store
) -> None:
    """Play the cases, `settings.concurrency` at a time.

    RunStopped once all that could still end has ended; StorageError at once.
    """
    run_to_end(_play(player, cases, settings, log, store))


async def _play(
    player: Player, cases: Sequence[Case], settings: Settings, log: Path, store: Store
) -> None:
    async with Backends(settings, log) as models:
        seating = player.seating(models)

        async def one(case: Case) -> None:
            began = perf_counter()
            dialogue = await player.talk(case, seating)
            line = as_line(dialogue)
            store(Played([dialogue.case], [line], [], [perf_counter() - began]))

        await side_by_side(cases, one, settings.concurrency)


async def side_by_side(
    jobs: Sequence[T], work: Callable[[T], Coroutine[Any, Any, None]], count: int
) -> None:
    """Do the jobs in order, so many at a time.

    RunStopped lets those on their way end, begins no new one, and is raised then; any other error
    ends all of them at once and is raised as itself.
    """
    owed = iter(jobs)
    stopped: list[RunStopped] = []

    async def one_after_another() -> None:
        for job in owed:
            try:
                await work(job)
            except RunStopped as stop:
                stopped.append(stop)
            if stopped:
                return

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(count, len(jobs))):
                group.create_task(one_after_another())
    except BaseExceptionGroup as group_of_errors:
        error: BaseException = group_of_errors
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None
    if stopped:
        raise stopped[0]


def run_to_end(work: Coroutine[Any, Any, None]) -> None:
    """Run in a loop of its own. Ctrl-C ends it in good order, as a KeyboardInterrupt."""
    interrupted: list[bool] = []
    with fast_loop() as loop:
        task = loop.create_task(work)

        def stop() -> None:
            interrupted.append(True)
            task.cancel()

        # Not in a thread: there a Ctrl-C arrives as it always does.
        with suppress(NotImplementedError, ValueError, RuntimeError):
            loop.add_signal_handler(signal.SIGINT, stop)
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            if interrupted:
                raise KeyboardInterrupt from None
            raise


@contextmanager
def fast_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """uvloop's event loop where it is installed, else Python's own."""
    try:
        import uvloop
    except ImportError:
        loop = asyncio.new_event_loop()
    else:
        loop = uvloop.new_event_loop()
    try:
        asyncio.set_event_loop(loop)
        yield loop
    finally:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        asyncio.set_event_loop(None)
