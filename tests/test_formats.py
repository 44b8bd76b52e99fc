"""Training data as files: TRL and LLaMA-Factory read what is written, by loaders of their own."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from arrears.errors import UsageError
from arrears.models.chat import Message
from arrears.training.formats.llama_factory import (
    INFO,
    dataset_info,
    example,
    runs,
    write_folder,
)
from arrears.training.formats.trl import answer_row, preference_row, talk_row, write_rows

RUNS = ("dcn-sft-dg", "dcn-sft-mag", "dcn-dpo-dg", "dcn-dpo-mag", "debtgpt")
IGNORED = -100
NEEDED = ("model_name_or_path", "stage", "do_train", "finetuning_type", "dataset", "dataset_dir",
          "template", "output_dir")  # fmt: skip


def talk(n: int) -> list[Message]:
    """Two exchanges with a debtor, in both languages."""
    return [
        {"role": "system", "content": f"You collect debt {n}. 你负责催收。"},
        {"role": "user", "content": "You speak first."},
        {"role": "assistant", "content": f"Action: non\nDialogue: What happened, {n}? 怎么了？"},
        {"role": "user", "content": 'The customer says:\n"""\nI lost my job.\n"""'},
        {"role": "assistant", "content": f"Action: ask(inst_prds=6)\nDialogue: Half a year, {n}?"},
    ]


WORSE = "Action: ask(inst_prds=24)\nDialogue: Take your time."


def answers(count: int = 3) -> list[dict[str, Any]]:
    """Single answers."""
    return [answer_row(talk(n)[:-1], talk(n)[-1], {"turn": 2}) for n in range(count)]


def preferences(count: int = 3) -> list[dict[str, Any]]:
    """Pairs."""
    return [preference_row(talk(n)[:-1], talk(n)[-1], WORSE, {"turn": 2}) for n in range(count)]


def rows_for(run: str) -> list[dict[str, Any]]:
    """Rows of the kind that a run takes."""
    return answers() if "sft" in run else preferences()


def test_rows_have_the_keys_of_their_kind_and_what_they_are_about() -> None:
    whole, single, pair = talk_row(talk(1), {}), answers()[0], preferences()[0]
    assert set(whole) == {"messages", "about"}
    assert set(single) == {"prompt", "completion", "about"}
    assert set(pair) == {"prompt", "chosen", "rejected", "about"}
    assert single["completion"] == pair["chosen"] == [talk(0)[-1]]
    assert pair["rejected"] == [{"role": "assistant", "content": WORSE}]
    assert single["prompt"][-1]["role"] == "user"


def test_a_pair_of_equal_answers_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="the same"):
        preference_row(talk(1)[:-1], talk(1)[-1], talk(1)[-1]["content"], {})


def test_lines_are_utf_8_one_row_each(tmp_path: Path) -> None:
    write_rows(tmp_path / "t.jsonl", answers())
    text = (tmp_path / "t.jsonl").read_bytes()
    assert text.count(b"\n") == 3
    assert "怎么了".encode() in text
    assert [json.loads(line) for line in text.splitlines()] == answers()


@pytest.mark.parametrize("rows", [answers(), preferences()], ids=["sft", "dpo"])
def test_trl_takes_the_rows_as_conversations(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    data_utils = pytest.importorskip("trl.data_utils", reason="TRL is not installed")
    from tests.small_model import tokenizer

    write_rows(tmp_path / "train.jsonl", rows)
    read = datasets.load_dataset(
        "json", data_files=str(tmp_path / "train.jsonl"), split="train", cache_dir=str(tmp_path)
    )
    assert len(read) == len(rows)
    fast = tokenizer()
    for found, row in zip(read, rows, strict=True):
        assert found["prompt"] == row["prompt"]
        assert data_utils.is_conversational(found)
        bare = {key: value for key, value in found.items() if key != "about"}
        text = data_utils.maybe_apply_chat_template(bare, fast)
        assert text["prompt"].endswith("<|im_start|>assistant\n")
        for key in set(bare) - {"prompt"}:
            assert text[key] == f"{row[key][0]['content']}<|im_end|>\n"
        said = [m["content"] for m in row["prompt"]]
        assert all(words in text["prompt"] for words in said)


# --- LLaMA-Factory: the documented fields, and where it is installed its own readers


def test_every_run_of_the_papers_is_there() -> None:
    assert tuple(runs()) == RUNS
    stages = {name: run.stage for name, run in runs().items()}
    assert stages == {name: "sft" if "sft" in name else "dpo" for name in RUNS}


@pytest.mark.parametrize("name", RUNS[:4])
def test_dcns_runs_have_the_values_of_its_table_13(name: str) -> None:
    found = yaml.safe_load(runs()[name].filled("x"))
    paper = {
        "model_name_or_path": "Qwen/Qwen2.5-7B-Instruct",
        "finetuning_type": "lora",
        "per_device_train_batch_size": 4,
        "learning_rate": 5e-6,
        "num_train_epochs": 5.0,
        "bf16": True,
    }
    assert {key: found[key] for key in paper} == paper
    assert found.get("mask_history", False) is (found["stage"] == "sft"), (
        "only the answer is learnt"
    )
    assert found["output_dir"] == f"saves/{name}"


def test_debtgpts_run_is_qwen3_with_lora_and_dpo() -> None:
    found = yaml.safe_load(runs()["debtgpt"].filled("x"))
    said = {
        "model_name_or_path": "Qwen/Qwen3-8B", "template": "qwen3_nothink", "stage": "dpo",
        "finetuning_type": "lora", "pref_beta": 0.1, "pref_loss": "sigmoid",
    }  # fmt: skip
    assert {key: found[key] for key in said} == said


@pytest.mark.parametrize("name", RUNS)
def test_each_value_of_a_run_says_where_it_comes_from(name: str) -> None:
    ours = {"do_train", "dataset_dir", "dataset", "template", "mask_history", "cutoff_len",
            "output_dir", "logging_steps", "report_to"}  # fmt: skip
    for line in runs()[name].text.splitlines():
        key, colon, rest = line.partition(":")
        if colon and not line.startswith("#") and key not in ours:
            assert any(word in rest for word in ("# paper", "# default", "# example")), line


def test_the_description_has_the_documented_fields() -> None:
    (entry,) = dataset_info("dpo-mag", "dpo-mag.jsonl", ranking=True).values()
    assert entry["file_name"] == "dpo-mag.jsonl"
    assert entry["formatting"] == "sharegpt", "`openai` adds words to the system's message"
    assert entry["ranking"] is True
    assert entry["columns"] == {"messages": "messages", "chosen": "chosen", "rejected": "rejected"}
    assert entry["tags"]["user_tag"] == "user"
    (entry,) = dataset_info("sft-dg", "sft-dg.jsonl", ranking=False).values()
    assert "ranking" not in entry
    assert entry["columns"] == {"messages": "messages"}


def test_an_example_is_the_whole_talk_or_the_talk_and_two_answers() -> None:
    assert example(answers()[1]) == {"messages": talk(1)}
    assert example(talk_row(talk(1), {})) == {"messages": talk(1)}
    pair = example(preferences()[1])
    assert pair["messages"] == talk(1)[:-1]
    assert (pair["chosen"], pair["rejected"]["content"]) == (talk(1)[-1], WORSE)


@pytest.mark.parametrize("run", ["dcn-dpo-dg", "debtgpt"])
def test_rows_and_run_must_be_of_one_kind(run: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds single answers"):
        write_folder(tmp_path, "x", answers(), runs()[run])
    with pytest.raises(UsageError, match="holds pairs of answers"):
        write_folder(tmp_path, "x", preferences(), runs()["dcn-sft-dg"])
    assert not list(tmp_path.iterdir())


def labels_of(kept: Sequence[int], tokenizer: Any) -> str:
    """The text that bears loss."""
    return str(tokenizer.decode([token for token in kept if token != IGNORED]))


@pytest.mark.parametrize("name", RUNS)
def test_llama_factory_reads_the_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its parser of a run, its loader and its converter; for one answer, what bears loss."""
    pytest.importorskip("llamafactory", reason="LLaMA-Factory is not installed")
    from llamafactory.data.loader import _load_single_dataset
    from llamafactory.data.parser import get_dataset_list
    from llamafactory.hparams import get_train_args

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    rows = rows_for(name)
    write_folder(tmp_path, "talks", rows, runs()[name])
    asked = yaml.safe_load((tmp_path / f"{name}.yaml").read_text())
    parts = get_train_args({**asked, "use_cpu": True})
    model, data, training, fine, _ = parts
    assert (fine.stage, fine.finetuning_type) == (asked["stage"], "lora")
    assert training.learning_rate == 5e-6
    needed = {key: asked[key] for key in NEEDED}
    usual = get_train_args({**needed, "use_cpu": True})
    for key in re.findall(r"^(\w+):.*# default", runs()[name].text, re.MULTILINE):
        found = [getattr(part, key) for part in parts if hasattr(part, key)]
        assert found, key
        assert found == [getattr(part, key) for part in usual if hasattr(part, key)], key
    (attributes,) = get_dataset_list(data.dataset, data.dataset_dir)
    read = _load_single_dataset(attributes, model, data, training)
    assert len(read) == len(rows)
    for n, row in enumerate(read):
        assert row["_system"] == talk(n)[0]["content"]
        assert row["_prompt"] == [dict(m) for m in talk(n)[1:-1]]
        wanted = [talk(n)[-1]["content"]] + ([WORSE] if asked["stage"] == "dpo" else [])
        assert [m["content"] for m in row["_response"]] == wanted
    assert (tmp_path / INFO).exists()

    from llamafactory.data.processor.pairwise import PairwiseDatasetProcessor
    from llamafactory.data.processor.supervised import SupervisedDatasetProcessor
    from llamafactory.data.template import get_template_and_fix_tokenizer

    from tests.small_model import tokenizer

    fast = tokenizer()
    fast.padding_side = "right"
    template = get_template_and_fix_tokenizer(fast, data)
    kind = PairwiseDatasetProcessor if asked["stage"] == "dpo" else SupervisedDatasetProcessor
    made = kind(template=template, tokenizer=fast, processor=None, data_args=data)
    tokens = made.preprocess_dataset(read.to_dict())
    lead = "chosen_" if asked["stage"] == "dpo" else ""
    for n, labels in enumerate(tokens[f"{lead}labels"]):
        assert labels_of(labels, fast) == f"{talk(n)[-1]['content']}<|im_end|>\n"
        whole = fast.decode(tokens[f"{lead}input_ids"][n])
        assert all(m["content"] in whole for m in talk(n)), "nothing is cut"
