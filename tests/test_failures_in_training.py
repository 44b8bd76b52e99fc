"""What failed from outside the negotiation is in no reward, no pair, no row and no comparison."""

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from arrears.bench.stored import StoredRun
from arrears.models.backends import Settings
from arrears.models.retries import Patience
from arrears.training.cfpo.pairs import pairs_of
from arrears.training.cfpo.run import Made, weigh_all
from arrears.training.cfpo.stored import read_all
from arrears.training.cfpo.weigh import Weighed
from arrears.training.report.document import document_of
from arrears.training.report.drift import drifts
from arrears.training.report.lines import compared
from arrears.training.report.page import write_page
from arrears.training.report.sides import widest
from arrears.training.report.study import Study, study_of
from arrears.training.report.tables import tables_of
from arrears.training.report.words import findings, lead
from tests.commands import arrears
from tests.compared_runs import ADAPTIVE, LENIENT, doctored
from tests.samples import made as sampled
from tests.samples import records
from tests.stub_server import Faults, Stub
from tests.test_cfpo import PEOPLE, course, mind

QUICK = Settings(patience=Patience(1, 0.0))
Doomed = Callable[[bytes], bool]


# CFPO


def weigh(out: Path, doomed: Doomed | None = None, **more: Any) -> tuple[Made, list[Weighed]]:
    """A round in which some requests are refused for good."""
    with Stub(mind, Faults(doomed=doomed or (lambda body: False))) as stub:
        models = {name: stub.spec(name) for name in ("judge", "experience") if more.get(name)}
        plan = course(
            stub.spec("p"), temperature=0.9, playout_temperature=0.0, **{**more, **models}
        )
        made = weigh_all(plan, PEOPLE, out, settings=QUICK)
    return made, list(read_all(out / "weighed.jsonl"))


def generous(body: bytes) -> bool:
    """Whoever has offered 30 % is never answered again."""
    return b"ask(disc_ratio=30%)" in body and b'"temperature":0.0' in body


def test_a_candidate_of_which_a_playout_failed_has_no_worth(tmp_path: Path) -> None:
    made, weighed = weigh(tmp_path / "r", generous)
    candidates = [(m, c) for talk in weighed for m in talk.moments for c in m.candidates]
    lost = [c for _, c in candidates if any(p.ending == "error" for p in c.playouts)]
    assert 0 < len(lost) < len([c for _, c in candidates if c.playouts])
    assert made.unweighed == len(lost)
    for moment, candidate in candidates:
        failed = [p for p in candidate.playouts if p.ending == "error"]
        assert all((p.reward, p.failure) == (None, "provider") for p in failed)
        assert all("ModelError" in p.why for p in failed)
        if failed:
            assert candidate.reward is None
            for pair in pairs_of(moment, 0.0, most=99):
                assert candidate not in (pair.chosen, pair.rejected)
    for part, of in (
        ("playouts", [p.ending for _, c in candidates for p in c.playouts]),
        ("dialogues", [talk.dialogue.ending for talk in weighed]),
    ):
        found = made.tried[part]  # type: ignore[index]
        assert found.total == len(of)
        assert found.failed == ({"provider": of.count("error")} if "error" in of else {})
        assert ("ModelError" in found.reason) is ("error" in of)


def test_a_message_that_never_came_is_not_called_unreadable(tmp_path: Path) -> None:
    def some(body: bytes) -> bool:
        return b'"temperature":0.9' in body and crc32(body) % 3 == 0

    made, weighed = weigh(tmp_path / "r", some)
    missing = sum(len(m.failed) for talk in weighed for m in talk.moments)
    assert missing
    assert made.unreadable == 0
    assert made.tried["candidates"].failed == {"provider": missing}
    assert made.tried["candidates"].total == 5 * made.moments


def test_a_judge_that_fails_makes_no_reward_and_is_counted_as_a_judge(tmp_path: Path) -> None:
    def some(body: bytes) -> bool:
        return b'"model":"experience"' in body and crc32(body) % 2 == 0

    made, weighed = weigh(tmp_path / "r", some, experience=True)
    playouts = [p for t in weighed for m in t.moments for c in m.candidates for p in c.playouts]
    unjudged = [p for p in playouts if p.unjudged]
    assert 0 < len(unjudged) < len(playouts)
    assert all(p.reward is p.experience is None and p.ending != "error" for p in unjudged)
    assert made.tried["playouts"].failed == {}
    assert made.tried["judgements"].failed == {"judge": len(unjudged)}


