"""Before and after training: who is compared, with the same debtors or not at all."""

from pathlib import Path
from typing import Any

import pytest

from arrears.bench.plan import make_plan
from arrears.bench.run import run
from arrears.bench.stored import StoredRun, open_run
from arrears.debtors.suites import load_suite
from arrears.errors import RunMismatch, UnknownName, UsageError
from arrears.training.report.lines import compared, lines_in
from tests.compared_runs import ADAPTIVE, LENIENT, doctored, play


def test_the_first_collector_is_before_unless_another_is_named(stored: StoredRun) -> None:
    plain = compared([stored], None, ())
    assert (plain.before.spec, [line.spec for line in plain.after]) == (LENIENT, [ADAPTIVE])
    turned = compared([stored], "adaptive", ())
    assert (turned.before.spec, [line.spec for line in turned.after]) == (ADAPTIVE, [LENIENT])


def test_paths_of_models_are_shown_without_what_all_have_in_common(tmp_path: Path) -> None:
    proof = doctored(play(tmp_path / "run", LENIENT, ADAPTIVE), tmp_path / "proof", {
        LENIENT: "hf/runs/nano/sft", ADAPTIVE: "hf/runs/nano/round-2/model",
    })  # fmt: skip
    assert [line.name for line in lines_in([proof])] == ["hf/…/sft", "hf/…/round-2/model"]
    for name in ("round-2/model", "model", "hf/…/round-2/model", "hf/runs/nano/round-2/model"):
        assert compared([proof], name, ()).before.spec == "hf/runs/nano/round-2/model"


def test_the_same_collector_in_two_runs_is_told_apart_by_the_run(tmp_path: Path) -> None:
    runs = [play(tmp_path / name, LENIENT) for name in ("a", "b")]
    found = compared(runs, None, ())
    assert [line.name for line in found.lines] == [f"{LENIENT} (a)", f"{LENIENT} (b)"]
    with pytest.raises(UsageError, match=r"may be .*\(a\), .*\(b\)"):
        compared(runs, LENIENT, ())


def test_names_that_say_nothing_are_refused(stored: StoredRun, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="scripted/lenient, scripted/adaptive"):
        compared([stored], "scripted/strict", ())
    with pytest.raises(UsageError, match="both before and after"):
        compared([stored], LENIENT, [LENIENT])
    with pytest.raises(UsageError, match="named twice after"):
        compared([stored], LENIENT, [ADAPTIVE, "adaptive"])
    with pytest.raises(UsageError, match="is named twice"):
        compared([stored, stored], None, ())
    with pytest.raises(UsageError, match="one collector only"):
        compared([play(tmp_path / "one", LENIENT)], None, ())


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"seed": 2}, "the seed is 1 there and 2 here"),
        ({"repeats": 2}, "the number of repeats is 1 there and 2 here"),
        ({"debtors": 9}, "3 debtors of debtbench are missing here"),
        ({"max_turns": 6}, "the number of turns is 12 there and 6 here"),
    ],
)
def test_runs_that_were_not_played_alike_are_refused(
    how: dict[str, Any], said: str, tmp_path: Path
) -> None:
    runs = [play(tmp_path / "a", LENIENT), play(tmp_path / "b", ADAPTIVE, **how)]
    with pytest.raises(RunMismatch, match=said):
        compared(runs, None, ())


def test_other_rules_or_other_debtors_by_the_same_name_are_refused(tmp_path: Path) -> None:
    first = play(tmp_path / "a", LENIENT)
    other = doctored(play(tmp_path / "b", ADAPTIVE), tmp_path / "c", {
        first.plan.rules: "0" * 64
    })  # fmt: skip
    with pytest.raises(
        RunMismatch, match=r"the digest of the rules is .* there and 000000000000… "
    ):
        compared([first, other], None, ())
    people = {"dcn": load_suite("dcn")[:12]}
    run(make_plan(people, collectors=[ADAPTIVE]), people, tmp_path / "d", workers=1)
    with pytest.raises(RunMismatch, match="the suites are debtbench there and dcn here"):
        compared([first, open_run(tmp_path / "d")], None, ())


def test_a_run_that_is_not_finished_is_refused(tmp_path: Path) -> None:
    whole = play(tmp_path / "a", LENIENT, ADAPTIVE)
    lines = (whole.path / "dialogues.jsonl").read_bytes().splitlines(keepends=True)
    (whole.path / "dialogues.jsonl").write_bytes(b"".join(lines[:-2]))
    with pytest.raises(RunMismatch, match="scripted/adaptive has not met 2 of the debtors"):
        compared([open_run(whole.path)], None, ())
