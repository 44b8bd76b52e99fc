"""nano: the same recipe and seed give the same model; what is done is not done again."""

import json
from pathlib import Path
from typing import Any

import pytest

from arrears.errors import BrokenFile, UsageError
from arrears.training.nano.corpus import Mix, talks
from arrears.training.nano.recipe import Nano, read_nano
from tests.commands import arrears, here

pytest.importorskip("torch", reason="nano needs the extra train")

from arrears.training.nano import stages
from arrears.training.nano.model import Shape, new_model
from arrears.training.nano.stages import people_of
from arrears.training.nano.tokenizer import train_tokenizer

TINY = Shape(vocabulary=700, hidden=32, intermediate=64, layers=2, heads=2, head_dim=16)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """Messages of thirty talks."""
    return [m["content"] for talk in talks(Mix(talks=30), 1) for m in talk.row()["messages"]]


@pytest.fixture(scope="module")
def tokenizer(texts: list[str]) -> Any:
    return train_tokenizer(texts, 1500)


# The recipe


def test_the_shipped_recipe_is_the_one_in_code_where_it_says_nothing_else() -> None:
    shipped = read_nano()
    assert shipped.shape == Shape()
    assert shipped.mix == Mix()
    assert shipped.cfpo.rounds >= 2
    parameters = 4096 * 384 + 4 * (2 * 384 * 384 + 2 * 384 * 128 + 3 * 384 * 1024)
    assert 5_000_000 < parameters < 10_000_000


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ("rounds", "key=value"),
        ("rounds=2", "rounds"),
        ("cfpo.rounds=-1", "greater than or equal to 0"),
        ("cfpo.nothing=1", "cfpo.nothing"),
        ("nothing.at=1", "nothing"),
        ("proof.suite=mine", "proof.suite"),
    ],
)
def test_a_wrong_setting_names_its_key(setting: str, why: str) -> None:
    with pytest.raises((UsageError, BrokenFile), match=why.replace(".", r"\.")):
        read_nano(None, (setting,))


def test_a_recipe_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("[mix]\ntalks = 7\n")
    assert read_nano(tmp_path / "mine.toml", ("cfpo.rounds=1",)) == Nano(
        mix=Mix(talks=7), cfpo=Nano().cfpo.model_copy(update={"rounds": 1})
    )
    (tmp_path / "mine.toml").write_text("[mix\n")
    with pytest.raises(BrokenFile, match=r"mine\.toml"):
        read_nano(tmp_path / "mine.toml")


# What it learns from


def test_the_corpus_is_a_function_of_the_mix_and_the_seed() -> None:
    def rows(seed: int) -> list[Any]:
        return [talk.row() for talk in talks(Mix(talks=8), seed)]

    assert rows(3) == rows(3) != rows(4)


def test_the_corpus_gives_too_much_away() -> None:
    told = list(talks(Mix(talks=150), 2))
    agreed = [t.dialogue.terms for t in told if t.dialogue.terms is not None]
    assert sum(t.disc_ratio for t in agreed) / len(agreed) > 0.06
    assert {t.dialogue.suite for t in told} == {"debtbench", "dcn"}
    assert all("-train-" in t.debtor.id for t in told)
    seats = [t.dialogue.collector for t in told]
    assert seats.count("scripted/lenient") > seats.count("scripted/typical") > 30


def test_thoughts_say_what_was_heard_and_nothing_over_again(texts: list[str]) -> None:
    thoughts = {t.split("\n")[0] for t in texts if t.startswith("Thoughts: ")}
    assert thoughts
    assert not any("ask(" in t or ";" in t for t in thoughts)


# Its tokenizer and weights


def test_any_text_comes_back(tokenizer: Any) -> None:
    for text in ("Pay 1,250 yuan.", "您好，这笔款", "naïve 🙂\n\n\tx", "ask(disc_ratio=10%)", ""):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_digits_are_read_one_by_one_and_marks_whole(tokenizer: Any) -> None:
    assert len(tokenizer("12345")["input_ids"]) == 5
    assert len(tokenizer("<|im_start|>")["input_ids"]) == 1
    assert tokenizer.eos_token == "<|im_end|>"
    longest = max(tokenizer.get_vocab(), key=len)
    assert len(longest) <= 32


