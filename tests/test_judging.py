"""`arrears judge`: models as judges of stored runs, resumable, and how far they agree."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from arrears.bench.sheets import read_sheets
from tests.commands import ARREARS, arrears, bench
from tests.halting import wait_until
from tests.stub_minds import EXPERIENCE, canned, verdict
from tests.stub_server import Faults, Stub


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stored run of the built-in seats; 40 dialogues."""
    out = tmp_path_factory.mktemp("judged") / "run"
    bench(out, "--suite", "debtbench", "--limit", "20", "--collector", "scripted/typical",
          "--repeats", "2")  # fmt: skip
    return out


def copy(run: Path, to: Path) -> Path:
    """A run folder of its own for one test."""
    subprocess.run(["cp", "-r", str(run), str(to)], check=True)
    return to


def test_all_kinds_by_two_judges_and_how_they_agree(run: Path, tmp_path: Path) -> None:
    mine = copy(run, tmp_path / "run")
    with Stub(verdict) as stub:
        for name in ("strict", "kind", "kind.2"):
            done = arrears(
                "judge", str(mine), "--judge", stub.spec(name),
                "--kind", "experience,soundness,persona,realism",
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
        schema = stub.requests[0]["response_format"]["json_schema"]["schema"]
        assert schema["required"] == [*EXPERIENCE, "reason"]
    sheets = read_sheets(mine)
    assert len(sheets) == 12, "a point in a name is no suffix"
    assert all(
        len(s.judged) == 40 and not any(j.unscored for j in s.judged.values()) for s in sheets
    )
    second, kind, strict = (s.column("US") for s in sheets if s.kind == "experience")
    assert second == strict
    assert {abs(strict[c] - kind[c]) for c in strict} == {1.0}
    assert "How far the judges agree" in done.stdout
    assert "Krippendorff" in done.stdout
    report = arrears("report", str(mine), "--json")
    about = json.loads(report.stdout)["about"]
    spread = next(t for t in about if t["title"] == "What repeats tell")
    assert "judges" in spread["rows"]["scripted/typical"]["spread of US"][0]
    assert any(t["title"] == "Agreement of the judges" for t in about)


def test_a_judge_that_always_prefers_the_first_says_nothing(run: Path, tmp_path: Path) -> None:
    """Both orders are asked, so a preference for a place is a tie."""
    mine = copy(run, tmp_path / "run")
    with Stub(verdict) as stub:
        done = arrears(
            "judge", str(mine), "--judge", stub.spec("m"), "--kind", "", "--against", str(run)
        )
        assert done.returncode == 0, done.stderr
        assert len(stub.requests) == 80
    (sheet,) = read_sheets(mine)
    assert set(sheet.column("human_likeness").values()) == {0.5}


def test_a_judge_that_fails_gives_no_score_and_a_reason(run: Path, tmp_path: Path) -> None:
    mine = copy(run, tmp_path / "run")

    def mumbles(request: Mapping[str, Any]) -> str:
        name = crc32(request["messages"][1]["content"].encode())
        return verdict(request) if name % 3 else '{"score": 11}'

    with Stub(mumbles) as stub:
        line = ("judge", str(mine), "--judge", stub.spec("m"), "--kind", "soundness")
        done = arrears(*line, "--json")
        assert done.returncode == 0, done.stderr
        (sheet,) = read_sheets(mine)
        failed = [j for j in sheet.judged.values() if j.unscored]
        assert 0 < len(failed) < 40
        assert all(not j.scores for j in failed), "neither 0 nor 1"
        assert "score must be from 1 to 5, not 11" in failed[0].unscored
        document = json.loads(done.stdout)
        assert f"{40 - len(failed)} / {len(failed)}" in str(document["tables"])
        before = len(stub.requests)
        arrears(*line)
        assert len(stub.requests) == before, "what failed is not asked again unasked"
        stub.mind = verdict
        arrears(*line, "--retry-errors")
        assert len(stub.requests) == before + len(failed)
    (sheet,) = read_sheets(mine)
    assert len(sheet.column("DS")) == 40


def test_judging_goes_on_where_it_was_killed(run: Path, tmp_path: Path) -> None:
    mine = copy(run, tmp_path / "run")
    file = mine / "judgements" / "experience--compat_m.jsonl"
    with Stub(verdict, Faults(0.3, ["500", "no choices"])) as stub:
        line = ["judge", str(mine), "--judge", stub.spec("m"), "--kind", "experience",
                "--concurrency", "2", "--retry-wait", "0.01"]  # fmt: skip
        process = subprocess.Popen(
            [*ARREARS, *line], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(lambda: file.exists() and file.read_bytes().count(b"\n") > 9, process)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kept = file.read_bytes().rpartition(b"\n")[0]
        done = arrears(*line)
        assert done.returncode == 0, done.stderr
    assert file.read_bytes().startswith(kept)
    (sheet,) = read_sheets(mine)
    assert len(sheet.judged) == 40


def test_the_rubric_can_sit_beside_models_and_people(run: Path, tmp_path: Path) -> None:
    mine = copy(run, tmp_path / "run")
    done = arrears("judge", str(mine), "--judge", "scripted/rubric")
    assert done.returncode == 0, done.stderr
    sheet = next(s for s in read_sheets(mine) if s.kind == "experience")
    given = sheet.column("US")
    people = tmp_path / "people.csv"
    rows = [f"{case},p{n},{mark + n - 1:.2f}" for case, mark in given.items() for n in (0, 2)]
    people.write_text("case,rater,US\n" + "\n".join(rows) + "\n")
    done = arrears("judge", str(mine), "--people", str(people))
    assert done.returncode == 0, done.stderr
    line = next(row for row in done.stdout.splitlines() if "US: scripted/rubric" in row)
    assert re.search(r"US: scripted/rubric *\| *100\.0", line)
    assert "US: people among themselves (2)" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--judge", "scripted/rubric", "--kind", "persona"), "known: experience, soundness"),
        (("--judge", "gpt-4o"), "known: openai/NAME"),
        (("--kind", "tone"), "unknown kind 'tone'"),
        ((), "name a --judge"),
        (("--people", "BAD"), "line 3: US: 'good' is not a number"),
    ],
)
def test_bad_requests_are_told_and_end_with_2(
    run: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("case,rater,US\na,b,5\na,c,good\n")
    done = arrears("judge", str(run), *(w.replace("BAD", str(bad)) for w in words))
    assert done.returncode == 2, done.stderr
    assert said in done.stderr


def test_repeats_of_models_show_pass_k_and_players(tmp_path: Path) -> None:
    """And a debtor that says that it is a program spoils its dialogues, which is told apart."""

    def slips(request: Mapping[str, Any]) -> str:
        text = canned(request)
        slip = crc32(request["messages"][0]["content"].encode()) % 4 == 0
        return text.replace("I need", "As an AI I need") if slip else text

    with Stub(slips) as stub:
        bench(
            tmp_path, "--suite", "dcn", "--limit", "30", "--repeats", "3",
            "--collector", stub.spec("m"), "--debtor-seat", stub.spec("m"),
        )  # fmt: skip
    done = arrears("report", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "pass^3" in done.stdout
    assert "debtor broke_character" in done.stdout
    assert "collector: speaker" in done.stdout
    html = (tmp_path / "report.html").read_text()
    assert "How the players behaved" in html
    assert "spoke as a program, an assistant or an actor" in html


def test_debtor_models_under_one_collector_are_one_table(tmp_path: Path) -> None:
    """DCN's Table 12: the debtor's model is part of every result's name."""
    with Stub(canned) as stub:
        done = arrears(
            "bench", "--suite", "dcn", "--limit", "10", "--collector", stub.spec("c"),
            "--debtor-seat", stub.spec("one"), "--debtor-seat", stub.spec("two"),
            "--debtor-seat", "scripted/debtor", "--out", str(tmp_path), "--json",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        lines = json.loads(done.stdout)["suites"]["dcn"]
        assert list(lines) == [
            f"compat/c vs {seat}" for seat in ("compat/one", "compat/two", "scripted/debtor")
        ]
        assert [line["debtor_seat"] for line in lines.values()][2] == "scripted/debtor"


def test_candidates_are_marked_in_both_orders_and_the_marks_added() -> None:
    """What training will need: a judge that likes whatever stands first gives nobody the lead."""
    import asyncio
    from collections.abc import Sequence

    from arrears.models.chat import Completion, Message, Sampling
    from arrears.models.usage import Usage
    from arrears.scoring.judges import judge_candidates

    class Judge:
        def __init__(self, by_place: bool) -> None:
            self.by_place = by_place

        async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completion:
            listed = re.findall(r"^\d\. (.*)$", messages[-1]["content"], re.MULTILINE)
            marks = [9, 5, 1] if self.by_place else [len(text) for text in listed]
            return Completion(json.dumps({"marks": marks, "reason": "r"}), "", Usage(5, 5))

    values = {
        "name": "A", "age": "30", "sex": "male", "need_coll_amt": "1", "overdue_days": "2",
        "transcript": "…",
    }  # fmt: skip
    for by_place, marks in ((True, (10, 10, 10)), (False, (2, 6, 10))):
        found, usage = asyncio.run(
            judge_candidates(Judge(by_place), Sampling(), values, ("a", "bbb", "ccccc"), "en")
        )
        assert found == marks
        assert usage == Usage(10, 10)


def test_two_processes_cannot_write_one_run(run: Path, tmp_path: Path) -> None:
    from arrears.runs.lock import lock_folder

    mine = copy(run, tmp_path / "run")
    with lock_folder(mine):
        done = arrears("judge", str(mine), "--judge", "scripted/rubric")
    assert done.returncode == 2
    assert "being written by another process" in done.stderr


def test_a_server_that_takes_no_schema_is_asked_without_one(run: Path, tmp_path: Path) -> None:
    """It is told once; from then on the prompt alone asks for JSON."""
    mine = copy(run, tmp_path / "run")
    with Stub(verdict, no_schema=True) as stub:
        done = arrears(
            "judge", str(mine), "--judge", stub.spec("m"), "--kind", "soundness",
            "--concurrency", "1",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert [("response_format" in r) for r in stub.requests] == [True, *[False] * 40]
    (sheet,) = read_sheets(mine)
    assert len(sheet.column("DS")) == 40


def test_what_persona_judges_saw_is_charged_to_the_debtor(run: Path, tmp_path: Path) -> None:
    """Also where rules see nothing, as between built-in seats; one judge of two is not most."""
    mine = copy(run, tmp_path / "run")

    def strict(request: Mapping[str, Any]) -> str:
        names = ("emotion", "cognition", "style", "scenario")
        case = crc32(request["messages"][1]["content"].encode())
        flags = {"broke_character": case % 4 == 0, "leaked_instructions": False,
                 "turned_collector": False}  # fmt: skip
        marks = {**dict.fromkeys(names, 4), "style": 1 if case % 4 == 1 else 3}
        return json.dumps({**marks, **flags, "reason": "r"})

    def table() -> dict[str, Any]:
        about = json.loads(arrears("report", str(mine), "--json").stdout)["about"]
        return next(t for t in about if t["title"] == "How the players behaved")["rows"]  # type: ignore[no-any-return]

    with Stub(strict) as stub:
        arrears("judge", str(mine), "--judge", stub.spec("a"), "--kind", "persona")
        told = table()["scripted/typical"]
        flagged = int(re.search(r"broke_character (\d+)", told["what"][0])[1])  # type: ignore[index]
        off = int(re.search(r"off_persona (\d+)", told["what"][0])[1])  # type: ignore[index]
        assert 0 < flagged < 30
        assert 0 < off < 30
        assert told["spoiled by debtor %"][0] == f"{100 * (flagged + off) / 40:.1f}"
        stub.mind = lambda request: strict(request).replace("true", "false").replace("1,", "3,")
        arrears("judge", str(mine), "--judge", stub.spec("b"), "--kind", "persona")
    assert table()["scripted/typical"]["what"][0] == "none"


def test_a_run_of_several_seats_is_compared_with_the_same_seats_only(
    run: Path, tmp_path: Path
) -> None:
    """Which of two collectors would be the other side of the pair is nobody's to guess."""
    two = tmp_path / "two"
    bench(
        two, "--suite", "debtbench", "--limit", "4", "--collector", "scripted/firm",
        "--collector", "scripted/lenient",
    )  # fmt: skip
    mine = copy(run, tmp_path / "run")
    with Stub(verdict) as stub:
        line = ("--judge", stub.spec("m"), "--kind", "")
        done = arrears("judge", str(mine), *line, "--against", str(two))
        assert done.returncode == 2
        assert "has several collectors" in done.stderr
        assert not stub.requests
        done = arrears("judge", str(two), *line, "--against", str(two))
        assert done.returncode == 0, done.stderr
        asked = [request["messages"][1]["content"] for request in stub.requests]
    halves = [re.split(r"Conversation B:\n", text) for text in asked]
    same = [a.split("Conversation A:\n")[1].strip() == b.split("\n\nCompare")[0] for a, b in halves]
    assert len(same) == 16
    assert all(same), "each talk was held against itself"
