"""Without training: what a dry run tells, and what a course would take."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from arrears.cli import train_fit
from arrears.training.fit.estimate import estimate, shapes
from arrears.training.fit.recipe import Recipe, read_recipe

LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


@pytest.fixture
def told(shelf: Path, tmp_path: Path) -> Iterator[str]:
    """What a dry run of debtgpt says."""
    given = ["--model", f"hf/{shelf / 'model'}", "--data", str(shelf / "dpo.jsonl"), "--out",
             str(tmp_path / "out"), "--recipe", "debtgpt", "--dry-run"]  # fmt: skip
    result = CliRunner().invoke(train_fit.dpo, given, catch_exceptions=False)
    assert result.exit_code == 0
    yield result.stdout
    assert not (tmp_path / "out").exists()


def test_a_dry_run_builds_the_very_configuration(told: str) -> None:
    for line in (
        "trl.DPOTrainer", "learning_rate = 5e-06", "lr_scheduler_type = cosine", "beta = 0.1",
        "adam_beta1 = 0.9", "adam_beta2 = 0.999", "per_device_train_batch_size = 1",
        "gradient_accumulation_steps = 8", "bf16 = True", "gradient_checkpointing = True",
        "loss_type = ['sigmoid']", "r = 8", "lora_alpha = 16", "lora_dropout = 0.0",
        "modules found = " + ", ".join(f"{name} (x2)" for name in LINEARS), "steps = 9",
    ):  # fmt: skip
        assert f"{line}\n" in told, line
    # Two layers of width 32, 4 heads of 8 (2 of keys), 64 inside: the sum of widths times the rank.
    trained = 2 * 8 * (64 + 48 + 48 + 64 + 96 + 96 + 96)
    assert f"of which trained {trained:,}\n" in told
    assert "Qwen/Qwen3-8B on one 80 GB card" in told
    assert "parameters = 8,190,735,360, of which trained 21,823,488" in told
    assert ": fits\n" in told


def test_the_published_shapes_give_the_published_counts() -> None:
    _, known = shapes()
    assert known["Qwen/Qwen3-8B"].parameters == 8_190_735_360
    assert known["Qwen/Qwen2.5-7B-Instruct"].parameters == 7_615_616_512
    q_and_v = known["Qwen/Qwen3-8B"].lora_parameters(8, ["q_proj", "v_proj"])
    assert q_and_v == 36 * 8 * (4096 + 4096 + 4096 + 1024)


def test_the_formula_counts_this_machines_own_model(shelf: Path) -> None:
    from transformers import AutoModelForCausalLM

    from arrears.training.fit.estimate import shape_of

    model = AutoModelForCausalLM.from_pretrained(shelf / "model")
    assert shape_of(model.config).parameters == sum(p.numel() for p in model.parameters())


def test_the_estimate_follows_what_a_recipe_changes() -> None:
    card, known = shapes()
    shape = known["Qwen/Qwen3-8B"]

    def of(*set_: str) -> Any:
        found = read_recipe("debtgpt", set_)
        return estimate(found, "Qwen/Qwen3-8B", shape, card, steps=100, mean=2000)

    plain = of()
    assert plain.weights == 2 * shape.parameters
    assert plain.optimizer == 16 * plain.trained
    assert plain.memory < card.bytes
    assert plain.seconds == 100 * plain.per_step
    # Forward, backward to the activations, once more for checkpointing, and the reference.
    fewer = of("training.gradient_checkpointing=false")
    assert fewer.per_step == pytest.approx(plain.per_step * 3 / 4)
    assert fewer.activations > 5 * plain.activations
    assert of("training.max_length=8192").activations == 2 * plain.activations
    assert of("dpo.precompute_reference=true").per_step == pytest.approx(plain.per_step * 3 / 4)
    full = Recipe.model_validate({**read_recipe("debtgpt").model_dump(), "lora": None})
    whole = estimate(full, "Qwen/Qwen3-8B", shape, card, steps=100, mean=2000)
    assert whole.weights == 2 * plain.weights
    assert whole.memory > card.bytes


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from arrears.cli.train_fit import sft; "
        "sft(['--help'], standalone_mode=False); "
        "print([m for m in ('torch', 'transformers', 'trl', 'numpy', 'pydantic') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[-1] == "[]"
