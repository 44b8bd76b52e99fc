"""Rejection sampling: which talks are kept, what their rows hold, and who is told what."""

import json
import os
import re
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from arrears.agents.briefing import collector_system, style_of
from arrears.agents.registry import COLLECTORS
from arrears.debtors.record import Debtor
from arrears.debtors.store import write_debtors
from arrears.debtors.suites import load_suite
from arrears.dialogue.parser import parse_message
from arrears.dialogue.record import Dialogue
from arrears.errors import RunMismatch, UsageError
from arrears.models.backends import Settings
from arrears.models.retries import Patience
from arrears.models.trained import RECORD
from arrears.prompts.library import LANGUAGES, Language, prompt
from arrears.rng import rng_for
from arrears.scoring.row import Row, score
from arrears.scoring.unscored import Unscored
from arrears.terms import Mandate
from arrears.training.conversations import Briefing, answers
from arrears.training.rejection.candidates import dialogue_of_line
from arrears.training.rejection.defects import (
    KINDS,
    choose_defect,
    defective_system,
    defects,
)
from arrears.training.rejection.filters import (
    DEFAULT,
    METRICS,
    Candidate,
    best_of_each,
    parse_requirement,
    reason_to_drop,
    top_share,
)
from arrears.training.rejection.plan import SamplePlan, make_sample_plan
from arrears.training.rejection.sets import Funnel, sample
from arrears.training.rejection.styles import collector_styles
from tests.commands import ARREARS, arrears
from tests.paper_ngrams import grams, paper_hashes
from tests.stub_minds import PLAN
from tests.stub_server import Stub
from tests.talks import talks
from tests.test_prompts import PERSON, PRIVATE, sentinel

QUICK = Settings(patience=Patience(1, 0.0), concurrency=4)
STYLES = ("dcn", "debtbench")
PROMPTS = [f"collector_{style}" for style in STYLES]
TWO = ("strict", "gentle")
TERMS = "disc_ratio=0%, pmt_ratio=25%, pmt_days=7, inst_prds=6"
BUILT_IN = "scripted/typical"


def records(n: int) -> tuple[Debtor, ...]:
    """The first debtors of DCN's test suite: it ships, the other would have to be made."""
    return load_suite("dcn", "test")[:n]


def rows_in(out: Path) -> list[dict[str, Any]]:
    """The rows of a sample."""
    return [json.loads(line) for line in (out / "train.jsonl").read_text().splitlines()]


def dialogues_in(out: Path) -> list[tuple[str, Dialogue]]:
    """Its talks, each with its style."""
    lines = (out / "dialogues.jsonl").read_bytes().splitlines()
    return [(json.loads(line)["style"], dialogue_of_line(line)) for line in lines]


def negatives_in(out: Path) -> list[dict[str, Any]]:
    """What the weak side was asked."""
    return [json.loads(line) for line in (out / "negatives.jsonl").read_text().splitlines()]


def made(
    out: Path, name: str, people: Sequence[Debtor], generator: str = BUILT_IN, **more: Any
) -> Funnel:
    """A sample of these debtors."""
    weak = more.pop("weak", "scripted/lenient" if name.startswith("dpo") else "")
    plan = make_sample_plan(name, "own", people, generator=generator, weak=weak, **more)
    return sample(plan, people, out, QUICK)


def strong(request: Mapping[str, Any]) -> str:
    """A collector that greets, then puts one good package on the table."""
    said = sum(m["role"] == "assistant" for m in request["messages"])
    if not said:
        return "Thoughts: ask.\nStrategy: establish trust\nAction: non\nDialogue: What happened?"
    return (
        f"Thoughts: exchange {said + 1}.\nStrategy: repayment negotiation\nAction: ask({TERMS})\n"
        f"Dialogue: A quarter in a week, the rest in half a year ({said})."
    )


def takes(request: Mapping[str, Any]) -> str:
    """A debtor that takes it at the second offer."""
    said = sum(m["role"] == "assistant" for m in request["messages"])
    if said < 2:
        return "Action: non\nDialogue: I lost my job in spring."
    return f"Action: accept({TERMS})\nDialogue: Yes, I can do that."


