"""Direct preference optimisation: TRL's DPOTrainer over pairs of answers to one prompt."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from arrears.training.fit.arguments import common_arguments
from arrears.training.fit.data import Data
from arrears.training.fit.lora import check_targets, lora_config
from arrears.training.fit.recipe import DpoPart, Recipe


def dpo_trainer(model: Any, tokenizer: Any, data: Data, recipe: Recipe, checkpoints: Path) -> Any:
    """A trainer over pairs.

    The reference is the model as it was: with an adapter, the base with the adapter switched off;
    without one, a second copy, which TRL loads from the model's own folder.
    """
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    part = recipe.dpo
    assert part is not None
    check_targets(recipe.lora, model)
    config = DPOConfig(
        **common_arguments(recipe, checkpoints),
        beta=part.beta,
        precompute_ref_log_probs=part.precompute_reference,
        **_losses(part),
    )
    trainer = DPOTrainer(
        model=model,
        args=config,
        train_dataset=Dataset.from_list(data.rows),
        processing_class=tokenizer,
        peft_config=lora_config(recipe.lora),
    )
    if part.until:
        trainer.train_dataset = trainer.train_dataset.map(
            lambda row: {
                side: up_to(part.until, row[side], tokenizer)
                for side in ("chosen_ids", "rejected_ids")
            }
        )
    return trainer


def up_to(text: str, ids: Sequence[int], tokenizer: Any) -> list[int]:
    """The first tokens of an answer, until they hold a text; all of them where they never do."""
    for end in range(1, len(ids)):
        if text in tokenizer.decode(ids[:end]):
            return list(ids[:end])
    return list(ids)


def _losses(part: DpoPart) -> dict[str, Any]:
    if not part.sft_weight:
        return {"loss_type": [part.loss]}
    return {"loss_type": [part.loss, "sft"], "loss_weights": [1.0, part.sft_weight]}


def dpo_length(row: Mapping[str, Any]) -> int:
    """Tokens of the longer of a pair's two texts."""
    return len(row["prompt_ids"]) + max(len(row["chosen_ids"]), len(row["rejected_ids"]))


def dpo_tokens(row: Mapping[str, Any]) -> int:
    """Tokens of both texts."""
    return 2 * len(row["prompt_ids"]) + len(row["chosen_ids"]) + len(row["rejected_ids"])
