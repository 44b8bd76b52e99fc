"""Dialogues that failed from outside the negotiation: they leave both sides of a comparison."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from arrears.dialogue.failures import CAUSES
from arrears.training.report.lines import Key, Line


class Failures(NamedTuple):
    """What is missing from the comparison of one collector before with one after."""

    before: Mapping[str, int]
    """Dialogues of the collector before, by who failed."""
    after: Mapping[str, int]
    """Those of the one after."""
    dialogues: int
    """Of each side, failed ones among them."""
    compared: int
    """Of each side that are left: where either failed, both are out."""


def kept_of(before: Line, after: Line, keys: Sequence[Key]) -> tuple[list[Key], Failures]:
    """The dialogues in which neither failed, and what is left out."""
    kept = [key for key in keys if not (before.rows[key].failure or after.rows[key].failure)]
    return kept, Failures(_failed(before, keys), _failed(after, keys), len(keys), len(kept))


def told(found: Failures, before: str, after: str) -> str:
    """A sentence; "" where nothing failed."""
    sides = [
        f"{sum(causes.values()):,} of {found.dialogues:,} of {name} ({_causes(causes)})"
        for name, causes in ((before, found.before), (after, found.after))
        if causes
    ]
    if not sides:
        return ""
    left = f"{found.compared:,} with the same debtors are" if found.compared else "none are"
    return (
        f"Dialogues that failed from outside the negotiation: {' and '.join(sides)}. They are in "
        f"no figure, nor are those they would be compared with: {left} compared."
    )


def _failed(line: Line, keys: Sequence[Key]) -> dict[str, int]:
    causes = (line.rows[key].failure for key in keys)
    return dict(Counter(cause for cause in causes if cause is not None).most_common())


def _causes(causes: Mapping[str, int]) -> str:
    named: Mapping[str, str] = {str(cause): text for cause, text in CAUSES.items()}
    return "; ".join(f"{named.get(cause, cause)}: {count:,}" for cause, count in causes.items())
