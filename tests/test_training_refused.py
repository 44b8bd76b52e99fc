"""A training that cannot be carried out is refused in words, before anything is learned."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from arrears.cli import train_fit
from arrears.errors import ArrearsError, BrokenFile, UsageError
from arrears.training.fit import base
from arrears.training.fit.data import read_data
from arrears.training.fit.recipe import Kind
from tests.courses import GOOD, MINE, pair, started
from tests.small_model import talk


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
        (["--model", "hf/{tmp}/nothing"], "there is no such folder"),
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


def test_several_gpus_want_a_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(UsageError, match="2 GPUs are visible and one process trains on one"):
        base.check_devices()
    monkeypatch.setenv("WORLD_SIZE", "2")
    base.check_devices()
