"""A local model is what its folder says, or it is refused before anything is played or trained."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="local models need the extra hf")

from arrears.errors import UsageError
from arrears.models import opening
from arrears.models.backends import Settings, check_model
from arrears.models.hf import LocalModel
from tests import small_model
from tests.commands import arrears

POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 16060522240\n".encode()
Damage = Callable[[Path], object]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that nothing is wrong with."""
    return small_model.build(tmp_path_factory.mktemp("whole") / "model")


def wrote(name: str, data: bytes) -> Damage:
    return lambda folder: (folder / name).write_bytes(data)


def removed(*names: str) -> Damage:
    return lambda folder: [(folder / name).unlink() for name in names]


def cut_short(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def tensors(change: Callable[[dict[str, Any]], object]) -> Damage:
    """Other tensors in the place of the model's."""

    def damage(folder: Path) -> None:
        from safetensors.torch import load_file, save_file

        found = dict(load_file(folder / "model.safetensors"))
        change(found)
        save_file(found, folder / "model.safetensors", metadata={"format": "pt"})

    return damage


def config(change: Callable[[dict[str, Any]], object]) -> Damage:
    """Another config.json."""

    def damage(folder: Path) -> None:
        found = json.loads((folder / "config.json").read_text())
        change(found)
        (folder / "config.json").write_text(json.dumps(found))

    return damage


def layers(found: dict[str, Any], count: int) -> None:
    """As many layers in the config, whatever is stored."""
    found["num_hidden_layers"] = count
    found["layer_types"] = ["full_attention"] * count


def in_parts(*, lost: str = "", pointer: str = "") -> Damage:
    """The weights in two files, of which one is lost or a git-lfs pointer."""

    def damage(folder: Path) -> None:
        from safetensors.torch import load_file, save_file

        found = load_file(folder / "model.safetensors")
        (folder / "model.safetensors").unlink()
        places = {name: f"part-{1 + i % 2}.safetensors" for i, name in enumerate(sorted(found))}
        for part in set(places.values()):
            mine = {name: found[name] for name, place in places.items() if place == part}
            save_file(mine, folder / part, metadata={"format": "pt"})
        index = {"metadata": {}, "weight_map": places}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        if lost:
            (folder / lost).unlink()
        if pointer:
            (folder / pointer).write_bytes(POINTER)

    return damage


def renamed(found: dict[str, Any]) -> None:
    for name in list(found):
        found[f"transformer.{name}"] = found.pop(name)


def as_integers(found: dict[str, Any]) -> None:
    import torch

    for name in list(found):
        found[name] = found[name].to(torch.int8)


def pickled(folder: Path) -> None:
    import torch
    from safetensors.torch import load_file

    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def an_adapter(folder: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        (folder / name).unlink()
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "models/base"}')
    (folder / "adapter_model.safetensors").write_bytes(b"")


UP = "model.layers.1.mlp.up_proj.weight"
BROKEN: dict[str, tuple[Damage, str]] = {
    "a git-lfs pointer": (wrote("model.safetensors", POINTER), "model.safetensors: not a safetensors file: it is a git-lfs pointer"),
    "an empty file": (wrote("model.safetensors", b""), "model.safetensors: not a safetensors file: it is empty"),
    "half a file": (cut_short, "model.safetensors: cut short"),
    "another file": (wrote("model.safetensors", b"<!DOCTYPE html>" * 90), "model.safetensors: not a safetensors file"),
    "no weights": (removed("model.safetensors"), "has a config.json but no weights"),
    "a part lost": (in_parts(lost="part-2.safetensors"), "part-2.safetensors: No such file"),
    "a part that is a pointer": (in_parts(pointer="part-1.safetensors"), "part-1.safetensors: not a safetensors file: it is a git-lfs pointer"),
    "a broken index": (wrote("model.safetensors.index.json", b"{"), "index.json: not JSON"),
    "a broken pickle": (lambda f: (removed("model.safetensors")(f), wrote("pytorch_model.bin", b"junk")(f)), "cannot be loaded"),
    "an adapter": (an_adapter, "is an adapter and no whole model: merge it into models/base first"),
    "an adapter with its base's config": (lambda f: (removed("model.safetensors")(f), wrote("adapter_config.json", b"{}")(f)), "is an adapter and no whole model: merge it into its base first"),
    "a broken config": (wrote("config.json", b'{"model_type": '), "config.json: not JSON"),
    "a config that is a list": (wrote("config.json", b"[]"), "config.json: not a JSON object"),
    "a config of nothing": (wrote("config.json", b"{}"), "Unrecognized model"),
    "a config that contradicts itself": (config(lambda c: c.update(num_hidden_layers=3)), "its config.json describes no model"),
    "an unknown architecture": (config(lambda c: c.update(model_type="none_such")), "model type `none_such`"),
    "a size missing in the config": (config(lambda c: c.pop("intermediate_size")), "of another size"),
    "a layer more in the config": (config(lambda c: layers(c, 3)), "11 tensors are missing (model.layers.2.input_layernorm.weight first)"),
    "a layer less in the config": (config(lambda c: layers(c, 1)), "11 tensors are in no layer there (model.layers.1.input_layernorm.weight first)"),
    "weights by other names": (tensors(renamed), "missing (lm_head.weight first), and would be random numbers"),
    "a tensor missing": (tensors(lambda t: t.pop(UP)), f"1 tensor is missing ({UP} first)"),
    "a tensor of another size": (tensors(lambda t: t.update({UP: t[UP][:5].clone()})), f"1 tensor is of another size ({UP} first)"),
    "integers": (tensors(as_integers), "is stored as integers"),
    "no tokenizer": (removed("tokenizer.json", "tokenizer_config.json"), "has no tokenizer"),
    "a broken tokenizer": (wrote("tokenizer.json", b'{"model": {'), "tokenizer.json: not JSON"),
    "a tokenizer that is a pointer": (wrote("tokenizer.json", POINTER), "tokenizer.json: not JSON: it is a git-lfs pointer"),
    "no chat template": (removed("chat_template.jinja"), "has no chat template"),
    "a chat template that is no Jinja": (wrote("chat_template.jinja", b"{% for m in messages %}{{ m.content }"), "its chat template cannot lay out a conversation (TemplateSyntaxError"),
    "a chat template that raises": (wrote("chat_template.jinja", b"{{ raise_exception('no, never') }}"), "its chat template cannot lay out a conversation (TemplateError: no, never)"),
    "a chat template that leaves the user out": (wrote("chat_template.jinja", b"hello"), "it leaves out what the system says"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_model_is_refused_before_it_is_read(
    name: str, whole: Path, tmp_path: Path
) -> None:
    damage, told = BROKEN[name]
    folder = Path(shutil.copytree(whole, tmp_path / "model"))
    damage(folder)
    with pytest.raises(UsageError) as checked:
        check_model(f"hf/{folder}", Settings())
    assert told in str(checked.value)
    assert str(folder) in str(checked.value)
    with pytest.raises(UsageError) as opened:
        LocalModel(folder, 4)
    assert told in str(opened.value)


@pytest.mark.parametrize(
    "change",
    [lambda f: None, pickled, in_parts(), wrote("generation_config.json", b"{")],
    ids=["as saved", "a pickle", "in parts", "no generation config"],
)
def test_a_whole_model_is_not_refused(change: Damage, whole: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(whole, tmp_path / "model"))
    change(folder)
    check_model(f"hf/{folder}", Settings())
    LocalModel(folder, 4).close()


def test_heads_beside_the_model_are_not_its_layers(whole: Path, tmp_path: Path) -> None:
    import torch

    folder = Path(shutil.copytree(whole, tmp_path / "model"))
    tensors(lambda t: t.update({"v_head.summary.weight": torch.zeros(1, 32)}))(folder)
    check_model(f"hf/{folder}", Settings())


def test_numbers_that_are_none_are_found_when_the_weights_are_read(
    whole: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(whole, tmp_path / "model"))
    tensors(lambda t: t[UP].fill_(float("nan")))(folder)
    with pytest.raises(UsageError, match="not finite"):
        LocalModel(folder, 4)


def test_without_the_package_that_builds_models_without_memory_files_are_still_checked(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "accelerate", None)
    opening.check_local(whole)
    folder = Path(shutil.copytree(whole, tmp_path / "model"))
    cut_short(folder)
    with pytest.raises(UsageError, match="cut short"):
        opening.check_local(folder)


COMMANDS: dict[str, list[str]] = {
    "bench": ["bench", "--suite", "dcn", "--limit", "1", "--collector", "{model}", "--out", "{out}"],
    "judge": ["judge", "{run}", "--judge", "{model}"],
    "chat": ["chat", "--as", "debtor", "--against", "{model}", "--debtor", "dcn-test-0001"],
    "sft": ["train", "sft", "--model", "{model}", "--data", "{rows}", "--out", "{out}"],
    "cfpo": ["train", "cfpo", "--model", "{model}", "--suite", "dcn", "--limit", "1", "--out", "{out}"],
    "sample": ["train", "sample", "sft-dg", "--suite", "dcn", "--limit", "1", "--generator", "{model}", "--out", "{out}"],
    "gguf": ["export", "gguf", "{folder}", "{out}.gguf"],
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_it_in_one_sentence(command: str, whole: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(whole, tmp_path / "model"))
    wrote("model.safetensors", POINTER)(folder)
    (tmp_path / "rows.jsonl").write_text(json.dumps({"messages": small_model.talk(1)}) + "\n")
    if command == "judge":
        run = arrears(
            "bench", "--suite", "dcn", "--limit", "1", "--collector", "scripted/typical",
            "--no-report", "--out", str(tmp_path / "run"),
        )  # fmt: skip
        assert run.returncode == 0
    places = {
        "model": f"hf/{folder}", "folder": str(folder), "out": str(tmp_path / "out"),
        "run": str(tmp_path / "run"), "rows": str(tmp_path / "rows.jsonl"),
    }  # fmt: skip
    done = arrears(*(word.format_map(places) for word in COMMANDS[command]))
    assert done.returncode == 2
    *_, last = done.stderr.strip().splitlines()
    assert last.startswith("arrears: ")
    assert "model.safetensors: not a safetensors file: it is a git-lfs pointer" in last
    assert "Traceback" not in done.stderr
    played = tmp_path / "out" / "dialogues.jsonl"
    assert not played.exists() or not played.read_bytes(), "nothing was played"


def test_checking_a_model_does_not_reach_for_the_network(whole: Path) -> None:
    code = (
        "import socket\nfrom pathlib import Path\n"
        "def no(*a, **k): raise AssertionError('the network was asked')\n"
        "socket.socket.connect = no\nsocket.getaddrinfo = no\n"
        "from arrears.models.opening import check_local\n"
        f"check_local(Path({str(whole)!r}))\nprint('checked')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "checked\n", done.stderr
    assert done.stderr == ""
