"""Asking the weak side, as often as it takes until so many pairs as are wanted can be made."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from arrears.bench.run import Progress
from arrears.bench.waiting import run_to_end, side_by_side
from arrears.errors import UsageError
from arrears.models.backends import Backends, Settings, is_model
from arrears.models.chat import Purpose
from arrears.training.rejection.negatives import (
    Negative,
    ask_built_in,
    ask_model,
    key_of_line,
    line_for,
    negative_of_line,
)
from arrears.training.rejection.plan import SamplePlan
from arrears.training.rejection.store import LineStore
from arrears.training.rejection.turns import Item, Key


class Answers(NamedTuple):
    """What came of it."""

    drawn: list[int]
    """Positions of the items that become rows, in the order in which they were drawn."""
    found: Mapping[Key, Negative]
    """Every answer, usable or not."""


def reject(
    plan: SamplePlan,
    items: Sequence[Item],
    order: Sequence[int],
    path: Path,
    log: Path | None,
    settings: Settings,
    progress: Progress,
    retry_errors: bool,
) -> Answers:
    """Rejected answers to the first items of `order` that have a usable one, `plan.pairs` of them.

    Each is stored in `path` as it comes, and never asked for again; `retry_errors` asks again where
    the model had failed. UsageError where no answer is usable; RunStopped and StorageError with
    what is done kept.
    """
    wanted = min(plan.pairs, len(items))
    keys = {item.key for item in items}
    with LineStore(path, key_of_line) as store:
        found = {key: negative_of_line(store.read(key)) for key in store if key in keys}
        if retry_errors:
            found = {key: n for key, n in found.items() if n.why != "failed"}
        store.forget([key for key in store if key not in found])
        usable = sum(not n.why for n in found.values())
        progress(min(usable, wanted), wanted)

        def keep(item: Item, negative: Negative) -> None:
            nonlocal usable
            store.add(item.key, line_for(item, negative))
            found[item.key] = negative
            usable += not negative.why
            progress(min(usable, wanted), wanted)

        while owed := _owed(items, order, wanted, found):
            run_to_end(_ask(plan, owed, log, settings, keep))
        asked = [at for at in order if items[at].key in found]
        store.put_in_order([items[at].key for at in asked])
    drawn = [at for at in asked if not found[items[at].key].why][:wanted]
    if not drawn:
        reasons = sorted({n.why for n in found.values()})
        again = "; ask again with --retry-errors" if "failed" in reasons else ""
        raise UsageError(
            f"{plan.weak} gave no usable answer to {len(asked):,} questions "
            f"({', '.join(reasons)}){again}"
        )
    return Answers(drawn, found)


def _owed(
    items: Sequence[Item], order: Sequence[int], wanted: int, found: Mapping[Key, Negative]
) -> list[Item]:
    """What has to be asked next: the first of the order, until enough of them may be usable.

    It follows from the answers alone that are stored, not from when they came.
    """
    owed: list[Item] = []
    hopeful = 0
    for at in order:
        if hopeful == wanted:
            break
        negative = found.get(items[at].key)
        if negative is None:
            owed.append(items[at])
        hopeful += negative is None or not negative.why
    return owed


async def _ask(
    plan: SamplePlan,
    owed: Sequence[Item],
    log: Path | None,
    settings: Settings,
    keep: Callable[[Item, Negative], None],
) -> None:
    async with Backends(settings, log) as models:

        async def one(item: Item) -> None:
            await asyncio.sleep(0)  # A built-in seat never waits; a Ctrl-C has to get in.
            if is_model(plan.weak):
                purpose = Purpose(item.candidate.case, "weak", "speaker")
                keep(item, await ask_model(plan, item, models.model(plan.weak, purpose)))
            else:
                keep(item, await ask_built_in(plan, item))

        await side_by_side(owed, one, settings.concurrency)