def by_model(**minds: Callable[[Mapping[str, Any]], str]) -> Callable[[Mapping[str, Any]], str]:
    """Each model's own mind; strong and taking where none is given."""
    every = {"strong": strong, "debtor": takes, "weak": lambda r: weakly("5%"), **minds}
    return lambda request: every[request["model"]](request)


def weakly(share: str) -> str:
    """An answer that gives much away."""
    return f"Thoughts: fast.\nAction: ask(pmt_ratio={share}, inst_prds=24)\nDialogue: As you like."


def sampled(
    stub: Stub, out: Path, name: str, people: Sequence[Debtor], **more: Any
) -> tuple[Funnel, list[dict[str, Any]]]:
    """A sample in which every seat is a model, and its rows."""
    weak = {"weak": stub.spec("weak")} if name.startswith("dpo") else {}
    funnel = made(
        out, name, people, stub.spec("strong"), debtor_seat=stub.spec("debtor"),
        **{"styles": TWO, "keep": 1.0, **weak, **more},
    )  # fmt: skip
    return funnel, rows_in(out)


def asked(stub: Stub, model: str) -> list[dict[str, Any]]:
    """The requests to one model."""
    return [request for request in stub.requests if request["model"] == model]


def systems(requests: Sequence[Mapping[str, Any]]) -> Counter[str]:
    """Their first messages."""
    return Counter(request["messages"][0]["content"] for request in requests)


# --- styles and defects, as data


def test_there_are_styles_for_every_built_in_seat_and_in_both_languages() -> None:
    styles = collector_styles()
    assert {"strict", "gentle", "balanced"} < set(styles)
    assert len(styles) >= 5
    assert {style.built_in for style in styles.values()} == set(COLLECTORS)
    texts = [style.guidance[language] for style in styles.values() for language in LANGUAGES]
    assert len(set(texts)) == 2 * len(styles)
    assert all("\n" not in text for text in texts), "a paragraph"
    assert all(max(style.guidance["zh"]) > "\u4e00" for style in styles.values())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("style", STYLES)
def test_a_defects_text_stands_exactly_once_in_its_prompt(style: Any, language: Language) -> None:
    text = prompt(f"collector_{style}", language).system
    known = defects(style, "full", language)
    for defect in known:
        assert (defect.find == "") is (defect.kind == "addition")
        assert defect.kind == "addition" or text.count(defect.find) == 1, defect.name
        assert defect.put != defect.find
    kinds = Counter(defect.kind for defect in known)
    assert all(kinds[kind] >= 8 for kind in KINDS)
    assert len({defect.name for defect in known}) == len(known)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("style", STYLES)
def test_a_short_prompt_has_additions_only(style: Any, language: Language) -> None:
    known = defects(style, "short", language)
    assert {defect.kind for defect in known} == {"addition"}
    assert known == defects(style, "full", language)[-len(known) :]


HARM = re.compile(
    r"threat|lie\b|lies\b|lying|insult|shame|sham(?:ing|ed)|famil(?:y|ies) will|police|court|jail"
    r"|neighbo|employer|pretend|deceiv|untru|false|fake|scare|frighten the|humiliat|harass"
    r"|威胁|恐吓|辱骂|羞辱|骗|谎|假装|家人|警察|坐牢|单位|邻居|骚扰",
    re.IGNORECASE,
)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("style", STYLES)
def test_no_defect_asks_for_harm_or_takes_out_what_forbids_it(
    style: Any, language: Language
) -> None:
    text = prompt(f"collector_{style}", language).system
    (forbids,) = [
        line for line in text.splitlines()
        if line.startswith(("- No threats", "- 不威胁", "What is never done", "这里绝不做"))
    ]  # fmt: skip
    for defect in defects(style, "full", language):
        assert not HARM.search(defect.put), defect.name
        assert forbids in defective_system(defect, text).splitlines(), defect.name


