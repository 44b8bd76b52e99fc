"""What judges gave, as it lies in a run's folder.

`judgements/KIND--JUDGE.jsonl` holds one line a dialogue; the `.json` beside it says by whom and
with which prompts.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from arrears.bench.stored import StoredRun
from arrears.errors import BrokenFile
from arrears.files import CASE, LineReader, replace_file
from arrears.models.unanswered import Unanswered, Why, counted, unanswered_told
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
    failure: Unanswered | None = None
    """Who failed, where there are no scores."""


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

    @property
    def scored(self) -> int:
        """How many dialogues it has scored."""
        return sum(bool(j.scores) for j in self.judged.values())

    @property
    def failures(self) -> list[Unanswered]:
        """Why the others have no scores."""
        return [j.failure for j in self.judged.values() if j.failure is not None]

    @property
    def unscored(self) -> Counter[Why]:
        """How many have no scores, by who failed; they are in no mean."""
        return counted(self.failures)


NOT_PLAYED = Unanswered(cause="not_asked", seat="judge", reason="the dialogue ended as error")
"""What stands for a dialogue that failed from outside: it is no dialogue and has no scores."""


def failed_in(run: StoredRun) -> frozenset[str]:
    """The cases of a run that broke off from outside the negotiation."""
    return frozenset(row.case for row in run.rows if row.failure is not None)


def sheets_of(run: StoredRun) -> list[Sheet]:
    """All judgements of a run, as `read_sheets`, without those of dialogues that failed: whatever
    an older arrears has stored about them, they have no scores.
    """
    failed = failed_in(run)
    return [
        sheet._replace(
            judged={
                case: Judged(case, {}, NOT_PLAYED.reason, "", NOT_PLAYED) if case in failed else one
                for case, one in sheet.judged.items()
            }
        )
        for sheet in read_sheets(run.path)
    ]


def read_sheets(folder: Path) -> list[Sheet]:
    """All judgements that lie in a run's folder, by kind and judge, as stored. BrokenFile."""
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
    return {row["case"]: _judgement(path, row) for row in rows}


def _judgement(path: Path, row: Mapping[str, Any]) -> Judged:
    scores, unscored = row.get("scores", {}), row.get("unscored", "")
    if scores:
        return Judged(row["case"], scores, "", row.get("reason", ""))
    try:
        # Neither scores nor a reason: nobody knows why, and it is no judgement all the same.
        why = (
            Unanswered.model_validate(row["failure"])
            if "failure" in row
            else _told(unscored or "no scores are stored")
        )
    except ValueError as error:
        raise BrokenFile(path, f"{row['case']}: failure cannot be read ({error})") from None
    return Judged(row["case"], {}, why.reason, "", why)


def _told(reason: str) -> Unanswered:
    """The failure of a judgement that an older arrears has stored with its reason alone."""
    if reason.startswith("nothing was said") or reason.endswith("has no talk to compare"):
        return Unanswered(cause="not_asked", seat="judge", reason=reason)
    return unanswered_told(reason, "judge")


def forget_failures(path: Path, again: bool, broken: Collection[str]) -> None:
    """Drop the lines of what was not asked, since it may be there to be judged by now, all that an
    older arrears has stored of `broken` dialogues, and with `again` those of judgements that
    failed; atomically, and only where there are any.
    """
    if not path.exists():
        return
    judged = _judged(path)
    gone = {
        case
        for case, one in judged.items()
        if case in broken
        or (one.failure is not None and (again or one.failure.cause == "not_asked"))
    }
    if not gone:
        return
    lines = [
        line
        for line in path.read_bytes().splitlines(keepends=True)
        if line.endswith(b"\n") and orjson.loads(line)["case"] not in gone
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