def test_what_failed_is_weighed_again_as_if_it_had_not(tmp_path: Path) -> None:
    def steady(body: bytes) -> bool:
        return ever and generous(body)

    ever = True
    with Stub(mind, Faults(doomed=steady)) as stub:
        plan = course(stub.spec("p"), temperature=0.9, playout_temperature=0.0)
        lost = weigh_all(plan, PEOPLE, tmp_path / "r", settings=QUICK)
        ever = False
        before = len(stub.requests)
        same = weigh_all(plan, PEOPLE, tmp_path / "r", settings=QUICK)
        assert len(stub.requests) == before, "what is stored is not asked again unless it is said"
        assert same == lost
        again = weigh_all(plan, PEOPLE, tmp_path / "r", settings=QUICK, retry_errors=True)
        whole = weigh_all(plan, PEOPLE, tmp_path / "w", settings=QUICK)
    assert lost.unweighed
    assert again.unweighed == 0
    assert not any(found.failed for found in again.tried.values())
    assert again.path.read_bytes() == whole.path.read_bytes()


def test_the_command_leaves_with_1_and_says_how_to_go_on(tmp_path: Path) -> None:
    from arrears.debtors.store import write_debtors

    write_debtors(tmp_path / "people.jsonl", PEOPLE)
    sick = True
    with Stub(mind, Faults(doomed=lambda body: sick and generous(body))) as stub:
        words = (
            "train", "cfpo", "--model", stub.spec("p"), "--debtors", str(tmp_path / "people.jsonl"),
            "--pairs-only", "--candidates", "5", "--playouts", "2", "--max-turns", "8",
            "--temperature", "0.9", "--playout-temperature", "0", "--retries", "0",
            "--out", str(tmp_path / "out"),
        )  # fmt: skip
        failed = arrears(*words)
        allowed = arrears(*words, "--fail-on-error", "1", "--json")
        sick = False
        mended = arrears(*words, "--retry-errors")
    assert failed.returncode == 1
    assert "more failed than --fail-on-error 0 allows" in failed.stderr
    assert re.search(r"round 1, playouts: \d+ of \d+ failed; .*ModelError", failed.stderr)
    assert "give the same command with --retry-errors" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert (tmp_path / "out" / "round-1" / "pairs.jsonl").exists()
    assert allowed.returncode == 0, allowed.stderr
    (told,) = json.loads(allowed.stdout)["rounds"]
    assert told["tried"]["playouts"]["failed"]["provider"] > 0
    assert told["unweighed"] > 0
    assert mended.returncode == 0, mended.stderr


# Rejection sampling


def weak_side_fails(body: bytes) -> bool:
    return b'"model":"weak"' in body and crc32(body) % 2 == 0


def test_talks_that_failed_are_counted_by_cause_and_are_in_no_row(tmp_path: Path) -> None:
    from tests.samples import by_model, dialogues_in, rows_in

    unlucky = records(4)[0].background.name.encode()
    with Stub(by_model(), Faults(doomed=lambda body: unlucky in body)) as stub:
        funnel = sampled(
            tmp_path, "sft-dg", records(4), stub.spec("strong"), debtor_seat=stub.spec("debtor"),
            styles=("strict", "gentle"), keep=1.0,
        )  # fmt: skip
    endings = Counter(talk.ending for _, talk in dialogues_in(tmp_path))
    assert endings["error"] == 2
    assert funnel.failed == {"provider": 2}
    assert "error" not in funnel.dropped
    assert funnel.played == funnel.passed + sum(funnel.dropped.values()) + 2
    assert {row["about"]["debtor"] for row in rows_in(tmp_path)} <= {d.id for d in records(4)[1:]}


