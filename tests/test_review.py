"""`arrears strategies review`: every decision is saved at once, and the next start goes on."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
import yaml

from arrears.errors import BrokenFile, UnknownName, UsageError
from arrears.strategies import load_taxonomy
from arrears.synthesis.taxonomy.file import (
    HEADER,
    Entry,
    Part,
    key_of,
    read_entries,
    write_entries,
)
from arrears.synthesis.taxonomy.review import decide, first_open
from tests.commands import ARREARS, arrears
from tests.halting import wait_until

PARTS = (
    Part("soft_refusal", "soft refusal", "Say no kindly.", 12, ("I am afraid not.",)),
    Part("hard_refusal", "hard refusal", "Say no.", 8, ("No.", "Never: 5 o'clock.")),
)
DRAFT = (
    Entry("collector", "ask_income", "ask income", "Ask what comes in.", size=40,
          examples=("What do you earn?", "Any income?")),
    Entry("collector", "ask_wages", "ask wages", "Ask for wages.", size=9, merge_with="ask_income",
          examples=("What are your wages?",)),
    Entry("debtor", "refusal", "refusal", "Say no.", "拒绝", "说不。", size=20, split_into=PARTS,
          examples=("No.", "I am afraid not.")),
    Entry("debtor", "hello", "hello", "Greet.", size=5, drop="the draft calls it no strategy",
          examples=("Hi: there # you",)),
    Entry("debtor", "ask_income", "ask income", "Ask what the collector earns.", size=6),
)  # fmt: skip


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    """A taxonomy under review."""
    path = tmp_path / "taxonomy.yaml"
    write_entries(path, DRAFT)
    return path


def keys(path: Path) -> list[str]:
    """What is there, and what is accepted (`+`)."""
    return [f"{e.key}{'+' if e.status == 'accepted' else ''}" for e in read_entries(path)]


def test_what_is_written_is_read_again_and_is_a_taxonomy(draft: Path) -> None:
    assert read_entries(draft) == DRAFT
    known = load_taxonomy(draft)
    assert known["debtor"]["refusal"].zh == "拒绝"
    assert known["debtor"]["hello"].examples == ("Hi: there # you",)
    assert draft.read_text().startswith(HEADER)


def test_decisions_are_pure_and_do_what_they_say() -> None:
    merged = decide(DRAFT, "merge ask_wages ask_income")
    assert merged[0].size == 49
    assert merged[0].examples == ("What do you earn?", "Any income?", "What are your wages?")
    assert [e.key for e in merged] == ["ask_income", "refusal", "hello", "ask_income"]
    split = decide(DRAFT, "split refusal")
    assert [e.key for e in split[2:4]] == ["soft_refusal", "hard_refusal"]
    assert [e.size for e in split[2:4]] == [12, 8]
    renamed = decide(DRAFT, "rename collector/ask_income 'what comes in'")
    assert renamed[0].key == "what_comes_in"
    assert renamed[1].merge_with == "what_comes_in", "a proposal follows the name"
    dropped = decide(DRAFT, "drop collector/ask_income")
    assert dropped[0].merge_with == ""
    accepted = decide(DRAFT, "accept refusal")
    assert (accepted[2].status, accepted[2].split_into) == ("accepted", ())
    assert decide(DRAFT, "meaning hello 'Say hello.'")[3].meaning == "Say hello."
    assert first_open(accepted) is accepted[0]
    assert first_open(accepted, accepted[:2]) == accepted[3]
    assert key_of("It's  a Plan-B!") == "its_a_plan_b"
    assert key_of("道德 呼吁") == "道德_呼吁"


@pytest.mark.parametrize(
    ("decision", "told"),
    [
        ("merge ask_wages refusal", "unknown strategy 'refusal'"),
        ("merge ask_wages ask_wages", "into itself"),
        ("merge ask_wages", "write it as merge KEY INTO"),
        ("accept ask_income", "write collector/ask_income or debtor/ask_income"),
        ("accept nobody", "unknown strategy 'nobody'"),
        ("split hello", "no split is proposed"),
        ("rename ask_wages 'ask income'", "merge ask_wages ask_income?"),
        ("rename ask_wages '!!'", "no word"),
        ("praise hello", "is no decision; known: accept KEY"),
        ("rename hello 'oh", "cannot be read"),
        ("", "is no decision"),
    ],
)
def test_what_cannot_be_decided_is_told(decision: str, told: str) -> None:
    with pytest.raises((UsageError, UnknownName), match=told):
        decide(DRAFT, decision)


def test_a_script_decides_and_a_person_goes_on(draft: Path) -> None:
    done = arrears(
        "strategies", "review", str(draft), "--do", "merge ask_wages ask_income",
        "--do", "accept collector/ask_income", "--do", "rename hello 'says hello'",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "3 still proposed; next: refusal" in done.stdout
    answers = "split\nrename kind refusal, isn't it\naccept\nnonsense\nnext\ndrop\n"
    asked = subprocess.run(
        [*ARREARS, "strategies", "review", str(draft)], input=answers, capture_output=True,
        text=True,
    )  # fmt: skip
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout.index("debtor/refusal") < asked.stdout.index("debtor/soft_refusal")
    assert "is no decision" in asked.stdout
    assert keys(draft) == ["ask_income+", "kind_refusal_isnt_it+", "hard_refusal", "ask_income"]
    assert draft.read_text().startswith(HEADER)


def test_a_wrong_decision_keeps_those_before_it(draft: Path) -> None:
    done = arrears("strategies", "review", str(draft), "--do", "drop hello", "--do", "drop hello")
    assert done.returncode == 2
    assert "unknown strategy 'hello'" in done.stderr
    assert "hello" not in keys(draft)


def test_a_review_goes_on_after_a_kill(draft: Path) -> None:
    process = subprocess.Popen(
        [*ARREARS, "strategies", "review", str(draft)], stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write("accept\n")
    process.stdin.flush()
    wait_until(lambda: "ask_income+" in keys(draft), process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert keys(draft)[:2] == ["ask_income+", "ask_wages"]
    again = subprocess.run(
        [*ARREARS, "strategies", "review", str(draft)], input="", capture_output=True, text=True
    )
    assert again.returncode == 0, again.stderr
    assert again.stdout.strip().startswith("collector/ask_wages"), "the first still proposed"
    assert "4 still proposed; all is saved" in again.stdout


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"weight": 3}, "collector.a.weight: is no field of a strategy"),
        ({"status": "maybe"}, "collector.a.status: 'maybe' is neither"),
        ({"size": -1}, "collector.a.size: must be a whole number"),
        ({"examples": "one"}, "collector.a.examples: must be a list"),
        ({"merge_with": "b"}, "collector.a.merge_with: 'b' is no other strategy"),
        ({"split_into": {"b": 3}}, "collector.a.split_into.b: has no name and meaning"),
        ({"meaning": 3}, "collector.a.meaning: must be a text"),
    ],
)
def test_a_broken_taxonomy_names_its_field(
    change: dict[str, object], told: str, tmp_path: Path
) -> None:
    path = tmp_path / "t.yaml"
    row = {"name": "a", "meaning": "A.", **change}
    path.write_text(yaml.safe_dump({"collector": {"a": row}, "debtor": {}}))
    with pytest.raises(BrokenFile, match=told):
        read_entries(path)


@pytest.mark.parametrize("text", ["", "collector: {}\ndebtor: {}\n", "[1]", "a: b: c"])
def test_what_is_no_taxonomy_leaves_with_2(text: str, tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(text)
    assert arrears("strategies", "review", str(path)).returncode == 2


def test_the_shipped_taxonomy_is_as_it_was() -> None:
    known = load_taxonomy()
    assert [len(known[seat]) for seat in ("collector", "debtor")] == [9, 8]
    assert all(s.examples == () for seat in known.values() for s in seat.values())
