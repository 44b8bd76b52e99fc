"""A lender's own taxonomy in the seats: told to models, read back, kept with the run."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from arrears.dialogue.parser import parse_message
from arrears.strategies import Seat, for_seats, read_taxonomy, strategies
from tests.commands import arrears, bench
from tests.stub_minds import canned, seat_of
from tests.stub_server import Stub

OWN: dict[str, Any] = {
    "collector": {
        "count_together": {"name": "counting together", "meaning": "Go through the month's money.",
                           "zh": "一起算账", "zh_meaning": "一起过一遍这个月的钱。"},
        "name_the_way_out": {"name": "naming the way out", "meaning": "Say what ends it all."},
    },
    "debtor": {"buy_time": {"name": "buying time", "meaning": "Ask for days.", "examples": ["Soon."]}},
}  # fmt: skip


@pytest.fixture
def taxonomy(tmp_path: Path) -> Path:
    """The taxonomy as a file."""
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(OWN, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def speaks_own(request: Mapping[str, Any]) -> str:
    """A model that takes the first strategy it is offered, by its name."""
    name = "Counting Together" if seat_of(request) == "collector" else "buying time"
    text = canned(request).replace("Strategy: repayment negotiation\n", "")
    return f"Strategy: {name}\n{text}"


def play(out: Path, *words: str) -> tuple[str, ...]:
    """Words of a small run with models in both seats."""
    return ("--suite", "debtbench", "--limit", "3", "--seed", "1", *words)


def test_models_are_told_the_own_strategies_and_theirs_are_read_back(
    taxonomy: Path, tmp_path: Path
) -> None:
    with Stub(speaks_own) as stub:
        found = bench(tmp_path / "run", *play(tmp_path), "--collector", stub.spec("a"),
                      "--debtor-seat", stub.spec("b"), "--strategies", str(taxonomy))  # fmt: skip
        systems = {r["messages"][0]["content"] for r in stub.requests}
    for system in systems:
        own = OWN["collector" if "counting together" in system else "debtor"]
        assert all(s["name"] in system for s in own.values())
        assert "financial assessment" not in system
        assert "honest disclosure" not in system
    used = {(t.seat, t.strategy) for d in found for t in d.turns}
    assert used == {("collector", "count_together"), ("debtor", "buy_time")}
    assert not [r for d in found for t in d.turns for r in t.repairs]


def test_the_report_names_them(taxonomy: Path, tmp_path: Path) -> None:
    with Stub(speaks_own) as stub:
        done = arrears("bench", *play(tmp_path), "--collector", stub.spec("a"), "--debtor-seat",
                       stub.spec("b"), "--strategies", str(taxonomy), "--out",
                       str(tmp_path / "run"))  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "count together" in (tmp_path / "run" / "report.html").read_text()


def test_a_run_keeps_its_taxonomy_and_is_resumed_with_that_one_only(
    taxonomy: Path, tmp_path: Path
) -> None:
    with Stub(speaks_own) as stub:
        words = ("bench", "--no-report", *play(tmp_path), "--collector", stub.spec("a"),
                 "--debtor-seat", stub.spec("b"), "--out", str(tmp_path / "run"))  # fmt: skip
        assert arrears(*words, "--strategies", str(taxonomy)).returncode == 0
        stored = json.loads((tmp_path / "run" / "run.json").read_text())
        assert yaml.safe_load(stored["strategies"]) == OWN
        assert arrears(*words, "--strategies", str(taxonomy)).returncode == 0
        for changed in ((), ("--strategies", str(_without_examples(taxonomy)))):
            other = arrears(*words, *changed)
            assert other.returncode == 2
            assert "it differs in strategies" in other.stderr


def _without_examples(path: Path) -> Path:
    other = path.with_name("other.yaml")
    other.write_text(path.read_text(encoding="utf-8").replace("Soon.", "Later."), encoding="utf-8")
    return other


def test_what_nobody_has_reviewed_does_not_sit_down(taxonomy: Path, tmp_path: Path) -> None:
    draft = json.loads(json.dumps(OWN))
    draft["collector"]["name_the_way_out"]["status"] = "proposed"
    draft["collector"]["count_together"]["status"] = "accepted"
    taxonomy.write_text(yaml.safe_dump(draft), encoding="utf-8")
    done = arrears("bench", *play(tmp_path), "--collector", "openai/x", "--out",
                   str(tmp_path / "run"), "--strategies", str(taxonomy))  # fmt: skip
    assert done.returncode == 2
    assert (
        "nobody has accepted them, name_the_way_out for one: arrears strategies review"
        in done.stderr
    )
    assert not (tmp_path / "run").exists()


def test_built_in_seats_have_their_own_and_say_so(taxonomy: Path, tmp_path: Path) -> None:
    done = arrears("bench", *play(tmp_path), "--collector", "scripted/firm", "--out",
                   str(tmp_path / "run"), "--strategies", str(taxonomy))  # fmt: skip
    assert done.returncode == 2
    assert "built-in seats have strategies of their own" in done.stderr


def test_a_seat_without_any_keeps_the_shipped_ones() -> None:
    text = yaml.safe_dump({"collector": OWN["collector"], "debtor": {}})
    found = for_seats(text, Path("t.yaml"))
    assert found["debtor"] == strategies("debtor")
    assert set(found["collector"]) == set(OWN["collector"])


@pytest.mark.parametrize(
    ("seat", "label", "key"),
    [
        ("collector", "counting together", "count_together"),
        ("collector", "Count-Together", "count_together"),
        ("collector", "一起算账", "count_together"),
        ("collector", "**Counting together** (of the month)", "count_together"),
        ("debtor", "Buying Time", "buy_time"),
        ("debtor", "honest disclosure", None),
    ],
)
def test_labels_are_read_by_key_and_name(seat: Seat, label: str, key: str | None) -> None:
    known = read_taxonomy(yaml.safe_dump(OWN), Path("t.yaml"))[seat]
    read = parse_message(f"Strategy: {label}\nAction: non\nDialogue: Hello.", seat, known)
    assert read.strategy == key
    assert bool(read.repairs) == (key is None)
