"""How a model is trained: one readable TOML file, checked before anything is loaded."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from arrears.debtors.record import Record
from arrears.errors import BrokenFile, UnknownName, UsageError

Kind = Literal["sft", "dpo"]
KINDS: tuple[Kind, ...] = ("sft", "dpo")
ALL_LINEAR = "all-linear"
_SUFFIX = ".toml"

Share = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class ModelPart(Record):
    """[model]: how the weights are held."""

    base: str = ""
    """The model that the recipe is written for, for the record; `--model` says what is trained."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """In which the weights are loaded and stored. Full training wants float32: a small step is
    lost in bfloat16. With [lora] the base may be bfloat16; the adapter is float32 in any case."""
    run_dtype: Literal["", "float32", "bfloat16"] = ""
    """In which the trained model says that it wants to be run (`dtype` in its config.json), where
    that is not what it is stored in: full weights, run at half the cost."""
    attention: Literal["sdpa", "eager", "flash_attention_2"] = "sdpa"
    """Which attention transformers computes."""


class LoraPart(Record):
    """[lora]: a low-rank adapter instead of all weights."""

    rank: Count = 8
    """Rank of each adapter matrix."""
    alpha: Count = 16
    """The adapter's output is scaled by alpha / rank."""
    dropout: Share = 0.0
    """On the adapter's input."""
    targets: Annotated[tuple[str, ...], Field(min_length=1)] = (ALL_LINEAR,)
    """Last names of the modules, or `all-linear`: every linear layer but the output's."""


