"""The distance of two models: exact at every token, measured where the later one has been."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arrears.bench.stored import StoredRun
from arrears.models.chat import Message
from arrears.scoring.unscored import Unscored
from arrears.training.conversations import Answered
from arrears.training.report.drift import Drift, drifts, message_kl
from arrears.training.report.lines import compared
from tests.compared_runs import ADAPTIVE, LENIENT, doctored


def asked() -> list[Answered]:
    """A talk of two exchanges, as a model was asked."""
    from tests.small_model import talk

    messages: list[Message] = talk(3)  # type: ignore[assignment]
    return [Answered(messages[:at], messages[at], at // 2) for at in (2, 4)]


def opened(folder: Path) -> tuple[Any, Any]:
    """A model and its tokenizer."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(
        folder
    )


def by_hand(model: Any, first: Any, tokenizer: Any, one: Answered) -> float:
    """KL of one message, token by token in double precision, each from its own beginning."""
    import torch

    text = tokenizer.apply_chat_template(one.prompt, tokenize=False, add_generation_prompt=True)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    words = tokenizer(one.answer["content"], add_special_tokens=False)["input_ids"]
    total = 0.0
    for token in [*words, tokenizer.convert_tokens_to_ids("<|im_end|>")]:
        with torch.no_grad():
            p, q = (m(torch.tensor([ids])).logits[0, -1].double().numpy() for m in (model, first))
        p, q = (np.exp(x - x.max()) / np.exp(x - x.max()).sum() for x in (p, q))
        total += float((p * np.log(p / q)).sum())
        ids = [*ids, token]
    return total


def test_kl_is_exact_over_the_vocabulary_at_every_token(models: Path) -> None:
    (later, tokenizer), (first, _) = opened(models / "later"), opened(models / "first")
    found = message_kl(later, first, tokenizer, asked())
    for (kl, tokens), one in zip(found, asked(), strict=True):
        assert kl == pytest.approx(by_hand(later, first, tokenizer, one), rel=1e-4)
        assert kl > 0.1
        assert tokens == len(tokenizer(one.answer["content"])["input_ids"]) + 1


def test_a_model_is_at_no_distance_from_itself(models: Path) -> None:
    first, tokenizer = opened(models / "first")
    assert [kl for kl, _ in message_kl(first, first, tokenizer, asked())] == [0.0, 0.0]


def test_a_template_that_writes_earlier_messages_anew_changes_nothing_in_the_rule(
    models: Path,
) -> None:
    (later, tokenizer), (first, _) = opened(models / "later"), opened(models / "first")
    # Only the last message is put before the model: no answer goes on from the one before.
    tokenizer.chat_template = (
        "{{ messages[-1].content }}{% if add_generation_prompt %}{{ '<|im_start|>' }}{% endif %}"
    )
    found = message_kl(later, first, tokenizer, asked())
    for (kl, _), one in zip(found, asked(), strict=True):
        assert kl == pytest.approx(by_hand(later, first, tokenizer, one), rel=1e-4)


def between(stored: StoredRun, folder: Path, before: str, after: str, talks: int = 2) -> Any:
    """Lenient's talks held by `before`, adaptive's by `after`; the drift on DCN."""
    told = doctored(stored, folder, {LENIENT: before, ADAPTIVE: after})
    found = compared([told], None, ())
    return drifts(found, talks)[found.after[0].name, "dcn", "scripted/debtor"]


def test_the_distance_is_measured_where_the_later_model_has_been(
    stored: StoredRun, models: Path, tmp_path: Path
) -> None:
    found = between(stored, tmp_path / "run", f"hf/{models}/first", f"hf/{models}/later")
    assert isinstance(found, Drift)
    assert found.talks == 2
    assert 2 < found.messages < 26
    assert found.tokens > 50 * found.messages
    assert found.low <= found.kl <= found.high
    assert found.token == pytest.approx(found.kl * found.messages / found.tokens)


def test_why_there_is_no_distance_is_said(stored: StoredRun, models: Path, tmp_path: Path) -> None:
    first, later = f"hf/{models}/first", f"hf/{models}/later"
    assert between(stored, tmp_path / "a", LENIENT, later) == Unscored(
        "scripted/lenient is no local model (hf/PATH)"
    )
    assert between(stored, tmp_path / "b", first, later, talks=0).reason.startswith("not asked for")
    gone = between(stored, tmp_path / "c", first, f"hf/{models}/gone")
    assert gone.reason == f"there is no model in {models}/gone any more, as seen from here"
    helped = between(stored, tmp_path / "d", first, f"{later}+maden")
    assert "a planner or a judge" in helped.reason
    other = tmp_path / "other"
    shutil.copytree(models / "later", other)
    text = (other / "tokenizer.json").read_text(encoding="utf-8")
    (other / "tokenizer.json").write_text(text.replace('"!":', '"never":'), encoding="utf-8")
    assert "tokenizer is another" in between(stored, tmp_path / "e", first, f"hf/{other}").reason