def test_the_words_for_harm_would_be_seen() -> None:
    assert HARM.search("Tell them that the police will come.")
    assert HARM.search("可以恐吓对方")


@pytest.mark.parametrize("name", ["styles.yaml", "defects.yaml"])
def test_no_eight_words_of_styles_and_defects_are_the_papers(name: str) -> None:
    source = resources.files("arrears.training.rejection") / name
    ours = grams(source.read_text(encoding="utf-8"))
    assert len(ours) > 500
    assert [ours[h] for h in ours.keys() & paper_hashes()] == []


def test_a_defect_changes_its_place_and_nothing_else() -> None:
    system = collector_system("dcn", PERSON.background, Mandate(), 12, "en")
    for defect in defects("dcn", "full", "en"):
        wrong = defective_system(defect, system)
        if defect.kind == "addition":
            assert wrong == f"{system}\n\n{defect.put}"
        else:
            before, after = system.split(defect.find)
            assert wrong == f"{before}{defect.put}{after}"
    removed = next(d for d in defects("dcn", "full", "en") if d.kind == "deletion")
    with pytest.raises(UsageError, match="does not fit this prompt"):
        defective_system(removed, "You collect.")


def test_every_defect_is_drawn_now_and_then() -> None:
    drawn = {choose_defect("dcn", "full", "en", rng_for(1, n)).name for n in range(600)}
    assert drawn == {defect.name for defect in defects("dcn", "full", "en")}


# --- the filters, on rows written by hand


@cache
def _row() -> Row:
    dialogue = next(d for d in talks(n=20) if d.ending == "agreed")
    debtor = next(d for d in load_suite("debtbench") if d.id == dialogue.debtor_id)
    return score(dialogue, debtor)


def row(cci: float = 0.5, dhi: float = 0.5, turns: int = 5, **changes: Any) -> Row:
    """A talk that succeeded."""
    usual = {"agreed": True, "ending": "agreed", "success": True, "dc": 1.0}
    return replace(_row(), own_cci=cci, own_dhi=dhi, turns=turns, **{**usual, **changes})


def candidate(debtor: int, style: int, repeat: int = 1, **values: Any) -> Candidate:
    """A talk of this debtor in this style."""
    return Candidate(f"{debtor}/{style}/{repeat}", debtor, style, repeat, row(**values))


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (row(), ""),
        (row(agreed=False, ending="max_turns"), "max_turns"),
        (row(agreed=False, ending="walked_away"), "walked_away"),
        (row(agreed=False, ending="malformed"), "malformed"),
        (row(agreed=False, ending="error"), "error"),
        (row(dc=0.75), "terms not spoken of"),
        (row(success=False, cci=0.0), "success>=1"),
        (row(cci=0.0), "own_cci>0"),
        (row(cci=1e-9), ""),
    ],
)
def test_filter_1_drops_what_is_incomplete_or_poor(found: Row, reason: str) -> None:
    assert reason_to_drop(found, DEFAULT) == reason


@pytest.mark.parametrize(
    ("text", "found", "holds"),
    [
        ("own_cci>=0.5", row(0.5), True),
        ("own_cci > 0.5", row(0.5), False),
        ("turns<=5", row(turns=5), True),
        ("turns<5", row(turns=5), False),
        ("own_dhi>=-1e-1", row(dhi=-0.05), True),
        ("us>=1", row(us=Unscored("nobody spoke")), False),
        ("cd<=9999", row(cd=None), False),
        ("success>=1", row(success=True), True),
    ],
)
def test_a_requirement_is_met_or_not(text: str, found: Row, holds: bool) -> None:
    requirement = parse_requirement(text)
    assert requirement.holds(found) is holds
    assert parse_requirement(str(requirement)) == requirement


@pytest.mark.parametrize("text", ["joy>=1", "ending>=1", "own_cci", "own_cci>=high", "own_cci==1"])
def test_what_is_no_requirement_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"METRIC>=VALUE|known: agreed"):
        parse_requirement(text)
    assert "category" not in METRICS


