"""DebtBench's Table 3 and ours in the same terms."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from arrears.debtors.record import CATEGORIES
from arrears.scoring.row import Row
from arrears.scoring.unscored import Score, Unscored


class Target(NamedTuple):
    """Means over all published collectors."""

    SR: float
    """Success rate, percent."""
    AT: float
    """Average turns."""
    US: float
    """User satisfaction, 1 to 10."""


TABLE_3: Mapping[str, Target] = {
    "confrontational": Target(52.76, 8.95, 6.13),
    "avoidant": Target(65.14, 8.32, 6.98),
    "helpless": Target(80.44, 7.14, 7.53),
    "cooperative": Target(86.06, 6.20, 7.76),
    "overall": Target(65.45, 8.14, 6.84),
}
# Collection rate over success rate: one minus the mean discount of what was agreed.
COLLECTION_OVER_SUCCESS: Mapping[str, float] = {
    "confrontational": 0.938,
    "avoidant": 0.964,
    "helpless": 0.958,
    "cooperative": 0.969,
    "overall": 0.954,
}


# Agreement rationality over all collectors, percent (Table 3, overall).
RATIONALITY: Mapping[str, float] = {"SA": 95.76, "LS": 94.94}


class Outcome(NamedTuple):
    """Our figures for one category."""

    SR: float
    AT: float
    US: float
    collection_over_success: float
    """Percent."""
    SA: float
    LS: float
    n: int


def outcomes(rows: Sequence[Row]) -> dict[str, Outcome]:
    """By category and overall."""
    found = {c: _outcome([r for r in rows if r.category == c]) for c in CATEGORIES}
    return {**found, "overall": _outcome(rows)}


def _outcome(rows: Sequence[Row]) -> Outcome:
    agreed = [row for row in rows if row.agreed]
    satisfied = [row.us for row in rows if not isinstance(row.us, Unscored)]
    kept = [1.0 - (row.disc_ratio or 0.0) for row in agreed]
    return Outcome(
        SR=100 * len(agreed) / len(rows),
        AT=float(np.mean([row.turns for row in rows])),
        US=float(np.mean(satisfied)) if satisfied else float("nan"),
        collection_over_success=100 * float(np.mean(kept)) if kept else float("nan"),
        SA=_percent([row.sa for row in agreed]),
        LS=_percent([row.ls for row in agreed]),
        n=len(rows),
    )


def _percent(scores: Sequence[Score]) -> float:
    found = [score for score in scores if not isinstance(score, Unscored)]
    return 100 * float(np.mean(found)) if found else float("nan")
