"""MADeN: when the planner and the judge speak, what they are shown, and who hears them."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from arrears.agents.collector import ScriptedCollector
from arrears.agents.goodness import goodness
from arrears.agents.listening import facts_in, reason_given
from arrears.agents.llm_seat import LLMSeat
from arrears.agents.maden.appraisal import appraise
from arrears.agents.maden.guidance import OutcomeSpace, Review
from arrears.agents.maden.models import ModelJudge, ModelPlanner, read_review, read_space
from arrears.agents.maden.scripted import ScriptedJudge, ScriptedPlanner
from arrears.agents.maden.team import Team, line_of, method_of
from arrears.agents.registry import helpers_of
from arrears.debtors.suites import load_suite
from arrears.dialogue.acts import NON, Act, act
from arrears.dialogue.ledger import Ledger
from arrears.dialogue.record import Turn
from arrears.dialogue.views import CollectorView, Heard
from arrears.errors import ModelError, UnreadableAnswer
from arrears.models.chat import Completion, Message, Sampling
from arrears.models.usage import Usage
from arrears.rng import rng_for
from arrears.terms import DIMENSIONS, Mandate
from tests.stub_minds import PLAN

PERSON = load_suite("dcn", "test")[0]
ACCOUNT = PERSON.background
SPACE = OutcomeSpace(
    4, "little now",
    {"disc_ratio": 0.0, "pmt_ratio": 0.30, "pmt_days": 5, "inst_prds": 6},
    {"disc_ratio": 0.0, "pmt_ratio": 0.20, "pmt_days": 10, "inst_prds": 9},
)  # fmt: skip


def view(*said: tuple[str, str, tuple[Act, ...]], mandate: Mandate | None = None) -> CollectorView:
    """What the collector's seat knows after these messages."""
    ledger = Ledger(mandate)
    heard = []
    for seat, words, acts in said:
        ledger.apply(seat, acts)  # type: ignore[arg-type]
        heard.append(Heard(seat, words, acts))  # type: ignore[arg-type]
    number = sum(h.seat == "debtor" for h in heard) + 1
    return CollectorView(
        ACCOUNT, mandate or Mandate(), tuple(heard), (), ledger.table(), number, 12
    )


GREETED = ("collector", "Hello?", (NON,))
TOLD = ("debtor", "I lost my job and I have 4,000 yuan left.", (NON,))
GREETS_BACK = ("debtor", "Who is calling?", (NON,))


class Recorder:
    """A planner, a judge and a speaker that write down when they are asked."""

    def __init__(self, review: Review | None = None, fails: ModelError | None = None) -> None:
        self.calls: list[str] = []
        self.review_of = review or Review("fine", True)
        self.fails = fails
        self.space: OutcomeSpace | None = None

    async def plan(self, view: CollectorView) -> OutcomeSpace:
        self.calls.append("plan")
        if self.fails is not None:
            raise self.fails
        return SPACE

    async def review(self, view: CollectorView, draft: Turn) -> Review:
        self.calls.append("review")
        if self.fails is not None:
            raise self.fails
        return self.review_of

    async def draft(self, view: CollectorView, space: OutcomeSpace | None) -> Turn:
        self.calls.append("draft" + ("+plan" if space else ""))
        return Turn("collector", "A draft.", (act("ask", "disc_ratio", 0.2),))

    async def revise(self, view: CollectorView, draft: Turn, review: Review) -> Turn:
        self.calls.append("revise")
        return Turn("collector", "Better.", (act("ask", "disc_ratio", 0.0),))


def reply(team: Team, seen: CollectorView) -> Turn:
    """One message of a team."""
    return asyncio.run(team.reply(seen))


def test_the_planner_runs_once_when_the_debtor_has_given_its_reason() -> None:
    who = Recorder()
    team = Team(who, who, None, "en")
    reply(team, view())
    reply(team, view(GREETED, GREETS_BACK))
    reply(team, view(GREETED, GREETS_BACK, GREETED, TOLD))
    reply(team, view(GREETED, TOLD, GREETED, TOLD))
    assert who.calls == ["draft", "draft", "plan", "draft+plan", "draft"]


def test_after_two_messages_without_a_reason_the_planner_runs_all_the_same() -> None:
    who = Recorder()
    reply(Team(who, who, None, "en"), view(GREETED, GREETS_BACK, GREETED, GREETS_BACK))
    assert who.calls == ["plan", "draft+plan"]


