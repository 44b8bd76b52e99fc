"""In which order rows are seen, and that a step is the same however it is split."""

import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from arrears.errors import RunMismatch, UsageError
from arrears.training.fit.head import only_learned_words
from arrears.training.fit.order import order_of
from arrears.training.fit.recipe import Kind
from tests.courses import COMMANDS, lines, ready, recipe, started, tensors, train

# The order of rows


def test_every_row_is_seen_once_before_any_is_seen_again() -> None:
    order = order_of([1] * 10, epochs=2.5, batch=4, seed=1)
    assert len(order) == 25
    assert sorted(order[:10]) == sorted(order[10:20]) == list(range(10))
    assert order[:10] != order[10:20]
    assert order == order_of([9] * 10, epochs=2.5, batch=4, seed=1)
    assert order != order_of([1] * 10, epochs=2.5, batch=4, seed=2)
    assert order_of([1] * 10, epochs=2.5, batch=4, seed=1, max_steps=3) == order[:12]


def test_rows_of_like_length_share_a_batch_and_the_longest_come_first() -> None:
    lengths = [n * 37 % 1000 for n in range(1003)]
    loose = order_of(lengths, epochs=2, batch=8, seed=1)
    order = order_of(lengths, epochs=2, batch=8, seed=1, grouped=True)
    assert sorted(order) == sorted(loose)

    def padding(rows: Sequence[int]) -> int:
        batches = [[lengths[r] for r in rows[at : at + 8]] for at in range(0, len(rows), 8)]
        return sum(max(batch) * len(batch) - sum(batch) for batch in batches)

    assert padding(order) < padding(loose) / 20
    assert max(lengths) in [lengths[row] for row in order[:8]]
    firsts = [lengths[row] for row in order[8:400:8]]
    assert any(a < b for a, b in pairwise(firsts))


# A step


@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_four_passes_of_four_rows_are_one_step_of_sixteen(
    kind: Kind, shelf: Path, tmp_path: Path
) -> None:
    plain: dict[str, Any] = {
        "batch": 16, "epochs": 4, "bf16": False, "optimizer": "sgd", "learning_rate": 0.3,
        "max_grad_norm": 100, "group_by_length": False, "logging_steps": 1,
    }  # fmt: skip
    trainer = ready(shelf, tmp_path, kind, recipe(kind, **plain)).trainer
    (batch, *_) = trainer.get_train_dataloader()
    key = "labels" if kind == "sft" else "completion_mask"
    counts = [int((part > 0).sum()) for part in batch[key].split(4)]
    assert len(set(counts)) > 1, "passes with the same number of words would prove nothing"
    whole = train(kind, shelf, tmp_path / "whole", recipe(kind, **plain))
    parts = train(kind, shelf, tmp_path / "parts", recipe(kind, **plain, micro_batch=4))
    assert whole.steps == parts.steps == 6
    before, one, four = (
        tensors(folder) for folder in (shelf / "model", whole.folder, parts.folder)
    )
    moved = max(float((one[name] - before[name]).abs().max()) for name in one)
    apart = max(float((one[name] - four[name]).abs().max()) for name in one)
    assert moved > 1e-3
    assert apart < 1e-3 * moved
    for a, b in zip(lines(whole.folder), lines(parts.folder), strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-4)
        assert a["tokens"] == b["tokens"]


@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_leaving_out_what_is_not_learned_changes_no_gradient(
    kind: Kind, shelf: Path, tmp_path: Path
) -> None:
    trainer = ready(shelf, tmp_path, kind, recipe(kind, bf16=False)).trainer
    (batch, *_) = trainer.get_train_dataloader()

    def gradients() -> tuple[float, dict[str, Any]]:
        loss = trainer.compute_loss(trainer.model, dict(batch))
        loss.backward()
        found = {name: p.grad.clone() for name, p in trainer.model.named_parameters()}
        trainer.model.zero_grad()
        return float(loss.detach()), found

    plain_loss, plain = gradients()
    with only_learned_words():
        loss, fewer = gradients()
    assert loss == pytest.approx(plain_loss, rel=1e-6)
    scale = max(float(g.abs().max()) for g in plain.values())
    assert all(float((plain[n] - fewer[n]).abs().max()) < 1e-5 * scale for n in plain)


def test_a_batch_that_cannot_be_split_evenly_is_refused() -> None:
    part = recipe("sft", batch=6, micro_batch=2).training
    assert part.passes(1) == (2, 3)
    assert part.passes(3) == (2, 1)
    with pytest.raises(UsageError, match="must be a multiple of 4"):
        part.passes(2)


def test_two_processes_share_a_batch_and_only_the_first_speaks(shelf: Path, tmp_path: Path) -> None:
    (tmp_path / "commands.py").write_text(COMMANDS)
    given = started("sft", shelf, tmp_path / "two")[3:]
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2",
         str(tmp_path / "commands.py"), *given, "--set", "training.bf16=false"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"hf/{tmp_path / 'two'}\n"
    one = train("sft", shelf, tmp_path / "one", recipe("sft", bf16=False))
    mine, theirs = tensors(one.folder), tensors(tmp_path / "two")
    assert all(float((mine[name] - theirs[name]).abs().max()) < 1e-4 for name in mine)
    assert [line["step"] for line in lines(tmp_path / "two")] == list(range(2, 19, 2))
    with pytest.raises(RunMismatch, match="it differs in processes"):
        train("sft", shelf, tmp_path / "two", recipe("sft", bf16=False))
