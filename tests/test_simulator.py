"""What is taken for a failure of a player, to whom it is charged, and what is not."""

import pytest

from arrears.debtors.record import Debtor
from arrears.debtors.suites import load_suite
from arrears.dialogue.acts import Act
from arrears.dialogue.acts_text import read_acts
from arrears.dialogue.record import Dialogue, Turn
from arrears.scoring.row import score
from arrears.scoring.simulator import FAULTS, faults_of, spoken_faults
from arrears.strategies import Seat
from arrears.terms import Mandate
from tests.talks import talks

PERSON = load_suite("dcn", "test")[0]
OWED = PERSON.background.need_coll_amt
AGE = PERSON.background.age


def dialogue(*said: tuple[Seat, str, str], ending: str = "max_turns", detail: str = "") -> Dialogue:
    """A talk from (seat, words, acts)."""
    turns = tuple(
        Turn(seat, words, acts(line, seat), number=1 + i // 2)
        for i, (seat, words, line) in enumerate(said)
    )
    return Dialogue(
        case="c", suite="dcn", debtor_id=PERSON.id, collector="vllm/m", debtor_seat="vllm/m",
        mandate=Mandate(), turns=turns, ending=ending, terms=None, detail=detail,  # type: ignore[arg-type]
    )  # fmt: skip


def acts(line: str, seat: Seat) -> tuple[Act, ...]:
    """Acts from an action line."""
    return read_acts(line, seat).acts


HELLO: tuple[Seat, str, str] = ("collector", "Hello, what happened?", "non")
OFFER: tuple[Seat, str, str] = (
    "collector", "A quarter, that is 25%, within 7 days and 6 months?",
    "ask(disc_ratio=0%, pmt_ratio=25%, pmt_days=7, inst_prds=6)",
)  # fmt: skip


def by_debtor(
    words: str, line: str = "non", first: tuple[Seat, str, str] = HELLO
) -> tuple[str, ...]:
    """What the debtor is charged with for a message."""
    return faults_of(dialogue(first, ("debtor", words, line)), PERSON)[1]


@pytest.mark.parametrize(
    ("words", "line", "fault"),
    [
        ("As an AI language model I cannot pay debts.", "non", "broke_character"),
        ("作为AI，我没有债务。", "non", "broke_character"),
        ("In this role-play I would say no.", "non", "broke_character"),
        ("My instructions say that I own little.", "non", "leaked_instructions"),
        ("I propose pmt_ratio of ten.", "non", "leaked_instructions"),
        ("动作：ask(inst_prds=12)", "non", "leaked_instructions"),
        ("Your account is overdue, how would you like to repay?", "non", "turned_around"),
        ("您还欠我们很多钱。", "non", "turned_around"),
        ("I could do 24 months.", "ask(inst_prds=12)", "words_against_acts"),
        ("我需要分24期。", "ask(inst_prds=12)", "words_against_acts"),
        ("I have 9,000,000 yuan in the bank.", "non", "money_off_record"),
        (f"I am {AGE + 11} years old and tired.", "non", "facts_off_record"),
        ("我今年19岁。", "non", "facts_off_record"),
    ],
)
def test_what_a_debtor_is_charged_with(words: str, line: str, fault: str) -> None:
    assert by_debtor(words, line) == (fault,)
    assert FAULTS[fault], "the report has words for it"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("I don't have that much, can it be a year?", "ask(inst_prds=12)"),
        ("12 months would do.", "ask(inst_prds=12)"),
        ("Not 6 months, 12 months.", "ask(inst_prds=12)"),
        ("25% is too much, I could do 10%.", "ask(pmt_ratio=10%)"),
        ("I have been ill for 3 months.", "ask(pmt_ratio=10%)"),
        (f"I am {AGE} years old.", "non"),
        ("I am 30 days late, I know.", "non"),
        (f"I have {PERSON.finances.assets * 0.7:.0f} yuan left.", "non"),
        ("I accept your offer.", "accept(disc_ratio=0%, pmt_ratio=25%, pmt_days=7, inst_prds=6)"),
        ("If it can be 12 months, I accept.", "ask(inst_prds=12)"),
        ("Are you an AI?", "non"),
    ],
)
def test_what_a_debtor_may_do(words: str, line: str) -> None:
    assert by_debtor(words, line, OFFER) == ()


