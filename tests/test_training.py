"""What stands in the end: the model, its record and its metrics, and that it learned something."""

import json
import re
import signal
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from arrears.errors import ArrearsError, RunMismatch, UsageError
from arrears.training.fit import base
from arrears.training.fit.metrics import line_of
from arrears.training.fit.recipe import Kind
from arrears.training.fit.record import about_of
from arrears.training.fit.run import fit
from tests.courses import MINE, ROWS, interrupting, lines, recipe, tensors, train, write
from tests.small_model import talk


def test_metrics_cover_every_step_once(uninterrupted: tuple[Kind, Path]) -> None:
    kind, out = uninterrupted
    found = lines(out)
    assert [line["step"] for line in found] == list(range(2, 19, 2))
    assert [line["epoch"] for line in found] == [round(s / 6, 4) for s in range(2, 19, 2)]
    assert all(a["tokens"] < b["tokens"] for a, b in pairwise(found))
    assert all(a["seconds"] <= b["seconds"] for a, b in pairwise(found))
    keys = {"loss", "lr", "grad_norm", "tokens", "seconds"}
    if kind == "dpo":
        keys |= {f"rewards/{name}" for name in ("chosen", "rejected", "margins", "accuracies")}
    for line in found:
        assert keys <= set(line)
        assert not any(key.startswith("train_") for key in line)


def test_tensorboard_shows_what_metrics_say(shelf: Path, tmp_path: Path) -> None:
    accumulate = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        train("sft", shelf, out, progress=interrupting(3, signal.SIGTERM))
    # As after a kill: later steps were written, and their checkpoint was not.
    with (out / "metrics.jsonl").open("a") as file:
        file.write('{"step": 5, "loss": 1.0}\n{"step": 6, "lo')
    from torch.utils.tensorboard import SummaryWriter

    before = set((out / "tensorboard").iterdir())
    with SummaryWriter(str(out / "tensorboard")) as board:
        board.add_scalar("train/loss", 1.0, 5)
    # Files are read in the order of their names, which begin with the second of their making; a
    # killed course is taken up later than in the same one.
    (stray,) = set((out / "tensorboard").iterdir()) - before
    second = re.search(r"\d{10}", stray.name)
    assert second
    stray.rename(stray.with_name(stray.name.replace(second[0], str(int(second[0]) - 1))))
    train("sft", shelf, out)
    events = accumulate.EventAccumulator(str(out / "tensorboard"))
    events.Reload()
    shown = [(event.step, event.value) for event in events.Scalars("train/loss")]
    assert [step for step, _ in shown] == [2, 3, *range(4, 19, 2)]
    assert [value for _, value in shown] == pytest.approx([line["loss"] for line in lines(out)])


def test_the_record_says_where_the_weights_come_from(
    uninterrupted: tuple[Kind, Path], shelf: Path
) -> None:
    kind, out = uninterrupted
    record = json.loads((out / "training.json").read_text())
    assert record["kind"] == kind
    assert record["recipe"] == recipe(kind).model_dump(mode="json")
    assert record["base"]["weights"] == base.digests_of(shelf / "model").weights
    assert record["weights"] == base.digests_of(out).weights != record["base"]["weights"]
    assert record["data"]["digest"] == sha256((shelf / f"{kind}.jsonl").read_bytes()).hexdigest()
    assert record["data"]["rows"] == ROWS
    assert record["data"]["tokens"] * 3 == record["tokens"] == lines(out)[-1]["tokens"]
    assert record["about"] == {"collector_prompt": "short", "n": 1}
    assert record["seed"] == 1
    assert record["seconds"] > 0
    assert {"arrears", "python", "torch", "transformers", "trl", "peft"} <= set(record["versions"])
    assert {"kind", "device", "threads", "processes"} <= set(record["machine"])
    assert record["machine"]["kind"] in ("cpu", "gpu")


def test_what_the_base_was_taught_under_is_kept(
    uninterrupted: tuple[Kind, Path], shelf: Path, tmp_path: Path
) -> None:
    _, out = uninterrupted
    rows, chosen = shelf / "dpo.jsonl", recipe("dpo", max_steps=1)
    second = fit("dpo", out, rows, tmp_path / "kept", chosen, about={"stage": "dpo"})
    assert about_of(second.folder) == {"collector_prompt": "short", "stage": "dpo"}
    changed = fit("dpo", out, rows, tmp_path / "new", chosen, about={"collector_prompt": "long"})
    assert about_of(changed.folder) == {"collector_prompt": "long"}
    assert about_of(shelf / "model") == {}


