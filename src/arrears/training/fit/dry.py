"""A training that is built and not run: what would be trained, how, and what it would take."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from arrears.training.fit.arguments import common_arguments
from arrears.training.fit.estimate import Estimate, estimate, shape_of, shapes
from arrears.training.fit.folder import check_place
from arrears.training.fit.lora import found_targets
from arrears.training.fit.recipe import Kind, Recipe
from arrears.training.fit.rows import Laid
from arrears.training.fit.run import check, prepare

_LOSS = ("assistant_only_loss", "completion_only_loss", "beta", "loss_type", "loss_weights",
         "precompute_ref_log_probs")  # fmt: skip
_LORA = ("r", "lora_alpha", "lora_dropout", "bias", "task_type")
_OF_THE_MACHINE = ("output_dir", "use_cpu", "dataloader_pin_memory")


class Dry(NamedTuple):
    """What a training would be."""

    trainer: str
    """TRL's class."""
    config: dict[str, Any]
    """Its configuration: all that the recipe decides."""
    lora: dict[str, Any] | None
    """PEFT's, likewise; None where all weights are trained."""
    targets: dict[str, int]
    """Modules with an adapter: last name, and how many."""
    parameters: int
    """Of the model that was given, adapter included."""
    trained: int
    """Of these."""
    rows: int
    left_out: int
    inert: int
    """Rows that teach nothing."""
    longest: int
    """Tokens of the longest row."""
    steps: int
    estimate: Estimate | None
    """For the model that the recipe is written for, else for the one given; None for another
    architecture than Qwen's and Llama's."""


def dry_run(
    kind: Kind, model: Path, data: Path, out: Path, recipe: Recipe, *, merge: bool = True
) -> Dry:
    """Build the trainer with the model given, and read off what it is. Writes nothing.

    Errors as `fit` has them.
    """
    rows = check(kind, model, data, recipe, merge=merge)
    check_place(out)
    with TemporaryDirectory() as scratch:
        ready = prepare(model, rows, recipe, Path(scratch))
        trainer = ready.trainer
        adapter = getattr(ready.model, "peft_config", None) if recipe.lora else None
        steps = -(-len(ready.laid.order) // recipe.training.batch)
        return Dry(
            type(trainer).__name__,
            _values(trainer.args, [*common_arguments(recipe, Path(scratch)), *_LOSS]),
            _values(adapter["default"], _LORA) if adapter else None,
            found_targets(ready.model),
            sum(p.numel() for p in ready.model.parameters()),
            sum(p.numel() for p in ready.model.parameters() if p.requires_grad),
            ready.laid.rows,
            ready.laid.left_out,
            ready.laid.inert,
            ready.laid.longest,
            steps,
            _estimate(recipe, ready.model, ready.laid, steps),
        )


def _estimate(recipe: Recipe, model: Any, laid: Laid, steps: int) -> Estimate | None:
    card, known = shapes()
    base = recipe.model.base
    if base in known:
        shape = known[base]
    else:
        try:
            base, shape = "the model given", shape_of(model.config)
        except AttributeError:
            return None
    texts = laid.rows * (2 if recipe.kind == "dpo" else 1)
    return estimate(recipe, base, shape, card, steps=steps, mean=laid.tokens / texts)


def _values(config: Any, names: Iterable[str]) -> dict[str, Any]:
    return {
        name: _plain(getattr(config, name))
        for name in names
        if hasattr(config, name) and name not in _OF_THE_MACHINE
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(getattr(value, "value", value))
