"""Supervised fine-tuning: TRL's SFTTrainer, with the loss on the collector's own words only."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from arrears.errors import UsageError
from arrears.training.fit.arguments import common_arguments
from arrears.training.fit.data import Data
from arrears.training.fit.lora import check_targets, lora_config
from arrears.training.fit.recipe import Recipe


def sft_trainer(model: Any, tokenizer: Any, data: Data, recipe: Recipe, checkpoints: Path) -> Any:
    """A trainer over whole talks (loss on every assistant message) or single answers.

    UsageError where the model's chat template does not tell which words are the assistant's.
    """
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    talks = data.form == "messages"
    if talks:
        _check_marks(tokenizer)
    check_targets(recipe.lora, model)
    config = SFTConfig(
        **common_arguments(recipe, checkpoints),
        assistant_only_loss=talks,
        completion_only_loss=not talks,
        packing=False,
    )
    return SFTTrainer(
        model=model,
        args=config,
        train_dataset=Dataset.from_list(data.rows),
        processing_class=tokenizer,
        peft_config=lora_config(recipe.lora),
    )


def sft_length(row: Mapping[str, Any]) -> int:
    """Tokens of a row."""
    return len(row["input_ids"])


def _check_marks(tokenizer: Any) -> None:
    from trl import get_training_chat_template

    try:
        get_training_chat_template(tokenizer)
    except ValueError:
        raise UsageError(
            "the model's chat template does not mark the assistant's words ({% generation %}), and "
            "TRL knows no training form of it. Add the marks to the template, or give rows of "
            "prompt and completion"
        ) from None
