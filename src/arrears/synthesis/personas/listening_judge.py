"""The built-in judge of behaviour: the built-in reader's reading against the persona.

It judges talks of the built-in debtor, in English, and only by what can be told from them.
"""

from typing import Final

from arrears.agents.seating import Place
from arrears.debtors.persona import voice_family
from arrears.debtors.record import EMOTIONS, RESILIENCE_LEVELS, Debtor
from arrears.dialogue.record import Dialogue
from arrears.models.backends import Backends
from arrears.synthesis.conversations import Conversation, Utterance
from arrears.synthesis.personas.changes import Change, Dimension, Verdict, value_of
from arrears.synthesis.personas.draft import COGNITION
from arrears.synthesis.personas.reader import Reading, built_in, described, style_of_family, within
from arrears.synthesis.personas.setup import THRESHOLD, Setup

_PER_POINT: Final = 1.75
"""Steps of 0 … 10 by which feelings may be off, on average, for each point of the score."""
_LEVELS_PER_POINT: Final = 1.0
_CONTRADICTED: Final = 3.5
"""A feeling that is farther off than this is contradicted; half of it for a level."""
_FOREIGN: Final = 0.05
"""A way of speaking that is less likely than this is not the one that was heard."""


class ListeningJudge:
    """As `refine.Judge`."""

    def __init__(self, models: Backends, setup: Setup) -> None:
        del models, setup

    async def verdict(self, person: Debtor, dialogue: Dialogue, place: Place) -> Verdict:
        """Scores by distance; changes where it is large."""
        said = tuple(Utterance(t.seat, t.dialogue) for t in dialogue.turns if t.dialogue.strip())
        return judged(person, Conversation(place.case, said), place.debtor)


def judged(person: Debtor, talk: Conversation, address: str) -> Verdict:
    """What the reader makes of one conversation of a person."""
    (reading,) = built_in().read((talk,))
    scores: dict[Dimension, float] = {
        "emotion": _score(person, reading, EMOTIONS, _PER_POINT),
        "cognition": _score(person, reading, COGNITION, _LEVELS_PER_POINT),
        "style": 5.0 if _speaks_so(person, reading) else 2.0,
    }
    changes: list[Change] = []
    if scores["emotion"] < THRESHOLD:
        changes += _moved(person, reading, EMOTIONS, _CONTRADICTED, 10, address)
        changes += _resilience(person, reading)
    if scores["cognition"] < THRESHOLD:
        changes += _moved(person, reading, COGNITION, _CONTRADICTED / 2, 5, address)
    if scores["style"] < THRESHOLD:
        after = (style_of_family(reading.family),)
        why = f"speaks in a {reading.family} way"
        changes.append(Change("style", value_of(person, "style"), after, why))
    return Verdict(scores, tuple(changes), "by the built-in reader")


def _score(person: Debtor, reading: Reading, names: tuple[str, ...], per_point: float) -> float:
    off = [
        abs(reading.numbers[name] - int(str(value_of(person, name))))
        for name in names
        if name in reading.heard
    ]
    assert off, "the reader hears something of every kind: nothing heard would be no score"
    return max(1.0, 5.0 - sum(off) / len(off) / per_point)


def _moved(
    person: Debtor, reading: Reading, names: tuple[str, ...], most: float, top: int, address: str
) -> list[Change]:
    found = []
    for name in names:
        before = int(str(value_of(person, name)))
        after = within(reading.numbers[name], 1 if top == 5 else 0, top)
        if name in reading.heard and abs(reading.numbers[name] - before) > most and after != before:
            sentence = described(name, after, address) if top == 5 else ""
            why = f"sounds like {reading.numbers[name]:.1f}"
            found.append(Change(name, before, after, why, sentence))
    return found


def _resilience(person: Debtor, reading: Reading) -> list[Change]:
    before = str(value_of(person, "resilience"))
    heard = reading.numbers["resilience"]
    off = abs(heard - 1 - RESILIENCE_LEVELS.index(before))
    if "resilience" not in reading.heard or off <= _CONTRADICTED / 2:
        return []
    after = RESILIENCE_LEVELS[within(heard, 1, 5) - 1]
    return [Change("resilience", before, after, f"sounds like level {heard:.1f}")]


def _speaks_so(person: Debtor, reading: Reading) -> bool:
    assert person.personality is not None
    return reading.families.get(voice_family(person.personality.style), 0.0) >= _FOREIGN
