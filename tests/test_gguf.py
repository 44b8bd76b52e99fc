"""A trained model as a GGUF file: what stands in it, and what is refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from arrears.cli.export import export
from arrears.training.gguf import DTYPES, Dtype, export_gguf
from arrears.training.template import CHAT_TEMPLATE, plain_template
from tests import tiny_model
from tests.commands import arrears
from tests.small_qwen import MARKS, changed, model

gguf = pytest.importorskip("gguf", reason="the export needs the extra train")
pytest.importorskip("torch", reason="the models that are exported are made with torch")


@pytest.fixture
def copy(plain: Path, tmp_path: Path) -> Path:
    """One of its copies, to be damaged."""
    return Path(shutil.copytree(plain, tmp_path / "collector"))


def fields(path: Path) -> dict[str, Any]:
    """The fields of a GGUF file."""
    return {name: field.contents() for name, field in gguf.GGUFReader(path).fields.items()}


def numbers(path: Path) -> dict[str, Any]:
    """Its tensors as float32, by llama.cpp's names."""
    return {
        t.name: gguf.dequantize(t.data, t.tensor_type).reshape(tuple(reversed(t.shape.tolist())))
        for t in gguf.GGUFReader(path).tensors
    }


PLACES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm", "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}  # fmt: skip


def renamed(made: Any) -> dict[str, Any]:
    """A model's weights by llama.cpp's names."""
    found = {}
    for name, weight in made.named_parameters():
        parts = name.removesuffix(".weight").split(".")
        if parts[:2] == ["model", "layers"]:
            new = f"blk.{parts[2]}.{PLACES['.'.join(parts[3:])]}"
        else:
            new = {"embed_tokens": "token_embd", "norm": "output_norm", "lm_head": "output"}[
                parts[-1]
            ]
        found[f"{new}.weight"] = weight.detach().float().numpy()
    return found


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"dtype": "bfloat16"},
        {"dtype": "float16"},
        {"shards": "60KB"},
        {"tie_word_embeddings": False, "shards": "60KB", "dtype": "bfloat16"},
    ],
    ids=lambda how: "-".join(map(str, how.values())) or "plain",
)
def test_f32_holds_every_weight_to_the_last_bit(how: dict[str, Any], tmp_path: Path) -> None:
    made, _ = model(tmp_path / "m", **how)
    if "shards" in how:
        assert len(list((tmp_path / "m").glob("*.safetensors"))) > 2
    done = export_gguf(tmp_path / "m", tmp_path / "m.gguf", "f32")
    there, here = numbers(tmp_path / "m.gguf"), renamed(made)
    assert there.keys() == here.keys()
    assert ("output.weight" in there) is (not how.get("tie_word_embeddings", True))
    for name, weight in here.items():
        np.testing.assert_array_equal(there[name], weight, name)
    assert done.parameters == made.num_parameters()
    assert done.size == (tmp_path / "m.gguf").stat().st_size


def stored_head(folder: Path, head: Any) -> None:
    """Put an output layer beside the embedding of a model whose config says that they are one."""
    from safetensors.torch import load_file, save_file

    weights = dict(load_file(folder / "model.safetensors"))
    weights["lm_head.weight"] = head(weights["model.embed_tokens.weight"])
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("head", "own"),
    [
        (lambda w: w.clone(), False),
        (lambda w: w.double().float().bfloat16() * 0 + w.bfloat16(), None),
        (lambda w: w + 0.5, True),
        (lambda w: w.index_fill(0, w.new_tensor([1204]).long(), 9.0), True),
    ],
    ids=["the same numbers", "rounded", "other numbers", "one other row"],
)
def test_an_output_layer_is_exported_as_the_model_plays_with_it(
    head: Any, own: bool | None, plain: Path, tmp_path: Path
) -> None:
    """transformers ties the two only where they are the same numbers; so does the file."""
    from transformers import AutoModelForCausalLM

    folder = Path(shutil.copytree(plain, tmp_path / "m"))
    stored_head(folder, head)
    export_gguf(folder, tmp_path / "m.gguf", "f32")
    there = numbers(tmp_path / "m.gguf")
    played = AutoModelForCausalLM.from_pretrained(folder, dtype="float32")
    wanted = played.get_output_embeddings().weight.detach().numpy()
    np.testing.assert_array_equal(there.get("output.weight", there["token_embd.weight"]), wanted)
    if own is not None:
        assert ("output.weight" in there) is own


