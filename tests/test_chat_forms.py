"""A chat template that has no system role: its message goes to the head of the first user's."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="local models need the extra hf")

from arrears.models.chat import Message, Sampling
from arrears.models.hf import LocalModel
from arrears.models.opening import ChatForm, folded, open_tokenizer
from arrears.training.template import CHAT_TEMPLATE
from tests import small_model
from tests.commands import arrears, bench
from tests.small_qwen import changed

REFUSES = (
    "{%- if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}"
    "{%- endif %}" + CHAT_TEMPLATE
)
LEAVES_OUT = CHAT_TEMPLATE.replace(
    "{%- for m in messages %}", "{%- for m in messages if m.role != 'system' %}"
)


def said(role: str, content: str) -> Message:
    """One message."""
    return Message(role=role, content=content)  # type: ignore[typeddict-item]


TALK = [said("system", "You collect."), said("user", "Hello?"), said("assistant", "Yes."),
        said("user", "And?")]  # fmt: skip


@pytest.fixture(scope="module", params=[REFUSES, LEAVES_OUT], ids=["refuses", "leaves out"])
def no_system(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose template has no place for a system's message."""
    folder = small_model.build(tmp_path_factory.mktemp("no-system"), request.param)
    # Room for a briefing: positions are rotated, so there is nothing to be learned for them.
    changed(folder / "config.json", lambda c: c.update(max_position_embeddings=16_384))
    return folder


def test_the_system_is_put_before_what_the_user_says_first() -> None:
    assert folded(TALK) == [said("user", "You collect.\n\nHello?"), *TALK[2:]]
    assert folded(TALK[1:]) == TALK[1:]
    assert folded(TALK[:1]) == [said("user", "You collect.")]
    assert folded([]) == []


def test_a_template_with_a_system_role_is_left_alone(tmp_path: Path) -> None:
    folder = small_model.build(tmp_path)
    tokenizer = open_tokenizer(folder)
    form = ChatForm(tokenizer, folder)
    assert not form.folds
    plain = tokenizer.apply_chat_template(TALK, tokenize=False, add_generation_prompt=True)
    assert form.text(TALK) == plain


def test_a_template_without_one_is_given_every_word(no_system: Path) -> None:
    form = ChatForm(open_tokenizer(no_system), no_system)
    assert form.folds
    text = form.text(TALK)
    assert text.startswith("<|im_start|>user\nYou collect.\n\nHello?<|im_end|>")
    assert "system" not in text


def test_such_a_model_answers_as_if_it_were_asked_by_the_user(no_system: Path) -> None:
    model = LocalModel(no_system, 4)
    try:
        one = asyncio.run(model.answer(TALK, Sampling(max_tokens=6)))
        other = asyncio.run(model.answer(folded(TALK), Sampling(max_tokens=6)))
    finally:
        model.close()
    assert one.text == other.text


def test_such_a_model_plays_and_is_trained(no_system: Path, tmp_path: Path) -> None:
    played = bench(
        tmp_path / "run", "--suite", "dcn", "--limit", "2", "--collector", f"hf/{no_system}",
        "--max-tokens", "8", "--concurrency", "1",
    )  # fmt: skip
    assert {dialogue.ending for dialogue in played} == {"malformed"}, "random words, but words"
    pytest.importorskip("trl", reason="training needs the extra train")
    rows = tmp_path / "rows.jsonl"
    answers = [{"prompt": small_model.talk(n)[:-1], "completion": small_model.talk(n)[-1:]}
               for n in range(4)]  # fmt: skip
    rows.write_text("".join(json.dumps(row) + "\n" for row in answers))
    done = arrears(
        "train", "sft", "--model", f"hf/{no_system}", "--data", str(rows),
        "--out", str(tmp_path / "out"), "--set", "training.max_steps=2",
        "--set", "training.batch=2",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "training.json").exists()


def test_a_row_that_the_template_refuses_is_named_by_its_line(tmp_path: Path) -> None:
    pytest.importorskip("trl", reason="training needs the extra train")
    strict = CHAT_TEMPLATE.replace(
        "{%- if m.role", "{%- if 'forbidden' in m.content %}{{ raise_exception('not this') }}"
        "{%- endif %}{%- if m.role", 1
    )  # fmt: skip
    folder = small_model.build(tmp_path / "model", strict)
    rows = [{"messages": small_model.talk(n)} for n in range(3)]
    rows[1]["messages"][1]["content"] = "a forbidden word"
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = arrears(
        "train", "sft", "--model", f"hf/{folder}", "--data", str(tmp_path / "rows.jsonl"),
        "--out", str(tmp_path / "out"),
    )  # fmt: skip
    assert done.returncode == 2
    assert (
        "rows.jsonl, line 2: the model's chat template cannot lay it out (TemplateError: not this)"
        in done.stderr
    )
    assert "Traceback" not in done.stderr
    shutil.rmtree(folder)
