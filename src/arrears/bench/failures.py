"""What failed in a run: how much, whose fault, in what words. Beside its figures, never in them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from arrears.bench.stored import StoredRun
from arrears.bench.tables import Cell, Column, Table, TableRow
from arrears.characters import visible
from arrears.dialogue.failures import CAUSES, Failure
from arrears.scoring.row import Row

_WORDS = 160


class Failures(NamedTuple):
    """What failed in one way: the same collector, seat, cause, exception and place."""

    collector: str
    failure: Failure
    dialogues: int
    words: str
    """The most frequent words of whoever failed, cut to a line."""


def failures_of(run: StoredRun) -> list[Failures]:
    """Everything that failed in a run, most frequent first."""
    words: dict[tuple[str, Failure], Counter[str]] = {}
    for row in run.rows:
        if row.failure is not None:
            dialogue = run.dialogue(row.case)
            assert dialogue.failed is not None
            kind = (dialogue.collector, dialogue.failed)
            said = dialogue.detail.partition(": ")[2] or dialogue.detail
            said = said.removeprefix("ModelError: ")
            words.setdefault(kind, Counter())[_line(said)] += 1
    found = [
        Failures(*kind, said.total(), said.most_common(1)[0][0]) for kind, said in words.items()
    ]
    return sorted(found, key=lambda one: -one.dialogues)


def most_said(run: StoredRun) -> dict[str, str]:
    """Why most of a collector's failures failed, by collector; only those with any."""
    found: dict[str, str] = {}
    for one in failures_of(run):
        found.setdefault(one.collector, _reason(one))
    return found


def failures_table(runs: Sequence[StoredRun]) -> Table | None:
    """The failures of some runs; None where nothing failed."""
    rows = []
    for run in runs:
        played = Counter(row.collector for row in run.rows)
        for one in failures_of(run):
            failure = one.failure
            name = one.collector + (f" ({run.path.name})" if len(runs) > 1 else "")
            whole = played[one.collector]
            rows.append(
                TableRow(
                    name,
                    [
                        Cell(f"{one.dialogues:,} of {whole:,}"),
                        Cell(failure.seat),
                        Cell(CAUSES[failure.cause]),
                        Cell(failure.where or "–"),
                        Cell(one.words),
                    ],
                )
            )
    if not rows:
        return None
    return Table(
        "What failed",
        "Dialogues that were broken off from outside the negotiation",
        "collector",
        [
            Column("dialogues"),
            Column("seat", "on which side of the table it failed"),
            Column("who failed", prose=True),
            Column("line", "of the user's own code"),
            Column("in its own words", "most frequent message of this kind", prose=True),
        ],
        rows,
        "These dialogues are in no mean, interval, test or figure. The command of the run with "
        "--retry-errors plays them again.",
    )


def told(lines: Mapping[str, Sequence[Row]]) -> str:
    """One sentence on what failed among these rows, by name; "" where nothing did."""
    parts = []
    for name, rows in lines.items():
        causes = Counter(row.failure for row in rows if row.failure is not None)
        if causes:
            why = "; ".join(CAUSES[cause] for cause, _ in causes.most_common())
            parts.append(f"{causes.total():,} of {len(rows):,} dialogues with {name} ({why})")
    if not parts:
        return ""
    return "Broken off from outside and in no figure: " + ", ".join(parts) + "."


def _reason(one: Failures) -> str:
    failure = one.failure
    where = f" at {failure.where}" if failure.where else ""
    return f"{CAUSES[failure.cause]} ({failure.seat}'s side){where}: {one.words}"


def _line(words: str) -> str:
    line = " ".join(visible(words).split())
    return line if len(line) <= _WORDS else f"{line[: _WORDS - 1]}…"
