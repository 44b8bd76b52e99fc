"""A judgement that failed is no score: who failed is stored, counted beside the means, and asked again."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

import orjson
import pytest

from arrears.bench import judging
from arrears.bench.judging import judge_run
from arrears.bench.sheets import read_sheets, sheets_of
from arrears.bench.stored import open_run
from arrears.errors import (
    BrokenFile,
    BudgetSpent,
    EndpointDown,
    ModelError,
    StorageError,
    UnreadableAnswer,
)
from arrears.models.backends import Settings
from arrears.models.unanswered import unanswered_of
from arrears.scoring.judges import Judgement, judge_dialogue
from tests.commands import arrears, bench
from tests.stub_minds import verdict
from tests.stub_server import Faults, Stub
from tests.test_judging import copy

CASES = 8
JUDGE = "vllm/m"
QUICK = ("--retries", "0", "--retry-wait", "0", "--concurrency", "1")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stored run of the built-in seats."""
    out = tmp_path_factory.mktemp("judged") / "run"
    bench(out, "--suite", "debtbench", "--limit", str(CASES), "--collector", "scripted/typical")
    return out


def judged(folder: Path, *words: str, stub: Stub) -> Any:
    """The command over the stub."""
    return arrears("judge", str(folder), "--judge", JUDGE, "--kind", "soundness", *QUICK, *words,
                   env={"VLLM_BASE_URL": stub.base})  # fmt: skip


def broken_off(folder: Path, place: int) -> str:
    """Make the dialogue at a place one that ended as error; its case."""
    file = folder / "dialogues.jsonl"
    lines = [orjson.loads(line) for line in file.read_bytes().splitlines()]
    lines[place] |= {"ending": "error", "terms": None, "detail": "debtor: ModelError: 502"}
    file.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    (folder / "scores.parquet").unlink()
    case: str = lines[place]["case"]
    return case


def lines_of(folder: Path) -> list[dict[str, Any]]:
    """The stored judgements of soundness."""
    file = folder / "judgements" / "soundness--vllm_m.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_what_the_endpoint_failed_at_is_told_apart_from_what_the_judge_did(
    run: Path, tmp_path: Path
) -> None:
    mine = copy(run, tmp_path / "run")

    def draw(body: bytes) -> int:
        return crc32(json.loads(body)["messages"][1]["content"].encode()) % 3

    def mind(request: Mapping[str, Any]) -> str:
        return "Hm." if draw(orjson.dumps(request)) == 1 else verdict(request)

    with Stub(mind, Faults(doomed=lambda body: draw(body) == 2)) as stub:
        done = judged(mine, stub=stub)
    causes = [line["failure"]["cause"] if "failure" in line else "" for line in lines_of(mine)]
    provider, malformed = causes.count("provider"), causes.count("malformed")
    assert provider
    assert malformed
    assert causes.count("")
    assert done.returncode == 1
    beside = f"({provider} provider, {malformed} malformed)"
    assert f"{causes.count('')} / {provider + malformed} {beside}" in done.stdout
    assert f"vllm/m, soundness: {provider} of {CASES} judgements" in done.stderr
    assert "content filter" in done.stderr
    for line in lines_of(mine):
        if "failure" in line:
            assert "scores" not in line
            assert line["failure"]["seat"] == "judge"
            assert line["unscored"] == line["failure"]["reason"]


def test_words_that_cannot_be_read_are_counted_and_do_not_fail_the_command(
    run: Path, tmp_path: Path
) -> None:
    """As a `malformed` dialogue does not: but a judge without one score has judged nothing."""
    mine = copy(run, tmp_path / "run")
    first = [True]

    def once(request: Mapping[str, Any]) -> str:
        del request
        return '{"score": 3, "reason": "r"}' if first and first.pop() else "Hm."

    with Stub(once) as stub:
        some = judged(mine, stub=stub)
        assert some.returncode == 0, some.stderr
        assert f"1 / {CASES - 1} ({CASES - 1} malformed)" in some.stdout
        none = judged(mine, "--judge", "vllm/other", "--fail-on-error", "1", stub=stub)
    assert none.returncode == 1
    told = f"vllm/other, soundness: none of {CASES} judgements could be used ({CASES} malformed)"
    assert told in none.stderr
    assert f"0 / {CASES} ({CASES} malformed)" in none.stdout
    assert "Agreement" not in none.stdout, "with nobody there is nothing to agree on"
    shown = arrears("judge", str(mine), "--json")
    assert shown.returncode == 0, "what is only shown did not fail now"
    other = next(j for j in json.loads(shown.stdout)["judges"] if j["judge"] == "vllm/other")
    assert (other["scored"], other["unscored"]) == (0, {"malformed": CASES})


def test_a_dialogue_that_failed_is_shown_to_no_judge_until_it_is_played(
    run: Path, tmp_path: Path
) -> None:
    mine = copy(run, tmp_path / "run")
    whole = (mine / "dialogues.jsonl").read_bytes()
    case = broken_off(mine, 2)
    with Stub(verdict) as stub:
        done = judged(mine, stub=stub)
        assert done.returncode == 0, "no judge has failed"
        assert len(stub.requests) == CASES - 1
        assert f"{CASES - 1} / 0" in done.stdout
        assert "1: provider 1" in done.stdout, "beside it, as not played"
        rubric = arrears("judge", str(mine), "--judge", "scripted/rubric")
        assert rubric.returncode == 0, rubric.stderr
        for sheet in read_sheets(mine):
            assert not sheet.judged[case].scores
            assert sheet.judged[case].unscored == "the dialogue ended as error"
        (mine / "dialogues.jsonl").write_bytes(whole)
        (mine / "scores.parquet").unlink(missing_ok=True)
        done = judged(mine, stub=stub)
        assert done.returncode == 0
        assert len(stub.requests) == CASES, "it has been played since, and is pending"
    assert len(lines_of(mine)) == CASES
    assert all("scores" in line for line in lines_of(mine))


