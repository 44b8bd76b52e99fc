"""What nano first learns from: talks of built-in collectors with training debtors.

The mix gives too much away, as the papers' base models do: three talks of five are the lenient
collector's, whose discounts and long plans no one had to ask for. What is wrong with that is for
preference optimisation to find out.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pydantic import Field

from arrears.agents.briefing import style_of
from arrears.agents.seating import Place, Seating
from arrears.debtors.record import Debtor, Record
from arrears.debtors.suites import load_suite
from arrears.dialogue.record import Dialogue
from arrears.rng import rng_for
from arrears.terms import Mandate
from arrears.training.conversations import Briefing, brief, conversation

DEBTOR_SEAT: Final = "scripted/debtor"


class Mix(Record):
    """Which talks, and how many of each."""

    talks: int = Field(default=4000, ge=1)
    """In all."""
    suites: dict[str, float] = Field(default_factory=lambda: {"debtbench": 2.0, "dcn": 1.0})
    """Where the debtors come from, by weight; always from the training split."""
    collectors: dict[str, float] = Field(
        default_factory=lambda: {"scripted/lenient": 3.0, "scripted/typical": 2.0}
    )
    """Who talks with them, by weight."""


class Talk(NamedTuple):
    """One talk of the corpus."""

    dialogue: Dialogue
    debtor: Debtor

    def row(self) -> dict[str, Any]:
        """As the trainer reads it: the briefing is the short one."""
        briefing = Briefing(style_of(self.debtor), "short")
        turns = [brief(turn) for turn in self.dialogue.turns]
        talk = conversation(turns, self.debtor.background, briefing)
        about = {"case": self.dialogue.case, "collector_prompt": briefing.wording}
        return {"messages": talk, "about": about}


def talks(mix: Mix, seed: int) -> Iterator[Talk]:
    """The talks one after the other; the same for the same mix and seed."""
    splits = {suite: load_suite(suite, "train") for suite in mix.suites}
    seating = Seating(seed, Mandate(), 12)
    for number in range(mix.talks):
        rng = rng_for(seed, "corpus", number)
        suite, collector = _drawn(mix.suites, rng.random()), _drawn(mix.collectors, rng.random())
        people = splits[suite]
        debtor = people[int(rng.random() * len(people))]
        place = Place(f"corpus/{number:06d}", suite, debtor.id, number)
        yield Talk(asyncio.run(seating.talk(place, debtor, collector, DEBTOR_SEAT)), debtor)


def _drawn(weights: Mapping[str, float], mark: float) -> str:
    names: Sequence[str] = list(weights)
    mark *= sum(weights.values())
    for name in names:
        mark -= weights[name]
        if mark < 0:
            return name
    return names[-1]
