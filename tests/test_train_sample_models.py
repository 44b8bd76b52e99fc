"""A sample with models: who is told what, and which two answers make a pair."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from arrears.agents.briefing import collector_system
from arrears.models.trained import RECORD
from arrears.terms import Mandate
from arrears.training.rejection.defects import defective_system, defects
from arrears.training.rejection.plan import make_sample_plan
from arrears.training.rejection.styles import collector_styles
from tests.samples import (
    BUILT_IN,
    STYLES,
    asked,
    by_model,
    dialogues_in,
    negatives_in,
    records,
    sampled,
    strong,
    systems,
    weakly,
)
from tests.stub_minds import PLAN
from tests.stub_server import Stub
from tests.test_prompts import PRIVATE, sentinel


@pytest.mark.parametrize("wording", ["full", "short"])
@pytest.mark.parametrize("style", STYLES)
def test_no_private_field_of_a_debtor_reaches_a_collector(
    style: str, wording: Any, tmp_path: Path
) -> None:
    """Sentinels in every private field; the rows, the generator and the weak model see none."""
    person = sentinel()
    if style == "dcn":
        bare = {"personality": None, "cognition": None, "scenario": None, "category": None}
        person = person.model_copy(update=bare)
    with Stub(by_model()) as stub:
        funnel, rows = sampled(stub, tmp_path, "dpo-dg", [person], wording=wording)
        assert funnel.drawn == funnel.turns == 3
        ours = [*asked(stub, "strong"), *asked(stub, "weak")]
        told = json.dumps([ours, [{k: v for k, v in r.items() if k != "about"} for r in rows]])
        assert not [secret for secret in PRIVATE if secret in told]
        assert "SENTINEL-REASON" in json.dumps(asked(stub, "debtor")), "it would be seen"
    for found in rows:
        system = collector_system(style, person.background, Mandate(), 12, "en", None, wording)  # type: ignore[arg-type]
        assert found["prompt"][0] == {"role": "system", "content": system}
        assert ("Strategy:" in found["chosen"][0]["content"]) is (style == "debtbench")


def test_what_planner_and_judge_say_stays_out_of_the_rows(tmp_path: Path) -> None:
    def team(request: Mapping[str, Any]) -> str:
        system = request["messages"][0]["content"]
        if '"category"' in system:
            return json.dumps({**PLAN, "reason": "SENTINEL-PLAN"})
        if '"acceptable"' in system:
            review = {"comment": "SENTINEL-REVIEW", "acceptable": False, "suggest": ""}
            return json.dumps(review)
        last = request["messages"][-1]["content"]
        if len(request["messages"]) == 2 or "SENTINEL-REVIEW" in last:
            return strong(request)
        return "Action: ask(inst_prds=24)\nDialogue: SENTINEL-DRAFT"

    with Stub(by_model(strong=team)) as stub:
        _, rows = sampled(stub, tmp_path, "dpo-mag", records(2))
        assert "SENTINEL-PLAN" in json.dumps(asked(stub, "strong"))
        assert "SENTINEL" not in json.dumps(asked(stub, "weak"))
    notes = [n for _, d in dialogues_in(tmp_path) for t in d.turns for n in t.notes]
    assert {n.role for n in notes} == {"planner", "judge", "draft"}
    assert len(rows) == 6
    assert "SENTINEL" not in json.dumps(rows)


def test_styles_reach_the_generator_and_nobody_else(tmp_path: Path) -> None:
    person = records(1)[0]
    plain = collector_system("dcn", person.background, Mandate(), 12, "en")
    with Stub(by_model()) as stub:
        _, rows = sampled(stub, tmp_path, "dpo-dg", [person], styles=())
        guidance = [style.guidance["en"] for style in collector_styles().values()]
        assert set(systems(asked(stub, "strong"))) == {f"{plain}\n\n{text}" for text in guidance}
        others = json.dumps([*asked(stub, "weak"), *asked(stub, "debtor"), rows])
        assert not [text for text in guidance if text in others]


def test_in_chinese_styles_and_defects_are_told_in_chinese(tmp_path: Path) -> None:
    with Stub(by_model()) as stub:
        _, rows = sampled(stub, tmp_path, "dpo-dg", records(1), lang="zh")
        strict = collector_styles()["strict"].guidance["zh"]
        assert any(text.endswith(strict) for text in systems(asked(stub, "strong")))
        sound = collector_system("dcn", records(1)[0].background, Mandate(), 12, "zh")
        assert {r["prompt"][0]["content"] for r in rows} == {sound}
        known = {d.name: d for d in defects("dcn", "full", "zh")}
        wrong = {defective_system(known[r["about"]["defect"]], sound) for r in rows}
        assert set(systems(asked(stub, "weak"))) == wrong


@pytest.mark.parametrize("wording", ["full", "short"])
def test_defects_reach_the_weak_model_and_only_it(wording: Any, tmp_path: Path) -> None:
    with Stub(by_model()) as stub:
        _, rows = sampled(stub, tmp_path, "dpo-dg", records(4), wording=wording)
        asks = {json.dumps(r["messages"]) for r in asked(stub, "weak")}
        seen = systems(asked(stub, "strong"))
    assert len({r["about"]["defect"] for r in rows}) > 3
    known = {d.name: d for d in defects("dcn", wording, "en")}
    for found in rows:
        sound, *said = found["prompt"]
        defect = known[found["about"]["defect"]]
        wrong = {"role": "system", "content": defective_system(defect, sound["content"])}
        assert json.dumps([wrong, *said]) in asks, "the same question under the wrong prompt"
        assert defect.put == "" or defect.put not in json.dumps(rows)
        assert not any(defect.put and defect.put in text for text in seen)


def test_a_trained_weak_model_is_briefed_as_in_its_training(tmp_path: Path) -> None:
    (tmp_path / RECORD).write_text(json.dumps({"about": {"collector_prompt": "short"}}))
    plan = make_sample_plan("dpo-dg", "dcn", records(1), generator=BUILT_IN, weak=f"hf/{tmp_path}")
    assert (plan.wording, plan.weak_wording()) == ("full", "short")
    other = make_sample_plan("dpo-dg", "dcn", records(1), generator=BUILT_IN, weak="openai/m")
    assert other.weak_wording() == "full"


def test_the_chosen_answer_is_never_the_rejected_one(tmp_path: Path) -> None:
    tries: Counter[str] = Counter()

    def echo(request: Mapping[str, Any]) -> str:
        """The strong model's own words at first; in the second turn always."""
        question = json.dumps(request["messages"])
        tries[question] += 1
        said = sum(m["role"] == "assistant" for m in request["messages"])
        return strong(request) if said == 1 or tries[question] < 2 else weakly("5%")

    with Stub(by_model(weak=echo)) as stub:
        funnel, rows = sampled(stub, tmp_path, "dpo-dg", records(2))
        seeds = [(json.dumps(r["messages"]), r["seed"]) for r in asked(stub, "weak")]
        assert len(set(seeds)) == len(seeds), "asked again with other luck"
    assert funnel.left_out == {"same": 2}
    assert (funnel.turns, funnel.asked, funnel.drawn) == (6, 6, 4)
    assert all(r["chosen"] != r["rejected"] for r in rows)
    assert {r["about"]["turn"] for r in rows} == {1, 3}
    kept = negatives_in(tmp_path)
    assert Counter((n["why"], n["tries"]) for n in kept) == {("same", 3): 2, ("", 2): 4}


