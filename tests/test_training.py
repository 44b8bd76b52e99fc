"""The trainers: what is learned from, how a course is taken up again, and what stands in the end."""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from arrears.cli import train_fit
from arrears.errors import (
    ArrearsError,
    BrokenFile,
    RunMismatch,
    StorageError,
    UnknownName,
    UsageError,
)
from arrears.training.fit import base, checkpoints
from arrears.training.fit.data import read_data
from arrears.training.fit.estimate import estimate, shapes
from arrears.training.fit.head import only_learned_words
from arrears.training.fit.metrics import line_of
from arrears.training.fit.order import order_of
from arrears.training.fit.recipe import Kind, Recipe, read_recipe, shipped
from arrears.training.fit.record import about_of
from arrears.training.fit.run import Fitted, Prepared, fit, prepare
from tests import small_model
from tests.small_model import talk

ROWS = 24
GOOD = {"role": "user", "content": "hi"}
MINE = {"role": "assistant", "content": "yes"}
# The two commands behind the real `main`, with its exit codes. Each checkpoint is told when it is
# marked, so that a test can wait for one without asking again and again.
COMMANDS = """
import sys
import click
from arrears.cli import main, train_fit
from arrears.training.fit import course

def told(*given, mark=course.mark):
    mark(*given)
    print("marked", file=sys.stderr, flush=True)

course.mark = told
main.cli = click.Group(commands={"sft": train_fit.sft, "dpo": train_fit.dpo})
main.main()
"""
LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def pair(n: int) -> dict[str, Any]:
    """A row for DPO: the last answer of a talk, and that of another."""
    return {"prompt": talk(n)[:-1], "chosen": talk(n)[-1:], "rejected": talk(n + 1)[-1:]}


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model and one file of rows of each form."""
    folder = tmp_path_factory.mktemp("shelf")
    small_model.build(folder / "model")
    write(folder / "sft.jsonl", [{"messages": talk(n), "about": {"n": n}} for n in range(ROWS)])
    write(folder / "dpo.jsonl", [pair(n) for n in range(ROWS)])
    write(
        folder / "one.jsonl",
        [{"prompt": talk(n)[:-1], "completion": talk(n)[-1:]} for n in range(ROWS)],
    )
    return folder


def settings(**more: Any) -> list[str]:
    """A short course of 18 steps in three epochs, with checkpoints at 4, 8, …"""
    training = {
        "epochs": 3, "batch": 4, "micro_batch": 16, "save_steps": 4, "logging_steps": 2, **more,
    }  # fmt: skip
    given = [f"training.{key}={json.dumps(value)}" for key, value in training.items()]
    # What is compared to the last bit is compared in the precision in which it was learned.
    return ["model.run_dtype=", *given]


def recipe(kind: Kind, *further: str, **more: Any) -> Recipe:
    return read_recipe(f"nano-{kind}", [*settings(**more), *further])


def train(kind: Kind, shelf: Path, out: Path, chosen: Recipe | None = None, **more: Any) -> Fitted:
    return fit(kind, shelf / "model", shelf / f"{kind}.jsonl", out, chosen or recipe(kind), **more)


def ready(shelf: Path, tmp_path: Path, name: str, chosen: Recipe) -> Prepared:
    rows = read_data(chosen.kind, shelf / f"{name}.jsonl")
    return prepare(shelf / "model", rows, chosen, tmp_path / "checkpoints")


def weights(folder: Path) -> str:
    return sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def tensors(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").open()]


def started(kind: Kind, shelf: Path, out: Path) -> list[str]:
    return [
        sys.executable, "-c", COMMANDS, kind, "--model", f"hf/{shelf / 'model'}", "--data",
        str(shelf / f"{kind}.jsonl"), "--out", str(out),
        *(word for setting in settings() for word in ("--set", setting)),
    ]  # fmt: skip


def begun(kind: Kind, shelf: Path, out: Path) -> subprocess.Popen[str]:
    """The command in a process of its own, with its first checkpoint written."""
    command = subprocess.Popen(
        started(kind, shelf, out), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert command.stderr is not None
    for line in command.stderr:
        if line == "marked\n":
            return command
    raise AssertionError("it ended without a checkpoint")


def interrupting(at: int, number: signal.Signals) -> Callable[[int, int], None]:
    """A progress that sends this process a signal at a step, once."""
    sent: list[int] = []

    def progress(done: int, total: int) -> None:
        if done == at and not sent:
            sent.append(done)
            os.kill(os.getpid(), number)

    return progress


# What is learned from


def spans(messages: Sequence[Mapping[str, str]], first: int, tail: str) -> tuple[str, list[range]]:
    """A talk as text, and where the assistant's own words lie in it, from a message on."""
    text, own = "", []
    for at, message in enumerate(messages):
        text += f"<|im_start|>{message['role']}\n"
        start = len(text)
        text += message["content"] + "<|im_end|>"
        end = len(text)
        text += "\n"
        if message["role"] == "assistant" and at >= first:
            own.append(range(start, end + len(tail)))
    return text, own


