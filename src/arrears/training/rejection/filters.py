"""Which talks are worth learning from (DCN §6.3).

Filter 1 drops what is incomplete or poor; of each debtor's talks the best is kept; filter 2 keeps
the top share of those by CCI. All of it follows from rows of scores alone.
"""

import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import ceil
from typing import Final, NamedTuple, get_type_hints

from arrears.errors import UnknownName, UsageError
from arrears.scoring.row import Row
from arrears.scoring.unscored import Score, Unscored

_NUMBERS: Final = (bool, int, float, int | None, float | None, Score)
METRICS: Final = tuple(name for name, kind in get_type_hints(Row).items() if kind in _NUMBERS)
"""Fields of a row that can be required: numbers, and yes or no as 1 or 0."""
_NUMBER: Final = r"[-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?"
_REQUIREMENT: Final = re.compile(rf"\s*(\w+)\s*(>=|<=|>|<)\s*({_NUMBER})\s*")


class Requirement(NamedTuple):
    """What a talk has to reach."""

    metric: str
    sign: str
    value: float

    def holds(self, row: Row) -> bool:
        """Whether a row reaches it; what is unscored reaches nothing."""
        found: Score | None = getattr(row, self.metric)
        if found is None or isinstance(found, Unscored):
            return False
        return {
            ">=": found >= self.value,
            "<=": found <= self.value,
            ">": found > self.value,
            "<": found < self.value,
        }[self.sign]

    def __str__(self) -> str:
        return f"{self.metric}{self.sign}{self.value:g}"


DEFAULT: Final = (Requirement("success", ">=", 1.0), Requirement("own_cci", ">", 0.0))
"""The projection holds for two years, and the one agreement has a positive CCI."""


def parse_requirement(text: str) -> Requirement:
    """`own_cci>=0.5`, with >=, <=, > or <. UnknownName, UsageError."""
    match = _REQUIREMENT.fullmatch(text)
    if match is None:
        raise UsageError(f"{text!r} is no requirement; write METRIC>=VALUE, such as own_cci>=0.5")
    if match[1] not in METRICS:
        raise UnknownName("metric", match[1], METRICS)
    return Requirement(match[1], match[2], float(match[3]))


class Candidate(NamedTuple):
    """A talk that was played, as the filters see it."""

    case: str
    debtor: int
    """Position among the debtors."""
    style: int
    """Position among the styles."""
    repeat: int
    row: Row


def reason_to_drop(row: Row, required: Sequence[Requirement]) -> str:
    """Why filter 1 drops a talk; "" where it does not.

    The ending of a talk without an agreement, `terms not spoken of`, or the first requirement that
    it misses.
    """
    if not row.agreed:
        return row.ending
    if row.dc < 1.0:
        return "terms not spoken of"
    return next((str(r) for r in required if not r.holds(row)), "")


def best_of_each(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Each debtor's best talk, in the order of the debtors.

    The highest own CCI; then own DHI, fewer turns, the earlier style, the earlier repeat.
    """
    best: dict[int, Candidate] = {}
    for candidate in candidates:
        held = best.get(candidate.debtor)
        if held is None or _rank(candidate) < _rank(held):
            best[candidate.debtor] = candidate
    return [best[debtor] for debtor in sorted(best)]


def top_share(pool: Sequence[Candidate], share: float) -> list[Candidate]:
    """The best `share` (above 0, at most 1) of the pool by own CCI, rounded up, best first.

    Equal CCIs are ordered as in `best_of_each`, and then by debtor: so many are kept and no more.
    """
    count = ceil(Fraction(str(share)) * len(pool))
    return sorted(pool, key=lambda c: (*_rank(c), c.debtor))[:count]


def _rank(candidate: Candidate) -> tuple[float, float, int, int, int]:
    row = candidate.row
    return -row.own_cci, -row.own_dhi, row.turns, candidate.style, candidate.repeat
