"""What is learned from: of a talk the collector's words, and of a row all of it or nothing."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from arrears.errors import BrokenFile, UsageError
from arrears.training.fit.data import read_data
from arrears.training.fit.recipe import Kind
from arrears.training.fit.run import prepare
from tests import small_model
from tests.courses import ROWS, ready, recipe, write
from tests.small_model import talk


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


def test_of_a_pair_what_follows_the_acts_may_be_left_out(shelf: Path, tmp_path: Path) -> None:
    """What counts ends with the mark in both answers; what stands before it is unchanged."""
    chosen = recipe("dpo", "dpo.until=Dialogue:", batch=4, epochs=1)
    trainer, laid, *_ = ready(shelf, tmp_path, "dpo", chosen)
    tokenizer = trainer.processing_class
    for step, batch in enumerate(trainer.get_train_dataloader()):
        rows = laid.order[4 * step : 4 * step + 4]
        for at, answer in enumerate([talk(n)[-1] for n in rows] + [talk(n + 1)[-1] for n in rows]):
            compared = batch["completion_mask"][at].bool()
            learned = tokenizer.decode(batch["input_ids"][at][compared])
            acts, mark, _ = answer["content"].partition("Dialogue:")
            assert learned.rstrip() == acts + mark


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
