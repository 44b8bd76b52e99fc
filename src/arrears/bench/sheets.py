"""What judges gave, as it lies in a run's folder.

`judgements/KIND--JUDGE.jsonl` holds one line a dialogue; the `.json` beside it says by whom and
with which prompts.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from arrears.errors import BrokenFile
from arrears.files import CASE, LineReader, replace_file
from arrears.runs.pinned import read_object, refuse, store_plan
from arrears.scoring.judges import KINDS

JUDGEMENTS = "judgements"
PAIRWISE = "pairwise"
_ANEW = "judge in the same way as before, or remove it and its .jsonl to judge again"


class Judged(NamedTuple):
    """One stored judgement."""

    case: str
    scores: Mapping[str, float]
    """Empty where there is none."""
    unscored: str
    """Why there is none; "" where there are scores."""
    reason: str
    """What the judge gave for a reason."""


class Sheet(NamedTuple):
    """All judgements of one kind by one judge."""

    kind: str
    judge: str
    against: str
    """The run that was compared with, for `pairwise`."""
    judged: Mapping[str, Judged]
    """By case."""

    def column(self, score: str) -> dict[str, float]:
        """One score by case, where it was given."""
        return {c: j.scores[score] for c, j in self.judged.items() if score in j.scores}


def read_sheets(folder: Path) -> list[Sheet]:
    """All judgements that lie in a run's folder, by kind and judge. BrokenFile."""
    sheets = []
    for head in sorted((folder / JUDGEMENTS).glob("*.json")):
        try:
            header = orjson.loads(head.read_bytes())
            lines = head.with_suffix(".jsonl")
            judged = _judged(lines) if lines.exists() else {}
            sheets.append(Sheet(header["kind"], header["judge"], header["against"], judged))
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise BrokenFile(head, f"not a judge's header ({error!r})") from None
    order = [*KINDS, PAIRWISE]
    return sorted(sheets, key=lambda s: (order.index(s.kind), s.judge, s.against))


def _judged(path: Path) -> dict[str, Judged]:
    with LineReader(path) as file:
        rows = [orjson.loads(file.read(span)) for span in file.index(CASE).values()]
    return {
        r["case"]: Judged(
            r["case"], r.get("scores", {}), r.get("unscored", ""), r.get("reason", "")
        )
        for r in rows
    }


def forget_failures(path: Path) -> None:
    """Drop the lines of judgements that failed, atomically."""
    if not path.exists():
        return
    lines = [
        line
        for line in path.read_bytes().splitlines(keepends=True)
        if line.endswith(b"\n") and "scores" in orjson.loads(line)
    ]
    replace_file(path, lambda out: out.writelines(lines))


def agree_on_header(path: Path, header: Mapping[str, Any]) -> None:
    """Store what judges here, or see that it is the same as before."""
    if not path.exists():
        store_plan(path, header)
        return
    stored = read_object(path)
    differing = [k for k in header if k != "arrears" and stored.get(k) != header[k]]
    refuse(path, "judge's scores", stored, header, differing, remedy=_ANEW)


def slug(name: str) -> str:
    """A name as part of a file's name."""
    return "".join(c if c.isalnum() or c in "-." else "_" for c in name.partition("@")[0])
