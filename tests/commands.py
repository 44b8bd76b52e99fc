"""The command as a real process, and what it leaves behind."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from arrears.dialogue.record import DIALOGUE_ADAPTER, Dialogue

ARREARS = (sys.executable, "-m", "arrears.cli.main")


def arrears(
    *words: str, env: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """One command as a real process."""
    return subprocess.run(
        [*ARREARS, *words], capture_output=True, text=True, env={**os.environ, **(env or {})}
    )


def bench(out: Path, *words: str, env: Mapping[str, str] | None = None) -> list[Dialogue]:
    """A run that must succeed, and its dialogues."""
    done = arrears("bench", "--no-report", "--out", str(out), *words, env=env)
    assert done.returncode == 0, done.stderr
    return dialogues(out)


def dialogues(out: Path) -> list[Dialogue]:
    """The dialogues of a run folder."""
    lines = (out / "dialogues.jsonl").read_bytes().splitlines()
    return [DIALOGUE_ADAPTER.validate_json(line) for line in lines]
