"""Playing the candidates: every debtor in every style, one line of JSON each as it ends.

The debtor has the same luck in each style. Where the generator is built in, a style's own built-in
seat plays; two styles with the same one differ by their luck.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from arrears.agents.seating import Place, Seating
from arrears.bench.waiting import side_by_side
from arrears.debtors.record import Debtor
from arrears.dialogue.record import DIALOGUE_ADAPTER, Dialogue, as_line
from arrears.models.backends import Backends, is_model
from arrears.training.rejection.plan import SamplePlan
from arrears.training.rejection.styles import CollectorStyle, collector_styles


class Slot(NamedTuple):
    """One talk to be held."""

    case: str
    """`suite/collector/debtor seat/debtor/style/repeat`, unique within a sample."""
    line: str
    """The collector's name."""
    debtor: int
    """Position among the debtors."""
    style: int
    """Position among the styles of the plan."""
    repeat: int
    """From 1."""


def slots_of(plan: SamplePlan, people: Sequence[Debtor]) -> Iterator[Slot]:
    """Every talk of a plan, debtor by debtor."""
    styles = [collector_styles()[name] for name in plan.styles]
    for at, debtor in enumerate(people):
        for number, style in enumerate(styles):
            line = plan.line(style.built_in)
            lead = f"{plan.suite.name}/{line}/{plan.debtor_seat}/{debtor.id}/{style.name}"
            for repeat in range(1, plan.per_style + 1):
                yield Slot(f"{lead}/{repeat}", line, at, number, repeat)


async def play_slots(
    plan: SamplePlan,
    people: Sequence[Debtor],
    owed: Sequence[Slot],
    models: Backends,
    concurrency: int,
    store: Callable[[Slot, bytes], None],
) -> None:
    """Hold the talks; `store` is given each as a line when it has ended. Errors: `side_by_side`."""
    styles = [collector_styles()[name] for name in plan.styles]
    seatings = [_seating(plan, style, models) for style in styles]

    async def one(slot: Slot) -> None:
        await asyncio.sleep(0)  # Built-in seats never wait; a Ctrl-C has to get in.
        style, debtor = styles[slot.style], people[slot.debtor]
        place = Place(slot.case, plan.suite.name, debtor.id, _luck(plan, style, slot.repeat))
        dialogue = await seatings[slot.style].talk(place, debtor, slot.line, plan.debtor_seat)
        store(slot, line_for(style.name, dialogue))

    await side_by_side(owed, one, concurrency)


def line_for(style: str, dialogue: Dialogue) -> bytes:
    """A talk as it is stored, newline included."""
    whole = {"style": style, "dialogue": orjson.Fragment(as_line(dialogue)[:-1])}
    return orjson.dumps(whole, option=orjson.OPT_APPEND_NEWLINE)


def case_of_line(line: Any) -> str:
    """What a stored line is found by."""
    return str(line["dialogue"]["case"])


def dialogue_of_line(line: bytes) -> Dialogue:
    """The talk of a stored line."""
    return DIALOGUE_ADAPTER.validate_python(orjson.loads(line)["dialogue"])


def _seating(plan: SamplePlan, style: CollectorStyle, models: Backends) -> Seating:
    return Seating(
        plan.seed,
        plan.mandate,
        plan.max_turns,
        plan.lang,
        plan.temperature,
        models=models,
        wordings=plan.wordings,
        guidance=style.guidance[plan.lang],
    )


def _luck(plan: SamplePlan, style: CollectorStyle, repeat: int) -> int:
    """The number by which a talk's randomness is addressed."""
    if is_model(plan.generator):
        return repeat
    return style.twins * plan.per_style + repeat
