"""A trained Qwen3 as transformers stores it: its shape, and its weights one at a time."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from arrears.errors import BrokenFile, UsageError
from arrears.models.weights import INDEX, NUMBERS, WHOLE, Weight, by, read_object, tensors_in

ARCHITECTURE: Final = "Qwen3ForCausalLM"
_CONFIG: Final = "config.json"
_EMBEDDING: Final = "model.embed_tokens.weight"
_HEAD: Final = "lm_head.weight"
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
            _EMBEDDING: (self.vocab_size, wide),
            "model.norm.weight": (wide,),
        }
        for number in range(self.num_hidden_layers):
            found |= {f"model.layers.{number}.{n}.weight": s for n, s in layer.items()}
        if not self.tie_word_embeddings:
            found[_HEAD] = (self.vocab_size, wide)
        return found


def read_model(folder: Path) -> tuple[Qwen3, Mapping[str, Weight]]:
    """The shape, and all tensors by transformers' names in the order of `Qwen3.shapes`.

    UsageError where the folder holds no model or another kind of model; BrokenFile where a file of
    it is not whole.
    """
    shape = _read_shape(folder)
    pickled = any(folder.glob("pytorch_model*.bin"))
    if pickled and not ((folder / WHOLE).exists() or (folder / INDEX).exists()):
        raise UsageError(
            f"{folder} holds its weights as a pickle (pytorch_model.bin), which is not read here; "
            "save the model as safetensors first"
        )
    found = tensors_in(folder)
    if shape.tie_word_embeddings and _HEAD in found:
        if _own_head(found):
            # transformers plays with the head that is stored, whatever the config says.
            shape = shape.model_copy(update={"tie_word_embeddings": False})
        else:
            del found[_HEAD]
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
                f"{weight.path}: {name} is {by(weight.shape)}, {_CONFIG} makes it {by(size)}"
            )
        if weight.kind not in NUMBERS:
            raise UsageError(
                f"{weight.path}: {name} holds {weight.kind} numbers; save the model as float32, "
                "float16 or bfloat16"
            )
    return shape, {name: found[name] for name in expected}


def _own_head(found: Mapping[str, Weight]) -> bool:
    """Whether an output layer is stored that is not the embedding over again."""
    head, embedding = found[_HEAD], found.get(_EMBEDDING)
    if embedding is None or head.kind not in NUMBERS or embedding.kind not in NUMBERS:
        return True
    return not head.same_numbers(embedding)


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
            f"{folder} holds {', '.join(map(str, named))}; {ARCHITECTURE} is what can be exported "
            "here. llama.cpp converts most others itself: python convert_hf_to_gguf.py "
            f"{folder} --outfile OUT.gguf"
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
