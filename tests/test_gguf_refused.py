"""What is not written as a GGUF file: what is refused, and what a failure leaves behind."""

import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arrears.errors import BrokenFile, StorageError, UnwritablePlace, UsageError
from arrears.training.gguf import Dtype, export_gguf
from tests.small_qwen import changed

pytest.importorskip("gguf", reason="the export needs the extra train")
pytest.importorskip("torch", reason="the models that are exported are made with torch")


@pytest.fixture
def copy(plain: Path, tmp_path: Path) -> Path:
    """One of its copies, to be damaged."""
    return Path(shutil.copytree(plain, tmp_path / "collector"))


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


MODELS: dict[str, tuple[Callable[[Any], object], str]] = {
    "another kind": (lambda c: c.update(architectures=["LlamaForCausalLM"]), "holds LlamaForCausalLM; Qwen3ForCausalLM is what"),
    "the recipes' base": (lambda c: c.update(architectures=["Qwen2ForCausalLM"]), "llama.cpp converts most others itself: python convert_hf_to_gguf.py"),
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
    "weights that are a pointer": (lambda f: (f / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n"), "it is a git-lfs pointer"),
    "weights that are a pickle": (lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"), "holds its weights as a pickle"),
    "a chat form that is no Jinja": (lambda f: (f / "chat_template.jinja").write_text("{% for m in messages %}{{ m }"), "chat_template.jinja, line 1: the chat template is no Jinja"),
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
        assert "Nothing was changed; raise the limit on the size of a file" in done.stderr
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