def test_a_yes_without_an_act_is_seen_only_where_there_is_something_to_accept() -> None:
    assert by_debtor("I accept your offer, thank you.", "non", OFFER) == ("yes_without_act",)
    assert by_debtor("I accept your offer, thank you.", "non", HELLO) == ()


def test_of_one_message_only_its_own_words_count() -> None:
    lie = ("collector", "I can do 24 months.", "ask(inst_prds=12)")
    talk = dialogue(HELLO, ("debtor", "No.", "non"), lie, ("debtor", "No.", "non"), HELLO)  # type: ignore[arg-type]
    assert spoken_faults(talk.turns[:3]) == ("words_against_acts",)
    assert spoken_faults(talk.turns) == ()


def test_a_story_that_changes_is_seen() -> None:
    assets = PERSON.finances.assets
    first, later = (f"I have {assets * share:.0f} yuan." for share in (0.5, 1.2))
    found = faults_of(
        dialogue(HELLO, ("debtor", first, "non"), HELLO, ("debtor", later, "non")), PERSON
    )
    assert found[1] == ("changed_its_story",)


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (f"You still owe {OWED * 2:.0f} yuan.", "facts_off_record"),
        ("As an AI, I can't feel that.", "broke_character"),
        ("The planning desk says class 4.", "leaked_instructions"),
        ("I lost my job, please give me more time to pay.", "turned_around"),
    ],
)
def test_what_a_collector_is_charged_with(words: str, fault: str) -> None:
    ours, theirs = faults_of(dialogue(("collector", words, "non")), PERSON)
    assert ours == (fault,)
    assert theirs == ()


def test_the_right_amount_is_no_fault() -> None:
    for amount in (OWED, round(OWED)):
        words = f"You still owe {amount:,} yuan."
        assert faults_of(dialogue(("collector", words, "non")), PERSON) == ((), ())


@pytest.mark.parametrize(
    ("ending", "detail", "charged"),
    [
        ("malformed", "debtor: no Action part", ((), ("unreadable",))),
        ("malformed", "collector: no Action part", (("unreadable",), ())),
        # The negotiation did not end it, so it is no failing of either player.
        ("error", "collector: ModelError: 500", ((), ())),
        ("error", "debtor: AttributeError: x", ((), ())),
    ],
)
def test_a_seat_that_ends_the_talk_is_charged(
    ending: str, detail: str, charged: tuple[tuple[str, ...], tuple[str, ...]]
) -> None:
    assert faults_of(dialogue(HELLO, ending=ending, detail=detail), PERSON) == charged


def test_the_built_in_seats_are_held_to_the_same_rules() -> None:
    """Which is why they are not looked at again in each run."""
    for suite in ("dcn", "debtbench"):
        people: dict[str, Debtor] = {d.id: d for d in load_suite(suite, "test")}
        for collector in ("scripted/lenient", "scripted/typical", "scripted/firm"):
            for talk in talks(collector, suite, 390):
                assert faults_of(talk, people[talk.debtor_id]) == ((), ())
    row = score(talks("scripted/typical", "dcn", 390)[0], PERSON)
    assert row.debtor_faults is None, "not looked at is not none found"


def test_a_row_names_the_faults_of_each_seat() -> None:
    talk = dialogue(HELLO, ("debtor", "As an AI, I have no pmt_days.", "non"))
    row = score(talk, PERSON)
    assert row.collector_faults == ""
    assert row.debtor_faults == "broke_character,leaked_instructions"
    mixed = talk.model_copy(update={"collector": "scripted/firm"})
    assert score(mixed, PERSON).debtor_faults == row.debtor_faults