def test_the_result_is_a_whole_model_that_answers(uninterrupted: tuple[Kind, Path]) -> None:
    from arrears.models.hf import LocalModel

    _, out = uninterrupted
    names = {path.name for path in out.iterdir()}
    assert {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
            "tokenizer_config.json", "chat_template.jinja"} <= names  # fmt: skip
    assert "training_args.bin" not in names
    model = LocalModel(out, 1)
    model.close()
    # Without it every word would cost the whole talk again.
    assert json.loads((out / "config.json").read_text())["use_cache"] is True


def test_a_model_learns_what_it_is_shown(uninterrupted: tuple[Kind, Path]) -> None:
    kind, out = uninterrupted
    first, *_, last = lines(out)
    assert last["loss"] < first["loss"] - 0.3 or kind == "dpo"


def test_a_pair_moves_the_two_answers_apart(shelf: Path, tmp_path: Path) -> None:
    friendly, harsh = ({**MINE, "content": text} for text in ("can you pay in spring", "pay now"))
    rows = [
        {"prompt": talk(n)[:-1], "chosen": [friendly], "rejected": [harsh]} for n in range(ROWS)
    ]
    data, chosen = write(tmp_path / "rows.jsonl", rows), recipe("dpo", learning_rate=3e-3)
    done = fit("dpo", shelf / "model", data, tmp_path / "out", chosen)
    first, *_, last = lines(done.folder)
    assert last["rewards/margins"] > first["rewards/margins"] + 0.1
    assert last["loss"] < first["loss"]


def test_the_reference_may_be_computed_before(shelf: Path, tmp_path: Path) -> None:
    plain = train("dpo", shelf, tmp_path / "plain", recipe("dpo", bf16=False))
    before = recipe("dpo", "dpo.precompute_reference=true", bf16=False)
    ahead = train("dpo", shelf, tmp_path / "ahead", before)
    one, two = tensors(plain.folder), tensors(ahead.folder)
    assert all(float((one[name] - two[name]).abs().max()) < 1e-4 for name in one)


def test_the_merged_model_is_the_base_with_its_adapter(shelf: Path, tmp_path: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    chosen = recipe("sft", "lora.rank=4", "lora.targets=['q_proj', 'down_proj']", bf16=False)
    done = train("sft", shelf, tmp_path / "out", chosen)
    assert done.folder == tmp_path / "out"
    tokens = torch.arange(5, 60)[None]
    plain = AutoModelForCausalLM.from_pretrained(shelf / "model")
    with torch.inference_mode():
        before = plain(tokens).logits
        with_adapter = PeftModel.from_pretrained(plain, done.folder / "adapter")(tokens).logits
        merged = AutoModelForCausalLM.from_pretrained(done.folder)(tokens).logits
    assert float((merged - with_adapter).abs().max()) < 1e-4
    assert float((merged - before).abs().max()) > 1e-2


def test_an_adapter_may_stay_alone(shelf: Path, tmp_path: Path) -> None:
    chosen = recipe("sft", "lora.rank=4", max_steps=2)
    done = train("sft", shelf, tmp_path / "out", chosen, merge=False)
    assert done.folder == tmp_path / "out" / "adapter"
    assert not (tmp_path / "out" / "model.safetensors").exists()
    assert (done.folder / "adapter_model.safetensors").exists()
    with pytest.raises(UsageError, match="is an adapter and no whole model"):
        fit("sft", done.folder, shelf / "sft.jsonl", tmp_path / "next", recipe("sft"))
    with pytest.raises(RunMismatch, match="it differs in merge"):
        train("sft", shelf, tmp_path / "out", chosen)


def test_a_loss_that_is_no_number_ends_the_course() -> None:
    place: dict[str, Any] = {"step": 3, "epoch": 0.1, "tokens": 9, "seconds": 1.0}
    with pytest.raises(ArrearsError, match="the loss is nan at step 3; lower"):
        line_of({"loss": float("nan")}, **place)
    assert line_of({"train_loss": 1.0, "train_runtime": 2.0}, **place) is None