def test_the_judge_sees_each_draft_after_the_initial_stage() -> None:
    who = Recorder()
    team = Team(who, None, who, "en")
    reply(team, view())
    reply(team, view(GREETED, TOLD))
    reply(team, view(GREETED, TOLD, GREETED, TOLD))
    assert who.calls == ["draft", "draft", "review", "draft", "review"]


def test_what_the_judge_turns_down_is_written_again_and_the_draft_is_kept() -> None:
    suggestion = act("ask", "disc_ratio", 0.0)
    who = Recorder(Review("too much", False, (suggestion,), Usage(7, 3)))
    turn = reply(Team(who, who, who, "en"), view(GREETED, TOLD))
    assert who.calls == ["plan", "draft+plan", "review", "revise"]
    assert turn.dialogue == "Better."
    assert [note.role for note in turn.notes] == ["planner", "judge", "draft"]
    assert "class 4" in turn.notes[0].text
    assert turn.notes[1].usage == Usage(7, 3)
    assert turn.notes[2].text == "[ask(disc_ratio=20%)] A draft."


def test_a_planner_or_judge_that_cannot_be_read_is_noted_and_the_talk_goes_on() -> None:
    who = Recorder(fails=UnreadableAnswer("no answer"))
    turn = reply(Team(who, who, who, "en"), view(GREETED, TOLD))
    assert turn.dialogue == "A draft."
    assert [note.text for note in turn.notes] == [
        "(no plan: no answer)", "(no review: no answer)",
    ]  # fmt: skip


@pytest.mark.parametrize("part", ["planner", "judge"])
def test_without_its_planner_or_judge_it_would_be_another_method(part: str) -> None:
    sound, gone = Recorder(), Recorder(fails=ModelError("502 Bad Gateway"))
    planner, judge = (gone, sound) if part == "planner" else (sound, gone)
    with pytest.raises(ModelError, match="502"):
        reply(Team(sound, planner, judge, "en"), view(GREETED, TOLD))


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ("I lost my job in March and there was nothing to be done.", True),
        ("We have 300 yuan coming in each day.", True),
        ("Who is this?", False),
        ("Yes, speaking.", False),
        ("我三月份失业了。", True),
        ("您哪位？", False),
    ],
)
def test_a_reason_is_heard_in_both_languages(words: str, given: bool) -> None:
    assert reason_given(words) is given


@pytest.mark.parametrize(
    ("words", "facts"),
    [
        (
            "手头只有3,000元，每天收入120元，每天花80元。",
            {"assets": 3000, "income": 120, "expense": 80},
        ),
        ("存款1.5万元。", {"assets": 15000}),
        ("我欠你们8000元。", {}),
        ("每月还500元可以吗", {}),
    ],
)
def test_amounts_are_heard_in_chinese(words: str, facts: Mapping[str, float]) -> None:
    assert facts_in(words) == facts


def test_methods_and_helpers_by_name() -> None:
    assert method_of("scripted/typical+maden") == ("scripted/typical", "maden")
    assert method_of("openai/gpt-4o") == ("openai/gpt-4o", "direct")
    assert method_of("compat/a+b@http://h/v1") == ("compat/a+b@http://h/v1", "direct")
    assert line_of("x/y", "direct") == "x/y"
    assert helpers_of("scripted/firm+maden", None, None) == ("scripted/planner", "scripted/judge")
    assert helpers_of("openai/gpt-4o+judging", None, None) == (None, "openai/gpt-4o")
    assert helpers_of("openai/gpt-4o+maden", None, "vllm/m") == ("openai/gpt-4o", "vllm/m")
    assert helpers_of("openai/gpt-4o", "vllm/m", "vllm/m") == (None, None)


def test_decimals_do_not_end_a_clause() -> None:
    assert facts_in("I have 4,294.50 yuan. I earn 40.5 yuan a day.") == {
        "assets": 4294.5, "income": 40.5,
    }  # fmt: skip


# The built-in planner and judge


def planned(seen: CollectorView) -> OutcomeSpace:
    """The built-in planner's decision."""
    return asyncio.run(ScriptedPlanner().plan(seen))