def expected(tokenizer: Any, text: str, own: Sequence[range]) -> tuple[list[int], list[int]]:
    """Tokens and labels, by where each token lies in the text."""
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids = encoded["input_ids"]
    inside = [any(a in span for span in own) for a, _ in encoded["offset_mapping"]]
    return ids, [token if mine else -100 for token, mine in zip(ids, inside, strict=True)]


def test_of_a_whole_talk_only_the_collectors_messages_are_learned(
    shelf: Path, tmp_path: Path
) -> None:
    trainer, laid, *_ = ready(shelf, tmp_path, "sft", recipe("sft", batch=1))
    tokenizer = trainer.processing_class
    for step, batch in enumerate(trainer.get_train_dataloader()):
        messages = talk(laid.order[step])
        ids, labels = expected(tokenizer, *spans(messages, 0, ""))
        assert batch["input_ids"][0][: len(ids)].tolist() == ids
        assert batch["labels"][0][: len(ids)].tolist() == labels
        assert (batch["labels"][0][len(ids) :] == -100).all()
        learned = [token for token in labels if token != -100]
        said = [m["content"] for m in messages if m["role"] == "assistant"]
        assert tokenizer.decode(learned) == "".join(f"{text}<|im_end|>" for text in said)
    assert step + 1 == 3 * ROWS


def test_of_a_single_answer_only_the_answer_is_learned(shelf: Path, tmp_path: Path) -> None:
    trainer, laid, *_ = ready(shelf, tmp_path, "one", recipe("sft", batch=1, epochs=1))
    tokenizer = trainer.processing_class
    for step, batch in enumerate(trainer.get_train_dataloader()):
        messages = talk(laid.order[step])
        # The template's own end of a message belongs to the answer here.
        ids, labels = expected(tokenizer, *spans(messages, len(messages) - 1, "\n"))
        assert batch["input_ids"][0][: len(ids)].tolist() == ids
        assert batch["labels"][0][: len(ids)].tolist() == labels
        assert (batch["labels"][0][len(ids) :] == -100).all()
        learned = tokenizer.decode([token for token in labels if token != -100])
        assert learned == messages[-1]["content"] + "<|im_end|>\n"


def test_of_a_pair_only_the_two_answers_are_compared(shelf: Path, tmp_path: Path) -> None:
    trainer, laid, *_ = ready(shelf, tmp_path, "dpo", recipe("dpo", batch=4, epochs=1))
    tokenizer = trainer.processing_class
    for step, batch in enumerate(trainer.get_train_dataloader()):
        rows = laid.order[4 * step : 4 * step + 4]
        texts = [talk(n) for n in rows] + [[*talk(n)[:-1], talk(n + 1)[-1]] for n in rows]
        for at, messages in enumerate(texts):
            ids, labels = expected(tokenizer, *spans(messages, len(messages) - 1, "\n"))
            attended = batch["attention_mask"][at].bool()
            assert batch["input_ids"][at][attended].tolist() == ids
            compared = batch["completion_mask"][at].bool()
            learned = batch["input_ids"][at][compared].tolist()
            assert learned == [token for token in labels if token != -100]
            assert tokenizer.decode(learned) == messages[-1]["content"] + "<|im_end|>\n"


