"""What was not played to its end, counted beside the figures that it is left out of."""

from collections import Counter
from collections.abc import Sequence
from typing import get_args

from arrears.bench.tables import Cell
from arrears.dialogue.failures import CAUSES, Cause
from arrears.scoring.row import Row


def not_played(rows: Sequence[Row], pending: int = 0) -> Cell:
    """How many dialogues failed from outside the negotiation, by cause, and how many are pending.

    No failing of a player: it stands in a column of its own.
    """
    causes = Counter(row.failure for row in rows if row.failure is not None)
    parts = [f"{_plain(cause)} {n:,}" for cause, n in causes.most_common()]
    parts += [f"pending {pending:,}"] if pending else []
    whole = causes.total() + pending
    return Cell(f"{whole:,}: {', '.join(parts)}" if whole else "0")


def causes_told(rows: Sequence[Row]) -> str:
    """A sentence for the note of a table that has such a column; "" where nothing failed."""
    failed = {row.failure for row in rows}
    told = [f"{_plain(cause)}: {CAUSES[cause]}" for cause in get_args(Cause) if cause in failed]
    if not told:
        return ""
    return f" Not played, and in no figure: {'; '.join(told)}."


def _plain(cause: str) -> str:
    return cause.replace("_", " ")
