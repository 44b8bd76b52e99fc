"""Many built-in talks under given behavioural constants, in several processes."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib import resources
from typing import Any, NamedTuple

import yaml

from arrears.agents.behaviour import Behaviour, behaviour_from
from arrears.agents.collector import ScriptedCollector
from arrears.agents.debtor import ScriptedDebtor
from arrears.debtors.record import Debtor
from arrears.dialogue.loop import negotiate
from arrears.dialogue.record import Dialogue
from arrears.rng import rng_for
from arrears.scoring.row import Row, score
from arrears.terms import Mandate


class Task(NamedTuple):
    """One chunk of talks."""

    collector: str
    seed: int
    debtors: tuple[Debtor, ...]
    constants: Mapping[str, Any]
    """As parsed from behaviour.yaml: plain values travel between processes."""


async def talk(debtor: Debtor, name: str, seed: int, behaviour: Behaviour) -> Dialogue:
    """One talk of a built-in collector, at the addresses that a run gives its seats."""
    spec = f"scripted/{name}"
    address = ("debtbench", debtor.id, 0)
    mandate = Mandate()
    return await negotiate(
        case=debtor.id,
        suite="debtbench",
        debtor=debtor,
        collector=ScriptedCollector(
            name, rng_for(seed, *address, "collector", spec), debtor.background, mandate, behaviour
        ),
        debtor_seat=ScriptedDebtor(debtor, rng_for(seed, *address, "debtor"), behaviour),
        collector_spec=spec,
        debtor_spec="scripted/debtor",
        mandate=mandate,
    )


def rows_of(task: Task) -> list[Row]:
    """The scores of a chunk, in order."""
    behaviour = behaviour_from(task.constants)

    async def play() -> list[Row]:
        return [
            score(await talk(debtor, task.collector, task.seed, behaviour), debtor)
            for debtor in task.debtors
        ]

    return asyncio.run(play())


def play_all(
    pool: ProcessPoolExecutor,
    collector: str,
    debtors: Sequence[Debtor],
    seed: int,
    constants: Mapping[str, Any],
    chunk: int = 500,
) -> list[Row]:
    """The scores of all talks, in the order of the debtors."""
    tasks = [
        Task(collector, seed, tuple(debtors[at : at + chunk]), constants)
        for at in range(0, len(debtors), chunk)
    ]
    return [row for rows in pool.map(rows_of, tasks) for row in rows]


def shipped_constants() -> dict[str, Any]:
    """`behaviour.yaml` as it is shipped, parsed."""
    text = (resources.files("arrears.agents") / "behaviour.yaml").read_text(encoding="utf-8")
    constants: dict[str, Any] = yaml.safe_load(text)
    return constants
