"""Whether a folder can hold a model at all: told by its files, before anything heavy is loaded."""

from pathlib import Path
from typing import Final

from arrears.errors import UsageError
from arrears.models.weights import INDEX, WHOLE, plain_matrices, read_object, tensors_in

CONFIG: Final = "config.json"
ADAPTER: Final = "adapter_config.json"
_PICKLES: Final = "pytorch_model*.bin"
_TOKENIZERS: Final = (
    "tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "*.tiktoken", "tekken.json",
    "spiece.model", "sentencepiece*.model",
)  # fmt: skip


def check_folder(folder: Path) -> dict[str, object]:
    """The model's config.json. Reads nothing else but headers.

    UsageError or BrokenFile, with the file and what to do, unless all the files of a model are
    there and whole.
    """
    config = _config(folder)
    if (folder / INDEX).exists() or (folder / WHOLE).exists():
        odd = plain_matrices(tensors_in(folder))
        if odd and not config.get("quantization_config"):
            raise UsageError(
                f"hf/{folder}: {odd} is stored as integers or 8-bit numbers, and {CONFIG} has no "
                "quantization_config that says how to read them; use the unquantized weights"
            )
    elif not any(folder.glob(_PICKLES)):
        if (folder / ADAPTER).is_file():
            raise _only_an_adapter(folder)
        raise UsageError(
            f"hf/{folder} has a {CONFIG} but no weights ({WHOLE}, or {INDEX} and what it names)"
        )
    if not any(True for pattern in _TOKENIZERS for _ in folder.glob(pattern)):
        raise UsageError(
            f"hf/{folder} has no tokenizer ({_TOKENIZERS[0]}); copy the tokenizer's files of its "
            "base model into the folder"
        )
    for name in ("tokenizer.json", "tokenizer_config.json"):
        if (folder / name).exists():
            read_object(folder / name)
    return config


def _config(folder: Path) -> dict[str, object]:
    path = folder / CONFIG
    if path.is_file():
        return read_object(path)
    if (folder / ADAPTER).is_file():
        raise _only_an_adapter(folder)
    raise UsageError(
        f"hf/{folder}: there is no model in {folder}: there is no {CONFIG} in it"
        if folder.is_dir()
        else f"hf/{folder}: there is no model in {folder}: there is no such folder"
    )


def _only_an_adapter(folder: Path) -> UsageError:
    base = read_object(folder / ADAPTER).get("base_model_name_or_path") or "its base"
    return UsageError(
        f"hf/{folder} is an adapter and no whole model: merge it into {base} first (PEFT's "
        "merge_and_unload), or train it again without --no-merge"
    )