@pytest.mark.parametrize("dtype", DTYPES)
def test_matrices_are_stored_as_asked_for_and_norms_exactly(dtype: Dtype, tmp_path: Path) -> None:
    made, _ = model(tmp_path / "m", dtype="bfloat16")
    export_gguf(tmp_path / "m", tmp_path / "m.gguf", dtype)
    there, here = numbers(tmp_path / "m.gguf"), renamed(made)
    kinds = {
        t.name: t.tensor_type.name.lower() for t in gguf.GGUFReader(tmp_path / "m.gguf").tensors
    }
    for name, weight in here.items():
        assert kinds[name] == ("f32" if weight.ndim == 1 else dtype)
        if weight.ndim == 1 or dtype in ("f32", "bf16"):
            np.testing.assert_array_equal(there[name], weight)
        elif dtype == "f16":
            np.testing.assert_array_equal(there[name], weight.astype(np.float16))
        else:
            blocks = weight.reshape(-1, 32)
            # Half a step of 127; the step itself is a float16.
            step = np.abs(blocks).max(axis=1, keepdims=True) / 127
            assert (np.abs(there[name].reshape(-1, 32) - blocks) <= step * 0.5 + step * 0.07).all()
    types = {"f32": 0, "f16": 1, "q8_0": 7, "bf16": 32}
    assert fields(tmp_path / "m.gguf")["general.file_type"] == types[dtype]


def test_rows_that_q8_0_cannot_hold_stay_f16(tmp_path: Path) -> None:
    model(tmp_path / "m", intermediate_size=80)
    done = export_gguf(tmp_path / "m", tmp_path / "m.gguf", "q8_0")
    kinds = {t.name: t.tensor_type.name for t in gguf.GGUFReader(tmp_path / "m.gguf").tensors}
    assert {n for n, k in kinds.items() if k == "F16"} == {
        f"blk.{i}.ffn_down.weight" for i in (0, 1)
    }
    assert done.wider == 2


def test_the_fields_are_the_models(plain: Path, tmp_path: Path) -> None:
    export_gguf(plain, tmp_path / "m.gguf")
    there = fields(tmp_path / "m.gguf")
    told = {
        "general.architecture": "qwen3", "general.name": "collector", "general.type": "model",
        "qwen3.block_count": 2, "qwen3.context_length": 512, "qwen3.embedding_length": 64,
        "qwen3.feed_forward_length": 96, "qwen3.attention.head_count": 4,
        "qwen3.attention.head_count_kv": 2, "qwen3.attention.key_length": 32,
        "qwen3.attention.value_length": 32, "qwen3.rope.dimension_count": 32,
        "qwen3.rope.freq_base": 500_000.0, "qwen3.vocab_size": 1205,
        "qwen3.attention.layer_norm_rms_epsilon": pytest.approx(1e-5),
        "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.eos_token_id": 2, "tokenizer.ggml.padding_token_id": 0,
        "tokenizer.ggml.bos_token_id": 0, "tokenizer.ggml.add_bos_token": False,
        "tokenizer.ggml.add_eos_token": False,
    }  # fmt: skip
    assert {name: there[name] for name in told} == told


def test_a_config_of_older_transformers_is_read_as_the_same(
    plain: Path, copy: Path, tmp_path: Path
) -> None:
    changed(
        copy / "config.json",
        lambda c: (c.pop("rope_parameters"), c.update(rope_theta=500_000.0, rope_scaling=None)),
    )
    export_gguf(plain, tmp_path / "a.gguf")
    export_gguf(copy, tmp_path / "b.gguf")
    assert (tmp_path / "a.gguf").read_bytes() == (tmp_path / "b.gguf").read_bytes()


def test_every_token_stands_at_its_number(plain: Path, tmp_path: Path) -> None:
    raw = json.loads((plain / "tokenizer.json").read_text())
    raw["added_tokens"].append(
        {"id": 1202, "content": "<think>", "special": False, "normalized": False,
         "single_word": False, "lstrip": False, "rstrip": False}
    )  # fmt: skip
    shutil.copytree(plain, tmp_path / "m")
    (tmp_path / "m" / "tokenizer.json").write_text(json.dumps(raw))
    export_gguf(tmp_path / "m", tmp_path / "m.gguf")
    there = fields(tmp_path / "m.gguf")
    tokens, types = there["tokenizer.ggml.tokens"], there["tokenizer.ggml.token_type"]
    assert tokens[:1200] == sorted(raw["model"]["vocab"], key=raw["model"]["vocab"].get)
    assert tokens[1200:] == [
        "[UNUSED1200]",
        "[UNUSED1201]",
        "<think>",
        "[UNUSED1203]",
        "[UNUSED1204]",
    ]
    assert types == [3, 3, 3] + [1] * 1197 + [5, 5, 4, 5, 5]
    assert there["tokenizer.ggml.merges"] == [" ".join(m) for m in raw["model"]["merges"]]


