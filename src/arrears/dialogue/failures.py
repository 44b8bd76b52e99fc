"""What ended a dialogue from outside the negotiation, and who is charged with it.

A failure is never a score: a dialogue that ended as `error` leaves every mean and is counted beside
it, by its cause. `malformed` is no such failure: there a seat was asked and could not bring out a
readable message, which is its own failing and stays in.
"""

from pathlib import Path
from traceback import walk_tb
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from arrears.errors import ModelError
from arrears.strategies import Seat

Cause = Literal["provider", "seat_code", "arrears", "unknown"]
CAUSES: Final[dict[Cause, str]] = {
    "provider": "the model's endpoint gave no answer",
    "seat_code": "the seat's own code failed",
    "arrears": "a bug in arrears",
    "unknown": "not recorded; the dialogue was stored by an older arrears",
}
"""Who failed, and what that means."""


class Failure(BaseModel):
    """Why a dialogue ended as `error`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cause: Cause
    """Who failed."""
    seat: Seat
    """On which side of the table."""
    error: str = ""
    """Type of the exception."""
    where: str = ""
    """`FILE.py:LINE` of the user's own code, where that is what failed."""


def failure_of(seat: Seat, spec: str, error: Exception) -> Failure:
    """Charge an exception that a seat has raised; `spec` is the seat's name."""
    name = type(error).__name__
    if isinstance(error, ModelError):
        return Failure(cause="provider", seat=seat, error=name)
    if spec.startswith("python/"):
        file = Path(spec.removeprefix("python/").rpartition(":")[0])
        return Failure(cause="seat_code", seat=seat, error=name, where=_line_in(file, error))
    return Failure(cause="arrears", seat=seat, error=name)


def failure_told(detail: str) -> Failure:
    """The failure of a dialogue that an older arrears has stored, as far as its detail tells."""
    seat: Seat = "debtor" if detail.startswith("debtor:") else "collector"
    name = detail.removeprefix(f"{seat}:").strip().partition(":")[0]
    known = name == ModelError.__name__
    return Failure(cause="provider" if known else "unknown", seat=seat, error=name)


def _line_in(file: Path, error: Exception) -> str:
    """The innermost line of the user's own code that the exception went through; "" if none."""
    folder = file.resolve().parent
    found = ""
    for frame, line in walk_tb(error.__traceback__):
        place = Path(frame.f_code.co_filename)
        if place.is_absolute() and place.resolve().is_relative_to(folder):
            inside = place.resolve().relative_to(folder)
            if "site-packages" not in inside.parts:
                found = f"{inside}:{line}"
    return found