def test_a_weak_side_that_failed_makes_no_pair(tmp_path: Path) -> None:
    from tests.samples import by_model, negatives_in, rows_in

    with Stub(by_model(), Faults(doomed=weak_side_fails)) as stub:
        funnel = sampled(
            tmp_path, "dpo-dg", records(4), stub.spec("strong"), debtor_seat=stub.spec("debtor"),
            weak=stub.spec("weak"), styles=("strict", "gentle"), keep=1.0,
        )  # fmt: skip
    failed = [n for n in negatives_in(tmp_path) if n["why"] == "failed"]
    assert failed
    assert funnel.left_out["failed"] == len(failed)
    assert funnel.drawn == len(rows_in(tmp_path)) == funnel.asked - len(failed)
    assert all(row["rejected"][0]["content"] for row in rows_in(tmp_path))


def test_sampling_leaves_with_1_and_plays_the_failed_ones_again(tmp_path: Path) -> None:
    from arrears.debtors.store import write_debtors
    from tests.samples import by_model, rows_in

    people = records(3)
    write_debtors(tmp_path / "people.jsonl", people)
    sick, unlucky = True, people[0].background.name.encode()
    with Stub(by_model(), Faults(doomed=lambda body: sick and unlucky in body)) as stub:
        words = (
            "train", "sample", "sft-dg", "--debtors", str(tmp_path / "people.jsonl"), "--keep", "1",
            "--generator", stub.spec("strong"), "--debtor-seat", stub.spec("debtor"),
            "--styles", "strict", "--retries", "0", "--out", str(tmp_path / "out"),
        )  # fmt: skip
        failed = arrears(*words)
        held_without = {row["about"]["debtor"] for row in rows_in(tmp_path / "out")}
        allowed = arrears(*words, "--fail-on-error", "0.5", "--json")
        sick = False
        again = arrears(*words, "--retry-errors")
    assert failed.returncode == 1
    assert f"{stub.spec('strong')}: 1 of 3 dialogues; collector: ModelError" in failed.stderr
    assert "give the same command with --retry-errors" in failed.stderr
    assert held_without == {d.id for d in people[1:]}, "what could be done was done and stored"
    assert allowed.returncode == 0, allowed.stderr
    assert json.loads(allowed.stdout)["funnel"]["failed"] == {"provider": 1}
    assert again.returncode == 0, again.stderr
    assert {row["about"]["debtor"] for row in rows_in(tmp_path / "out")} == {d.id for d in people}


def test_a_sample_in_which_everything_failed_is_no_wrong_usage(tmp_path: Path) -> None:
    from arrears.debtors.store import write_debtors
    from tests.samples import by_model

    write_debtors(tmp_path / "people.jsonl", records(2))
    with Stub(by_model(), Faults(doomed=lambda body: True)) as stub:
        done = arrears(
            "train", "sample", "sft-dg", "--debtors", str(tmp_path / "people.jsonl"),
            "--generator", stub.spec("strong"), "--styles", "strict", "--retries", "0",
            "--out", str(tmp_path / "out"),
        )  # fmt: skip
    assert done.returncode == 1
    assert "2 of 2 dialogues; collector: ModelError" in done.stderr
    assert "Traceback" not in done.stderr


# The report


def broken_off(talk: dict[str, Any]) -> None:
    """As if the endpoint had been lost."""
    talk |= {
        "ending": "error", "terms": None, "detail": "collector: ModelError: it is gone",
        "failure": {"cause": "provider", "seat": "collector", "error": "ModelError", "where": ""},
    }  # fmt: skip


@pytest.fixture(scope="module")
def some_failed(stored: StoredRun, tmp_path_factory: pytest.TempPathFactory) -> StoredRun:
    """Three debtors lost before, five others after, of DebtBench."""

    def lose(number: int, talk: dict[str, Any]) -> None:
        at = int(talk["debtor_id"].rpartition("-")[2]) % 40
        if talk["suite"] == "debtbench" and at in LOST[talk["collector"]]:
            broken_off(talk)

    return doctored(stored, tmp_path_factory.mktemp("failed") / "run", each=lose)


LOST = {LENIENT: {1, 2, 3}, ADAPTIVE: {3, 4, 5, 6, 7}}


@pytest.fixture(scope="module")
def partial(some_failed: StoredRun) -> Study:
    """The study of both."""
    return study_of(compared([some_failed], None, ()))


