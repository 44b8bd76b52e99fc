"""A trained Qwen3 as one GGUF file, which llama.cpp and Ollama run.

Names and fields are those of llama.cpp's `qwen3`. The chat form goes with the weights, without the
marks of training. The extra `train` brings the `gguf` package.
"""

import os
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from arrears.errors import UnwritablePlace, UsageError, cannot_write
from arrears.files import replace_file
from arrears.models.weights import Weight
from arrears.training.gguf_model import Qwen3, read_model
from arrears.training.gguf_vocabulary import Vocabulary, read_vocabulary
from arrears.training.template import plain_template

if TYPE_CHECKING:
    from gguf import GGMLQuantizationType, GGUFWriter

Dtype = Literal["f32", "f16", "bf16", "q8_0"]
DTYPES: Final[tuple[Dtype, ...]] = get_args(Dtype)
_ALIGNED: Final = 32
"""Bytes: where a tensor may begin."""


class Exported(NamedTuple):
    """What was written."""

    size: int
    """Of the file; bytes."""
    parameters: int
    layers: int
    tokens: int
    splitting: str
    """llama.cpp's name of how the tokenizer splits."""
    context: int
    """Most tokens of a conversation."""
    wider: int
    """Tensors that q8_0 cannot hold, kept as f16: their rows are no multiple of 32."""
    long: int
    """Tokens of more than 32 bytes. llama.cpp writes them; llama-cpp-python leaves them out."""


class _Tensor(NamedTuple):
    name: str
    """llama.cpp's."""
    weight: Weight
    kind: "GGMLQuantizationType"
    bytes: int


def export_gguf(folder: Path, out: Path, dtype: Dtype = "f16") -> Exported:
    """Write the model of a transformers folder to `out`, which is replaced in one step.

    Matrices are stored as `dtype`, norms as f32. UsageError or BrokenFile where the folder holds
    nothing that can be exported, StorageError where `out` cannot be written.
    """
    try:
        import gguf
    except ImportError:
        raise UsageError(
            "this needs gguf, which is not installed: pip install 'arrears[train]'"
        ) from None
    _check_place(out)
    shape, weights = read_model(folder)
    vocabulary = read_vocabulary(folder, shape.vocab_size)
    tensors = _tensors(shape, weights, dtype)
    writer = gguf.GGUFWriter(None, gguf.MODEL_ARCH_NAMES[gguf.MODEL_ARCH.QWEN3])
    _describe(writer, folder, shape, dtype)
    _add_vocabulary(writer, vocabulary)
    for tensor in tensors:
        writer.add_tensor_info(
            tensor.name,
            tensor.weight.shape,
            np.dtype(np.float32),
            tensor.bytes,
            raw_dtype=tensor.kind,
        )
    replace_file(out, lambda file: _told(out, lambda: _write(writer, tensors, file)))
    half = gguf.GGMLQuantizationType.F16
    return Exported(
        size=out.stat().st_size,
        parameters=sum(prod(tensor.weight.shape) for tensor in tensors),
        layers=shape.num_hidden_layers,
        tokens=shape.vocab_size,
        splitting=vocabulary.splitting,
        context=shape.max_position_embeddings,
        wider=sum(tensor.kind == half for tensor in tensors) if dtype == "q8_0" else 0,
        long=vocabulary.long(),
    )


def _check_place(out: Path) -> None:
    """Before the work, not after it."""
    if out.is_dir():
        raise UnwritablePlace(f"{out} is a folder; name a file")
    if not out.parent.is_dir():
        raise UnwritablePlace(f"cannot write {out}: there is no folder {out.parent}")


def _tensors(shape: Qwen3, weights: Mapping[str, Weight], dtype: Dtype) -> list[_Tensor]:
    import gguf

    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN3, shape.num_hidden_layers)
    found = []
    for name, weight in weights.items():
        kind = _kind(weight.shape, dtype)
        there = names.get_name(name, try_suffixes=(".weight",))
        assert there is not None, name
        stored = gguf.quant_shape_to_byte_shape(weight.shape, kind)
        found.append(_Tensor(there, weight, kind, prod(stored)))
    return found


def _kind(shape: tuple[int, ...], dtype: Dtype) -> "GGMLQuantizationType":
    """How a tensor is stored: a norm exactly, a matrix as asked for, where its rows allow it."""
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    if len(shape) == 1:
        return GGMLQuantizationType.F32
    kind = GGMLQuantizationType[dtype.upper()]
    block, _ = GGML_QUANT_SIZES[kind]
    return kind if shape[-1] % block == 0 else GGMLQuantizationType.F16


def _describe(writer: "GGUFWriter", folder: Path, shape: Qwen3, dtype: Dtype) -> None:
    from gguf import GGML_QUANT_VERSION, GGUFType, LlamaFileType

    types = {
        "f32": LlamaFileType.ALL_F32,
        "f16": LlamaFileType.MOSTLY_F16,
        "bf16": LlamaFileType.MOSTLY_BF16,
        "q8_0": LlamaFileType.MOSTLY_Q8_0,
    }
    writer.add_type(GGUFType.MODEL)
    writer.add_name(folder.resolve().name)
    writer.add_file_type(types[dtype])
    writer.add_quantization_version(GGML_QUANT_VERSION)
    writer.add_block_count(shape.num_hidden_layers)
    writer.add_context_length(shape.max_position_embeddings)
    writer.add_embedding_length(shape.hidden_size)
    writer.add_feed_forward_length(shape.intermediate_size)
    writer.add_head_count(shape.num_attention_heads)
    writer.add_head_count_kv(shape.num_key_value_heads)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_rope_freq_base(shape.rope_theta)
    writer.add_layer_norm_rms_eps(shape.rms_norm_eps)
    writer.add_vocab_size(shape.vocab_size)


def _add_vocabulary(writer: "GGUFWriter", vocabulary: Vocabulary) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(vocabulary.splitting)
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.types)
    writer.add_token_merges(vocabulary.merges)
    writer.add_eos_token_id(vocabulary.eos)
    writer.add_pad_token_id(vocabulary.pad)
    writer.add_bos_token_id(vocabulary.bos)
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(False)
    writer.add_chat_template(plain_template(vocabulary.template))


def _write(writer: "GGUFWriter", tensors: list[_Tensor], file: BinaryIO) -> None:
    """Fields, then the tensors one by one: no more than one is ever held."""
    # The package wants to open the file itself.
    writer.write_header_to_file(Path(file.name))
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    file.seek(0, os.SEEK_END)
    _pad(file)
    for tensor in tensors:
        stored = _stored(tensor)
        assert stored.nbytes == tensor.bytes, tensor.name
        file.write(stored.data)
        _pad(file)


def _pad(file: BinaryIO) -> None:
    file.write(bytes(-file.tell() % _ALIGNED))


def _stored(tensor: _Tensor) -> NDArray[np.generic]:
    """A tensor as it lies in the file. UsageError where f16 cannot hold its numbers."""
    from gguf import GGMLQuantizationType, quants

    numbers = tensor.weight.read()
    if tensor.kind == GGMLQuantizationType.F16:
        largest = float(np.abs(numbers).max())
        if largest > float(np.finfo(np.float16).max):
            raise UsageError(f"{tensor.name} holds {largest:.3g}, too large for f16; use bf16")
    return np.ascontiguousarray(quants.quantize(numbers, tensor.kind))


def _told(out: Path, write: Callable[[], None]) -> None:
    """A failing disk in the words of an export: nothing is lost but time."""
    try:
        write()
    except OSError as error:
        raise cannot_write(out, error, kept="Nothing was changed", again="export again") from error