def test_a_qwen3_template_is_trained_in_the_form_that_trl_knows(
    shelf: Path, tmp_path: Path
) -> None:
    import trl

    shipped_with = Path(trl.__file__).parent / "chat_templates"
    small_model.build(tmp_path / "model", (shipped_with / "qwen3.jinja").read_text())
    rows = read_data("sft", shelf / "sft.jsonl")
    trainer, laid, *_ = prepare(
        tmp_path / "model", rows, recipe("sft", batch=1, epochs=1), tmp_path / "c"
    )
    (batch, *_) = trainer.get_train_dataloader()
    labels = batch["labels"][0]
    said = [m["content"] for m in talk(laid.order[0]) if m["role"] == "assistant"]
    learned = trainer.processing_class.decode(labels[labels != -100].tolist())
    assert learned == "".join(f"<think>\n\n</think>\n\n{text}<|im_end|>\n" for text in said)


def test_a_template_that_marks_no_words_is_refused_for_whole_talks_only(
    shelf: Path, tmp_path: Path
) -> None:
    template = "{% for m in messages %}{{ m.role + ': ' + m.content + '<|im_end|>' }}{% endfor %}"
    small_model.build(tmp_path / "model", template)
    for name, kind in (("sft", "sft"), ("one", "sft")):
        rows = read_data("sft", shelf / f"{name}.jsonl")
        chosen = recipe("sft", epochs=1)
        if name == "one":
            assert prepare(tmp_path / "model", rows, chosen, tmp_path / kind).laid.rows == ROWS
            continue
        with pytest.raises(UsageError, match="does not mark the assistant's words"):
            prepare(tmp_path / "model", rows, chosen, tmp_path / kind)


@pytest.mark.parametrize("name", ["sft", "one", "dpo"])
def test_no_row_is_ever_cut(name: str, shelf: Path, tmp_path: Path) -> None:
    kind: Kind = "dpo" if name == "dpo" else "sft"
    whole = ready(shelf, tmp_path, name, recipe(kind))
    short = whole.laid.longest - 5
    with pytest.raises(
        BrokenFile, match=rf"\d+ of {ROWS} rows are longer than training.max_length"
    ):
        ready(shelf, tmp_path, name, recipe(kind, max_length=short))
    trainer, laid, *_ = ready(
        shelf, tmp_path, name, recipe(kind, max_length=short, too_long="leave_out")
    )
    assert laid.rows + laid.left_out == ROWS
    assert 0 < laid.left_out < ROWS
    assert laid.longest <= short
    ends = {
        tuple(row.get("chosen_ids", row.get("input_ids"))[-2:]) for row in trainer.train_dataset
    }
    assert ends == {tuple(trainer.processing_class("<|im_end|>\n")["input_ids"])}
    with pytest.raises(BrokenFile, match=f"{ROWS} of {ROWS} rows are longer"):
        ready(shelf, tmp_path, name, recipe(kind, max_length=16, too_long="leave_out"))


