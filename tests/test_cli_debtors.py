"""`arrears debtors` as a user calls it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from arrears.cli.debtors import debtors
from arrears.debtors.store import read_debtors
from arrears.errors import UnknownName, UsageError


def run(*args: str) -> str:
    """What the command prints on stdout."""
    result = CliRunner().invoke(debtors, args, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_made_people_can_be_shown_described_and_exported(tmp_path: Path) -> None:
    people = tmp_path / "people.jsonl"
    made = json.loads(run("make", "-n", "12", "--seed", "3", "--out", str(people), "--json"))
    assert made == {"debtors": 12, "suite": "debtbench", "seed": 3, "file": str(people)}
    third = json.loads(run("show", f"{people}:3", "--json"))
    assert third["id"] == "debtbench-3-0003"
    stats = json.loads(run("stats", str(people), "--json"))
    assert stats["people"] == 12
    table = tmp_path / "people.csv"
    run("export", str(people), "--out", str(table))
    assert read_debtors(table) == read_debtors(people)


def test_a_card_shows_the_whole_person() -> None:
    card = run("show", "debtbench-test-0017")
    for label in ("debt", "assets", "reason", "category", "feels", "responsibility", "story"):
        assert f"\n {label}" in card


def test_stats_of_a_suite_show_its_categories() -> None:
    stats = json.loads(run("stats", "debtbench", "--json"))
    assert stats["categories"]["confrontational"] == 0.38
    assert stats["different_stories"] == 1000
    text = run("stats", "debtbench")
    assert "debtbench: 1,000 debtors" in text
    assert "means by category" in text
    assert "means by category" not in run("stats", "dcn")


def test_export_to_stdout_is_the_table_and_nothing_else() -> None:
    lines = run("export", "dcn", "--format", "csv").splitlines()
    assert lines[0].startswith("id,background.name,background.age")
    assert len(lines) == 391


def test_what_cannot_be_done_is_said() -> None:
    for args, error in (
        (("show", "debtbench-test-9999"), UnknownName),
        (("stats", "nothing"), UnknownName),
        (("export", "dcn", "--format", "xls"), UnknownName),
        (("export", "dcn", "--format", "parquet"), UsageError),
        (("make", "--suite", "x", "--out", "p.jsonl"), UnknownName),
        (("make", "--out", "people.txt"), UnknownName),
    ):
        with pytest.raises(error):
            CliRunner().invoke(debtors, args, catch_exceptions=False)