@pytest.mark.parametrize(
    ("assets", "income", "expense", "category"),
    [
        (0.03, 0.0011, 0.001, 1),
        (2.0, 0.0011, 0.001, 2),
        (2.0, 0.05, 0.01, 3),
        (0.03, 0.05, 0.01, 4),
    ],
)
def test_the_planner_sorts_by_what_there_is_and_what_will_come(
    assets: float, income: float, expense: float, category: int
) -> None:
    """Shares of the debt; DCN appendix H.2 names the four classes."""
    debt = ACCOUNT.need_coll_amt
    words = (
        f"I have {assets * debt:.2f} yuan. I earn {income * debt:.2f} yuan a day. "
        f"I spend {expense * debt:.2f} yuan a day."
    )
    space = planned(view(GREETED, ("debtor", words, (NON,))))
    assert space.category == category
    if category != 1:
        assert space.limit["disc_ratio"] == 0


def test_a_room_is_legal_ordered_and_within_the_mandate() -> None:
    for mandate in (Mandate(), Mandate(0.05, 0.25, 7, 9)):
        for words in (TOLD, ("debtor", "I have 90,000 yuan.", (NON,))):
            space = planned(view(GREETED, words, mandate=mandate))
            for dim in DIMENSIONS:
                assert mandate.allows(dim, space.open[dim])
                assert mandate.allows(dim, space.limit[dim])
                assert goodness(dim, space.open[dim]) <= goodness(dim, space.limit[dim])


def reviewed(seen: CollectorView, *acts: Act) -> Review:
    """The built-in judge's word on a draft with these acts."""
    return asyncio.run(ScriptedJudge().review(seen, Turn("collector", "…", acts)))


def test_the_judge_stops_what_gives_too_much_away() -> None:
    rich = ("debtor", "I have 90,000 yuan. I earn 900 yuan a day.", (NON,))
    review = reviewed(
        view(GREETED, rich), act("ask", "disc_ratio", 0.30), act("ask", "inst_prds", 24)
    )
    assert not review.acceptable
    assert "disc_ratio" in review.comment
    suggested = {a.dim: a.value for a in review.suggest}
    room = appraise(view(GREETED, rich)).room()
    assert suggested["disc_ratio"] is not None
    assert room.most["disc_ratio"] <= suggested["disc_ratio"] < 0.30
    assert suggested["inst_prds"] is not None
    assert suggested["inst_prds"] < 24


def test_the_judge_is_neutral_and_sees_when_holding_out_is_no_use() -> None:
    seen = view(GREETED, TOLD)
    best = appraise(seen).room().best
    wish = act("ask", "pmt_ratio", best.pmt_ratio)
    asked = view(GREETED, ("debtor", TOLD[1], (wish,)))
    review = reviewed(asked, act("ask", "pmt_ratio", 0.5), act("ask", "disc_ratio", 0.0))
    assert act("accept", "pmt_ratio", best.pmt_ratio) in review.suggest


def test_a_message_without_terms_needs_no_review() -> None:
    assert reviewed(view(GREETED, TOLD), NON).acceptable


def test_a_built_in_speaker_keeps_to_the_room() -> None:
    """Whatever it would have asked by itself."""
    for name in ("lenient", "typical", "firm", "adaptive"):
        for n in range(20):
            speaker = ScriptedCollector(name, rng_for(n, "x"), ACCOUNT, Mandate())
            said = [GREETED, TOLD]
            space: OutcomeSpace | None = SPACE
            for _ in range(8):
                turn = asyncio.run(speaker.draft(view(*said), space))
                space = None
                for a in turn.acts:
                    if a.kind == "ask" and a.dim is not None and a.value is not None:
                        low, high = SPACE.open[a.dim], SPACE.limit[a.dim]
                        assert goodness(a.dim, low) <= goodness(a.dim, a.value) + 1e-9
                        assert goodness(a.dim, a.value) <= goodness(a.dim, high) + 1e-9
                said += [("collector", turn.dialogue, turn.acts), ("debtor", "No.", (NON,))]


def test_a_built_in_speaker_takes_up_what_the_judge_suggests() -> None:
    speaker = ScriptedCollector("lenient", rng_for(1, "y"), ACCOUNT, Mandate())
    said = [GREETED, TOLD, GREETED, TOLD, GREETED, TOLD]
    draft = asyncio.run(speaker.draft(view(*said), None))
    suggest = (act("ask", "disc_ratio", 0.0), act("ask", "inst_prds", 3))
    turn = asyncio.run(speaker.revise(view(*said), draft, Review("…", False, suggest)))
    asked = {a.dim: a.value for a in turn.acts if a.kind == "ask"}
    assert asked["disc_ratio"] == 0.0
    assert asked["inst_prds"] == 3


# Planner and judge that are models