def test_the_loss_is_on_the_collectors_words_and_the_mark_that_ends_them(tokenizer: Any) -> None:
    (talk,) = talks(Mix(talks=1), 5)
    messages = talk.row()["messages"]
    made = tokenizer.apply_chat_template(
        messages, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
    )
    own = [t for t, mine in zip(made["input_ids"], made["assistant_masks"], strict=True) if mine]
    said = [m["content"] for m in messages if m["role"] == "assistant"]
    assert tokenizer.decode(own) == "".join(f"{text}<|im_end|>" for text in said)


def test_weights_are_a_function_of_the_seed(tokenizer: Any) -> None:
    import torch

    one, same, other = (new_model(TINY, tokenizer, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_no_two_rounds_have_a_debtor_in_common() -> None:
    nano = Nano()
    rounds = [{d.id for d in people_of(nano, 1, n)} for n in (1, 2, 3)]
    assert [len(r) for r in rounds] == [nano.cfpo.debtors] * 3
    assert not rounds[0] & rounds[1] | rounds[1] & rounds[2] | rounds[0] & rounds[2]
    assert rounds[0] != {d.id for d in people_of(nano, 2, 1)}


def test_a_round_meets_whom_the_recipe_says_and_never_fewer_than_it_says() -> None:
    nano = read_nano(None, ("cfpo.suite=dcn", "cfpo.debtors=400"))
    people = people_of(nano, 1, 1)
    assert len(people) == 400
    assert all(d.id.startswith("dcn-train-") for d in people)
    with pytest.raises(UsageError, match=r"round 2 has no 400 debtors left: dcn has 585"):
        people_of(nano, 1, 2)


def test_rounds_without_debtors_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    words = ("train", "nano", "--out", str(tmp_path / "n"), "--set", "cfpo.debtors=6000")
    done = arrears(*words)
    assert done.returncode == 2
    assert "round 2 has no 6,000 debtors left" in done.stderr
    assert not (tmp_path / "n").exists()


# The whole way


def test_the_whole_way_is_resumed_and_then_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a model that is too small to learn to talk: nothing is claimed of what it says."""
    # So few dialogues at once are not worth a second copy, which would load torch for itself.
    monkeypatch.setattr(stages, "AT_ONCE", 4)
    out = tmp_path / "n"
    small = [f"shape.{key}={value}" for key, value in TINY.model_dump().items() if key != "context"]
    settings = [
        *small, "mix.talks=24", "cfpo.rounds=0", "proof.debtors=1",
        'sft.set=["training.max_steps=2", "training.batch=4"]',
    ]  # fmt: skip
    words = ["train", "nano", "--out", str(out)]
    for setting in settings:
        words += ["--set", setting]
    done = here(*words)
    assert done.returncode == 0, done.stderr
    told = json.loads((out / "sft" / "training.json").read_text())
    assert told["about"]["collector_prompt"] == "short"
    assert json.loads((out / "sft" / "config.json").read_text())["dtype"] == "bfloat16"
    assert len((out / "proof" / "dialogues.jsonl").read_text().splitlines()) == 1
    plan = json.loads((out / "proof" / "run.json").read_text())
    assert set(plan["wordings"].values()) == {"short"}
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.safetensors")}
    again = here(*words)
    assert again.returncode == 0, again.stderr
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.safetensors")} == before
    other = here(*words, "--seed", "2")
    assert other.returncode == 2
    assert "holds another nano; it differs in seed" in other.stderr
    plan = json.loads((out / "nano.json").read_text())
    del plan["recipe"]["cfpo"]["suite"]
    (out / "nano.json").write_text(json.dumps(plan))
    older = here(*words)
    assert older.returncode == 0, "a key that came later has its default in an older folder"
    (out / "nano.json").write_text("{}")
    broken = here(*words)
    assert broken.returncode == 2
    assert "not the plan of a nano" in broken.stderr
