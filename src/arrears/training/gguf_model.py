"""A trained Qwen3 as transformers stores it: its shape, and its weights one at a time.

Read without torch: a safetensors file is a JSON header and raw numbers.
"""

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from arrears.errors import BrokenFile, UsageError

ARCHITECTURE: Final = "Qwen3ForCausalLM"
_CONFIG: Final = "config.json"
_INDEX: Final = "model.safetensors.index.json"
_WHOLE: Final = "model.safetensors"
_HEADER: Final = 8
"""Bytes that tell the length of a safetensors header."""
_NUMBERS: Final = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}
_Count = Annotated[int, Field(ge=1)]


class Qwen3(BaseModel):
    """A Qwen3's shape, in transformers' words; only what llama.cpp can run is let in."""

    model_config = ConfigDict(frozen=True)

    num_hidden_layers: _Count
    max_position_embeddings: _Count
    hidden_size: _Count
    intermediate_size: _Count
    num_attention_heads: _Count
    num_key_value_heads: _Count
    head_dim: _Count
    vocab_size: _Count
    rms_norm_eps: float
    rope_theta: float
    tie_word_embeddings: bool = False

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Every tensor by its transformers name: rows and columns, or the one length."""
        wide, inner = self.hidden_size, self.intermediate_size
        queries = self.num_attention_heads * self.head_dim
        keys = self.num_key_value_heads * self.head_dim
        layer = {
            "input_layernorm": (wide,),
            "self_attn.q_proj": (queries, wide),
            "self_attn.k_proj": (keys, wide),
            "self_attn.v_proj": (keys, wide),
            "self_attn.o_proj": (wide, queries),
            "self_attn.q_norm": (self.head_dim,),
            "self_attn.k_norm": (self.head_dim,),
            "post_attention_layernorm": (wide,),
            "mlp.gate_proj": (inner, wide),
            "mlp.up_proj": (inner, wide),
            "mlp.down_proj": (wide, inner),
        }
        found: dict[str, tuple[int, ...]] = {
            "model.embed_tokens.weight": (self.vocab_size, wide),
            "model.norm.weight": (wide,),
        }
        for number in range(self.num_hidden_layers):
            found |= {f"model.layers.{number}.{n}.weight": s for n, s in layer.items()}
        if not self.tie_word_embeddings:
            found["lm_head.weight"] = (self.vocab_size, wide)
        return found


class Weight(NamedTuple):
    """Where one tensor lies."""

    path: Path
    kind: str
    """As safetensors writes it: F32, F16, BF16."""
    shape: tuple[int, ...]
    start: int
    """Bytes from the start of the file."""

    def read(self) -> NDArray[np.float32]:
        """Its numbers. UsageError where one is not finite, BrokenFile where the file is gone."""
        try:
            stored = np.memmap(
                self.path, dtype=_NUMBERS[self.kind], mode="r", offset=self.start, shape=self.shape
            )
        except OSError as error:
            raise BrokenFile(self.path, error.strerror or str(error)) from error
        if self.kind == "BF16":
            # The upper half of a float32.
            numbers = (stored.astype(np.uint32) << 16).view(np.float32)
        else:
            numbers = stored.astype(np.float32)
        if not np.isfinite(numbers).all():
            raise UsageError(f"{self.path} holds numbers that are not finite; the model is broken")
        return numbers


def read_model(folder: Path) -> tuple[Qwen3, Mapping[str, Weight]]:
    """The shape, and all tensors by transformers' names in the order of `Qwen3.shapes`.

    UsageError where the folder holds no model or another kind of model; BrokenFile where a file of
    it is not whole.
    """
    shape = _read_shape(folder)
    found = _weights(folder)
    if shape.tie_word_embeddings:
        # Some tied models are stored with their output beside the embedding: the same numbers.
        found.pop("lm_head.weight", None)
    expected = shape.shapes()
    missing = [name for name in expected if name not in found]
    if missing:
        raise UsageError(
            f"{folder} is not whole: {len(missing)} of {len(expected)} tensors are missing, "
            f"{missing[0]} first"
        )
    if extra := sorted(found.keys() - expected.keys()):
        raise UsageError(
            f"{folder} holds {len(extra)} tensors that a plain Qwen3 does not have, {extra[0]} "
            "first"
        )
    for name, size in expected.items():
        weight = found[name]
        if weight.shape != size:
            raise UsageError(
                f"{weight.path}: {name} is {_by(weight.shape)}, {_CONFIG} makes it {_by(size)}"
            )
        if weight.kind not in _NUMBERS:
            raise UsageError(
                f"{weight.path}: {name} holds {weight.kind} numbers; save the model as float32, "
                "float16 or bfloat16"
            )
    return shape, {name: found[name] for name in expected}


def read_object(path: Path) -> dict[str, Any]:
    """A JSON file that holds an object. BrokenFile where it cannot be read."""
    try:
        found = orjson.loads(path.read_bytes())
    except OSError as error:
        raise BrokenFile(path, error.strerror or str(error)) from error
    except orjson.JSONDecodeError as error:
        raise BrokenFile(path, f"not JSON: {error}") from None
    if not isinstance(found, dict):
        raise BrokenFile(path, "not a JSON object")
    return found


def _read_shape(folder: Path) -> Qwen3:
    path = folder / _CONFIG
    if not path.exists():
        if (folder / "adapter_config.json").exists():
            raise UsageError(
                f"{folder} holds an adapter alone; merge it into its model, then export that"
            )
        raise UsageError(f"{folder} is no model: there is no {_CONFIG} in it")
    raw = read_object(path)
    named = raw.get("architectures") or [raw.get("model_type")]
    if named != [ARCHITECTURE]:
        raise UsageError(
            f"{folder} holds {', '.join(map(str, named))}; {ARCHITECTURE} is what can be exported"
        )
    rope = raw.get("rope_parameters") or raw.get("rope_scaling") or {}
    if not isinstance(rope, dict):
        raise BrokenFile(path, "not a JSON object", field="rope_parameters")
    told = {
        "rope": (rope.get("rope_type", rope.get("type", "default")), "default"),
        "hidden_act": (raw.get("hidden_act", "silu"), "silu"),
        "attention_bias": (raw.get("attention_bias", False), False),
        "use_sliding_window": (raw.get("use_sliding_window", False), False),
        "quantization_config": (raw.get("quantization_config"), None),
    }
    for name, (value, known) in told.items():
        if value != known:
            text = value if isinstance(value, str) else orjson.dumps(value).decode()
            raise UsageError(f"{path}: {name} is {text}; such a Qwen3 cannot be exported")
    try:
        return Qwen3.model_validate({"rope_theta": rope.get("rope_theta"), **raw})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BrokenFile(path, first["msg"], field=".".join(map(str, first["loc"]))) from None


def _weights(folder: Path) -> dict[str, Weight]:
    """All tensors of one file or of many."""
    index = folder / _INDEX
    if not index.exists():
        whole = folder / _WHOLE
        if not whole.exists():
            raise UsageError(f"{folder} holds no weights: neither {_WHOLE} nor {_INDEX} is in it")
        return _tensors(whole)
    places = read_object(index).get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(n, str) for n in places.values()):
        raise BrokenFile(index, "names no files", field="weight_map")
    found: dict[str, Weight] = {}
    for name in sorted(set(places.values())):
        found |= _tensors(folder / name)
    return found


def _tensors(path: Path) -> dict[str, Weight]:
    """The header of a safetensors file. BrokenFile where the file is cut short."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_HEADER), "little")
            # A length read from anything else may be any number.
            header = orjson.loads(file.read(length) if length < size else b"")
        start = _HEADER + length
        found = {}
        for name, about in header.items():
            if name == "__metadata__":
                continue
            begin, end = about["data_offsets"]
            if start + end > size:
                raise BrokenFile(path, f"cut short: {name} ends at byte {start + end} of {size}")
            kind, shape = about["dtype"], tuple(about["shape"])
            if kind in _NUMBERS and prod(shape) * np.dtype(_NUMBERS[kind]).itemsize != end - begin:
                raise BrokenFile(path, f"{name}: {_by(shape)} {kind} is not {end - begin} bytes")
            found[name] = Weight(path, kind, shape, start + begin)
    except OSError as error:
        raise BrokenFile(path, error.strerror or str(error)) from error
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BrokenFile(path, "not a safetensors file") from None
    return found


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
