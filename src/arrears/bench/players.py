"""How the players behaved: failures by seat, and success with and without spoiled dialogues.

Rules see what can be checked; where persona judges have scored the run, what most of them saw is
charged to the debtor's seat too.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from arrears.bench.sheets import Sheet
from arrears.bench.tables import Cell, Column, Table, TableRow
from arrears.scoring.row import Row
from arrears.scoring.simulator import FAULTS
from arrears.scoring.statistics import wilson

# What a persona judge may say, as the failure that it is.
_FLAGS: Final[Mapping[str, str]] = {
    "broke_character": "broke_character",
    "leaked_instructions": "leaked_instructions",
    "turned_collector": "turned_around",
}
_MARKS: Final = ("emotion", "cognition", "style", "scenario")
_AGAINST: Final = 1.0


def players_table(
    suite: str, lines: Mapping[str, Sequence[Row]], sheets: Sequence[Sheet] = ()
) -> Table | None:
    """None where nothing was looked at: both seats built in, and no persona judge."""
    persona = [sheet for sheet in sheets if sheet.kind == "persona"]
    rows = []
    seen: dict[str, None] = {}
    for name, found in lines.items():
        charged = [
            (row, ours, theirs) for row in found for ours, theirs in _looked_at(row, persona)
        ]
        if not charged:
            continue
        everyone = [row for row, _, _ in charged]
        sound = [row for row, _, theirs in charged if not theirs]
        counts = Counter(
            f"{seat} {fault}"
            for _, ours, theirs in charged
            for seat, faults in (("debtor", theirs), ("collector", ours))
            for fault in faults
        )
        seen |= dict.fromkeys(kind.partition(" ")[2] for kind in counts)
        told = ", ".join(f"{kind} {n}" for kind, n in counts.most_common())
        cells = [
            _share(len(everyone) - len(sound), len(everyone)),
            _share(sum(bool(ours) for _, ours, _ in charged), len(everyone)),
            _share(sum(r.agreed for r in everyone), len(everyone)),
            _share(sum(r.agreed for r in sound), len(sound)),
            _share(sum(r.success for r in everyone), len(everyone)),
            _share(sum(r.success for r in sound), len(sound)),
            Cell(told or "none"),
        ]
        rows.append(TableRow(name, cells))
    if not rows:
        return None
    by = "By rules" + (" and by persona judges (most of them)" if persona else "")
    meanings = "; ".join(f"{kind}: {FAULTS[kind]}" for kind in seen)
    return Table(
        "How the players behaved",
        f"Dialogues on {suite} in which a seat failed as a player",
        "collector",
        [
            Column("spoiled by debtor %", better=-1),
            Column("failed as collector %", better=-1),
            Column("agreed %"),
            Column("without spoiled"),
            Column("holds %"),
            Column("without spoiled"),
            Column("what"),
        ],
        rows,
        f"{by}, charged to the seat that failed. {meanings}".rstrip() + ".",
    )


def _looked_at(
    row: Row, persona: Sequence[Sheet]
) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """What both seats are charged with; nothing where nobody looked."""
    judged = [s.judged[row.case].scores for s in persona if row.case in s.judged]
    judged = [scores for scores in judged if scores]
    if row.debtor_faults is None and not judged:
        return
    ours = tuple(filter(None, (row.collector_faults or "").split(",")))
    theirs = [*filter(None, (row.debtor_faults or "").split(","))]
    for flag, fault in _FLAGS.items():
        if 2 * sum(scores[flag] for scores in judged) > len(judged):
            theirs.append(fault)
    if 2 * sum(any(s[m] <= _AGAINST for m in _MARKS) for s in judged) > len(judged):
        theirs.append("off_persona")
    yield ours, tuple(dict.fromkeys(theirs))


def _share(part: int, whole: int) -> Cell:
    if not whole:
        return Cell("–", hint="no dialogues left")
    found = wilson(part, whole)
    return Cell(
        f"{100 * found.value:.1f}", f"{100 * found.low:.1f}…{100 * found.high:.1f}", "",
        f"{part:,} of {whole:,}",
    )  # fmt: skip
