"""The rubric judge: a known good and a known bad conversation, and what it must not look at."""

from dataclasses import replace

import pytest

from arrears.debtors.record import Debtor
from arrears.debtors.suites import load_suite
from arrears.dialogue.acts import NON, Act, act
from arrears.dialogue.record import Dialogue, Turn
from arrears.scoring.rubric import judge
from arrears.scoring.unscored import Unscored
from arrears.terms import Mandate, Terms
from tests.talks import talks


def person() -> Debtor:
    """A helpless debtor of the shipped suite."""
    return next(d for d in load_suite("debtbench") if d.category == "helpless")


def conversation(lines: list[tuple[str, tuple[Act, ...]]], terms: Terms | None) -> Dialogue:
    """Lines in turn, the collector first."""
    turns = tuple(
        Turn("debtor" if i % 2 else "collector", words, acts, number=i // 2 + 1)
        for i, (words, acts) in enumerate(lines)
    )
    return Dialogue(
        case="c", suite="debtbench", debtor_id=person().id, collector="x", debtor_seat="y",
        mandate=Mandate(), turns=turns, ending="agreed" if terms else "walked_away", terms=terms,
    )  # fmt: skip


SMALL = (
    act("ask", "disc_ratio", 0.0), act("ask", "pmt_ratio", 0.05), act("ask", "pmt_days", 14),
    act("ask", "inst_prds", 24),
)  # fmt: skip
TAKEN = tuple(act("accept", a.dim, a.value) for a in SMALL if a.dim)
HARSH = (
    act("ask", "disc_ratio", 0.0), act("ask", "pmt_ratio", 0.5), act("ask", "pmt_days", 1),
    act("ask", "inst_prds", 3),
)  # fmt: skip

GOOD = conversation(
    [
        ("Good day. My name is Wen, I work for Company A and you can verify me on our official app. "
         "Am I speaking with the account holder?", (NON,)),
        ("Yes... I'm scared that you call. I can't sleep any more.", (NON,)),
        ("I'm so sorry to hear that, I understand how frightening this is. You are not alone, and we "
         "will look for a way together. May I ask what happened, and how your income is now?", (NON,)),
        ("I lost my job and I feel ashamed. I want to pay, I just don't know how.", (NON,)),
        ("Thank you for telling me, that can't be easy. Let me explain: a plan would mean 5% upfront "
         "within 14 days and the rest over 24 months, with no discount, so that you can keep it. "
         "Would you be comfortable with that?", SMALL),
        ("Thank you, that works for me. I'm grateful, I will pay.", TAKEN),
    ],
    Terms(0.0, 0.05, 14, 24),
)  # fmt: skip
BAD = conversation(
    [
        ("You owe us money, you deadbeat. Pay now.", (NON,)),
        ("Who is this? Please don't shout, I'm afraid.", (NON,)),
        ("This is your last chance. You must pay 50% immediately or we sue you and I will tell your "
         "boss. Pay within 1 day, the rest in 3 months, no discount!", HARSH),
        ("How dare you! Leave me alone, I'm furious, I'll file a complaint!", (NON,)),
        ("Pay now, you liar. This is your last chance. You must pay 50% immediately.", HARSH),
        ("I've had enough of this, stop harassing me!", (NON,)),
    ],
    None,
)  # fmt: skip


def test_a_known_good_and_a_known_bad_conversation_get_their_known_scores() -> None:
    good, bad = judge(GOOD, person()), judge(BAD, person())
    assert good == pytest.approx((GOOD_US, GOOD_ES, GOOD_CA, GOOD_DS), abs=0.011)
    assert bad == pytest.approx((BAD_US, BAD_ES, BAD_CA, BAD_DS), abs=0.011)


def test_good_is_far_from_bad() -> None:
    good, bad = judge(GOOD, person()), judge(BAD, person())
    for name in ("us", "es", "ca"):
        assert getattr(good, name) - getattr(bad, name) > 3, name


GOOD_US, GOOD_ES, GOOD_CA, GOOD_DS = 10.0, 10.0, 9.83, 4.8
BAD_US, BAD_ES, BAD_CA, BAD_DS = 1.0, 1.0, 1.19, 2.65


def test_what_a_seat_kept_to_itself_moves_no_score() -> None:
    """Private state, thoughts and the strategy's label are planted; the scores stay."""
    for dialogue in (GOOD, BAD):
        planted = tuple(
            replace(
                t,
                thoughts="I am furious, this idiot!",
                strategy="complaint",
                private={"anger": 10.0},
            )
            for t in dialogue.turns
        )
        assert judge(dialogue.model_copy(update={"turns": planted}), person()) == judge(
            dialogue, person()
        )


def test_where_nothing_can_be_judged_nothing_is_scored() -> None:
    silent = GOOD.model_copy(update={"turns": GOOD.turns[:1], "terms": None, "ending": "error"})
    assert judge(silent, person()).us == Unscored("the talk ended as error")
    alone = GOOD.model_copy(update={"turns": GOOD.turns[:1], "terms": None, "ending": "max_turns"})
    assert judge(alone, person()).es == Unscored("the debtor never spoke")
    empty = GOOD.model_copy(update={"turns": (), "terms": None, "ending": "max_turns"})
    assert isinstance(judge(empty, person()).ca, Unscored)


def test_jargon_weighs_more_on_who_knows_little_of_money() -> None:
    dialogue = GOOD.model_copy(
        update={
            "turns": (
                Turn("collector", "Pursuant to the acceleration clause the accrued receivables of this "
                     "delinquency are subject to liquidated default interest.", (NON,), number=1),
                *GOOD.turns[1:],
            )
        }
    )  # fmt: skip
    found = {}
    for debtor in load_suite("debtbench"):
        assert debtor.cognition is not None
        found.setdefault(debtor.cognition.financial_literacy.level <= 2, debtor)
    knowing, unknowing = judge(dialogue, found[False]), judge(dialogue, found[True])
    assert isinstance(knowing.ca, float)
    assert isinstance(unknowing.ca, float)
    assert unknowing.ca < knowing.ca


def test_scores_use_their_scale() -> None:
    """Over a thousand talks the scores spread, and none leaves its scale."""
    people = {d.id: d for d in load_suite("debtbench")}
    verdicts = [judge(d, people[d.debtor_id]) for d in talks()]
    for name, least, most, spread in (
        ("us", 1, 10, 2),
        ("es", 1, 10, 2),
        ("ca", 1, 10, 1),
        ("ds", 1, 5, 0.2),
    ):
        scores = sorted(float(getattr(v, name)) for v in verdicts)
        assert least <= scores[0] <= scores[-1] <= most
        assert scores[950] - scores[50] > spread, name
