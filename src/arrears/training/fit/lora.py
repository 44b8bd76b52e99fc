"""A low-rank adapter: how it is asked for, where it was put, and how it goes into the weights."""

from pathlib import Path
from typing import Any

from arrears.errors import UsageError
from arrears.training.fit.recipe import ALL_LINEAR, LoraPart

ADAPTER = "adapter"
"""Folder of the adapter inside the result."""


def lora_config(part: LoraPart | None) -> Any:
    """PEFT's configuration; None where all weights are trained."""
    if part is None:
        return None
    from peft import LoraConfig, TaskType

    targets: Any = list(part.targets)
    return LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=part.rank,
        lora_alpha=part.alpha,
        lora_dropout=part.dropout,
        target_modules=ALL_LINEAR if targets == [ALL_LINEAR] else targets,
        bias="none",
    )


def check_targets(part: LoraPart | None, model: Any) -> None:
    """UsageError for a target that no linear layer of the model is called."""
    if part is None:
        return
    import torch

    names = sorted(
        {
            name.rpartition(".")[2]
            for name, module in model.named_modules()
            if isinstance(module, torch.nn.Linear)
        }
    )
    head = model.get_output_embeddings()
    if head is not None:
        last = next(name for name, module in model.named_modules() if module is head)
        names = [name for name in names if name != last.rpartition(".")[2]]
    for target in part.targets:
        if target == ALL_LINEAR and len(part.targets) > 1:
            raise UsageError(f"lora.targets: {ALL_LINEAR} stands alone or not at all")
        if target != ALL_LINEAR and target not in names:
            raise UsageError(
                f"lora.targets: the model has no linear layer {target!r}; it has "
                f"{', '.join(names)}, or {ALL_LINEAR} for all of them"
            )


def found_targets(model: Any) -> dict[str, int]:
    """Last names of the modules that have an adapter, and how many modules each stands for."""
    found: dict[str, int] = {}
    for name, module in model.named_modules():
        if hasattr(module, "lora_A"):
            last = name.rpartition(".")[2]
            found[last] = found.get(last, 0) + 1
    return found


def save_merged(model: Any, folder: Path) -> None:
    """Write the base with the adapter added into its weights; the model is that from then on."""
    model.merge_and_unload().save_pretrained(folder)