def test_an_answer_that_cannot_be_read_is_asked_for_again_with_the_reason(tmp_path: Path) -> None:
    def mumbles(request: Mapping[str, Any]) -> str:
        told = "could not be taken in" in request["messages"][-1]["content"]
        first = "The customer says" not in json.dumps(request["messages"])
        return weakly("5%") if told and first else "Well, whatever you like."

    with Stub(by_model(weak=mumbles)) as stub:
        funnel, rows = sampled(stub, tmp_path, "dpo-dg", records(2))
    assert funnel.left_out == {"unreadable": 4}
    assert {r["about"]["turn"] for r in rows} == {1}
    assert "whatever you like" not in json.dumps(rows)
    lost = [n for n in negatives_in(tmp_path) if n["why"]]
    assert all(n["tries"] == 3 and "no Action part" in n["detail"] for n in lost)


def test_a_question_without_a_usable_answer_is_replaced_by_the_next_one(tmp_path: Path) -> None:
    def not_the_first(request: Mapping[str, Any]) -> str:
        return weakly("5%") if "The customer says" in json.dumps(request) else "mumble"

    with Stub(by_model(weak=not_the_first)) as stub:
        funnel, rows = sampled(stub, tmp_path, "dpo-dg", records(6), pairs=8)
        assert (funnel.turns, funnel.drawn, len(rows)) == (18, 8, 8)
        assert funnel.asked == 8 + funnel.left_out["unreadable"] < 18, "no more than it takes"


def test_a_rejected_answer_is_written_in_the_one_form(tmp_path: Path) -> None:
    loose = '**Action**: ask(inst_prds=24 months)\n\n**Response**: "Take your time."'
    with Stub(by_model(weak=lambda r: loose)) as stub:
        _, rows = sampled(stub, tmp_path, "dpo-dg", records(1))
    assert {r["rejected"][0]["content"] for r in rows} == {
        "Action: ask(inst_prds=24)\nDialogue: Take your time."
    }