class TrainingPart(Record):
    """[training]: the course."""

    epochs: Positive = 1.0
    """How often each row is seen; a part of an epoch is allowed."""
    max_steps: Count | None = None
    """Ends after so many steps, and the schedule with them."""
    batch: Count = 16
    """Rows of one optimizer step, over all devices and accumulated passes."""
    micro_batch: Count | None = None
    """Most rows of one pass on one device; without it, the whole batch at once."""
    learning_rate: Annotated[float, Field(gt=0, lt=1)]
    """At the top of the schedule."""
    schedule: Literal["constant", "linear", "cosine"] = "cosine"
    """How the rate falls after the warm-up."""
    warmup: Share = 0.0
    """Share of the steps in which the rate rises from 0; a training of one step has none."""
    optimizer: Literal["adamw", "sgd"] = "adamw"
    """AdamW, or plain gradient descent."""
    adam_betas: tuple[Share, Share] = (0.9, 0.999)
    """AdamW's two decays."""
    adam_epsilon: Positive = 1e-8
    """AdamW's guard against division by nothing."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Decoupled, on matrices only."""
    max_grad_norm: Positive = 1.0
    """Longer gradients are cut to this length."""
    bf16: bool = False
    """Whether passes are computed in bfloat16 (autocast)."""
    gradient_checkpointing: bool = False
    """Compute activations twice instead of keeping them: a third more time, much less memory."""
    max_length: Annotated[int, Field(ge=16)] = 2048
    """Tokens of the longest row: prompt and answer together. Nothing is ever cut."""
    too_long: Literal["refuse", "leave_out"] = "refuse"
    """What becomes of longer rows: the run is refused, or they are left out and counted."""
    group_by_length: bool = False
    """Put rows of like length into one batch: less padding, a little less chance."""
    save_steps: Count = 100
    """Steps between checkpoints."""
    keep: Count = 2
    """Checkpoints kept, the newest."""
    logging_steps: Count = 10
    """Steps that one line of metrics.jsonl covers."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 1
    """Of the order of the rows, of dropout and of the adapter's first weights."""

    def passes(self, processes: int) -> tuple[int, int]:
        """Rows of one pass on one device, and passes accumulated, for so many processes.

        UsageError where the batch cannot be split evenly.
        """
        share = max(1, self.batch // processes)
        micro = min(self.micro_batch or share, share)
        if self.batch % (micro * processes):
            raise UsageError(
                f"training.batch = {self.batch} cannot be split into passes of {micro} rows on "
                f"{processes} {'process' if processes == 1 else 'processes'}; it must be a "
                f"multiple of {micro * processes}. Set training.batch or training.micro_batch"
            )
        return micro, self.batch // (micro * processes)


class DpoPart(Record):
    """[dpo]: the preference loss (Rafailov et al., 2023)."""

    beta: Positive = 0.1
    """How strongly the model is held to its reference; rewards are beta times the log ratio."""
    loss: Literal["sigmoid", "hinge", "ipo"] = "sigmoid"
    """Shape of the loss over the margin."""
    sft_weight: Annotated[float, Field(ge=0)] = 0.0
    """Weight of the chosen answer's own likelihood, added to the loss."""
    until: str = ""
    """Answers are compared up to this text and no further, such as `Dialogue:` where they differ by
    their acts and the words only follow; "" compares them whole."""
    precompute_reference: bool = False
    """Run the reference once over all rows before training, instead of beside the model."""

    @model_validator(mode="after")
    def _fits(self) -> "DpoPart":
        if self.until and self.precompute_reference:
            # TRL computes before the answers can be cut.
            raise ValueError("until and precompute_reference do not go together")
        return self


class Recipe(Record):
    """A whole recipe."""

    kind: Kind
    """Supervised fine-tuning on what was said, or direct preference optimisation on pairs."""
    model: ModelPart = ModelPart()
    """How the weights are held."""
    lora: LoraPart | None = None
    """The adapter; without it all weights are trained."""
    training: TrainingPart
    """The course."""
    dpo: DpoPart | None = None
    """The preference loss; for `dpo` only."""

    @model_validator(mode="after")
    def _preferences_where_there_are_pairs(self) -> Self:
        if (self.kind == "dpo") is (self.dpo is None):
            raise ValueError('kind = "dpo" needs [dpo], and nothing else has it')
        return self


_PARTS: Final[Mapping[str, type[BaseModel]]] = {
    "model": ModelPart,
    "lora": LoraPart,
    "training": TrainingPart,
    "dpo": DpoPart,
}


def shipped() -> tuple[str, ...]:
    """Names of the recipes that come with arrears."""
    folder = resources.files("arrears.training.fit") / "recipes"
    names = (node.name for node in folder.iterdir())
    return tuple(sorted(n.removesuffix(_SUFFIX) for n in names if n.endswith(_SUFFIX)))


def read_recipe(name: str, settings: Sequence[str] = ()) -> Recipe:
    """A shipped recipe by name, or that of a file `*.toml`, with `key=value` put over it.

    UnknownName for a name that is not shipped; BrokenFile, with the key and what it may be, for
    a recipe that does not hold together; UsageError for a setting that is no `key=value`.
    """
    raw = _parse(name)
    for setting in settings:
        put_over(raw, setting)
    try:
        return Recipe.model_validate(raw)
    except ValidationError as error:
        field, why = _told(error)
        raise BrokenFile(name, why, field=field) from None


def flat(value: Mapping[str, Any], lead: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of nested tables with its dotted key."""
    for key, inner in value.items():
        if isinstance(inner, Mapping):
            yield from flat(inner, f"{lead}{key}.")
        else:
            yield f"{lead}{key}", inner


def _parse(name: str) -> dict[str, Any]:
    if name.endswith(_SUFFIX):
        source: Any = Path(name)
    elif name in shipped():
        source = resources.files("arrears.training.fit") / "recipes" / f"{name}{_SUFFIX}"
    else:
        raise UnknownName("recipe", name, (*shipped(), f"or a file ending in {_SUFFIX}"))
    try:
        return tomllib.loads(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise BrokenFile(name, f"cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise BrokenFile(name, "is not UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        raise BrokenFile(name, f"is not TOML: {error}") from error


def put_over(raw: dict[str, Any], setting: str) -> None:
    """Put `key=value` over a TOML's tables, in place; a value that is no TOML is taken as text.

    UsageError for a setting that is no `key=value`.
    """
    key, equals, text = setting.partition("=")
    path = key.strip().split(".")
    if not equals or not all(path):
        raise UsageError(
            f"--set takes key=value, such as training.learning_rate=1e-4, not {setting!r}"
        )
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    table: Any = raw
    for part in path[:-1]:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise UsageError(f"--set {setting}: {part} is a value and holds no keys")
    table[path[-1]] = value


def _told(error: ValidationError) -> tuple[str, str]:
    """The key of the first complaint, and what is wrong with it.

    A key that there is not comes first: it is what another one that is missing was meant to be.
    """
    found = error.errors(include_url=False)
    first = next((e for e in found if e["type"] == "extra_forbidden"), None) or next(
        (e for e in found if e["type"] != "missing"), found[0]
    )
    place = first["loc"]
    field = ".".join(map(str, place))
    if first["type"] == "extra_forbidden":
        return field, f"there is no such key; known: {', '.join(_keys(place[:-1]))}"
    if first["type"] == "missing":
        return field, "is missing"
    why = first["msg"].removeprefix("Value error, ")
    why = why[:1].lower() + why[1:]
    return field, why if not field else f"{why}, not {first['input']!r}"


def _keys(place: tuple[int | str, ...]) -> tuple[str, ...]:
    """Keys of the table at a place of a recipe."""
    table: type[BaseModel] = _PARTS.get(str(place[0]), Recipe) if place else Recipe
    return tuple(table.model_fields)
