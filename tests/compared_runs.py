"""Runs to compare: small ones of built-in collectors, and copies that tell of something else."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from arrears.bench.plan import make_plan
from arrears.bench.run import run
from arrears.bench.stored import StoredRun, open_run
from arrears.debtors.suites import load_suite

LENIENT, ADAPTIVE = "scripted/lenient", "scripted/adaptive"


def play(folder: Path, *collectors: str, debtors: int = 12, **how: Any) -> StoredRun:
    """A run with the first debtors of DebtBench."""
    people = {"debtbench": load_suite("debtbench")[:debtors]}
    run(make_plan(people, collectors=collectors, **how), people, folder, workers=1)
    return open_run(folder)


def doctored(
    stored: StoredRun,
    folder: Path,
    words: dict[str, str] | None = None,
    each: Callable[[int, dict[str, Any]], None] | None = None,
) -> StoredRun:
    """A copy of a run with other words in its files, as if it had been played so."""
    shutil.copytree(stored.path, folder)
    (folder / "scores.parquet").unlink()
    for name in ("run.json", "dialogues.jsonl"):
        text = (folder / name).read_text(encoding="utf-8")
        for old, new in (words or {}).items():
            text = text.replace(old, new)
        (folder / name).write_text(text, encoding="utf-8")
    if each is not None:
        talks = [json.loads(x) for x in (folder / "dialogues.jsonl").read_text().splitlines()]
        for number, talk in enumerate(talks):
            each(number, talk)
        (folder / "dialogues.jsonl").write_text("".join(f"{json.dumps(t)}\n" for t in talks))
    return open_run(folder)
