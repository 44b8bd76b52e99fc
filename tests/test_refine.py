"""Behaviour refinement: only what the conversation contradicts changes, and every change is kept."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from arrears.debtors.record import EMOTIONS, Debtor
from arrears.debtors.store import read_debtors, write_debtors
from arrears.debtors.suites import load_suite
from arrears.synthesis.personas.changes import Change, changed, read_verdict, value_of
from arrears.synthesis.personas.draft import COGNITION
from benchmarks.personas import off
from tests import stub_readers
from tests.commands import arrears
from tests.stub_minds import canned
from tests.stub_server import Faults, Stub

QUICK = ("--retry-wait", "0", "--down-after-seconds", "1e9")

# The stub answers with the built-in reader.
pytestmark = [pytest.mark.synthesis, pytest.mark.usefixtures("listener")]
PERSON = load_suite("debtbench")[0]
FINE = {"emotion": 5, "cognition": 5, "style": 5, "changes": [], "reason": "fits"}


def rounds(out: Path) -> list[dict[str, Any]]:
    """What is stored of everybody, in the order of their ids: it is stored as each is done."""
    lines = out.with_name(f"{out.stem}.rounds.jsonl").read_text().splitlines()
    return sorted(map(json.loads, lines), key=lambda row: str(row["id"]))


def refined(people: Path, out: Path, judge: str, *words: str) -> tuple[Debtor, ...]:
    """By the real command."""
    done = arrears("debtors", "refine", str(people), "--judge", judge, "--out", str(out),
                   *QUICK, *words)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return read_debtors(out)


@pytest.fixture
def five(tmp_path: Path) -> Path:
    """Five persons in a file."""
    path = tmp_path / "five.jsonl"
    write_debtors(path, load_suite("debtbench")[:5])
    return path


def test_a_change_touches_its_field_and_nothing_else() -> None:
    change = Change("anger", value_of(PERSON, "anger"), 1, "calm throughout")
    after = changed(PERSON, (change,))
    assert value_of(after, "anger") == 1
    others = [
        *(e for e in EMOTIONS if e != "anger"),
        "resilience",
        "character",
        "style",
        *COGNITION,
    ]
    assert [value_of(after, f) for f in others] == [value_of(PERSON, f) for f in others]
    assert after.background == PERSON.background
    assert after.scenario == PERSON.scenario
    assert after.finances == PERSON.finances


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"emotion": 6}, "from 1 to 5"),
        ({"emotion": 2, "changes": [{"field": "assets", "value": 9, "reason": "r"}]}, "no field"),
        ({"changes": [{"field": "anger", "value": 9, "reason": "r"}]}, "found consistent"),
        ({"emotion": 2, "changes": [{"field": "anger", "value": 19, "reason": "r"}]}, "0 to 10"),
        ({"emotion": 2, "changes": [{"field": "anger", "value": 9, "reason": " "}]}, "a reason"),
        ({"style": 2, "changes": [{"field": "style", "value": ["odd"], "reason": "r"}]}, "become"),
        ({"cognition": 2, "changes": [{"field": "responsibility", "value": 5, "reason": "r"}]},
         "needs a .description"),
        ({"emotion": 2, "changes": [{"field": "anger", "value": 1, "reason": "r"},
                                    {"field": "anger", "value": 3, "reason": "r"}]}, "twice"),
    ],
)  # fmt: skip
def test_a_verdict_that_cannot_be_taken(answer: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_verdict({**FINE, **answer}, PERSON, 4.0)


def test_a_persona_that_fits_is_left_as_it_is(five: Path, tmp_path: Path) -> None:
    with Stub(lambda request: json.dumps(FINE)) as stub:
        found = refined(five, tmp_path / "r.jsonl", stub.spec("judge"))
    assert found == read_debtors(five)
    assert all(row["settled"] and len(row["rounds"]) == 1 for row in rounds(tmp_path / "r.jsonl"))


def test_changes_are_kept_with_their_reasons_until_it_fits(five: Path, tmp_path: Path) -> None:
    def judge(request: Mapping[str, Any]) -> str:
        asked = request["messages"][1]["content"]
        if "anger 2" in asked:
            return json.dumps({**FINE, "emotion": 4})
        why = {"field": "anger", "value": 2, "reason": "never raises the voice"}
        return json.dumps({**FINE, "emotion": 2, "changes": [why]})

    out = tmp_path / "r.jsonl"
    with Stub(judge) as stub:
        found = refined(five, out, stub.spec("judge"))
    for person, before, row in zip(found, read_debtors(five), rounds(out), strict=True):
        assert value_of(person, "anger") == 2
        assert row["settled"]
        if value_of(before, "anger") != 2:
            (change,) = row["rounds"][0]["changes"]
            assert change["before"] == value_of(before, "anger")
            assert change["reason"] == "never raises the voice"
            assert row["rounds"][-1]["scores"]["emotion"] == 4
            assert len(row["talks"]) == 2, "the persona was played again after the change"
        # The second talk was held by the changed persona: an angry one says other things.
        assert person.cognition == before.cognition


def test_a_persona_that_never_settles_is_reported(five: Path, tmp_path: Path) -> None:
    def judge(request: Mapping[str, Any]) -> str:
        asked = request["messages"][1]["content"]
        value = 3 if "anger 7" in asked else 7
        why = {"field": "anger", "value": value, "reason": "sounds otherwise"}
        return json.dumps({**FINE, "emotion": 1, "changes": [why]})

    out = tmp_path / "r.jsonl"
    with Stub(judge) as stub:
        done = arrears("debtors", "refine", str(five), "--judge", stub.spec("judge"),
                       "--out", str(out), "--max-rounds", "2", *QUICK)  # fmt: skip
    assert done.returncode == 0
    assert "0 settled" in done.stdout
    assert done.stderr.count("not settled: debtbench-test-") == 5
    assert all(len(row["rounds"]) == 2 for row in rounds(out))


def test_personas_that_are_the_other_way_round_come_nearer_to_who_speaks(tmp_path: Path) -> None:
    true = load_suite("debtbench")[:12]
    wrong = tuple(map(stub_readers.opposite, true))
    write_debtors(tmp_path / "wrong.jsonl", wrong)
    himself = stub_readers.Himself(true, seed=1)

    def mind(request: Mapping[str, Any]) -> str:
        if stub_readers.schema_of(request) == "refine":
            return stub_readers.reader(request)
        return himself({**request, "model": "scripted/debtor"})

    with Stub(mind, Faults(0.2, ("429", "500", "dropped"))) as stub:
        found = refined(tmp_path / "wrong.jsonl", tmp_path / "r.jsonl", stub.spec("judge"),
                        "--debtor-seat", stub.spec("scripted-debtor"))  # fmt: skip
    before = sum(off(w, t) for w, t in zip(wrong, true, strict=True))
    after = sum(off(f, t) for f, t in zip(found, true, strict=True))
    # Over fifty persons 17.0 steps before and 6.6 after (python -m benchmarks.personas).
    assert after < 0.7 * before
    kept = [f.personality.mbti == w.personality.mbti for f, w in zip(found, wrong, strict=True)
            if f.personality and w.personality]  # fmt: skip
    assert all(kept)


def test_a_killed_refinement_goes_on_where_it_stopped(five: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.jsonl"
    with Stub(lambda request: json.dumps(FINE)) as stub:
        refined(five, out, stub.spec("judge"))
        asked = stub.answered
        stored = tmp_path / "r.rounds.jsonl"
        lines = stored.read_bytes().splitlines(keepends=True)
        stored.write_bytes(b"".join(lines[:3]) + lines[3][:40])
        again = refined(five, out, stub.spec("judge"))
        assert stub.answered == asked + 2
    assert again == read_debtors(five)
    other = arrears("debtors", "refine", str(five), "--judge", stub.spec("judge"), "--out",
                    str(out), "--seed", "2")  # fmt: skip
    assert other.returncode == 2
    assert "holds another refinement; it differs in seed" in other.stderr


def test_a_judge_that_cannot_be_read_leaves_the_persona_and_says_so(
    five: Path, tmp_path: Path
) -> None:
    """One that cannot be read at all has refined nobody."""
    out = tmp_path / "r.jsonl"

    def now_and_then(request: Mapping[str, Any]) -> str:
        return json.dumps(FINE) if "anger 5" in request["messages"][1]["content"] else "Hm."

    with Stub(canned) as stub:
        line = ("debtors", "refine", str(five), "--judge", stub.spec("judge"), "--out", str(out))
        for mind, code, count in ((canned, 1, 5), (now_and_then, 0, 4)):
            stub.mind = mind
            done = arrears(*line, "--retry-errors", *QUICK)
            assert done.returncode == code, done.stderr
            assert read_debtors(out) == read_debtors(five)
            given_up = [row for row in rounds(out) if row["failure"]]
            assert len(given_up) == count
            assert all(row["failed"]["cause"] == "malformed" for row in given_up)
            assert all("no readable JSON" in row["failure"] for row in given_up)
            assert f"given up {count} personas ({count} malformed)" in done.stderr


def test_a_dialogue_that_broke_off_contradicts_nothing(five: Path, tmp_path: Path) -> None:
    """The judge is not even asked, and the persona stays who it was."""
    out = tmp_path / "r.jsonl"
    calls: list[str] = []

    def second_fails(body: bytes) -> bool:
        return b'"role":"assistant"' in body and b"Conversation" not in body

    def mind(request: Mapping[str, Any]) -> str:
        if stub_readers.schema_of(request) == "refine":
            calls.append("judge")
            return json.dumps(FINE)
        return canned(request)

    with Stub(mind, Faults(doomed=second_fails)) as stub:
        done = arrears("debtors", "refine", str(five), "--judge", stub.spec("j"), "--debtor-seat",
                       stub.spec("d"), "--out", str(out), *QUICK)  # fmt: skip
    assert done.returncode == 1
    assert not calls
    assert "given up 5 personas (5 provider): the dialogue ended as error: debtor" in done.stderr
    assert read_debtors(out) == read_debtors(five)
    for row in rounds(out):
        assert row["failed"]["seat"] == "debtor"
        assert row["talks"][0]["turns"], "it had begun"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("dcn", "--judge", "scripted/reader"), "has no persona that could be refined"),
        (("debtbench", "--judge", "nobody/x"), "unknown judge 'nobody/x'"),
        (("debtbench", "--judge", "scripted/reader", "--lang", "zh"), "knows English only"),
        (("debtbench", "--judge", "scripted/reader", "--collector", "x"), "unknown collector"),
        (("debtbench", "--judge", "hf/nowhere"), "there is no model in nowhere"),
    ],
)
def test_what_cannot_be_refined_is_told(words: tuple[str, ...], told: str, tmp_path: Path) -> None:
    done = arrears("debtors", "refine", *words, "--limit", "2", "--out", str(tmp_path / "o.jsonl"))
    assert done.returncode == 2
    assert told in done.stderr
