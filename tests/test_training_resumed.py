"""A course that was interrupted goes on to the very same weights, and its folder takes no other."""

import json
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from arrears.errors import RunMismatch, StorageError, UsageError
from arrears.training.fit import checkpoints
from arrears.training.fit.recipe import Kind
from arrears.training.fit.run import fit
from tests.courses import begun, interrupting, lines, pair, recipe, train, weights, write
from tests.small_model import talk


def test_a_killed_course_ends_with_the_very_same_weights(
    uninterrupted: tuple[Kind, Path], shelf: Path, tmp_path: Path
) -> None:
    kind, whole = uninterrupted
    out = tmp_path / "killed"
    with begun(kind, shelf, out) as command:
        command.kill()
    assert command.returncode == -signal.SIGKILL
    assert not (out / "training.json").exists()
    seen: list[int] = []
    done = train(kind, shelf, out, progress=lambda step, total: seen.append(step))
    assert seen[0] >= 4
    assert seen == list(range(seen[0], 19))
    assert not done.before
    assert weights(out) == weights(whole)
    same = [{k: v for k, v in line.items() if k != "seconds"} for line in lines(out)]
    assert same == [{k: v for k, v in line.items() if k != "seconds"} for line in lines(whole)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_checkpoint_of_the_step_that_was_taken(
    number: signal.Signals, shelf: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        train("sft", shelf, out, progress=interrupting(7, number))
    found, torn = checkpoints.latest(out / "checkpoints")
    assert found is not None
    assert (found.step, torn) == (7, [])
    assert [line["step"] for line in lines(out)] == [2, 4, 6, 7]
    train("sft", shelf, out)
    assert [line["step"] for line in lines(out)] == [2, 4, 6, 7, *range(8, 19, 2)]
    assert weights(out) == weights(train("sft", shelf, tmp_path / "whole").folder)


def test_the_command_leaves_with_130_and_says_how_to_go_on(shelf: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with begun("sft", shelf, out) as command:
        command.send_signal(signal.SIGINT)
        assert command.stdout is not None
        assert command.stderr is not None
        said, told = command.stdout.read(), command.stderr.read()
    assert command.returncode == 130, told
    assert said == ""
    assert "saving a checkpoint at the end of this step" in told
    assert "resume with the same command" in told
    found, torn = checkpoints.latest(out / "checkpoints")
    assert found is not None
    assert found.step >= 4
    assert torn == []


def test_an_adapter_is_taken_up_again_as_exactly(shelf: Path, tmp_path: Path) -> None:
    chosen = recipe("dpo", "lora.rank=4", "lora.dropout=0.1", learning_rate=1e-3)
    whole = train("dpo", shelf, tmp_path / "whole", chosen)
    with pytest.raises(KeyboardInterrupt):
        train("dpo", shelf, tmp_path / "out", chosen, progress=interrupting(9, signal.SIGTERM))
    again = train("dpo", shelf, tmp_path / "out", chosen)
    assert weights(again.folder) == weights(whole.folder) != weights(shelf / "model")


@pytest.mark.parametrize("tear", ["shortened", "unmarked", "empty mark"])
def test_a_checkpoint_that_is_not_whole_is_passed_over(
    tear: str, shelf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = recipe("sft", max_steps=8)
    whole = train("sft", shelf, tmp_path / "whole", chosen)
    out = tmp_path / "out"
    train("sft", shelf, out, chosen)
    for name in ("training.json", "model.safetensors"):
        (out / name).unlink()
    newest = out / "checkpoints" / "checkpoint-8"
    if tear == "shortened":
        state = newest / "optimizer.pt"
        state.write_bytes(state.read_bytes()[:-100])
    elif tear == "unmarked":
        (newest / checkpoints.MARK).unlink()
    else:
        (newest / checkpoints.MARK).write_bytes(b"")
    seen: list[int] = []
    train("sft", shelf, out, chosen, progress=lambda step, total: seen.append(step))
    assert seen[0] == 4
    assert "checkpoint-8 is not whole and is passed over" in capsys.readouterr().err
    assert weights(out) == weights(whole.folder)
    assert [line["step"] for line in lines(out)] == [2, 4, 6, 8]


def test_a_kill_after_the_last_step_costs_no_step(shelf: Path, tmp_path: Path) -> None:
    out, chosen = tmp_path / "out", recipe("sft", max_steps=4)
    first = train("sft", shelf, out, chosen)
    before = weights(out)
    for name in ("training.json", "model.safetensors"):
        (out / name).unlink()
    seen: list[int] = []
    again = train("sft", shelf, out, chosen, progress=lambda step, total: seen.append(step))
    assert seen == [4]
    assert weights(out) == before
    assert again[:5] == first[:5]
    assert again.loss == first.loss


@pytest.mark.parametrize("limit", [100_000, 200_000])
def test_a_full_disk_is_told_and_the_course_goes_on_later(
    limit: int, shelf: Path, tmp_path: Path
) -> None:
    # Too little for the weights, or for the optimizer's averages.
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(StorageError, match="make room, then resume with the same command"):
            train("sft", shelf, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert train("sft", shelf, tmp_path / "out").steps == 18


def test_at_most_so_many_checkpoints_are_kept(shelf: Path, tmp_path: Path) -> None:
    train("sft", shelf, tmp_path / "out", recipe("sft", keep=3))
    kept = {path.name for path in (tmp_path / "out" / "checkpoints").iterdir()}
    assert kept == {"checkpoint-12", "checkpoint-16", "checkpoint-18"}


def test_a_finished_folder_is_left_as_it_is(uninterrupted: tuple[Kind, Path], shelf: Path) -> None:
    kind, out = uninterrupted
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file() and p.name != ".lock"}
    done = train(kind, shelf, out)
    assert done.before
    assert done.steps == 18
    assert before == {
        p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file() and p.name != ".lock"
    }


def test_another_training_in_the_same_folder_is_refused_by_name(
    uninterrupted: tuple[Kind, Path], shelf: Path, tmp_path: Path
) -> None:
    kind, out = uninterrupted
    with pytest.raises(RunMismatch, match=r"training.learning_rate: \S+ there, 0.5 asked"):
        train(kind, shelf, out, recipe(kind, learning_rate=0.5))
    other = write(
        tmp_path / "other.jsonl",
        [{"messages": talk(1)} if kind == "sft" else pair(1)],
    )
    with pytest.raises(RunMismatch, match="it differs in rows:"):
        fit(kind, shelf / "model", other, out, recipe(kind))
    with pytest.raises(RunMismatch, match="it differs in weights:"):
        fit(kind, out, shelf / f"{kind}.jsonl", out, recipe(kind))
    assert issubclass(RunMismatch, UsageError)


def test_a_folder_is_written_by_one_process(shelf: Path, tmp_path: Path) -> None:
    hold = """
import sys
from pathlib import Path
from arrears.runs.lock import lock_folder
held = lock_folder(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""
    other = subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path / "out")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    with pytest.raises(RunMismatch, match="is being written by another process"):
        train("sft", shelf, tmp_path / "out")
    other.communicate("")


def test_a_folder_of_a_training_is_known_by_its_plan(shelf: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train("sft", shelf, tmp_path / "out", progress=interrupting(0, signal.SIGINT))
    plan = json.loads((tmp_path / "out" / "fit.json").read_text())
    plan["format"] = 0
    (tmp_path / "out" / "fit.json").write_text(json.dumps(plan))
    with pytest.raises(RunMismatch, match="has format version 0"):
        train("sft", shelf, tmp_path / "out")
