"""A trained model as a GGUF file: what stands in it, and what is refused."""

import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from arrears.cli.export import export
from arrears.errors import BrokenFile, StorageError, UnwritablePlace, UsageError
from arrears.training.gguf import DTYPES, Dtype, export_gguf
from arrears.training.template import CHAT_TEMPLATE, plain_template
from tests import tiny_model
from tests.commands import arrears
from tests.small_qwen import MARKS, model

gguf = pytest.importorskip("gguf", reason="the export needs the extra train")
pytest.importorskip("torch", reason="the models that are exported are made with torch")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stored model that nothing is wrong with."""
    folder = tmp_path_factory.mktemp("plain") / "collector"
    model(folder)
    return folder


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


def changed(path: Path, change: Callable[[Any], object]) -> None:
    """A JSON file, changed in its place."""
    raw = json.loads(path.read_text())
    change(raw)
    path.write_text(json.dumps(raw))


SPLITS = "splits text in a way that is not known here"
TOKENIZERS: dict[str, tuple[Callable[[Any], object], str]] = {
    "another pattern": (lambda t: t["pre_tokenizer"]["pretokenizers"][0]["pattern"].update(Regex=r"\S+"), SPLITS),
    "what matches thrown away": (lambda t: t["pre_tokenizer"]["pretokenizers"][0].update(behavior="Removed"), SPLITS),
    "split twice": (lambda t: t["pre_tokenizer"]["pretokenizers"][1].update(use_regex=True), SPLITS),
    "a space put before": (lambda t: t["pre_tokenizer"]["pretokenizers"][1].update(add_prefix_space=True), SPLITS),
    "not split": (lambda t: t.update(pre_tokenizer=None), SPLITS),
    "no bytes": (lambda t: t.update(pre_tokenizer={"type": "Whitespace"}), SPLITS),
    "small letters": (lambda t: t.update(normalizer={"type": "Lowercase"}), '"Lowercase"'),
    "words": (lambda t: t["model"].update(type="WordPiece"), "is a WordPiece tokenizer"),
    "merges ignored": (lambda t: t["model"].update(ignore_merges=True), "llama.cpp has no ignore_merges"),
    "a byte missing": (lambda t: t["model"]["vocab"].pop("Ġ"), "1 of the 256 bytes have no token"),
    "a token of letters": (lambda t: t["model"]["vocab"].update({"▁a": 1201}), "'▁a' is no token of bytes"),
    "a token that takes spaces": (lambda t: t["added_tokens"][1].update(lstrip=True), "takes the space"),
    "a token too many": (lambda t: t["model"]["vocab"].update({"aaaaa": 1205}), "token 1205, the model's embedding 1205 rows"),
    "the same token twice": (lambda t: t["added_tokens"].append({"id": 1201, "content": "<|im_end|>"}), "'<|im_end|>' twice"),
    "no vocabulary": (lambda t: t["model"].pop("vocab"), "not a tokenizer of the tokenizers library"),
}  # fmt: skip


@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_tokenizer_that_llama_cpp_would_read_otherwise_is_refused(
    name: str, copy: Path, tmp_path: Path
) -> None:
    change, told = TOKENIZERS[name]
    changed(copy / "tokenizer.json", change)
    with pytest.raises(UsageError) as caught:
        export_gguf(copy, tmp_path / "m.gguf")
    assert told in str(caught.value)
    assert "tokenizer.json" in str(caught.value)
    assert not list(tmp_path.glob("*m.gguf*"))


@pytest.mark.parametrize("splitting", ["gpt-2", "qwen2"])
def test_the_splitting_is_told_by_llama_cpps_name(splitting: str, tmp_path: Path) -> None:
    model(tmp_path / "m", splitting)
    assert export_gguf(tmp_path / "m", tmp_path / "m.gguf").splitting == splitting
    assert fields(tmp_path / "m.gguf")["tokenizer.ggml.pre"] == splitting


MODELS: dict[str, tuple[Callable[[Any], object], str]] = {
    "another kind": (lambda c: c.update(architectures=["LlamaForCausalLM"]), "holds LlamaForCausalLM; Qwen3ForCausalLM is what"),
    "experts": (lambda c: c.update(architectures=["Qwen3MoeForCausalLM"]), "holds Qwen3MoeForCausalLM"),
    "no kind": (lambda c: (c.pop("architectures"), c.update(model_type="bert")), "holds bert"),
    "stretched positions": (lambda c: c["rope_parameters"].update(rope_type="yarn"), "rope is yarn"),
    "windows": (lambda c: c.update(use_sliding_window=True), "use_sliding_window is true"),
    "biases": (lambda c: c.update(attention_bias=True), "attention_bias is true"),
    "another bend": (lambda c: c.update(hidden_act="gelu"), "hidden_act is gelu"),
    "stored in four bits": (lambda c: c.update(quantization_config={"bits": 4}), 'quantization_config is {"bits":4}'),
    "a number missing": (lambda c: c.pop("head_dim"), "config.json: head_dim: Field required"),
    "a number of nothing": (lambda c: c.update(num_hidden_layers=0), "config.json: num_hidden_layers: "),
    "no base of positions": (lambda c: c["rope_parameters"].pop("rope_theta"), "config.json: rope_theta: "),
    "a layer less": (lambda c: c.update(num_hidden_layers=1), "11 tensors that a plain Qwen3 does not have, model.layers.1."),
    "a layer more": (lambda c: c.update(num_hidden_layers=3), "11 of 35 tensors are missing, model.layers.2.input_layernorm.weight first"),
    "an output of its own": (lambda c: c.update(tie_word_embeddings=False), "1 of 25 tensors are missing, lm_head.weight"),
    "other rows": (lambda c: c.update(hidden_size=48), "embed_tokens.weight is 1205 x 64, config.json makes it 1205 x 48"),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_another_model_is_refused_by_what_it_is(name: str, copy: Path, tmp_path: Path) -> None:
    change, told = MODELS[name]
    changed(copy / "config.json", change)
    with pytest.raises(UsageError) as caught:
        export_gguf(copy, tmp_path / "m.gguf")
    assert told in str(caught.value)
    assert not list(tmp_path.glob("*m.gguf*"))


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


def remove(*names: str) -> Callable[[Path], object]:
    return lambda folder: [(folder / name).unlink() for name in names]


def cut(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def index(*files: str) -> Callable[[Path], object]:
    text = json.dumps({"weight_map": {str(n): file for n, file in enumerate(files)}})
    return lambda folder: (folder / "model.safetensors.index.json").write_text(text)


FOLDERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing": (lambda folder: shutil.rmtree(folder), "is no model: there is no config.json in it"),
    "no config": (remove("config.json"), "is no model: there is no config.json in it"),
    "an adapter": (lambda f: (f / "config.json").rename(f / "adapter_config.json"), "holds an adapter alone; merge it"),
    "a torn config": (lambda f: (f / "config.json").write_text('{"architectures": ['), "config.json: not JSON"),
    "a config of a list": (lambda f: (f / "config.json").write_text("[]"), "config.json: not a JSON object"),
    "no weights": (remove("model.safetensors"), "holds no weights"),
    "weights cut short": (cut, "model.safetensors: cut short: model."),
    "weights that are none": (lambda f: (f / "model.safetensors").write_bytes(b"PK\3\4" * 40), "not a safetensors file"),
    "empty weights": (lambda f: (f / "model.safetensors").write_bytes(b""), "not a safetensors file"),
    "a part missing": (index("model.safetensors", "part-2.safetensors"), "part-2.safetensors: No such file"),
    "an index of nothing": (lambda f: (f / "model.safetensors.index.json").write_text("{}"), "weight_map: names no files"),
    "no tokenizer": (remove("tokenizer.json"), "holds no tokenizer.json"),
    "a torn tokenizer": (lambda f: (f / "tokenizer.json").write_text("{"), "tokenizer.json: not JSON"),
    "no chat form": (remove("chat_template.jinja"), "has no chat template"),
    "an end that is no token": (lambda f: changed(f / "tokenizer_config.json", lambda s: s.update(eos_token="</s>")), "eos_token: '</s>' is no token"),
    "no end": (lambda f: changed(f / "tokenizer_config.json", lambda s: s.pop("eos_token")), "names no eos_token"),
}  # fmt: skip


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_that_is_not_whole_is_told(name: str, copy: Path, tmp_path: Path) -> None:
    damage, told = FOLDERS[name]
    damage(copy)
    with pytest.raises((UsageError, BrokenFile)) as caught:
        export_gguf(copy, tmp_path / "m.gguf")
    assert told in str(caught.value)
    assert not list(tmp_path.glob("*m.gguf*"))


@pytest.mark.parametrize(
    ("value", "dtype", "told"),
    [
        (float("nan"), "f32", "numbers that are not finite"),
        (float("inf"), "q8_0", "numbers that are not finite"),
        (70_000.0, "f16", "blk.1.ffn_up.weight holds 7e+04, too large for f16; use bf16"),
    ],
)
def test_numbers_that_cannot_be_stored_are_told_and_leave_what_was_there(
    value: float, dtype: Dtype, told: str, copy: Path, tmp_path: Path
) -> None:
    from safetensors.numpy import load_file, save_file

    weights = load_file(copy / "model.safetensors")
    weights["model.layers.1.mlp.up_proj.weight"][3, 5] = value
    save_file(weights, copy / "model.safetensors")
    (tmp_path / "m.gguf").write_text("what was there")
    with pytest.raises(UsageError) as caught:
        export_gguf(copy, tmp_path / "m.gguf", dtype)
    assert told in str(caught.value)
    assert (tmp_path / "m.gguf").read_text() == "what was there"
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["m.gguf"]


def test_a_full_disk_leaves_what_was_there(plain: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk."""
    (tmp_path / "m.gguf").write_text("what was there")
    code = (
        "import sys; from pathlib import Path; from arrears.training.gguf import export_gguf; "
        "export_gguf(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    for room in (10_000, 150_000):
        done = subprocess.run(
            [sys.executable, "-c", code, str(plain), str(tmp_path / "m.gguf")],
            capture_output=True, text=True,
            preexec_fn=lambda room=room: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
        )  # fmt: skip
        assert done.returncode == 1
        assert "StorageError: cannot write" in done.stderr
        assert "Nothing was changed; make room and export again" in done.stderr
        assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [
            ("m.gguf", "what was there")
        ]


def test_a_place_that_cannot_be_written_is_told_before_the_work(
    plain: Path, tmp_path: Path
) -> None:
    for place, told in (
        (tmp_path, "is a folder"),
        (tmp_path / "no" / "m.gguf", "there is no folder"),
    ):
        with pytest.raises(UnwritablePlace, match=told):
            export_gguf(plain, place)
    assert issubclass(UnwritablePlace, StorageError)


def test_without_the_package_it_says_what_to_install(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(UsageError, match=r"arrears\[train\]"):
        export_gguf(plain, tmp_path / "m.gguf")


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
