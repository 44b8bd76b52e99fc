"""What a collector's figures rest on: which of its dialogues were played, and which are missing.

Dialogues rarely go missing by chance: a server dies in the long ones, a seat's code fails with some
people, a run that stops has stored the short ones. So what is missing is counted in the row of the
figures, and who lacks more than a few dialogues has no place among those who met everybody.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from arrears.scoring.row import Row

MOST_MISSING: Final = 0.05
"""Share of its dialogues that a collector may lack and still be ranked."""
UNRANKED: Final = (
    f"Who lacks more than {MOST_MISSING:.0%} of its dialogues has no place: what is missing is "
    "seldom missing by chance."
)


class Part(NamedTuple):
    """Some dialogues of a collector: how many there should be, and how many are missing."""

    planned: int
    failed: int
    """Broken off from outside."""
    pending: int = 0
    """Not played yet."""

    @property
    def ranked(self) -> bool:
        """Whether enough was played to be put in an order with others."""
        return self.failed + self.pending <= MOST_MISSING * self.planned

    @property
    def note(self) -> str:
        """What stands beside the name; "" where nothing is missing."""
        parts = [f"{self.failed:,} of {self.planned:,} failed"] if self.failed else []
        if self.pending:
            whole = "" if self.failed else f" of {self.planned:,}"
            parts.append(f"{self.pending:,}{whole} pending")
        return ", ".join(parts)


class Coverage(NamedTuple):
    """All of a collector's dialogues with a suite, and those with each category of its debtors."""

    whole: Part
    by_category: Mapping[str, Part]


def coverage_of(rows: Sequence[Row], planned: Mapping[str | None, int] | None = None) -> Coverage:
    """What rows cover; `planned` by category (None: debtors without one), else the rows are all."""
    stored = Counter(row.category for row in rows)
    failed = Counter(row.category for row in rows if row.failure is not None)
    planned = stored if planned is None else planned
    parts = {
        category: Part(most, failed[category], most - stored[category])
        for category, most in planned.items()
    }
    whole = Part(*(sum(column) for column in zip(*parts.values(), strict=True)))
    return Coverage(whole, {name: part for name, part in parts.items() if name is not None})
