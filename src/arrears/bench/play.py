"""Holding the negotiations of a plan: seats at their addresses, talk, score, line.

Everything random about a case comes from the addresses of its two seats. The debtor's seat has no
collector in its address: it meets every collector with the same luck, so that collectors are
compared on equal terms (common random numbers).
"""

from collections.abc import Iterable
from time import perf_counter
from typing import NamedTuple

from arrears.agents.registry import make_collector, make_debtor_seat
from arrears.bench.plan import Case, Plan, Populations
from arrears.dialogue.loop import negotiate
from arrears.dialogue.record import DIALOGUE_ADAPTER, Dialogue, as_line
from arrears.rng import rng_for
from arrears.scoring.row import Row, score


class Played(NamedTuple):
    """Dialogues that have ended, column by column."""

    cases: list[str]
    """Their ids."""
    lines: list[bytes]
    """As they are stored: one JSON line each, newline included."""
    rows: list[Row]
    """Their scores."""
    seconds: list[float]
    """Wall-clock time of each, from seating to scores."""


class Player:
    """Plays the cases of one plan."""

    def __init__(self, plan: Plan, populations: Populations) -> None:
        self.plan = plan
        self._populations = populations

    async def talk(self, case: Case) -> Dialogue:
        """Seat both sides of a case and let them negotiate."""
        plan = self.plan
        debtor = self._populations[case.suite][case.position]
        address = (case.suite, debtor.id, case.repeat)
        ears = rng_for(plan.seed, *address, "debtor")
        voice = rng_for(plan.seed, *address, "collector", case.collector)
        return await negotiate(
            case=case.id,
            suite=case.suite,
            debtor=debtor,
            collector=make_collector(case.collector, voice, debtor.background, plan.mandate),
            debtor_seat=make_debtor_seat(plan.debtor_seat, ears, debtor),
            collector_spec=case.collector,
            debtor_spec=plan.debtor_seat,
            mandate=plan.mandate,
            max_turns=plan.max_turns,
        )

    async def play(self, cases: Iterable[Case]) -> Played:
        """Negotiate and score the cases one after another."""
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

    def rescore(self, case: Case, line: bytes) -> Row:
        """The scores of a dialogue that is stored already."""
        dialogue = DIALOGUE_ADAPTER.validate_json(line)
        return score(dialogue, self._populations[case.suite][case.position])