def test_a_row_must_fit_the_models_positions_too(tmp_path: Path) -> None:
    small_model.build(tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    config["max_position_embeddings"] = 64
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    write(tmp_path / "sft.jsonl", [{"messages": talk(1)}])
    with pytest.raises(BrokenFile, match="longer than the model's positions = 64 tokens"):
        ready(tmp_path, tmp_path, "sft", recipe("sft"))


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


# Interrupted and taken up again


@pytest.fixture(scope="module", params=["sft", "dpo"])
def uninterrupted(
    request: pytest.FixtureRequest, shelf: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Kind, Path]:
    kind: Kind = request.param
    out = tmp_path_factory.mktemp("whole") / kind
    train(kind, shelf, out, about={"collector_prompt": "short", "n": 1})
    return kind, out


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
from arrears.bench.folder import lock
Path(sys.argv[1]).mkdir()
lock(Path(sys.argv[1]))
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


# What stands in the end


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

    with SummaryWriter(str(out / "tensorboard")) as board:
        board.add_scalar("train/loss", 1.0, 5)
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


def test_several_gpus_want_a_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(UsageError, match="2 GPUs are visible and one process trains on one"):
        base.check_devices()
    monkeypatch.setenv("WORLD_SIZE", "2")
    base.check_devices()


def test_a_loss_that_is_no_number_ends_the_course() -> None:
    place: dict[str, Any] = {"step": 3, "epoch": 0.1, "tokens": 9, "seconds": 1.0}
    with pytest.raises(ArrearsError, match="the loss is nan at step 3; lower"):
        line_of({"loss": float("nan")}, **place)
    assert line_of({"train_loss": 1.0, "train_runtime": 2.0}, **place) is None


# Recipes


def test_dcns_recipes_are_table_13() -> None:
    for name in ("dcn-sft-dg", "dcn-sft-mag", "dcn-dpo-dg", "dcn-dpo-mag"):
        found = read_recipe(name)
        part = found.training
        assert found.kind == name.split("-")[1]
        assert (part.learning_rate, part.epochs, part.batch, part.bf16) == (5e-6, 5, 4, True)
        assert found.model.base == "Qwen/Qwen2.5-7B-Instruct"
        assert found.lora is not None
        assert (found.lora.rank, found.lora.alpha, found.lora.dropout) == (8, 16, 0.0)
        assert found.lora.targets == ("all-linear",)
        assert (found.dpo.beta if found.dpo else None) == (0.1 if found.kind == "dpo" else None)


def test_a_recipe_may_be_a_file_and_settings_go_over_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('kind = "sft"\n[training]\nlearning_rate = 1e-3\n')
    found = read_recipe(str(path), ["training.learning_rate=2e-3", "lora.targets=['q_proj']"])
    assert found.training.learning_rate == 2e-3
    assert found.lora is not None
    assert found.lora.targets == ("q_proj",)
    assert set(shipped()) == {
        "dcn-sft-dg", "dcn-sft-mag", "dcn-dpo-dg", "dcn-dpo-mag", "debtgpt", "nano-sft", "nano-dpo",
    }  # fmt: skip
    for name in shipped():
        assert read_recipe(name).training.learning_rate > 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[training]\nlearning_rte = 1", "learning_rte: there is no such key; known: epochs, "),
        ("[trainig]\n", "trainig: there is no such key; known: kind, model, lora, training, dpo"),
        ("[training]\nschedule = 'cubic'", "schedule: input should be 'constant', 'linear' or"),
        ("[training]\nbatch = 0", "batch: input should be greater than or equal to 1, not 0"),
        ("[lora]\nranks = 3", "ranks: there is no such key; known: rank, alpha, dropout, targets"),
        ("[training]\nepochs = 1", "training.learning_rate: is missing"),
        ("[training]\nlearning_rate = 1e-3\n[dpo]\n", 'kind = "dpo" needs [dpo]'),
        ("[training\n", "is not TOML"),
    ],
)
def test_a_recipe_with_a_mistake_names_the_key_and_what_it_may_be(
    text: str, told: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'kind = "sft"\n{text}')
    with pytest.raises(BrokenFile) as error:
        read_recipe(str(path))
    assert str(path) in str(error.value)
    assert told in str(error.value)


# What cannot be done


@pytest.mark.parametrize(
    ("kind", "row", "told"),
    [
        ("sft", "{", "line 2: is not JSON"),
        ("sft", "[]", "line 2: is no JSON object"),
        (
            "sft",
            {"text": "a"},
            "has the keys text; a row for sft has messages, or prompt and compl",
        ),
        ("sft", pair(1), "These rows are for `arrears train dpo`"),
        ("dpo", {"messages": [GOOD, MINE]}, "These rows are for `arrears train sft`"),
        ("sft", {"messages": []}, "messages: must be a list of messages"),
        ("sft", {"messages": [GOOD]}, "messages: no message of the assistant"),
        ("sft", {"messages": [{"role": "user"}]}, "messages[0]: a message has role and content"),
        ("sft", {"messages": [{**GOOD, "role": "bot"}]}, "role is one of system, user, assistant"),
        ("sft", {"messages": [GOOD, {**GOOD, "role": "system"}]}, "system's message comes first"),
        ("sft", {"messages": [GOOD, {**MINE, "content": " "}]}, "the assistant says nothing"),
        ("sft", {"prompt": [GOOD, MINE], "completion": [MINE]}, "last message must be the user's"),
        ("sft", {"prompt": [GOOD], "completion": [MINE, MINE]}, "must be one message of the assis"),
        ("sft", {"prompt": [GOOD], "completion": [MINE]}, "another form: prompt and completion"),
        ("dpo", {"prompt": [GOOD], "chosen": [MINE], "rejected": [MINE]}, "a pair must differ"),
        ("dpo", {**pair(1), "score": 3}, "has the keys chosen, prompt, rejected and score"),
    ],
)
def test_a_row_with_a_mistake_is_named_with_its_line(
    kind: Kind, row: Any, told: str, tmp_path: Path
) -> None:
    path = tmp_path / "rows.jsonl"
    good: dict[str, Any] = {"messages": talk(1)}
    if kind == "dpo":
        good = {**pair(1), "about": {"score": 3}}
    elif "prompt" in row and "another form" not in told:
        good = {"prompt": [GOOD], "completion": [MINE]}
    path.write_text(f"{json.dumps(good)}\n{row if isinstance(row, str) else json.dumps(row)}\n")
    with pytest.raises(BrokenFile) as error:
        read_data(kind, path)
    assert "line 2" in str(error.value)
    assert told in str(error.value)