def test_of_each_debtor_the_best_is_kept_and_ties_have_an_order() -> None:
    found = best_of_each(
        [
            candidate(2, 0, cci=0.1),
            candidate(0, 0, cci=0.4), candidate(0, 1, cci=0.6), candidate(0, 2, cci=0.5),
            # The same CCI: the healthier debtor; then the shorter talk; the earlier style, repeat.
            candidate(1, 0, dhi=0.3), candidate(1, 1, dhi=0.4),
            candidate(3, 0, turns=6), candidate(3, 1, turns=5),
            candidate(4, 2), candidate(4, 1, 2), candidate(4, 1, 1),
        ]
    )  # fmt: skip
    assert [c.case for c in found] == ["0/1/1", "1/1/1", "2/0/1", "3/1/1", "4/1/1"]


@pytest.mark.parametrize(
    ("many", "share", "kept"),
    [(5, 0.6, 3), (6, 0.6, 4), (7, 0.6, 5), (1, 0.6, 1), (581, 0.6, 349), (100, 0.55, 55),
     (100, 0.29, 29), (3, 1.0, 3), (0, 0.6, 0), (585, 0.6, 351)],
)  # fmt: skip
def test_filter_2_keeps_the_share_rounded_up(many: int, share: float, kept: int) -> None:
    pool = [candidate(n, 0, cci=n / 1000) for n in range(many)]
    found = top_share(pool, share)
    assert [c.debtor for c in found] == list(range(many))[::-1][:kept]


def test_filter_2_keeps_no_more_where_ccis_are_equal() -> None:
    pool = [candidate(n, 0, turns=5 - n % 2) for n in range(5)]
    assert [c.debtor for c in top_share(pool, 0.6)] == [1, 3, 0]
    assert [c.debtor for c in top_share(pool[::-1], 0.6)] == [1, 3, 0]


# --- the course with built-in seats


@pytest.fixture(scope="module")
def built_in(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Funnel]:
    """DPO-DG of eight records."""
    out = tmp_path_factory.mktemp("sample")
    return out, made(out, "dpo-dg", records(8), per_style=2, pairs=9)


def test_every_debtor_is_played_in_every_style_with_talks_of_its_own(
    built_in: tuple[Path, Funnel],
) -> None:
    out, funnel = built_in
    held = dialogues_in(out)
    styles = collector_styles()
    assert funnel.played == len(held) == 8 * len(styles) * 2
    assert {d.collector for _, d in held} == set(COLLECTORS)
    assert all(d.collector == styles[style].built_in for style, d in held)
    for debtor in records(8):
        told = {d.model_dump_json(include={"turns"}) for _, d in held if d.debtor_id == debtor.id}
        assert len(told) == len(styles) * 2, "two styles with one seat have luck of their own"