class Model:
    """Answers from a list and writes down what it was sent."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.sent: list[list[Message]] = []
        self.samplings: list[Sampling] = []

    async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completion:
        self.sent.append([Message(**m) for m in messages])
        self.samplings.append(sampling)
        return Completion(self.answers.pop(0), "", Usage(10, 5))


def test_a_model_plans_on_the_grid_and_within_the_mandate() -> None:
    answer = {
        **PLAN,
        "inst_prds": {"open": 6, "limit": 48},
        "disc_ratio": {"open": "0", "limit": "13.7%"},
    }
    model = Model(f"Here it is:\n```json\n{json.dumps(answer)}\n```")
    planner = ModelPlanner(model, Sampling(seed=5), "en")
    space = asyncio.run(planner.plan(view(GREETED, TOLD, mandate=Mandate(max_inst_prds=12))))
    assert space.limit == {"disc_ratio": 0.15, "pmt_ratio": 0.20, "pmt_days": 10, "inst_prds": 12}
    assert space.usage == Usage(10, 5)
    assert model.samplings[0].schema is not None
    assert "I lost my job" in model.sent[0][1]["content"]


def test_a_planner_that_answers_badly_is_told_once_and_then_given_up() -> None:
    model = Model("class four, I think", json.dumps(PLAN))
    space = asyncio.run(ModelPlanner(model, Sampling(), "en").plan(view(GREETED, TOLD)))
    assert space.category == 4
    assert "no JSON object" in model.sent[1][-1]["content"]
    model = Model("{}", json.dumps({**PLAN, "category": 9}))
    with pytest.raises(ModelError, match="category must be 1, 2, 3 or 4"):
        asyncio.run(ModelPlanner(model, Sampling(), "en").plan(view(GREETED, TOLD)))


def test_a_room_given_the_wrong_way_round_is_turned() -> None:
    space = read_space({**PLAN, "pmt_ratio": {"open": "10%", "limit": "40%"}}, Mandate())
    assert (space.open["pmt_ratio"], space.limit["pmt_ratio"]) == (0.40, 0.10)


@pytest.mark.parametrize(
    ("suggest", "acts"),
    [
        ("ask(disc_ratio=0%, inst_prds=9)", ("ask(disc_ratio=0%)", "ask(inst_prds=9)")),
        ("", ()),
        (None, ()),
        ("be firmer", ()),
        ({"ask": {"pmt_days": 7}}, ("ask(pmt_days=7)",)),
        ("reject(pmt_days), ask(pmt_days=5)", ("ask(pmt_days=5)",)),
    ],
)
def test_suggestions_are_read_as_acts_or_left_out(suggest: Any, acts: tuple[str, ...]) -> None:
    review = read_review({"comment": "c", "acceptable": False, "suggest": suggest})
    assert tuple(map(str, review.suggest)) == acts


def test_a_judges_conversation_grows_at_its_end_only() -> None:
    answer = json.dumps({"comment": "fine", "acceptable": True, "suggest": ""})
    model = Model(answer, answer)
    judge = ModelJudge(model, Sampling(), "en")
    draft = Turn("collector", "A draft.", (NON,))
    asyncio.run(judge.review(view(GREETED, TOLD), draft))
    more = ("debtor", "More news.", (NON,))
    asyncio.run(judge.review(view(GREETED, TOLD, GREETED, more), draft))
    first, second = model.sent
    assert second[: len(first)] == first
    assert "I lost my job" not in second[-1]["content"], "what it knows is not told again"
    assert "More news." in second[-1]["content"]


def test_a_speaking_model_gets_plan_and_review_in_its_own_conversation() -> None:
    message = "Thoughts: t\nAction: ask(disc_ratio=20%)\nDialogue: A fifth off."
    better = "Thoughts: t\nAction: ask(disc_ratio=0%)\nDialogue: Nothing off."
    model = Model(message, better)
    seat = LLMSeat("collector", "SYSTEM", model, Sampling(), "en")
    judge = Recorder(
        Review("The discount is not called for.", False, (act("ask", "disc_ratio", 0.0),))
    )
    turn = reply(Team(seat, judge, judge, "en"), view(GREETED, TOLD))
    assert "class 4" in model.sent[0][-1]["content"]
    assert "pmt_ratio 30% to 20%" in model.sent[0][-1]["content"]
    assert "The discount is not called for." in model.sent[1][-1]["content"]
    assert "ask(disc_ratio=0%)" in model.sent[1][-1]["content"]
    assert model.sent[1][: len(model.sent[0])] == model.sent[0]
    assert turn.dialogue == "Nothing off."
    assert turn.usage == Usage(20, 10), "both tries are counted"
