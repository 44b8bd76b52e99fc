"""The model that training starts from: a folder, and what says which one it is."""

import os
from collections.abc import Mapping
from hashlib import file_digest, sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from arrears.errors import UsageError
from arrears.models.model_folder import check_folder
from arrears.models.opening import ChatForm, open_tokenizer, open_weights
from arrears.training.fit.folder import read_json
from arrears.training.fit.recipe import Recipe

NEEDED = ("torch", "transformers", "trl", "peft", "datasets", "accelerate")
"""Packages of the extra `train`."""
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
_WORDS = ("tokenizer.json", "chat_template.jinja")
_SETTINGS, _SET = "tokenizer_config.json", ("chat_template", "eos_token", "pad_token")


class Digests(NamedTuple):
    """SHA-256 of what makes a model that model."""

    weights: str
    """Over the files of weights, in the order of their names."""
    tokenizer: str
    """Over the tokenizer's files and the chat template."""


def check_packages() -> None:
    """UsageError where the extra `train` is not installed."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"training needs {', '.join(NEEDED)} ({missing[0]} is missing); "
            "pip install 'arrears[train]'"
        )


def check_model(folder: Path) -> None:
    """UsageError where the folder holds no model that can be trained."""
    check_folder(folder)


def digests_of(folder: Path) -> Digests:
    """Which model a folder holds. Reads all of it: half a minute for 16 GB."""
    weights = sha256()
    for path in _weights(folder):
        with path.open("rb") as file:
            weights.update(f"{path.name}\n".encode() + file_digest(file, "sha256").digest())
    words = sha256()
    for name in _WORDS:
        path = folder / name
        if path.is_file():
            words.update(f"{name}\n".encode() + sha256(path.read_bytes()).digest())
    # The rest of the settings says how it was loaded last, and changes with every save.
    settings = read_json(folder / _SETTINGS) or {}
    words.update(orjson.dumps([settings.get(key) for key in _SET]))
    return Digests(weights.hexdigest(), words.hexdigest())


def open_base(folder: Path, recipe: Recipe) -> tuple[Any, Any, ChatForm]:
    """The model, as the recipe wants it held, its tokenizer, and how it lays out a conversation.

    UsageError.
    """
    tokenizer = open_tokenizer(folder)
    form = ChatForm(tokenizer, folder)
    if tokenizer.eos_token_id is None:
        raise UsageError(f"hf/{folder} has no token that ends a message (eos_token)")
    import torch

    model = open_weights(
        folder,
        dtype=getattr(torch, recipe.model.dtype),
        attn_implementation=recipe.model.attention,
    )
    return model, tokenizer, form


def quiet() -> None:
    """No word of this goes to anyone, and none to stdout: telemetry and bars are off."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from huggingface_hub import constants

    # Read from the environment when it was imported, which may be long ago.
    constants.HF_HUB_DISABLE_TELEMETRY = True
    import datasets
    import transformers

    datasets.disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()


def rank(environment: Mapping[str, str] = os.environ) -> int:
    """Which of the processes this is, from 0; launchers tell it in the environment."""
    return int(environment.get("RANK", "0"))


def processes(environment: Mapping[str, str] = os.environ) -> int:
    """How many processes train together."""
    return int(environment.get("WORLD_SIZE", "1"))


def check_devices() -> None:
    """UsageError where one process would see several GPUs and could use only one of them."""
    import torch

    count = torch.cuda.device_count()
    if count > 1 and processes() == 1:
        raise UsageError(
            f"{count} GPUs are visible and one process trains on one; start it with `accelerate "
            f"launch --num_processes {count} -m arrears.cli.main train …`, or choose a GPU with "
            "CUDA_VISIBLE_DEVICES=0"
        )


def _weights(folder: Path) -> list[Path]:
    return sorted(path for pattern in _WEIGHTS for path in folder.glob(pattern))
