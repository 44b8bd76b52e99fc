"""CFPO's ranking: which messages the coarse filter lets through, and which make a pair."""

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from arrears.debtors.suites import load_suite
from arrears.dialogue.acts import NON, Act, act
from arrears.dialogue.record import Turn
from arrears.dialogue.views import CollectorView, Heard, Position, Table
from arrears.models.chat import Completion, Sampling
from arrears.models.usage import Usage
from arrears.terms import Mandate
from arrears.training.cfpo.listwise import ModelListJudge, RubricListJudge, best, rubric_mark
from arrears.training.cfpo.pairs import pairs_of
from arrears.training.cfpo.weigh import Candidate, Moment, Playout


def candidate(reward: float | None, mark: float | None = None, text: str = "") -> Candidate:
    """A message that came to this."""
    out = () if reward is None else (Playout("agreed", 3, None, reward, reward, reward),)
    return Candidate(Turn("collector", text or f"{reward} {mark}", (NON,)), mark, out)


# Ranking


def test_the_best_is_set_against_the_worst_if_they_are_far_enough_apart() -> None:
    moment = Moment(2, tuple(candidate(r) for r in (0.4, 0.9, 0.1, 0.5)), 0)
    (pair,) = pairs_of(moment, 0.3)
    assert (pair.chosen.reward, pair.rejected.reward) == (0.9, 0.1)
    assert pair.margin == pytest.approx(0.8)
    assert pairs_of(moment, 0.81) == []


def test_more_pairs_come_widest_first_and_none_below_the_margin() -> None:
    moment = Moment(2, tuple(candidate(r) for r in (0.4, 0.95, 0.1, 0.5)), 0)
    found = [(p.chosen.reward, p.rejected.reward) for p in pairs_of(moment, 0.35, most=9)]
    assert found == [(0.95, 0.1), (0.95, 0.4), (0.95, 0.5), (0.5, 0.1)]


def test_messages_that_read_alike_make_no_pair() -> None:
    moment = Moment(2, (candidate(0.9, text="Hello."), candidate(0.1, text="Hello.")), 0)
    assert pairs_of(moment, 0.0) == []


def test_a_message_with_a_fault_is_never_the_better_one() -> None:
    """Nothing good that came of it makes it one to be learnt; it may well be the worse one."""
    lies = replace(candidate(0.9), faults=("words_against_acts",))
    moment = Moment(2, (lies, candidate(0.7), candidate(0.2)), 0)
    (pair,) = pairs_of(moment, 0.05, most=9)
    assert (pair.chosen.reward, pair.rejected.reward) == (0.7, 0.2)
    lies = replace(candidate(0.1), faults=("words_against_acts",))
    moment = Moment(2, (lies, candidate(0.7)), 0)
    assert [p.rejected for p in pairs_of(moment, 0.05)] == [lies]


def test_a_candidate_that_nobody_could_judge_is_in_no_pair() -> None:
    unjudged = Candidate(
        Turn("collector", "?", (NON,)), None, (Playout("error", 3, None, 0.0, None, None),)
    )
    assert unjudged.reward is None
    assert pairs_of(Moment(2, (candidate(0.9), unjudged), 0), 0.0) == []


def test_the_reward_is_the_mean_of_the_playouts_and_of_all_of_them_or_there_is_none() -> None:
    plays = [Playout("agreed", 3, None, r, r, r) for r in (0.2, 0.6)]
    # Nobody was asked how it felt, and nobody failed: the rubric had nothing to look at.
    plays.append(Playout("walked_away", 1, None, 0.0, None, None))
    assert Candidate(Turn("collector", "?", ()), None, tuple(plays)).reward == pytest.approx(0.4)
    broken = Playout("error", 3, None, 0.0, None, 0.9, failure="provider")
    unjudged = Playout("agreed", 3, None, 0.5, None, None, unjudged=True)
    older = Playout("error", 3, None, 0.0, 0.5, 0.25)  # As stored before failures had a cause.
    for lost in (broken, unjudged, older):
        assert Candidate(Turn("collector", "?", ()), None, (*plays, lost)).reward is None
    assert [p.failed for p in (broken, unjudged, older)] == ["provider", "judge", "unknown"]


