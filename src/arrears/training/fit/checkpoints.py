"""Checkpoints that are whole: each is marked last, and only a marked one is resumed from.

transformers writes a checkpoint file by file. A kill in between leaves some of them, or a part of
one; the mark, which names every file with its size, comes after all of them.
"""

from pathlib import Path
from shutil import rmtree
from typing import NamedTuple

from arrears.errors import BrokenFile
from arrears.training.fit.folder import read_json, write_json

MARK = "whole.json"
_PREFIX = "checkpoint-"


class Checkpoint(NamedTuple):
    """A checkpoint that is whole."""

    folder: Path
    step: int
    seconds: float
    """Of training, up to it."""


def mark(folder: Path, step: int, seconds: float) -> None:
    """Say that the checkpoint in the folder is whole."""
    sizes = {str(p.relative_to(folder)): p.stat().st_size for p in _files(folder)}
    write_json(folder / MARK, {"step": step, "seconds": round(seconds, 3), "files": sizes})


def latest(checkpoints: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest whole checkpoint, and the names of newer ones that are not."""
    torn: list[str] = []
    for folder in reversed(_all(checkpoints)):
        found = _whole(folder)
        if found is not None:
            return found, torn
        torn.append(folder.name)
    return None, torn


def prune(checkpoints: Path, keep: int) -> None:
    """Remove what is not whole, and all whole ones but the newest `keep`."""
    whole = 0
    for folder in reversed(_all(checkpoints)):
        if _whole(folder) is not None and whole < keep:
            whole += 1
            continue
        # Without its mark it counts for nothing, however far the rest of it gets.
        (folder / MARK).unlink(missing_ok=True)
        rmtree(folder, ignore_errors=True)


def _all(checkpoints: Path) -> list[Path]:
    """By step."""
    found = [
        path
        for path in checkpoints.glob(f"{_PREFIX}*")
        if path.is_dir() and path.name.removeprefix(_PREFIX).isdigit()
    ]
    return sorted(found, key=lambda path: int(path.name.removeprefix(_PREFIX)))


def _whole(folder: Path) -> Checkpoint | None:
    try:
        raw = read_json(folder / MARK)
    except BrokenFile:
        return None
    if raw is None:
        return None
    sizes = {str(p.relative_to(folder)): p.stat().st_size for p in _files(folder)}
    if any(sizes.get(name) != size for name, size in raw["files"].items()):
        return None
    return Checkpoint(folder, raw["step"], raw["seconds"])


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(MARK))
