"""nano's weights: a Qwen3 of four wide layers.

Wide and shallow, because on a processor a step of writing costs by the layer, and a talk about four
terms needs little depth.
"""

from typing import Any

from pydantic import Field

from arrears.debtors.record import Record


class Shape(Record):
    """A Qwen3's shape."""

    vocabulary: int = Field(default=4096, ge=300)
    """Most tokens of the tokenizer."""
    hidden: int = Field(default=384, ge=8)
    """Width of a layer."""
    intermediate: int = Field(default=1024, ge=8)
    """Width inside its feed-forward part."""
    layers: int = Field(default=4, ge=1)
    heads: int = Field(default=6, ge=1)
    """Of the queries."""
    kv_heads: int = Field(default=2, ge=1)
    """Of keys and values, which have to be read back for every token that is written."""
    head_dim: int = Field(default=64, ge=2)
    """Width of a head."""
    context: int = Field(default=4096, ge=64)
    """Most tokens of a conversation."""


def new_model(shape: Shape, tokenizer: Any, seed: int) -> Any:
    """Random weights, the same for the same seed; float32, to be run in bfloat16.

    transformers draws them from torch's global generator; it is seeded for them and left as it was.
    """
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        max_position_embeddings=shape.context,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = Qwen3ForCausalLM(config)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model