def answered(kind: Kind, shelf: Path, out: Path, *more: str) -> tuple[str, int]:
    """What a command that cannot be carried out says, and the code it leaves with."""
    given = [*started(kind, shelf, out)[4:], *more]
    result = CliRunner().invoke(getattr(train_fit, kind), given, catch_exceptions=True)
    assert isinstance(result.exception, ArrearsError), result.exception
    assert result.stdout == ""
    return str(result.exception), result.exception.exit_code


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--data", "nowhere.jsonl"], "nowhere.jsonl: cannot be read"),
        (["--data", "{tmp}/empty.jsonl"], "holds no rows; a row is messages, or prompt"),
        (["--recipe", "nano"], "unknown recipe 'nano'; known: dcn-dpo-dg, "),
        (["--recipe", "none.toml"], "none.toml: cannot be read"),
        (["--recipe", "nano-dpo"], "the recipe is for dpo; run `arrears train dpo`"),
        (["--set", "training.lr=1"], "training.lr: there is no such key; known: epochs"),
        (["--set", "training"], "--set takes key=value"),
        (["--model", "hf/{tmp}/nothing"], "there is no config.json in"),
        (["--model", "openai/gpt-4o"], "--model takes hf/PATH"),
        (["--out", "{tmp}/full"], "is not empty and holds no training (letter.txt is in it)"),
        (["--out", "{tmp}/empty.jsonl"], "is a file; --out names a folder"),
        (["--no-merge"], "--no-merge is for a recipe with [lora]"),
        (["--set", "training.micro_batch=3"], "training.batch = 4 cannot be split"),
        (["--set", "lora.targets=['qq']"], "the model has no linear layer 'qq'; it has down_proj"),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(
    given: list[str], told: str, shelf: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty.jsonl").write_text("\n")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("mine")
    words = [word.replace("{tmp}", str(tmp_path)) for word in given]
    said, code = answered("sft", shelf, tmp_path / "out", *words)
    assert told in said
    assert code == 2
    assert sorted(p.name for p in (tmp_path / "full").iterdir()) == ["letter.txt"]


def test_a_missing_package_is_told_with_what_to_install(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "find_spec", lambda name: None if name == "trl" else object())
    said, code = answered("sft", shelf, tmp_path / "out")
    assert "trl is missing" in said
    assert "pip install 'arrears[train]'" in said
    assert code == 2


def test_an_unknown_recipe_is_an_unknown_name() -> None:
    with pytest.raises(UnknownName):
        read_recipe("nano")


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from arrears.cli.train_fit import sft; "
        "sft(['--help'], standalone_mode=False); "
        "print([m for m in ('torch', 'transformers', 'trl', 'numpy', 'pydantic') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[-1] == "[]"


# Without training


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


def test_a_folder_of_a_training_is_known_by_its_plan(shelf: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train("sft", shelf, tmp_path / "out", progress=interrupting(0, signal.SIGINT))
    plan = json.loads((tmp_path / "out" / "fit.json").read_text())
    plan["format"] = 0
    (tmp_path / "out" / "fit.json").write_text(json.dumps(plan))
    with pytest.raises(RunMismatch, match="has format version 0"):
        train("sft", shelf, tmp_path / "out")
