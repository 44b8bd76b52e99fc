"""Holding the negotiations of a plan: seats at their places, talk, score, line.

Scoring loads compiled code and much memory, so it is loaded by whoever scores: a run that waits for
models all night stays small.
"""

from collections.abc import Iterable
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from arrears.agents.seating import Place, Seating
from arrears.bench.plan import Case, Plan, Populations
from arrears.dialogue.record import DIALOGUE_ADAPTER, Dialogue, as_line
from arrears.models.backends import Backends

if TYPE_CHECKING:
    from arrears.scoring.row import Row


class Played(NamedTuple):
    """Dialogues that have ended, column by column."""

    cases: list[str]
    """Their ids."""
    lines: list[bytes]
    """As they are stored: one JSON line each, newline included."""
    rows: "list[Row]"
    """Their scores; none where they are scored later."""
    seconds: list[float]
    """Wall-clock time of each, from seating to the stored line, and to its scores if it has any."""


class Player:
    """Plays the cases of one plan."""

    def __init__(self, plan: Plan, populations: Populations) -> None:
        self.plan = plan
        self._populations = populations
        self._seating = self.seating(None)

    def seating(self, models: Backends | None) -> Seating:
        """Who sits down in this run, given the models that may be called."""
        plan = self.plan
        return Seating(
            plan.seed,
            plan.mandate,
            plan.max_turns,
            plan.lang,
            plan.temperature,
            plan.max_tokens,
            plan.planner,
            plan.judge,
            models,
            plan.debtor_prompt,
            plan.taxonomy(),
            plan.wordings,
        )

    async def talk(self, case: Case, seating: Seating | None = None) -> Dialogue:
        """Seat both sides of a case and let them negotiate."""
        debtor = self._populations[case.suite][case.position]
        place = Place(case.id, case.suite, debtor.id, case.repeat)
        seating = seating or self._seating
        return await seating.talk(place, debtor, case.collector, case.debtor_seat)

    async def play(self, cases: Iterable[Case]) -> Played:
        """Negotiate and score the cases one after another."""
        from arrears.scoring.row import score

        played = Played([], [], [], [])
        for case in cases:
            began = perf_counter()
            dialogue = await self.talk(case)
            row = score(dialogue, self._populations[case.suite][case.position])
            played.cases.append(dialogue.case)
            played.lines.append(as_line(dialogue))
            played.rows.append(row)
            played.seconds.append(perf_counter() - began)
        return played

    def rescore(self, case: Case, line: bytes) -> "Row":
        """The scores of a dialogue that is stored already."""
        from arrears.scoring.row import score

        dialogue = DIALOGUE_ADAPTER.validate_json(line)
        return score(dialogue, self._populations[case.suite][case.position])