def test_the_chat_form_goes_along_without_the_marks_of_training(
    plain: Path, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    export_gguf(plain, tmp_path / "m.gguf")
    form = fields(tmp_path / "m.gguf")["tokenizer.chat_template"]
    assert form == plain_template(CHAT_TEMPLATE)
    assert "generation %}" not in form
    words = AutoTokenizer.from_pretrained(plain)
    for talk in tiny_model.conversations(1):
        for begun in (False, True):
            asked = {"tokenize": False, "add_generation_prompt": begun}
            assert words.apply_chat_template(talk, chat_template=form, **asked) == (
                words.apply_chat_template(talk, **asked)
            )


FORMS = (
    "{%- for m in messages %}\n    {%- if m.role == 'assistant' %}\n        {{- '<a>\\n' }}\n"
    "        {%- generation %}\n        {{- m.content }}\n        {%- endgeneration %}\n"
    "    {%- else %}\n        {{- m.content }}\n    {%- endif %}\n{%- endfor %}",
    "{% for m in messages -%}\n{%- generation -%} {{- m.content -}} {%- endgeneration -%}\n{% endfor %}",
)


@pytest.mark.parametrize("form", FORMS)
def test_marks_with_space_around_leave_the_same_text(form: str, plain: Path) -> None:
    from transformers import AutoTokenizer

    words = AutoTokenizer.from_pretrained(plain)
    (talk, _) = tiny_model.conversations(1)
    asked = {"tokenize": False}
    assert words.apply_chat_template(talk, chat_template=plain_template(form), **asked) == (
        words.apply_chat_template(talk, chat_template=form, **asked)
    )


def test_an_old_folder_keeps_its_form_in_the_tokenizers_settings(
    copy: Path, tmp_path: Path
) -> None:
    (copy / "chat_template.jinja").unlink()
    settings = json.loads((copy / "tokenizer_config.json").read_text())
    forms = [{"name": "tool", "template": "no"}, {"name": "default", "template": "yes"}]
    for stored, form in (("mine", "mine"), (forms, "yes")):
        settings["chat_template"] = stored
        (copy / "tokenizer_config.json").write_text(json.dumps(settings))
        export_gguf(copy, tmp_path / "m.gguf")
        assert fields(tmp_path / "m.gguf")["tokenizer.chat_template"] == form


@pytest.mark.parametrize("splitting", ["gpt-2", "qwen2"])
def test_the_splitting_is_told_by_llama_cpps_name(splitting: str, tmp_path: Path) -> None:
    model(tmp_path / "m", splitting)
    assert export_gguf(tmp_path / "m", tmp_path / "m.gguf").splitting == splitting
    assert fields(tmp_path / "m.gguf")["tokenizer.ggml.pre"] == splitting


def test_a_tied_output_that_is_stored_too_is_passed_over(
    plain: Path, copy: Path, tmp_path: Path
) -> None:
    from safetensors.numpy import load_file, save_file

    weights = load_file(copy / "model.safetensors")
    save_file(
        {**weights, "lm_head.weight": weights["model.embed_tokens.weight"]},
        copy / "model.safetensors",
    )
    export_gguf(plain, tmp_path / "a.gguf")
    export_gguf(copy, tmp_path / "b.gguf")
    assert (tmp_path / "a.gguf").read_bytes() == (tmp_path / "b.gguf").read_bytes()


def test_the_command_says_what_it_wrote(plain: Path, tmp_path: Path) -> None:
    line = ("export", "gguf", str(plain), str(tmp_path / "m.gguf"))
    done = arrears(*line, "--dtype", "q8_0")
    assert done.returncode == 0, done.stderr
    assert "q8_0, 1,205 tokens (qwen2), 512 to a conversation" in done.stdout
    assert fields(tmp_path / "m.gguf")["general.file_type"] == 7
    assert arrears(*line, "--dtype", "q4").returncode == 2
    failed = arrears("export", "gguf", str(tmp_path / "none"), str(tmp_path / "n.gguf"))
    assert failed.returncode == 2
    assert failed.stderr.startswith("arrears: ")
    assert "there is no config.json" in failed.stderr


def test_a_collector_that_was_briefed_shortly_says_how_to_call_it(
    copy: Path, tmp_path: Path
) -> None:
    """A server does not hand `training.json` on."""
    (copy / "training.json").write_text(json.dumps({"about": {"collector_prompt": "short"}}))
    done = CliRunner().invoke(export, ["gguf", str(copy), str(tmp_path / "m.gguf")])
    assert done.exit_code == 0
    assert "bench needs --collector-prompt short" in done.stderr


def test_tokens_that_llama_cpp_python_leaves_out_are_told(tmp_path: Path) -> None:
    _, words = model(tmp_path / "m", longest=90)
    long = [
        t
        for t in words.get_vocab()
        if t not in MARKS and len(words.decode([words.get_vocab()[t]]).encode()) > 32
    ]
    assert long
    assert export_gguf(tmp_path / "m", tmp_path / "m.gguf").long == len(long)
    done = CliRunner().invoke(export, ["gguf", str(tmp_path / "m"), str(tmp_path / "m.gguf")])
    assert f"{len(long)} tokens are longer than 32 bytes" in done.stderr
