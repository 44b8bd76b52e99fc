"""Who the debtor is, as the behavioural model needs it: traits and first feelings as numbers.

A DebtBench persona brings its own. A DCN record has none, so the seat draws a temper from its own
generator; it stays with the seat and never enters the record (docs/domain.md, "The debtor").
"""

from typing import NamedTuple

from arrears.agents.behaviour import TemperConstants
from arrears.debtors.persona import voice_family
from arrears.debtors.record import EMOTIONS, RESILIENCE_LEVELS, Debtor
from arrears.rng import Draws

VOICE_FAMILIES = (
    "blunt", "evasive", "plaintive", "courteous", "rambling", "clipped", "sarcastic", "formal",
)  # fmt: skip


class Temper(NamedTuple):
    """What does not change during a talk. Emotions 0 … 10, traits 0 … 1."""

    happiness: float
    sadness: float
    disgust: float
    fear: float
    surprise: float
    anger: float
    resilience: float
    legal: float
    financial: float
    responsibility: float
    credit: float
    feeling: bool
    """Decides by feeling (MBTI F): warmth and harshness both reach further."""
    family: str
    """Voice family."""


def temper_of(debtor: Debtor, draws: Draws, constants: TemperConstants) -> Temper:
    """The temper of a persona, or a drawn one for a record without personality."""
    person, mind = debtor.personality, debtor.cognition
    if person is None or mind is None:
        return _drawn(draws, constants)
    feels = person.emotions
    return Temper(
        feels.happiness,
        feels.sadness,
        feels.disgust,
        feels.fear,
        feels.surprise,
        feels.anger,
        RESILIENCE_LEVELS.index(person.emotional_resilience) / 4,
        (mind.legal_awareness.level - 1) / 4,
        (mind.financial_literacy.level - 1) / 4,
        (mind.responsibility.level - 1) / 4,
        (mind.credit_awareness.level - 1) / 4,
        person.mbti[2] == "F",
        voice_family(person.style),
    )


def _drawn(draws: Draws, c: TemperConstants) -> Temper:
    emotions = [
        min(10.0, max(0.0, draws.normal(c.drawn_emotion_mean[e], c.drawn_emotion_sd)))
        for e in EMOTIONS
    ]
    traits = [
        min(1.0, max(0.0, draws.normal(c.drawn_trait_mean, c.drawn_trait_sd))) for _ in range(5)
    ]
    happiness, sadness, disgust, fear, surprise, anger = emotions
    resilience, legal, financial, responsibility, credit = traits
    return Temper(
        happiness,
        sadness,
        disgust,
        fear,
        surprise,
        anger,
        resilience,
        legal,
        financial,
        responsibility,
        credit,
        draws.chance(0.5),
        draws.choice(VOICE_FAMILIES),
    )
