"""How a debtor feels, and how one heard message moves that. Pure functions over frozen values.

The mechanisms: resilience damps what hurts; pressure and legal warnings raise anger, and fear most
where little is known of the law; warmth and honest questions lower anger, fear and sadness, warmth
most where resilience is high; a question heard before wears patience and trust; a concession earns
trust; consequences are believed as far as the collector is.
"""

from math import exp
from typing import NamedTuple

from arrears.agents.behaviour import DebtorConstants
from arrears.agents.temper import Temper


class State(NamedTuple):
    """What a debtor feels and believes now. Emotions 0 … 10, the rest 0 … 1."""

    happiness: float
    sadness: float
    disgust: float
    fear: float
    surprise: float
    anger: float
    trust: float
    patience: float
    severity: float
    """How serious the consequences of not paying are believed to be."""


class Impact(NamedTuple):
    """What one collector message is to the debtor. Tones 0 … 1."""

    warmth: float = 0.0
    respect: float = 0.0
    clarity: float = 0.0
    pressure: float = 0.0
    legal: float = 0.0
    challenge: float = 0.0
    abuse: float = 0.0
    facts: float = 0.0
    introduction: float = 0.0
    asked: bool = False
    """An honest question about the situation."""
    repeated: bool = False
    """The question, or the whole move, was heard before."""
    conceded: bool = False
    """The collector's asks moved toward the debtor."""
    refused: bool = False
    """An ask of the debtor's was refused."""


def first_state(temper: Temper, c: DebtorConstants) -> State:
    """The state before the first word."""
    anger, disgust = temper.anger / 10, temper.disgust / 10
    t, p, s = c.trust, c.patience, c.severity
    return State(
        temper.happiness,
        temper.sadness,
        temper.disgust,
        temper.fear,
        temper.surprise,
        temper.anger,
        _unit(
            t.base
            + t.of_responsibility * temper.responsibility
            + t.of_disgust * disgust
            + t.of_anger * anger
        ),
        _unit(p.base + p.of_resilience * temper.resilience + p.of_anger * anger),
        _unit(s.base + s.of_legal * temper.legal + s.of_credit * temper.credit),
    )


def after_hearing(state: State, temper: Temper, impact: Impact, c: DebtorConstants) -> State:
    """The state after one message of the collector."""
    f, t, p, s = c.feelings, c.trust, c.patience, c.severity
    hurt = (1.0 - f.resilience_damps * temper.resilience) * (1.15 if temper.feeling else 0.9)
    legal_fear = f.legal_fear + (f.legal_fear_aware - f.legal_fear) * temper.legal
    anger_up = hurt * (
        f.legal_anger * impact.legal
        + f.pressure_anger * impact.pressure
        + f.challenge_anger * impact.challenge
        + f.abuse_anger * impact.abuse
        + (f.repeat_anger if impact.repeated else 0.0)
        + (f.refusal_anger if impact.refused else 0.0)
    )
    fear_up = hurt * (
        legal_fear * impact.legal + f.pressure_fear * impact.pressure + f.abuse_fear * impact.abuse
    )
    asked = impact.asked and not impact.repeated
    warmth = impact.warmth * (1.15 if temper.feeling else 0.9)
    cooled = min(
        0.9,
        warmth * f.appease_anger * (1.0 + f.appease_resilience * temper.resilience)
        + (f.assess_anger if asked else 0.0)
        + (f.concession_anger if impact.conceded else 0.0),
    )
    calmed = min(0.9, warmth * f.appease_fear + (f.assess_fear if asked else 0.0))
    joy = f.concession_joy if impact.conceded else 0.0
    settle = f.settle
    trust = state.trust + (
        t.warmth * warmth
        + t.respect * impact.respect
        + t.clarity * impact.clarity
        + t.introduction * impact.introduction
        + t.pressure * impact.pressure
        + t.legal * impact.legal
        + t.abuse * impact.abuse
        + (t.concession if impact.conceded else 0.0)
        + (t.repeat if impact.repeated else 0.0)
    )
    believed = s.disbelief + (1.0 - s.disbelief) * state.trust
    happiness = _toward(state.happiness, temper.happiness, settle) + joy - 0.3 * anger_up
    sadness = _toward(state.sadness, temper.sadness, settle) * (1.0 - warmth * f.appease_sadness)
    disgust = _toward(state.disgust, temper.disgust, settle) + 0.4 * anger_up - 0.4 * warmth
    fear = _toward(state.fear, temper.fear, settle) * (1.0 - calmed) + fear_up
    faded = state.surprise * (1.0 - f.surprise_fades)
    surprise = faded + f.facts_surprise * impact.facts * (1.0 - temper.legal)
    anger = _toward(state.anger, temper.anger, settle) * (1.0 - cooled) + anger_up
    patience = (
        state.patience
        + p.a_message
        + p.pressure * impact.pressure
        + p.warmth * warmth
        + (p.repeat if impact.repeated else 0.0)
    )
    severity = state.severity + (1.0 - state.severity) * believed * (
        s.legal * impact.legal + s.facts * impact.facts
    )
    return State(
        _ten(happiness),
        _ten(sadness),
        _ten(disgust),
        _ten(fear),
        _ten(surprise),
        _ten(anger),
        _unit(trust),
        _unit(patience),
        _unit(severity),
    )


def willingness(state: State, temper: Temper, person: float, c: DebtorConstants) -> float:
    """How willing the debtor is to pay, 0 … 1. `person` is what the record does not tell."""
    w = c.willingness
    despair = state.sadness / 10 * (1.0 - temper.resilience)
    score = (
        w.bias
        + w.of_responsibility * temper.responsibility
        + w.of_credit * temper.credit
        + w.of_trust * state.trust
        + w.of_severity * state.severity
        + w.of_anger * state.anger / 10
        + w.of_disgust * state.disgust / 10
        + w.of_despair * despair
        + w.person_sd * person
    )
    return 1.0 / (1.0 + exp(-score))


def _toward(now: float, home: float, share: float) -> float:
    return now + (home - now) * share


def _unit(x: float) -> float:
    return 0.0 if x < 0.0 else 1.0 if x > 1.0 else x


def _ten(x: float) -> float:
    return 0.0 if x < 0.0 else 10.0 if x > 10.0 else x