def test_without_simulation_the_marks_rank() -> None:
    moment = Moment(2, tuple(candidate(None, m) for m in (11.0, 20.0, 2.0)), 0)
    (pair,) = pairs_of(moment, 0.5, by_marks=True)
    assert (pair.chosen.mark, pair.rejected.mark, pair.margin) == (20.0, 2.0, 1.0)
    assert pairs_of(moment, 0.0) == []


# The coarse filter


class Asked:
    """A judge's model: marks by the text of a candidate, and by its place."""

    def __init__(self, worth: Mapping[str, float], favours: Sequence[float]) -> None:
        self.worth, self.favours, self.lists = worth, favours, []  # type: ignore[var-annotated]

    async def complete(self, messages: Any, sampling: Sampling) -> Any:
        listed = re.findall(r"^\d+\. \[non\] (\w+)$", messages[-1]["content"], re.MULTILINE)
        self.lists.append(listed)
        marks = [self.worth[text] + self.favours[place] for place, text in enumerate(listed)]
        return Completion(json.dumps({"marks": marks, "reason": ""}), "", Usage(1, 1))


def view(told: str = "I lost my job.") -> CollectorView:
    """The collector's second turn."""
    heard = (Heard("collector", "Hello?", (NON,)), Heard("debtor", told, (NON,)))
    table = Table(*[Position(None, None, None)] * 4)
    return CollectorView(
        load_suite("debtbench", "test")[0].background, Mandate(), heard, (), table, 2, 12
    )


def said(text: str, *acts: Act) -> Turn:
    """A candidate."""
    return Turn("collector", text, acts or (NON,))


def test_a_judge_that_favours_a_place_favours_each_message_once() -> None:
    worth = {"good": 5.0, "fair": 4.0, "poor": 3.0}
    for order in (("good", "fair", "poor"), ("poor", "good", "fair"), ("fair", "poor", "good")):
        turns = [said(text) for text in order]
        # Whoever stands first gets 4 marks more: forward alone the first would always win.
        biased = Asked(worth, (4.0, 2.0, 0.0))
        judge = ModelListJudge(biased, Sampling(), "en")
        totals = asyncio.run(judge.mark(view(), turns)).totals
        assert biased.lists == [list(order), list(order)[::-1]]
        assert dict(zip(order, totals, strict=True)) == {"good": 14, "fair": 12, "poor": 10}
        assert [order[at] for at in best(totals, 2)] == ["good", "fair"]


def test_the_built_in_judge_knows_no_order() -> None:
    turns = [
        said("I am sorry to hear that. Let us see what is possible."),
        said("Pay now or we take you to court."),
        said("Could you tell me what you earn?"),
    ]
    forward = asyncio.run(RubricListJudge().mark(view(), turns)).totals
    backward = asyncio.run(RubricListJudge().mark(view(), turns[::-1])).totals
    assert forward == backward[::-1]
    assert all(2 <= mark <= 20 for mark in forward)


def test_the_built_in_judge_weighs_respect_transparency_and_feasibility() -> None:
    kind = "I understand how hard this is, and I would like to help."
    assert rubric_mark(view(), said(kind)) > rubric_mark(view(), said("Pay today or else."))
    terms = (act("ask", "disc_ratio", 0.0), act("ask", "pmt_days", 1))
    light = (*terms, act("ask", "pmt_ratio", 0.05), act("ask", "inst_prds", 24))
    heavy = (*terms, act("ask", "pmt_ratio", 0.5), act("ask", "inst_prds", 3))
    poor = view("I earn 40 a day and spend 38, and I have 300 yuan.")
    assert rubric_mark(poor, said(kind, *light)) > rubric_mark(poor, said(kind, *heavy)) + 1
