"""Why a model that was asked for something (a judgement, a fact, labels) gave none.

A failure is never an answer: it leaves no score, no field and no label, and is counted by its cause
beside what was answered. What broke outside the model's own words is told apart from words that
could not be read, and both from an answer that says `unknown`.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from traceback import walk_tb
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

import arrears
from arrears.errors import ModelError, RunStopped, StorageError, UnreadableAnswer, UsageError

Why = Literal["provider", "malformed", "seat_code", "arrears", "not_asked", "unknown"]
REASONS: Final[dict[Why, str]] = {
    "provider": "the model's endpoint gave no answer, or refused",
    "malformed": "the model answered, and nothing readable",
    "seat_code": "the code of the user's own seat failed",
    "arrears": "a bug in arrears",
    "not_asked": "nothing was asked: there is no dialogue, or nothing in it that could be judged",
    "unknown": "not recorded; stored by an older arrears",
}
"""Who failed, and what that means."""

_OUTSIDE: Final = frozenset({"provider", "seat_code", "arrears", "unknown"})
_UNREADABLE: Final = "no readable JSON"


class Unanswered(BaseModel):
    """One thing that was not answered."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cause: Why
    """Who failed."""
    seat: Literal["collector", "debtor", "judge", "model"]
    """In which role: a seat of a dialogue, its judge, or a model that was asked for a fact."""
    error: str = ""
    """Type of the exception."""
    where: str = ""
    """`FILE.py:LINE` of the code that failed, where code did."""
    reason: str
    """What happened, in the words of whoever failed."""

    @property
    def outside(self) -> bool:
        """Whether it failed from outside what the model wrote: `--fail-on-error` counts these."""
        return self.cause in _OUTSIDE

    def stored(self) -> dict[str, Any]:
        """As it stands in a stored line."""
        return self.model_dump(exclude_defaults=True)


def unanswered_of(error: Exception, seat: Literal["judge", "model"]) -> Unanswered:
    """Charge an exception that one question has raised.

    What concerns all of them is raised again: a run that has to stop (RunStopped), a disk that
    cannot be written (StorageError), a request or a file that is wrong (UsageError).
    """
    if isinstance(error, RunStopped | StorageError | UsageError):
        raise error
    name = type(error).__name__
    if isinstance(error, UnreadableAnswer):
        return Unanswered(cause="malformed", seat=seat, error=name, reason=str(error))
    if isinstance(error, ModelError):
        return Unanswered(cause="provider", seat=seat, error=name, reason=str(error))
    told = f"{name}: {error}"[:300]
    return Unanswered(cause="arrears", seat=seat, error=name, where=_line_of(error), reason=told)


def unanswered_told(reason: str, seat: Literal["judge", "model"]) -> Unanswered:
    """What an older arrears has stored as a reason alone, as far as that tells."""
    malformed = reason.startswith(_UNREADABLE)
    return Unanswered(cause="malformed" if malformed else "unknown", seat=seat, reason=reason)


def counted(found: Iterable[Unanswered]) -> Counter[Why]:
    """How many of each cause, in the order of `REASONS`."""
    counts = Counter(one.cause for one in found)
    return Counter({cause: counts[cause] for cause in REASONS if counts[cause]})


def causes_text(counts: Counter[Why]) -> str:
    """`2 provider, 1 malformed`; "" for none."""
    return ", ".join(f"{n:,} {cause.replace('_', ' ')}" for cause, n in counts.items())


def most_frequent(found: Iterable[Unanswered]) -> str:
    """The most frequent reason; "" for none."""
    common = Counter(one.reason for one in found).most_common(1)
    return common[0][0] if common else ""


def _line_of(error: Exception) -> str:
    """The innermost line of arrears that the exception went through."""
    root = Path(arrears.__file__).parent
    found = ""
    for frame, line in walk_tb(error.__traceback__):
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(root):
            found = f"{path.relative_to(root)}:{line}"
    return found
