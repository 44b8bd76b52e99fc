"""What a collector is trained on: what it would have been asked at the table, and nothing else."""

import asyncio
import json
from typing import Any

import pytest

from arrears.agents.briefing import WORDINGS, Wording
from arrears.agents.llm_seat import LLMSeat
from arrears.agents.seating import Place, Seating
from arrears.debtors.record import Debtor
from arrears.debtors.suites import load_suite
from arrears.dialogue.loop import negotiate
from arrears.dialogue.parser import parse_message
from arrears.dialogue.record import Dialogue
from arrears.dialogue.rewind import collector_moments
from arrears.models.chat import Completion, Message, Sampling
from arrears.models.usage import Usage
from arrears.terms import Mandate
from arrears.training.conversations import Briefing, answers, asked_now, conversation, written
from tests.test_prompts import PERSON, sentinel

SUITES = ("dcn", "debtbench")


def talk(debtor: Debtor, collector: str = "scripted/typical", branch: Any = (),
         history: Any = ()) -> Dialogue:  # fmt: skip
    """A talk of built-in seats."""
    seating = Seating(5, Mandate(), 12, branch=branch)
    place = Place("c", "s", debtor.id, 1)
    return asyncio.run(
        negotiate(
            case="c",
            suite="s",
            debtor=debtor,
            collector=seating.collector(collector, place, debtor),
            debtor_seat=seating.debtor("scripted/debtor", place, debtor),
            collector_spec=collector,
            debtor_spec="scripted/debtor",
            history=history,
        )
    )


class Parrot:
    """A model that answers with what was said in a stored talk, and keeps what it was asked."""

    def __init__(self, lines: list[str]) -> None:
        self.lines, self.asked = iter(lines), []  # type: ignore[var-annotated]

    async def complete(self, messages: list[Message], sampling: Sampling) -> Completion:
        self.asked.append(json.loads(json.dumps(messages)))
        return Completion(next(self.lines), "", Usage(1, 1))


@pytest.mark.parametrize("wording", WORDINGS)
@pytest.mark.parametrize("suite", SUITES)
def test_the_rows_are_what_a_model_in_the_seat_is_asked_word_for_word(
    suite: Any, wording: Wording
) -> None:
    for debtor in load_suite(suite, "test")[:5]:
        stored = talk(debtor)
        briefing = Briefing(suite, wording)
        rows = list(answers(stored.turns, debtor.background, briefing))
        system = briefing.system(debtor.background)["content"]
        parrot = Parrot([row.answer["content"] for row in rows])
        seat = LLMSeat("collector", system, parrot, Sampling(), "en", wording=wording)
        place = Place("c", "s", debtor.id, 1)
        again = asyncio.run(
            negotiate(
                case="c",
                suite="s",
                debtor=debtor,
                collector=seat,
                debtor_seat=Seating(5, Mandate(), 12).debtor("scripted/debtor", place, debtor),
                collector_spec="m",
                debtor_spec="scripted/debtor",
            )
        )
        assert [t.dialogue for t in again.turns] == [t.dialogue for t in stored.turns]
        assert parrot.asked == [row.prompt for row in rows]
        whole = conversation(stored.turns, debtor.background, briefing)
        assert whole == [*rows[-1].prompt, rows[-1].answer]


@pytest.mark.parametrize("wording", WORDINGS)
def test_nothing_private_of_the_debtor_is_in_any_row(wording: Wording) -> None:
    person, stored = sentinel(), talk(PERSON)
    # What the debtor says of itself is public; a stored talk in which it says nothing is the test.
    mute = [
        turn if turn.seat == "collector" else turn.__class__("debtor", "No comment.", turn.acts,
        thoughts="SENTINEL-THOUGHT", number=turn.number, private={"SENTINEL": "SENTINEL"})
        for turn in stored.turns
    ]  # fmt: skip
    for style in SUITES:
        text = json.dumps(conversation(mute, person.background, Briefing(style, wording)))  # type: ignore[arg-type]
        assert "SENTINEL" not in text
        for amount in ("987654", "987,654", "4321.77", "4,321.77", "3210.66", "3,210.66"):
            assert amount not in text


def test_no_note_of_a_planner_or_judge_is_in_any_row() -> None:
    noted = 0
    for debtor in load_suite("dcn", "test")[:5]:
        stored = talk(debtor, "scripted/typical+maden")
        text = json.dumps(conversation(stored.turns, debtor.background, Briefing("dcn")))
        for turn in stored.turns:
            for note in turn.notes:
                noted += 1
                assert json.dumps(note.text)[1:-1] not in text
    assert noted > 10


@pytest.mark.parametrize("suite", SUITES)
def test_an_answer_reads_back_as_what_was_said_and_done(suite: Any) -> None:
    for debtor in load_suite(suite, "test")[:10]:
        for turn in talk(debtor).turns[::2]:
            read = parse_message(written(turn, suite), "collector")
            assert (read.dialogue, read.acts, read.thoughts) == (
                turn.dialogue,
                turn.acts,
                turn.thoughts,
            )
            assert read.strategy == (turn.strategy if suite == "debtbench" else None)


def test_the_question_after_a_past_is_that_of_the_row() -> None:
    debtor = load_suite("debtbench", "test")[3]
    stored, briefing = talk(debtor), Briefing("debtbench", "short")
    rows = list(answers(stored.turns, debtor.background, briefing))
    for row in rows:
        past = [t for t in stored.turns if t.number < row.number]
        assert asked_now(past, debtor.background, briefing) == row.prompt


# Taking up a talk in the middle


def test_a_talk_taken_up_anywhere_goes_on_as_if_it_had_never_stopped() -> None:
    for debtor in load_suite("debtbench", "test")[:4]:
        whole = talk(debtor)
        for cut in range(len(whole.turns) + 1):
            assert talk(debtor, history=whole.turns[:cut]) == whole


def test_a_branch_keeps_the_past_and_has_luck_of_its_own() -> None:
    debtor = load_suite("debtbench", "test")[1]
    whole = talk(debtor)
    past = whole.turns[:3]
    ways = [talk(debtor, branch=("playout", m), history=past) for m in range(4)]
    assert all(way.turns[:3] == past for way in ways)
    assert len({tuple(t.dialogue for t in way.turns) for way in ways}) > 1
    assert talk(debtor, branch=("playout", 2), history=past) == ways[2]
    # The person stays who it is: only what happens from here on is drawn anew.
    assert len({way.turns[3].private["reservation_inst_prds"] for way in ways}) <= 2


def test_the_views_of_a_stored_talk_are_those_of_the_seat() -> None:
    debtor = load_suite("dcn", "test")[0]
    seen: list[Any] = []

    class Watched:
        def __init__(self, seat: Any) -> None:
            self.seat = seat

        async def reply(self, view: Any) -> Any:
            seen.append(view)
            return await self.seat.reply(view)

    seating, place = Seating(5, Mandate(), 12), Place("c", "s", debtor.id, 1)
    stored = asyncio.run(
        negotiate(
            case="c",
            suite="s",
            debtor=debtor,
            collector=Watched(seating.collector("scripted/typical", place, debtor)),
            debtor_seat=seating.debtor("scripted/debtor", place, debtor),
            collector_spec="x",
            debtor_spec="y",
        )
    )
    moments = list(collector_moments(stored.turns, debtor.background, Mandate(), 12))
    assert [m.view for m in moments] == seen
    assert [m.turn for m in moments] == list(stored.turns[::2])