def test_scores_that_an_older_arrears_gave_to_a_failed_dialogue_leave_the_mean(
    run: Path, tmp_path: Path
) -> None:
    mine = copy(run, tmp_path / "run")
    with Stub(verdict) as stub:
        judged(mine, stub=stub)
        case = broken_off(mine, 2)
        (sheet,) = read_sheets(mine)
        assert sheet.judged[case].scores
        (clean,) = sheets_of(open_run(mine))
        assert case not in clean.column("DS")
        for shown in (arrears("judge", str(mine)), arrears("report", str(mine), "--json")):
            assert f"{CASES - 1} / 0" in shown.stdout
            assert "1: provider 1" in shown.stdout
        asked = len(stub.requests)
        assert judged(mine, stub=stub).returncode == 0
        assert len(stub.requests) == asked
    (line,) = [line for line in lines_of(mine) if line["case"] == case]
    assert line["failure"]["cause"] == "not_asked"


def test_a_pair_of_which_either_dialogue_failed_is_not_compared(run: Path, tmp_path: Path) -> None:
    mine, other = copy(run, tmp_path / "run"), copy(run, tmp_path / "other")
    broken_off(mine, 1)
    broken_off(other, 3)
    with Stub(verdict) as stub:
        done = arrears("judge", str(mine), "--judge", JUDGE, "--kind", "", "--against", str(other),
                       *QUICK, env={"VLLM_BASE_URL": stub.base})  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert len(stub.requests) == 2 * (CASES - 2)
    assert f"{CASES - 2} / 1 (1 not asked)" in done.stdout, "the other run's"
    assert "1: provider 1" in done.stdout, "this run's, as not played"


def test_what_an_older_arrears_has_stored_is_read(run: Path, tmp_path: Path) -> None:
    mine = copy(run, tmp_path / "run")
    with Stub(verdict) as stub:
        judged(mine, stub=stub)
        rows = lines_of(mine)
        reasons = {
            "no readable JSON after 2 tries: score must be from 1 to 5, not 11": "malformed",
            "vllm/m: gave up after 6 tries: 502": "unknown",
            "nothing was said (malformed)": "not_asked",
            "other has no talk to compare": "not_asked",
        }
        for row, reason in zip(rows, reasons, strict=False):
            row.pop("scores")
            row |= {"unscored": reason}
        file = mine / "judgements" / "soundness--vllm_m.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        (sheet,) = read_sheets(mine)
        found = [sheet.judged[row["case"]].failure for row in rows[: len(reasons)]]
        assert [one.cause for one in found if one] == list(reasons.values())
        assert sheet.scored == CASES - len(reasons)
        asked = len(stub.requests)
        assert judged(mine, stub=stub).returncode == 1, "one failed, nobody knows by whose doing"
        assert len(stub.requests) == asked + 2, "those that were not asked are there to be judged"
        assert judged(mine, "--retry-errors", stub=stub).returncode == 0
    assert read_sheets(mine)[0].scored == CASES
    file.write_text(json.dumps({"case": "x", "failure": {"cause": "moon"}}) + "\n")
    done = arrears("judge", str(mine))
    assert done.returncode == 2
    assert "soundness--vllm_m.jsonl: x: failure cannot be read" in done.stderr


def stumbling(error: Exception, at: int) -> Callable[..., Any]:
    """A judge at one of whose judgements something goes wrong."""
    given: list[int] = []

    async def judge(*args: Any) -> Judgement:
        given.append(1)
        if len(given) == at:
            raise error
        return await judge_dialogue(*args)

    return judge


def test_a_bug_in_one_judgement_is_not_the_end_of_the_others(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = copy(run, tmp_path / "run")
    monkeypatch.setattr(judging, "judge_dialogue", stumbling(ZeroDivisionError("oh"), 3))
    with Stub(verdict) as stub:
        monkeypatch.setenv("VLLM_BASE_URL", stub.base)
        (sheet,) = judge_run(open_run(mine), JUDGE, ["soundness"], Settings(concurrency=1))
    assert sheet.scored == CASES - 1
    (failure,) = sheet.failures
    assert (failure.cause, failure.error) == ("arrears", "ZeroDivisionError")
    assert failure.where.startswith("bench/judging.py:")


@pytest.mark.parametrize(
    "error", [EndpointDown("it is down"), BudgetSpent("spent"), StorageError("full")]
)
def test_what_stops_the_run_is_no_judgement_and_leaves_the_rest_pending(
    error: Exception, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = copy(run, tmp_path / "run")
    monkeypatch.setattr(judging, "judge_dialogue", stumbling(error, 3))
    with Stub(verdict) as stub:
        monkeypatch.setenv("VLLM_BASE_URL", stub.base)
        with pytest.raises(type(error)):
            judge_run(open_run(mine), JUDGE, ["soundness"], Settings(concurrency=1))
        (sheet,) = read_sheets(mine)
        assert (sheet.scored, len(sheet.judged)) == (2, 2)
        monkeypatch.undo()
        assert judged(mine, stub=stub).returncode == 0
    assert read_sheets(mine)[0].scored == CASES


def test_a_failure_is_charged_to_who_failed() -> None:
    assert unanswered_of(UnreadableAnswer("no readable JSON"), "judge").cause == "malformed"
    assert unanswered_of(ModelError("502"), "judge").cause == "provider"
    assert unanswered_of(KeyError("x"), "model").cause == "arrears"
    for error in (EndpointDown("x"), StorageError("x"), BrokenFile("f", "x")):
        with pytest.raises(type(error)):
            unanswered_of(error, "judge")
