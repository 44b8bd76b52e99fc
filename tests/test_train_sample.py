"""A sample with built-in seats: every debtor in every style, the funnel, the rows that are drawn."""

import json
from pathlib import Path

import pytest

from arrears.agents.briefing import style_of
from arrears.agents.registry import COLLECTORS
from arrears.dialogue.parser import parse_message
from arrears.errors import RunMismatch
from arrears.scoring.row import score
from arrears.training.conversations import Briefing, answers, brief
from arrears.training.rejection.filters import DEFAULT, reason_to_drop
from arrears.training.rejection.sets import Funnel
from arrears.training.rejection.styles import collector_styles
from tests.samples import dialogues_in, made, negatives_in, records, rows_in


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
        turns = [brief(turn) for turn in dialogue.turns]
        given = list(answers(turns, debtor.background, Briefing(style_of(debtor))))
        once = given[about["turn"] - 1]
        assert found["prompt"] == once.prompt
        assert found["chosen"] == [once.answer]


def test_of_built_in_thoughts_the_rows_keep_what_was_heard(built_in: tuple[Path, Funnel]) -> None:
    """The step and the acts stand in the message itself. Small models that had learnt to write the
    acts among the thoughts left the line of acts out."""
    out, _ = built_in
    texts = [
        m["content"]
        for r in rows_in(out)
        for m in [*r["prompt"], *r["chosen"], *r["rejected"]]
        if m["role"] == "assistant"
    ]
    thoughts = {parse_message(text, "collector").thoughts for text in texts}
    assert all(t.startswith(("I hear ", "Nothing stands out")) for t in thoughts)
    assert not [t for t in thoughts if ";" in t or "ask(" in t or "accept(" in t]


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