def test_both_sides_lose_what_one_of_them_has_lost(partial: Study) -> None:
    section = next(s for s in partial.sections if s.suite == "debtbench")
    (versus,) = section.versus
    first, second = (partial.seen[name] for name in (LENIENT, ADAPTIVE))
    kept = [k for k in section.keys if not (first[k].row.failure or second[k].row.failure)]
    assert (len(section.keys), len(kept)) == (40, 33)
    assert versus.failures == ({"provider": 3}, {"provider": 5}, 40, 33)
    for key, seen in (("before", first), ("after", second)):
        change = versus.main.changes
        agreed = sum(seen[k].row.agreed for k in kept) / 33
        assert getattr(change["SR"], key) == pytest.approx(agreed)
        turns = sum(seen[k].row.turns for k in kept) / 33
        assert getattr(change["AT"], key) == pytest.approx(turns)
    assert versus.main.changes["SR"].scored == (33, 33)
    assert max(c.scored[0] for g in (versus.main, versus.other) for c in g.changes.values()) == 33
    assert sum(g.changes["SR"].scored[0] for g in versus.categories.values()) == 33


def test_a_failure_moves_no_figure_of_those_that_are_left(
    partial: Study, stored: StoredRun, tmp_path: Path
) -> None:
    """What the lost dialogues hold makes no difference at all."""

    def lose(number: int, talk: dict[str, Any]) -> None:
        at = int(talk["debtor_id"].rpartition("-")[2]) % 40
        if talk["suite"] == "debtbench" and at in LOST[talk["collector"]]:
            talk["turns"] = talk["turns"][:1]
            broken_off(talk)

    other = study_of(compared([doctored(stored, tmp_path / "run", each=lose)], None, ()))
    for a, b in zip(partial.sections, other.sections, strict=True):
        assert a.versus == b.versus


def test_the_counts_stand_beside_the_figures(partial: Study, tmp_path: Path) -> None:
    said = " ".join(lead(partial))
    assert f"3 of 40 of {LENIENT} (the model's endpoint gave no answer: 3)" in said
    assert f"5 of 40 of {ADAPTIVE} (the model's endpoint gave no answer: 5)" in said
    assert "33 with the same debtors are compared" in said
    section = next(s for s in partial.sections if s.suite == "debtbench")
    first, *_ = tables_of(section, partial)
    assert "5 of 40" in first.note
    moved = drifts(partial.compared, 0)
    document = document_of(partial, moved, {})
    told = document["suites"][section.title]["after"][ADAPTIVE]["failures"]
    assert told["after"] == {"provider": 5}
    assert told["compared"] == 33
    lost = {k for k in section.keys if partial.seen[ADAPTIVE][k].row.failure}
    assert not lost & {gap.key for gap in widest(partial, partial.compared.after[0])}
    write_page(partial, moved, {}, tmp_path / "page.html")
    assert "5 of 40" in (tmp_path / "page.html").read_text()


def test_a_collector_with_nothing_but_failures_has_no_figures(
    stored: StoredRun, tmp_path: Path
) -> None:
    dead = doctored(
        stored, tmp_path / "run",
        each=lambda number, talk: broken_off(talk) if talk["collector"] == ADAPTIVE else None,
    )  # fmt: skip
    study = study_of(compared([dead], None, ()))
    for section in study.sections:
        (versus,) = section.versus
        groups = (versus.main, versus.other, versus.given, *versus.categories.values())
        for change in (c for group in groups for c in group.changes.values()):
            assert (change.before, change.after, change.p, change.p_adjusted) == (None,) * 4
            assert change.verdict(1) == ""
        for table in tables_of(section, study):
            assert not any(cell.mark for row in table.rows for cell in row.cells)
    moved = drifts(study.compared, 0)
    assert any("nothing could be compared" in text for text in lead(study))
    assert findings(study, moved) == []
    assert widest(study, study.compared.after[0]) == []
    write_page(study, moved, {}, tmp_path / "page.html")
    done = arrears("train", "report", str(tmp_path / "run"), "--kl-talks", "0")
    assert done.returncode == 0, done.stderr
    assert "nothing could be compared" in done.stdout


def test_without_failures_nothing_is_said_of_them(study: Study) -> None:
    assert not any("failed" in text for text in lead(study))
    for section in study.sections:
        for versus in section.versus:
            assert versus.failures == ({}, {}, len(section.keys), len(section.keys))
