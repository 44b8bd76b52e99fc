"""What stands beside the weights: everything that says where they come from."""

import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import arrears
from arrears.training.fit.base import NEEDED, Digests, processes
from arrears.training.fit.data import Data
from arrears.training.fit.folder import FORMAT, RECORD, read_json
from arrears.training.fit.recipe import Recipe
from arrears.training.fit.rows import Laid

ABOUT: Final = "about"
INHERITED: Final = ("collector_prompt",)
"""What a model keeps of what its base was about: it was taught under that prompt."""


def about_of(model: Path) -> dict[str, Any]:
    """What a model's own `training.json` says it is about; empty where it has none. BrokenFile."""
    raw = read_json(model / RECORD) or {}
    said = raw.get(ABOUT)
    return dict(said) if isinstance(said, dict) else {}


def inherited(model: Path, about: Mapping[str, Any]) -> dict[str, Any]:
    """What a model trained from that one is about: `about`, over what is kept of the base's."""
    base = about_of(model)
    return {**{key: base[key] for key in INHERITED if key in base}, **about}


def record_of(
    *,
    recipe: Recipe,
    model: Path,
    digests: Digests,
    data: Data,
    laid: Laid,
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """The record of a training before what came out of it (`steps`, `seconds`, `loss`, …)."""
    return {
        "format": FORMAT,
        "kind": recipe.kind,
        "recipe": recipe.model_dump(mode="json"),
        "seed": recipe.training.seed,
        "base": {
            "path": str(model),
            "weights": digests.weights,
            "tokenizer": digests.tokenizer,
        },
        "data": {
            "path": str(data.path),
            "digest": data.digest,
            "form": data.form,
            "rows": laid.rows,
            "left_out": laid.left_out,
            "inert": laid.inert,
            "longest": laid.longest,
            "tokens": laid.tokens,
        },
        ABOUT: dict(about),
        "versions": versions(),
        "machine": machine(),
    }


def versions() -> dict[str, str]:
    """Of arrears, Python and the packages that train."""
    found = {"arrears": arrears.__version__, "python": platform.python_version()}
    for name in (*NEEDED, "tokenizers", "safetensors", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    return found


def machine() -> dict[str, Any]:
    """On what it was trained."""
    import torch

    on_gpu = torch.cuda.is_available()
    return {
        "kind": "gpu" if on_gpu else "cpu",
        "device": torch.cuda.get_device_name(0) if on_gpu else _processor(),
        "processes": processes(),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.machine()