def test_the_funnel_adds_up_and_keeps_each_debtors_best(built_in: tuple[Path, Funnel]) -> None:
    out, funnel = built_in
    people = {d.id: d for d in records(8)}
    scored = [(style, score(d, people[d.debtor_id])) for style, d in dialogues_in(out)]
    passed = [(style, r) for style, r in scored if not reason_to_drop(r, DEFAULT)]
    best: dict[str, float] = {}
    for _, found in passed:
        best[found.debtor_id] = max(best.get(found.debtor_id, 0.0), found.own_cci)
    assert funnel.passed == len(passed)
    assert funnel.passed + sum(funnel.dropped.values()) == funnel.played
    assert funnel.best == len(best)
    assert funnel.kept == -(-len(best) * 6 // 10) == sum(funnel.styles.values())
    kept = sorted(best.values(), reverse=True)[: funnel.kept]
    about = {r["about"]["debtor"]: r["about"] for r in rows_in(out)}
    assert {a["own_cci"] for a in about.values()} <= set(kept)
    assert all(a["own_cci"] == best[name] for name, a in about.items())


def test_rows_are_drawn_after_filter_2_so_many_and_no_more(
    built_in: tuple[Path, Funnel], tmp_path: Path
) -> None:
    out, funnel = built_in
    rows = rows_in(out)
    assert funnel.drawn == len(rows) == 9 < funnel.turns
    assert len({(r["about"]["case"], r["about"]["turn"]) for r in rows}) == 9
    more = made(tmp_path / "all", "sft-dg", records(8), per_style=2, pairs=10_000)
    assert more.drawn == more.turns == funnel.turns
    every = {(r["about"]["case"], r["about"]["turn"]) for r in rows_in(tmp_path / "all")}
    assert len(every) == funnel.turns
    # The supervised set of the same talks draws the same questions.
    made(tmp_path / "sft", "sft-dg", records(8), per_style=2, pairs=9)
    same = [(r["prompt"], r["completion"]) for r in rows_in(tmp_path / "sft")]
    assert same == [(r["prompt"], r["chosen"]) for r in rows]
    # Another seed draws others.
    made(tmp_path / "seed", "sft-dg", records(8), per_style=2, pairs=9, seed=2)
    assert [r["about"]["turn"] for r in rows_in(tmp_path / "seed")] != [
        r["about"]["turn"] for r in rows
    ]


def test_a_row_is_a_message_of_a_kept_talk_as_the_table_briefs_it(
    built_in: tuple[Path, Funnel],
) -> None:
    out, _ = built_in
    held = {d.case: d for _, d in dialogues_in(out)}
    people = {d.id: d for d in records(8)}
    for found in rows_in(out):
        about = found["about"]
        dialogue, debtor = held[about["case"]], people[about["debtor"]]
        given = list(answers(dialogue.turns, debtor.background, Briefing(style_of(debtor))))
        once = given[about["turn"] - 1]
        assert found["prompt"] == once.prompt
        assert found["chosen"] == [once.answer]


def test_a_built_in_weak_seat_says_what_it_would_say_there(built_in: tuple[Path, Funnel]) -> None:
    out, funnel = built_in
    rows = rows_in(out)
    assert all(r["chosen"] != r["rejected"] for r in rows)
    read = [parse_message(r["rejected"][0]["content"], "collector") for r in rows]
    late = [m for m, r in zip(read, rows, strict=True) if r["about"]["turn"] > 3]
    assert any(act.kind != "non" for m in late for act in m.acts), "it bargains late in a talk"
    assert all(not m.strategy for m in read), "as DCN's messages are written"
    same = sum(
        parse_message(r["chosen"][0]["content"], "collector").acts == m.acts
        for m, r in zip(read, rows, strict=True)
    )
    assert funnel.same_acts == same
    assert {n["defect"] for n in negatives_in(out)} == {""}


def test_a_finished_folder_is_taken_up_without_a_change(
    built_in: tuple[Path, Funnel],
) -> None:
    out, funnel = built_in
    before = {path.name: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert made(out, "dpo-dg", records(8), per_style=2, pairs=9) == funnel
    assert before == {path.name: path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_another_plan_is_refused_by_name(built_in: tuple[Path, Funnel]) -> None:
    out, _ = built_in
    with pytest.raises(RunMismatch, match=r"differs in pairs:\n  pairs: 9 there, 8 asked"):
        made(out, "dpo-dg", records(8), per_style=2, pairs=8)
    with pytest.raises(RunMismatch, match="differs in set, suite, weak"):
        made(out, "sft-dg", records(7), per_style=2, pairs=9)


def test_with_maden_the_rows_are_of_talks_with_planner_and_judge(tmp_path: Path) -> None:
    made(tmp_path, "sft-mag", records(4))
    held = dialogues_in(tmp_path)
    assert {d.collector for _, d in held} == {f"{seat}+maden" for seat in COLLECTORS}
    notes = {n.text for _, d in held for t in d.turns for n in t.notes}
    assert len(notes) > 20
    text = (tmp_path / "train.jsonl").read_text()
    assert not [note for note in notes if json.dumps(note, ensure_ascii=False)[1:-1] in text]


# --- the course with models


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


def test_what_failed_is_counted_and_asked_again_only_when_told(tmp_path: Path) -> None:
    people = records(3)
    bad = {people[0].background.name}

    def refused(body: bytes) -> bool:
        request = json.loads(body)
        system = request["messages"][0]["content"]
        return request["model"] == "weak" and any(name in system for name in bad)

    with Stub(by_model()) as stub:
        stub.faults.doomed = refused
        plan = make_sample_plan(
            "dpo-dg", "own", people, generator=stub.spec("strong"), weak=stub.spec("weak"),
            debtor_seat=stub.spec("debtor"), styles=TWO, keep=1.0, own=True,
        )  # fmt: skip
        funnel = sample(plan, people, tmp_path, QUICK)
        assert funnel.left_out == {"failed": 3}
        assert funnel.drawn == 6
        before = len(stub.requests)
        assert sample(plan, people, tmp_path, QUICK) == funnel
        assert len(stub.requests) == before
        bad.clear()
        write_debtors(tmp_path / "own.jsonl", people)
        done = arrears(*line_of(plan, tmp_path / "own.jsonl", tmp_path), "--retry-errors", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["funnel"]["drawn"] == 9
        assert len(stub.requests) == before + 3


def line_of(plan: SamplePlan, people: Path, out: Path) -> list[str]:
    """The command for a plan of two styles."""
    return [
        "train", "sample", plan.set, "--debtors", str(people), "--generator", plan.generator,
        "--debtor-seat", plan.debtor_seat, "--weak", plan.weak, "--styles", ",".join(plan.styles),
        "--keep", str(plan.keep), "--pairs", str(plan.pairs), "--out", str(out),
    ]  # fmt: skip


class Stalls:
    """A model that answers so often and then not until it is let go: its client can be killed."""

    def __init__(self, mind: Callable[[Mapping[str, Any]], str], often: int) -> None:
        self._mind, self._left, self.let_go = mind, often, threading.Event()

    def __call__(self, request: Mapping[str, Any]) -> str:
        self._left -= 1
        assert self._left >= 0 or self.let_go.wait(30)
        return self._mind(request)


@pytest.mark.parametrize(
    ("growing", "who", "often"), [("dialogues.jsonl", "strong", 20), ("negatives.jsonl", "weak", 6)]
)
def test_a_killed_sample_goes_on_to_the_same_bytes(
    growing: str, who: str, often: int, tmp_path: Path
) -> None:
    people = tmp_path / "own.jsonl"
    write_debtors(people, records(8))
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    stalls = Stalls(strong if who == "strong" else lambda r: weakly("5%"), often)
    with Stub(by_model(**{who: stalls})) as stub:
        plan = make_sample_plan(
            "dpo-dg", "own", records(8), generator=stub.spec("strong"), weak=stub.spec("weak"),
            debtor_seat=stub.spec("debtor"), styles=TWO, pairs=12, own=True,
        )  # fmt: skip
        line = [*line_of(plan, people, killed), "--concurrency", "2"]
        process = subprocess.Popen(
            [*ARREARS, *line], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        file = killed / growing
        while process.poll() is None and not (file.exists() and file.read_bytes().count(b"\n") > 2):
            pass
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        stalls.let_go.set()
        stored = len(file.read_bytes().rpartition(b"\n")[0].splitlines())
        first = len(stub.requests)
        done = arrears(*line)
        assert done.returncode == 0, done.stderr
        after = Counter(request["model"] for request in stub.requests[first:])
        # Two may have been on their way at the kill.
        if who == "strong":
            assert after["strong"] <= (16 - stored) * 3 + 2, "what is stored is not played again"
        else:
            assert set(after) == {"weak"}
            assert after["weak"] <= 12 - stored + 2, "what is answered is not asked again"
        sample(plan, records(8), whole, QUICK)
    for path in sorted(whole.rglob("*")):
        if path.is_file() and path.name not in ("calls.jsonl", ".lock"):
            assert (killed / path.relative_to(whole)).read_bytes() == path.read_bytes(), path.name


def test_built_in_seats_can_be_interrupted(tmp_path: Path) -> None:
    people, out = tmp_path / "own.jsonl", tmp_path / "out"
    write_debtors(people, records(60))
    line = ["train", "sample", "sft-mag", "--debtors", str(people), "--generator", BUILT_IN,
            "--out", str(out)]  # fmt: skip
    process = subprocess.Popen([*ARREARS, *line], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    file = out / "dialogues.jsonl"
    while process.poll() is None and not (file.exists() and file.read_bytes()):
        pass
    process.send_signal(signal.SIGINT)
    _, told = process.communicate()
    assert process.returncode == 130
    assert b"resume with the same command" in told
    assert 0 < file.read_bytes().count(b"\n") < 300


# --- what is refused, in words


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("dpo-dg",), "dpo-dg needs --weak"),
        (("sft-dg", "--weak", "scripted/lenient"), "--weak is for dpo-dg and dpo-mag"),
        (("sft-xx",), "unknown set 'sft-xx'; known: sft-dg, sft-mag, dpo-dg, dpo-mag"),
        (("sft-dg", "--styles", "strict,kind"), "unknown style 'kind'; known: strict, gentle"),
        (("sft-dg", "--styles", "strict,strict"), "named twice"),
        (("sft-dg", "--pairs", "0"), "Invalid value for '--pairs'"),
        (("sft-dg", "--keep", "0"), "Invalid value for '--keep'"),
        (("sft-dg", "--require", "joy>=1"), "unknown metric 'joy'; known: agreed, turns"),
        (("sft-dg", "--require", "own_cci"), "is no requirement; write METRIC>=VALUE"),
        (("sft-dg", "--require", "own_cci>=0.999"), "none of 10 talks passed filter 1"),
        (("sft-dg", "--generator", "scripted/nice"), "unknown generator 'scripted/nice'"),
        (("sft-dg", "--generator", "scripted/firm+maden"), "name the generator alone"),
        (("dpo-dg", "--weak", "scripted/nice"), "unknown weak model 'scripted/nice'"),
        (("sft-dg", "--lang", "zh"), "speaks and hears English only"),
        (("sft-dg", "--suite", "dcn"), "not both"),
        (("sft-dg", "--debtor-seat", "nobody"), "unknown debtor seat"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_and_nothing_is_asked(
    words: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    people = tmp_path / "own.jsonl"
    write_debtors(people, records(2))
    given = ["--debtors", str(people), "--generator", BUILT_IN, "--out", str(tmp_path / "out")]
    done = arrears("train", "sample", words[0], *given, *words[1:])
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_tells_what_it_will_do_and_what_is_left(tmp_path: Path) -> None:
    people = tmp_path / "own.jsonl"
    write_debtors(people, records(5))
    done = arrears(
        "train", "sample", "dpo-mag", "--debtors", str(people), "--generator", BUILT_IN, "--weak",
        "scripted/firm", "--styles", "gentle,fitting", "--out", str(tmp_path / "out"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "10 talks (5 debtors, 2 styles, 1 each) with no calls of models" in done.stderr
    for step in ("talks played", "passed filter 1", "best of each debtor", "kept by filter 2",
                 "questions and answers", "asked of the weak side", "rows drawn"):  # fmt: skip
        assert step in done.stdout
    assert "there were no more for --pairs 437" in done.stderr


def test_calls_are_counted_before_they_are_made(tmp_path: Path) -> None:
    people = tmp_path / "own.jsonl"
    write_debtors(people, records(2))
    with Stub(by_model()) as stub:
        done = arrears(
            "train", "sample", "dpo-dg", "--debtors", str(people), "--generator",
            stub.spec("strong"), "--weak", stub.spec("weak"), "--out", str(tmp_path / "out"),
            "--styles", "gentle", "--debtor-seat", stub.spec("debtor"), "--pairs", "3",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        # Two talks of twelve exchanges, two seats.
        assert "at most 48 calls of models; then 3 calls of compat/weak" in done.stderr
        assert len(stub.requests) == 2 * 6 + 3
