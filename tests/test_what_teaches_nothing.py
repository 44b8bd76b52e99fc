"""A training that can teach nothing is refused; one that teaches from some rows says from how many."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl", reason="training needs the extra train")

from arrears.errors import ArrearsError, BrokenFile, UsageError
from arrears.training.fit.dry import dry_run
from arrears.training.fit.learned import check_gradients
from arrears.training.fit.recipe import Recipe, read_recipe
from arrears.training.fit.run import fit
from arrears.training.fit.tell import done_lines, dry_lines
from arrears.training.template import CHAT_TEMPLATE
from tests import small_model
from tests.commands import arrears
from tests.courses import recipe, tensors, write
from tests.small_model import talk


def pair(n: int, *, acts: bool) -> dict[str, Any]:
    """Two answers that differ in their acts and words, or in their words alone."""
    mine, other = (f"Action: ask({x}, 1)\nDialogue: can pay {x}" for x in (n, n + 50))
    if not acts:
        other = mine.replace("can pay", "will not")
    return {
        "prompt": talk(n)[:-1],
        "chosen": [{"role": "assistant", "content": mine}],
        "rejected": [{"role": "assistant", "content": other}],
    }


def up_to(text: str) -> Recipe:
    """DPO on the answers up to a text."""
    return recipe("dpo", f"dpo.until={text}", epochs=1)


def test_pairs_that_are_the_same_as_far_as_they_are_compared_are_refused(
    shelf: Path, tmp_path: Path
) -> None:
    rows = write(tmp_path / "rows.jsonl", [pair(n, acts=False) for n in range(8)])
    done = arrears(
        "train", "dpo", "--model", f"hf/{shelf / 'model'}", "--data", str(rows),
        "--out", str(tmp_path / "out"), "--set", "dpo.until=Dialogue:",
    )  # fmt: skip
    assert done.returncode == 2
    assert (
        "rows.jsonl: in none of 8 pairs do the two answers differ up to dpo.until = 'Dialogue:'; "
        "there is nothing to prefer; compare them whole with --set dpo.until=" in done.stderr
    )
    assert not (tmp_path / "out" / "model.safetensors").exists()
    whole = recipe("dpo", epochs=1)
    assert fit("dpo", shelf / "model", rows, tmp_path / "whole", whole).inert == 0


def test_pairs_that_are_the_same_are_counted_where_others_are_not(
    shelf: Path, tmp_path: Path
) -> None:
    rows = write(tmp_path / "rows.jsonl", [pair(n, acts=n % 4 == 0) for n in range(8)])
    done = fit("dpo", shelf / "model", rows, tmp_path / "out", up_to("Dialogue:"))
    assert done.inert == 6
    assert any("nothing could be learned from 6 rows" in line for line in done_lines(done))
    record = json.loads((tmp_path / "out" / "training.json").read_text())
    assert record["data"]["inert"] == 6
    dry = dry_run("dpo", shelf / "model", rows, tmp_path / "dry", up_to("Dialogue:"))
    assert dry.inert == 6
    assert any("6 teach nothing" in line for line in dry_lines(dry, up_to("Dialogue:")))


def test_answers_of_which_the_template_marks_nothing_are_refused(tmp_path: Path) -> None:
    """The marks stand around nothing: every token is read, and none is learned."""
    unmarked = CHAT_TEMPLATE.replace(
        "{% generation %}{{- m.content + '<|im_end|>' }}{% endgeneration %}",
        "{{- m.content + '<|im_end|>' }}{% generation %}{% endgeneration %}",
    )
    assert unmarked != CHAT_TEMPLATE
    folder = small_model.build(tmp_path / "model", unmarked)
    rows = write(tmp_path / "rows.jsonl", [{"messages": talk(n)} for n in range(6)])
    with pytest.raises(UsageError, match="marks nothing of the assistant's words"):
        fit("sft", folder, rows, tmp_path / "out", recipe("sft", epochs=1))
    assert not (tmp_path / "out" / "model.safetensors").exists()


@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_a_training_of_one_step_takes_it_at_its_full_rate(
    kind: Any, shelf: Path, tmp_path: Path
) -> None:
    """A warm-up begins at 0: it would be all of such a training."""
    chosen = recipe(kind, "training.warmup=0.5", max_steps=1)
    fit(kind, shelf / "model", shelf / f"{kind}.jsonl", tmp_path / "out", chosen)
    before, after = tensors(shelf / "model"), tensors(tmp_path / "out")
    assert any(not before[name].equal(after[name]) for name in before)


def test_gradients_of_nothing_are_no_training() -> None:
    check_gradients(iter([{"grad_norm": 0.0}, {"grad_norm": 0.3}]))
    check_gradients(iter([{"loss": 1.0}]))
    with pytest.raises(ArrearsError, match="the gradients were 0 at every step"):
        check_gradients(iter([{"grad_norm": 0.0, "loss": 0.6931}, {"grad_norm": 0.0}]))


def test_a_rate_of_0_is_no_rate() -> None:
    with pytest.raises(BrokenFile, match=r"training\.learning_rate"):
        read_recipe("nano-sft", ["training.learning_rate=0"])


def test_a_checkpoint_that_cannot_be_read_is_no_full_disk(shelf: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    fit("sft", shelf / "model", shelf / "sft.jsonl", out, recipe("sft"))
    for name in ("training.json", "model.safetensors"):
        (out / name).unlink()
    newest = max((out / "checkpoints").glob("checkpoint-*"), key=lambda p: int(p.name[11:]))
    weights = newest / "model.safetensors"
    weights.write_bytes(b"x" * weights.stat().st_size)
    with pytest.raises(BrokenFile) as caught:
        fit("sft", shelf / "model", shelf / "sft.jsonl", out, recipe("sft"))
    assert f"{newest}: this checkpoint cannot be read" in str(caught.value)
    assert "remove its folder" in str(caught.value)
    shutil.rmtree(newest)
    assert fit("sft", shelf / "model", shelf / "sft.jsonl", out, recipe("sft")).steps == 18
