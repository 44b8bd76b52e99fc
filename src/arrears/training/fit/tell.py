"""What a person is told: of a training that is only thought of, and of one that is done."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from arrears.training.fit.dry import Dry
from arrears.training.fit.estimate import Estimate
from arrears.training.fit.recipe import Recipe, flat
from arrears.training.fit.run import Fitted

_INERT: Final = "their answers are the same as far as they are trained on, or empty there"


def dry_lines(dry: Dry, recipe: Recipe) -> Iterator[str]:
    """A training that was not run."""
    yield "recipe"
    yield from _values(dict(flat(recipe.model_dump(mode="json", exclude_none=True))))
    yield f"\ntrl.{dry.trainer}"
    yield from _values(dry.config)
    if dry.lora is not None:
        yield "\npeft.LoraConfig"
        yield from _values(dry.lora)
        found = ", ".join(f"{name} (x{count})" for name, count in dry.targets.items())
        yield f"  modules found = {found}"
    yield "\nthe model given"
    yield f"  parameters = {dry.parameters:,}, of which trained {dry.trained:,}"
    left_out = f", {dry.left_out:,} too long and left out" if dry.left_out else ""
    yield f"  rows = {dry.rows:,}{left_out}; the longest has {dry.longest:,} tokens"
    if dry.inert:
        yield f"  of them {dry.inert:,} teach nothing: {_INERT}"
    yield f"  steps = {dry.steps:,}"
    if dry.estimate is None:
        yield "\nno estimate: only shapes as Qwen and Llama have them are known"
        return
    yield from _estimate_lines(dry.estimate, recipe)


def _estimate_lines(found: Estimate, recipe: Recipe) -> Iterator[str]:
    yield f"\n{found.base} on {found.card.name}, by the formula of docs/training.md"
    yield f"  parameters = {found.parameters:,}, of which trained {found.trained:,}"
    parts = ("weights", "optimizer", "activations", "head", "reserve")
    shares = ", ".join(f"{name} {getattr(found, name) / 1e9:.1f}" for name in parts)
    fits = "fits" if found.memory <= found.card.bytes else "does not fit"
    yield f"  memory = {found.memory / 1e9:.1f} GB ({shares}): {fits}"
    yield f"    for texts of training.max_length = {recipe.training.max_length:,} tokens"
    whole = _clock(found.seconds)
    yield f"  time = {found.per_step:.2f} s a step, {whole} for {found.steps:,} steps"
    yield "    for texts as long as those of the data, in tokens of the model given"


def done_lines(done: Fitted) -> Iterator[str]:
    """A training that is finished."""
    if done.before:
        yield f"{done.folder} is finished; nothing was done"
    left_out = f" ({done.left_out:,} too long and left out)" if done.left_out else ""
    if done.inert:
        yield f"nothing could be learned from {done.inert:,} rows: {_INERT}"
    yield (
        f"{done.steps:,} steps over {done.rows:,} rows{left_out}, {done.tokens:,} tokens, "
        f"{_clock(done.seconds)}, last loss {done.loss:.4f}"
    )


def _values(values: Mapping[str, Any]) -> Iterator[str]:
    for key, value in values.items():
        yield f"  {key} = {value}"


def _clock(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
