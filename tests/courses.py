"""Courses of training as the tests take them: short, in this process or in one of their own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from arrears.training.fit.data import read_data
from arrears.training.fit.recipe import Kind, Recipe, read_recipe
from arrears.training.fit.run import Fitted, Prepared, fit, prepare
from tests.small_model import talk

ROWS = 24
GOOD = {"role": "user", "content": "hi"}
MINE = {"role": "assistant", "content": "yes"}
# The two commands behind the real `main`, with its exit codes. Each checkpoint is told when it is
# marked, so that a test can wait for one without asking again and again.
COMMANDS = """
import sys
import click
from arrears.cli import commands, main, train_fit
from arrears.training.fit import course

def told(*given, mark=course.mark):
    mark(*given)
    print("marked", file=sys.stderr, flush=True)

course.mark = told
commands.cli = click.Group(commands={"sft": train_fit.sft, "dpo": train_fit.dpo})
main.main()
"""


def pair(n: int) -> dict[str, Any]:
    """A row for DPO: the last answer of a talk, and that of another."""
    return {"prompt": talk(n)[:-1], "chosen": talk(n)[-1:], "rejected": talk(n + 1)[-1:]}


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


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
    return [json.loads(line) for line in (out / "metrics.jsonl").read_bytes().splitlines()]


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
