"""Mechanisms of the built-in debtor: what a message does to a state, as the rules say it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrears.agents.behaviour import behaviour_from, shipped_behaviour
from arrears.agents.feelings import Impact, State, after_hearing, first_state, willingness
from arrears.agents.temper import Temper
from arrears.errors import BrokenFile

C = shipped_behaviour().debtor
CALM = Temper(
    happiness=3, sadness=3, disgust=3, fear=3, surprise=2, anger=4, resilience=0.5, legal=0.5,
    financial=0.5, responsibility=0.5, credit=0.5, feeling=False, family="courteous",
)  # fmt: skip
WARMTH, LAW, PRESSURE = Impact(warmth=1.0), Impact(legal=1.0), Impact(pressure=1.0)


def change(temper: Temper, impact: Impact) -> State:
    """By how much one message moves each part of the first state."""
    before = first_state(temper, C)
    after = after_hearing(before, temper, impact, C)
    quiet = after_hearing(before, temper, Impact(), C)
    return State(*(a - q for a, q in zip(after, quiet, strict=True)))


def test_appeasement_lowers_anger_more_where_resilience_is_high() -> None:
    fragile = change(CALM._replace(resilience=0.0), WARMTH).anger
    resilient = change(CALM._replace(resilience=1.0), WARMTH).anger
    assert resilient < fragile < 0


def test_a_legal_deterrent_frightens_where_legal_awareness_is_low() -> None:
    ignorant = change(CALM._replace(legal=0.0), LAW).fear
    aware = change(CALM._replace(legal=1.0), LAW).fear
    assert ignorant > 2 * aware > 0


@pytest.mark.parametrize("impact", [LAW, PRESSURE, Impact(abuse=1.0), Impact(challenge=1.0)])
def test_what_hurts_raises_anger_and_resilience_damps_it(impact: Impact) -> None:
    fragile = change(CALM._replace(resilience=0.0), impact).anger
    resilient = change(CALM._replace(resilience=1.0), impact).anger
    assert fragile > resilient > 0


def test_abuse_destroys_trust_more_than_anything_else() -> None:
    losses = {
        name: change(CALM, Impact(**{name: 1.0})).trust for name in ("abuse", "pressure", "legal")
    }
    assert losses["abuse"] == min(losses.values()) < -0.2


def test_an_honest_first_question_calms_and_a_repeated_one_wears() -> None:
    asked, again = Impact(asked=True), Impact(asked=True, repeated=True)
    assert change(CALM, asked).anger < 0
    assert change(CALM, asked).fear < 0
    assert change(CALM, again).anger > 0
    assert change(CALM, again).patience < 0
    assert change(CALM, again).trust < 0


def test_a_concession_earns_trust_and_joy_and_takes_anger() -> None:
    gained = change(CALM, Impact(conceded=True))
    assert gained.trust > 0
    assert gained.happiness > 0
    assert gained.anger < 0


def test_a_refusal_angers() -> None:
    assert change(CALM, Impact(refused=True)).anger > 0


def test_consequences_are_believed_as_far_as_the_collector_is_trusted() -> None:
    trusting = first_state(CALM, C)._replace(trust=0.9)
    distrusting = trusting._replace(trust=0.1)
    believed = after_hearing(trusting, CALM, LAW, C).severity - trusting.severity
    doubted = after_hearing(distrusting, CALM, LAW, C).severity - distrusting.severity
    assert believed > doubted > 0


def test_feelings_settle_where_nothing_happens() -> None:
    upset = first_state(CALM, C)._replace(anger=9.0)
    after = upset
    for _ in range(80):
        after = after_hearing(after, CALM, Impact(), C)
    assert after.anger == pytest.approx(CALM.anger, abs=0.2)


@pytest.mark.parametrize(
    ("part", "value"), [("anger", 10.0), ("disgust", 10.0), ("trust", 0.0), ("severity", 0.0)]
)
def test_willingness_falls_with_anger_and_disgust_and_rises_with_trust_and_severity(
    part: str, value: float
) -> None:
    state = first_state(CALM, C)
    assert willingness(state._replace(**{part: value}), CALM, 0.0, C) < willingness(
        state, CALM, 0.0, C
    )


@pytest.mark.parametrize("trait", ["responsibility", "credit"])
def test_willingness_rises_with_responsibility_and_credit_awareness(trait: str) -> None:
    low, high = CALM._replace(**{trait: 0.0}), CALM._replace(**{trait: 1.0})
    state = first_state(CALM, C)
    assert willingness(state, low, 0.0, C) < willingness(state, high, 0.0, C)


unit = st.floats(0, 1)
ten = st.floats(0, 10)
tempers = st.builds(
    Temper, ten, ten, ten, ten, ten, ten, unit, unit, unit, unit, unit, st.booleans(),
    st.just("blunt"),
)  # fmt: skip
impacts = st.builds(
    Impact, unit, unit, unit, unit, unit, unit, unit, unit, unit, st.booleans(), st.booleans(),
    st.booleans(), st.booleans(),
)  # fmt: skip


@given(tempers, st.lists(impacts, max_size=15))
def test_a_state_never_leaves_its_ranges(temper: Temper, talk: list[Impact]) -> None:
    state = first_state(temper, C)
    for impact in talk:
        state = after_hearing(state, temper, impact, C)
        assert all(0 <= x <= 10 for x in state[:6])
        assert all(0 <= x <= 1 for x in state[6:])
        assert 0 <= willingness(state, temper, 0.0, C) <= 1


def test_a_constant_that_is_missing_or_unknown_is_named() -> None:
    from importlib import resources

    import yaml

    raw = yaml.safe_load((resources.files("arrears.agents") / "behaviour.yaml").read_text("utf-8"))
    del raw["debtor"]["trust"]["warmth"]
    raw["debtor"]["trust"]["warmpth"] = 0.1
    with pytest.raises(BrokenFile, match=r"warmpth, warmth|warmth, warmpth"):
        behaviour_from(raw)


def test_constants_are_frozen() -> None:
    with pytest.raises(AttributeError):
        C.trust.base = 1.0  # type: ignore[misc]
    assert replace(C.trust, base=0.5).base == 0.5
