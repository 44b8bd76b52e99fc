"""llama.cpp reads the file that we wrote: the same tokens, the same numbers, the same talks."""

import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest

from arrears.rng import rng_for
from arrears.training.gguf import export_gguf
from tests import tiny_model
from tests.commands import bench
from tests.servers import serving
from tests.small_qwen import SAID, mixtures, model

gguf = pytest.importorskip("gguf", reason="the export needs the extra train")
torch = pytest.importorskip("torch", reason="the models that are exported are made with torch")
llama = pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")

OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "OMP_NUM_THREADS": "1"}


@pytest.mark.parametrize("splitting", ["gpt-2", "qwen2"])
def test_llama_cpp_reads_every_text_into_the_same_tokens(splitting: str, tmp_path: Path) -> None:
    _, words = model(tmp_path / "m", splitting)
    export_gguf(tmp_path / "m", tmp_path / "m.gguf")
    there = llama.Llama(str(tmp_path / "m.gguf"), vocab_only=True, verbose=False)
    talks = [
        words.apply_chat_template(talk, tokenize=False) for talk in tiny_model.conversations(2)
    ]
    for text in (*SAID, *talks, *mixtures(3000)):
        expected = words(text, add_special_tokens=False)["input_ids"]
        found = there.tokenize(text.encode(), add_bos=False, special=True)
        assert found == expected, text
        assert there.detokenize(found, special=True).decode() == text


def test_llama_cpp_stores_q8_0_in_the_same_bytes(tmp_path: Path) -> None:
    model(tmp_path / "m")
    ours, whole, theirs = (tmp_path / f"{name}.gguf" for name in ("ours", "whole", "theirs"))
    export_gguf(tmp_path / "m", ours, "q8_0")
    export_gguf(tmp_path / "m", whole, "f32")
    how = llama.llama_model_quantize_default_params()
    how.ftype, how.nthread = llama.LLAMA_FTYPE_MOSTLY_Q8_0, 1
    assert llama.llama_model_quantize(str(whole).encode(), str(theirs).encode(), how) == 0
    stored = {t.name: t for t in gguf.GGUFReader(theirs).tensors}
    for tensor in gguf.GGUFReader(ours).tensors:
        other = stored.pop(tensor.name)
        assert tensor.tensor_type == other.tensor_type
        np.testing.assert_array_equal(tensor.data, other.data)
    assert not stored


@pytest.fixture(scope="module")
def trained(tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the trained model of the tests, and it as `f32.gguf` and `f16.gguf`."""
    folder = tmp_path_factory.mktemp("trained") / "qwen3-tiny"
    copytree(tiny_weights, folder)
    export_gguf(folder, folder / "f32.gguf", "f32")
    export_gguf(folder, folder / "f16.gguf", "f16")
    return folder


def opened(path: Path) -> Any:
    """A file in llama.cpp, with attention in float32 (its own way is float16)."""
    exact = llama.GGML_TYPE_F32
    return llama.Llama(
        str(path), n_ctx=2048, logits_all=True, n_threads=1, n_threads_batch=1, type_k=exact,
        type_v=exact, verbose=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "how",
    [
        {"head_dim": 24, "num_key_value_heads": 1},
        {"tie_word_embeddings": False, "num_hidden_layers": 3, "dtype": "bfloat16", "shards": "60KB"},
    ],
    ids=["narrow", "untied-bfloat16-shards"],
)  # fmt: skip
def test_llama_cpp_computes_the_same_from_weights_of_any_shape(
    how: dict[str, Any], tmp_path: Path
) -> None:
    from transformers import AutoModelForCausalLM

    made, _ = model(tmp_path / "m", max_position_embeddings=2048, **how)
    del made
    export_gguf(tmp_path / "m", tmp_path / "m.gguf", "f32")
    here = AutoModelForCausalLM.from_pretrained(tmp_path / "m", dtype=torch.float32).eval()
    ids = rng_for(2, "ids").integers(3, 1200, size=400).tolist()
    with torch.inference_mode():
        expected = here(torch.tensor([ids])).logits[0].numpy()
    there = opened(tmp_path / "m.gguf")
    there.eval(ids)
    np.testing.assert_allclose(
        there.scores[: len(ids)], expected, atol=2e-4 * np.abs(expected).max()
    )


def test_llama_cpp_computes_the_same_model(trained: Path) -> None:
    """Logits of whole prompts, and the words that follow them."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    words = AutoTokenizer.from_pretrained(trained)
    here = AutoModelForCausalLM.from_pretrained(trained).eval()
    there = opened(trained / "f32.gguf")
    said = []
    for talk in tiny_model.conversations(2)[:3]:
        for begun in (2, 4):
            ids = words.apply_chat_template(talk[:begun], add_generation_prompt=True)["input_ids"]
            with torch.inference_mode():
                asked = torch.tensor([ids])
                expected = here(asked).logits[0].numpy()
                written = here.generate(asked, do_sample=False, max_new_tokens=90)[
                    0, len(ids) :
                ].tolist()
            there.reset()
            there.eval(ids)
            np.testing.assert_allclose(there.scores[: len(ids)], expected, atol=5e-3)
            found = []
            for token in there.generate(ids, temp=0.0):
                found.append(token)
                if token == there.token_eos() or len(found) == 90:
                    break
            assert found == written
            said.append(words.decode(found, skip_special_tokens=True))
    assert said[:4] == [tiny_model.GREETS, tiny_model.OFFERS, tiny_model.TELLS, tiny_model.TAKES]


@pytest.fixture(scope="module")
def server(trained: Path) -> Iterator[str]:
    """llama.cpp's OpenAI protocol on a loopback port."""
    pytest.importorskip("llama_cpp.server.app", reason="llama-cpp-python[server] is not installed")

    def command(port: int) -> list[str]:
        return [
            sys.executable, "-m", "llama_cpp.server", "--model", str(trained / "f16.gguf"),
            "--model_alias", "tiny", "--host", "127.0.0.1", "--port", str(port), "--n_ctx", "4096",
            "--n_threads", "1", "--n_threads_batch", "1", "--logits_all", "False",
            "--interrupt_requests", "False",
        ]  # fmt: skip

    with serving(command, "/v1/models") as base:
        yield f"{base}/v1"


def test_a_trained_collector_plays_as_trained_behind_llama_cpp(server: str, tmp_path: Path) -> None:
    talks = bench(
        tmp_path, "--suite", "dcn", "--limit", "4", "--collector", "llamacpp/tiny", "--debtor-seat",
        "llamacpp/tiny", "--max-tokens", "100", "--concurrency", "2", env={"LLAMACPP_BASE_URL": server},
    )  # fmt: skip
    texts = (tiny_model.GREETS, tiny_model.TELLS, tiny_model.OFFERS, tiny_model.TAKES)
    expected = [
        tuple(
            line.partition(": ")[2] for line in text.splitlines() if not line.startswith("Action")
        )
        for text in texts
    ]
    assert [t.ending for t in talks] == ["agreed"] * 4
    assert {str(t.terms) for t in talks} == {tiny_model.TERMS}
    for talk in talks:
        assert [(t.thoughts, t.dialogue) for t in talk.turns] == expected
