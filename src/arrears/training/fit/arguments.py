"""What SFT and DPO have in common when a recipe becomes TRL's configuration."""

from pathlib import Path
from typing import Any

from arrears.training.fit.base import processes
from arrears.training.fit.recipe import Recipe

_LENGTHS = 64
_OPTIMIZERS = {"adamw": "adamw_torch_fused", "sgd": "sgd"}


def common_arguments(recipe: Recipe, checkpoints: Path) -> dict[str, Any]:
    """Arguments of `trl.SFTConfig` and `trl.DPOConfig`. UsageError for an uneven batch."""
    import torch

    part = recipe.training
    on_gpu = torch.cuda.is_available()
    micro, accumulated = part.passes(processes())
    return {
        "output_dir": str(checkpoints),
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": accumulated,
        # The rows of all epochs are laid out in their order beforehand (order.py): what comes next
        # then depends on the step alone, and a course can be taken up in the middle of an epoch.
        "num_train_epochs": 1,
        "train_sampling_strategy": "sequential",
        "learning_rate": part.learning_rate,
        "lr_scheduler_type": part.schedule
        if part.schedule != "constant"
        else "constant_with_warmup",
        "warmup_steps": part.warmup,
        "optim": _OPTIMIZERS[part.optimizer],
        "adam_beta1": part.adam_betas[0],
        "adam_beta2": part.adam_betas[1],
        "adam_epsilon": part.adam_epsilon,
        "weight_decay": part.weight_decay,
        "max_grad_norm": part.max_grad_norm,
        "bf16": part.bf16,
        "fp16": False,
        "gradient_checkpointing": part.gradient_checkpointing,
        "gradient_checkpointing_kwargs": {"use_reentrant": False},
        # Of tensors that have few sizes an allocator keeps and reuses more: a quarter less memory.
        "pad_to_multiple_of": _LENGTHS,
        # Nothing is cut: rows that are too long are told before (rows.py).
        "max_length": None,
        "logging_strategy": "steps",
        "logging_steps": part.logging_steps,
        "logging_nan_inf_filter": False,
        "include_num_input_tokens_seen": "non_padding",
        "save_strategy": "steps",
        "save_steps": part.save_steps,
        # Old checkpoints go when a new one is known to be whole (checkpoints.py).
        "save_total_limit": None,
        "seed": part.seed,
        "use_cpu": not on_gpu,
        "dataloader_pin_memory": on_gpu,
        "ddp_find_unused_parameters": False,
        "report_to": "none",
        "push_to_hub": False,
        "disable_tqdm": True,
    }
