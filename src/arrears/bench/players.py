"""How the players behaved: failures by seat, and success with and without spoiled dialogues.

Rules see what can be checked; where persona judges have scored the run, what most of them saw is
charged to the debtor's seat too.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from arrears.bench.sheets import Sheet
from arrears.bench.tables import Cell, Column, Table, TableRow
from arrears.bench.unplayed import causes_told, not_played
from arrears.scoring.row import Row, played
from arrears.scoring.simulator import FAULTS
from arrears.scoring.statistics import share, totals

# What a persona judge may say, as the failure that it is.
_FLAGS: Final[Mapping[str, str]] = {
    "broke_character": "broke_character",
    "leaked_instructions": "leaked_instructions",
    "turned_collector": "turned_around",
}
_MARKS: Final = ("emotion", "cognition", "style", "scenario")
_AGAINST: Final = 1.0


def players_table(
    suite: str, lines: Mapping[str, Sequence[Row]], sheets: Mapping[str, Sequence[Sheet]]
) -> Table | None:
    """None where nothing was looked at: both seats built in, no persona judge, and none failed.

    `sheets` are the judgements of the run that each line stands in. Shares have intervals over
    debtors. A dialogue that failed from outside is no player's failing and in no share.
    """
    persona = {name: [s for s in found if s.kind == "persona"] for name, found in sheets.items()}
    rows = []
    seen: dict[str, None] = {}
    for name, found in lines.items():
        charged = [
            (row, ours, theirs)
            for row in played(found)
            for ours, theirs in _looked_at(row, persona.get(name, ()))
        ]
        if not charged and len(played(found)) == len(found):
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
            _share(everyone, [bool(theirs) for _, _, theirs in charged]),
            _share(everyone, [bool(ours) for _, ours, _ in charged]),
            _share(everyone, [row.agreed for row in everyone]),
            _share(sound, [row.agreed for row in sound]),
            _share(everyone, [row.success for row in everyone]),
            _share(sound, [row.success for row in sound]),
            Cell(told or ("none" if charged else "–")),
            not_played(found),
        ]
        rows.append(TableRow(name, cells))
    if not rows:
        return None
    by = "By rules" + (" and by persona judges (most of them)" if any(persona.values()) else "")
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
            Column("not played (why)", "failed from outside the negotiation; no player's failing"),
        ],
        rows,
        f"{by}, charged to the seat that failed. {meanings}".rstrip(" .")
        + "."
        + causes_told([row for found in lines.values() for row in found]),
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


def _share(rows: Sequence[Row], hits: Sequence[bool]) -> Cell:
    """The share of these dialogues that are hits."""
    if not rows:
        return Cell("–", hint="no dialogues left")
    found = share(*totals(hits, [row.unit for row in rows]))
    return Cell(
        f"{100 * found.value:.1f}", f"{100 * found.low:.1f}…{100 * found.high:.1f}", "",
        f"{sum(hits):,} of {len(hits):,}",
    )  # fmt: skip
