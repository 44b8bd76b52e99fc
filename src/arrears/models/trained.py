"""What a model that was trained here says of itself: `training.json` beside its weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from arrears.errors import BrokenFile

RECORD: Final = "training.json"
"""Written by `arrears train` beside the weights."""


def record_of(folder: Path) -> Mapping[str, Any]:
    """The record in a model's folder; empty where there is none. BrokenFile."""
    path = folder / RECORD
    if not path.exists():
        return {}
    try:
        found = orjson.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise BrokenFile(path, f"not the record of a training ({error})") from None
    if not isinstance(found, dict):
        raise BrokenFile(path, "not the record of a training")
    return found


def told_of(spec: str, key: str) -> str:
    """What it says it is about, for a model's name on the command line; "" for nothing."""
    provider, _, path = spec.partition("/")
    about = record_of(Path(path)).get("about") if provider == "hf" else None
    return str(about.get(key, "")) if isinstance(about, Mapping) else ""
