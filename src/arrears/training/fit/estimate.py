"""What a training would take on a card that is not here: parameters, memory and time, by formula.

Every term is in docs/training.md with what it assumes. It is an estimate to choose a card by, and
nothing was measured.
"""

import tomllib
from collections.abc import Iterable
from importlib import resources
from typing import Any, NamedTuple

from arrears.debtors.record import Record
from arrears.training.fit.recipe import ALL_LINEAR, Recipe

_TILE_TOKENS, _TILE_WORDS = 4096, 32768
"""Of TRL 1.16's output head, which never holds all logits at once."""
_RESERVE = 3e9
"""Bytes: CUDA, its libraries, and gaps in memory."""


class Shape(Record):
    """A decoder as Qwen and Llama build it."""

    hidden: int
    """Width of the residual stream."""
    layers: int
    heads: int
    """Of the queries."""
    kv_heads: int
    """Of keys and values."""
    head_dim: int
    intermediate: int
    """Width inside the feed-forward part."""
    vocabulary: int
    tied: bool
    """Whether input and output share their embedding."""
    qk_norm: bool
    """Whether queries and keys are normed, a head at a time (Qwen3)."""
    qkv_bias: bool
    """Whether queries, keys and values have a bias (Qwen2)."""

    @property
    def linears(self) -> dict[str, tuple[int, int]]:
        """Width in and out of each linear layer of one block."""
        q, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        return {
            "q_proj": (self.hidden, q),
            "k_proj": (self.hidden, kv),
            "v_proj": (self.hidden, kv),
            "o_proj": (q, self.hidden),
            "gate_proj": (self.hidden, self.intermediate),
            "up_proj": (self.hidden, self.intermediate),
            "down_proj": (self.intermediate, self.hidden),
        }

    @property
    def parameters(self) -> int:
        """Of the whole model."""
        q, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        block = sum(a * b for a, b in self.linears.values()) + 2 * self.hidden
        block += 2 * self.head_dim * self.qk_norm + (q + 2 * kv) * self.qkv_bias
        embeddings = self.vocabulary * self.hidden * (1 if self.tied else 2)
        return embeddings + self.layers * block + self.hidden

    def lora_parameters(self, rank: int, targets: Iterable[str]) -> int:
        """Of an adapter of that rank on the linear layers named, or on all of them."""
        names = set(targets)
        chosen = [
            widths for name, widths in self.linears.items() if ALL_LINEAR in names or name in names
        ]
        return self.layers * rank * sum(a + b for a, b in chosen)


class Card(Record):
    """A GPU."""

    name: str
    bytes: float
    """Of memory."""
    flops: float
    """A second, in bfloat16."""
    utilisation: float
    """Share of them that training reaches."""


class Estimate(NamedTuple):
    """What a recipe would take. Memory in bytes, times in seconds."""

    base: str
    card: Card
    parameters: int
    trained: int
    weights: float
    """Of the model, and of a second one as reference where there is no adapter."""
    optimizer: float
    """Float32 copies of what is trained, its gradients, and AdamW's two averages."""
    activations: float
    """What the backward pass needs, for one pass of the longest rows."""
    head: float
    """Tile of logits and gradients at the output."""
    reserve: float
    per_step: float
    steps: int

    @property
    def memory(self) -> float:
        """All of it."""
        return self.weights + self.optimizer + self.activations + self.head + self.reserve

    @property
    def seconds(self) -> float:
        """Of the whole course."""
        return self.per_step * self.steps


def shapes() -> tuple[Card, dict[str, Shape]]:
    """The card, and the published shapes by name."""
    source = resources.files("arrears.training.fit") / "shapes.toml"
    raw: dict[str, Any] = tomllib.loads(source.read_text(encoding="utf-8"))
    card = Card.model_validate(raw.pop("card"))
    return card, {name: Shape.model_validate(value) for name, value in raw.items()}


def shape_of(config: Any) -> Shape:
    """The shape of a transformers configuration. AttributeError for another architecture."""
    heads = config.num_attention_heads
    return Shape(
        hidden=config.hidden_size,
        layers=config.num_hidden_layers,
        heads=heads,
        kv_heads=config.num_key_value_heads,
        head_dim=getattr(config, "head_dim", None) or config.hidden_size // heads,
        intermediate=config.intermediate_size,
        vocabulary=config.vocab_size,
        tied=config.tie_word_embeddings,
        qk_norm=config.model_type == "qwen3",
        qkv_bias=config.model_type == "qwen2",
    )


def estimate(
    recipe: Recipe, base: str, shape: Shape, card: Card, *, steps: int, mean: float
) -> Estimate:
    """For `steps` steps over texts of `mean` tokens; a pair is two texts.

    Memory is that of texts of `training.max_length` tokens. The answers are thought as long as the
    texts, so that the output's share is an upper bound.
    """
    part, texts = recipe.training, 2 if recipe.kind == "dpo" else 1
    micro = part.micro_batch or part.batch
    held = 2 if recipe.model.dtype == "bfloat16" else 4
    computed = 2 if part.bf16 or held == 2 else 4
    lora, dpo = recipe.lora, recipe.dpo
    trained = shape.lora_parameters(lora.rank, lora.targets) if lora else shape.parameters
    copies = 2 if dpo and not lora and not dpo.precompute_reference else 1
    # An adapter is float32 whatever the base is; trained weights are their own master copy.
    state = trained * ((4 if lora else 0) + (4 if lora else held) + 2 * (4 if lora else held))
    tokens = micro * texts * part.max_length
    block = tokens * _block_bytes(shape, computed)
    stream = tokens * shape.hidden * computed
    kept = shape.layers * stream + block if part.gradient_checkpointing else shape.layers * block
    tile = min(tokens, _TILE_TOKENS) * min(shape.vocabulary, _TILE_WORDS) * computed
    head = tile + tokens * shape.hidden * (4 + computed)
    head += 0 if lora else shape.vocabulary * shape.hidden * 4
    return Estimate(
        base,
        card,
        shape.parameters,
        trained,
        copies * shape.parameters * held,
        state,
        kept,
        head,
        _RESERVE,
        part.batch * texts * _flops(recipe, shape, mean) / (card.flops * card.utilisation),
        steps,
    )


def _block_bytes(shape: Shape, width: int) -> float:
    """What one block keeps of one token for the backward pass.

    In the width of computing: what goes into each linear layer, what comes out of it, and the gate
    before and after its nonlinearity. In float32: what goes into its norms and the normed values.
    """
    q, kv = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    return width * (2 * shape.hidden + 3 * (q + kv) + 4 * shape.intermediate) + 4 * (
        4 * shape.hidden + 2 * (q + kv) * shape.qk_norm
    )


def _flops(recipe: Recipe, shape: Shape, length: float) -> float:
    """Of one text, from its first pass to its gradients."""
    matrices = shape.parameters - shape.vocabulary * shape.hidden * (0 if shape.tied else 1)
    # Scores and their use, over the half of them that is not masked.
    forward = length * (2 * matrices + 2 * shape.layers * shape.heads * shape.head_dim * length)
    # Forward, backward to the activations, and to the weights where they are trained.
    passes = 2.0 if recipe.lora else 3.0
    passes += recipe.training.gradient_checkpointing
    if recipe.dpo is not None and not recipe.dpo.precompute_reference:
        passes += 1
    return passes * forward
