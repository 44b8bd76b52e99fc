"""What ended a dialogue from outside the negotiation, and who is charged with it.

A failure is never a score: a dialogue that ended as `error` leaves every mean and is counted beside
it, by its cause. `malformed` is no such failure: there a seat was asked and could not bring out a
readable message, which is its own failing and stays in.
"""

import sysconfig
from functools import cache
from inspect import unwrap
from pathlib import Path
from traceback import walk_tb
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from arrears.errors import ArrearsError, ModelError
from arrears.strategies import Seat

Cause = Literal["provider", "seat_code", "arrears", "unknown"]
CAUSES: Final[dict[Cause, str]] = {
    "provider": "the model's endpoint gave no answer",
    "seat_code": "a seat's own code failed",
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


class StoredFailure(ArrearsError):
    """A stored dialogue ended here as `error`; it ends so again when it is replayed."""

    def __init__(self, failure: Failure, detail: str) -> None:
        self.failure = failure
        super().__init__(detail)


def failure_of(seat: Seat, spec: str, error: BaseException, agent: Any = None) -> Failure:
    """Charge an exception that a seat has raised; `spec` is the seat's name, `agent` the seat."""
    name = type(error).__name__
    if isinstance(error, StoredFailure):
        return error.failure
    if isinstance(error, ModelError):
        return Failure(cause="provider", seat=seat, error=name)
    if is_foreign(spec, agent):
        return Failure(
            cause="seat_code",
            seat=seat,
            error=name,
            where=_where(_file_of(spec, agent), agent, error),
        )
    return Failure(cause="arrears", seat=seat, error=name)


def is_foreign(spec: str, agent: Any) -> bool:
    """Whether a seat is code of the user's: named by its file, or handed over as an object."""
    if spec.startswith(_OWN):
        return True
    return agent is not None and not type(agent).__module__.startswith("arrears.")


def failure_told(detail: str) -> Failure:
    """The failure of a dialogue that an older arrears has stored, as far as its detail tells."""
    seat: Seat = "debtor" if detail.startswith("debtor:") else "collector"
    name = detail.removeprefix(f"{seat}:").strip().partition(":")[0]
    known = name == ModelError.__name__
    return Failure(cause="provider" if known else "unknown", seat=seat, error=name)


def line_in(file: Path, error: BaseException) -> str:
    """`FILE.py:LINE`, the innermost line of the user's own code that an exception went through,
    as seen from the folder of the user's file; "" if there is none.

    Not what is installed, Python's own or arrears: there the user has nothing to mend.
    """
    folder = file.resolve().parent
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        inside = _inside(folder, error.filename)
        if inside:
            return f"{inside}:{error.lineno}"
    found = ""
    for frame, line in walk_tb(error.__traceback__):
        inside = _inside(folder, frame.f_code.co_filename)
        if inside:
            found = f"{inside}:{line}"
    return found


@cache
def _inside(folder: Path, name: str) -> str:
    """A code's file as seen from a folder; "" where it is not the user's own code in there."""
    place = Path(name)
    if not place.is_absolute():
        return ""  # "<string>", "<frozen …>"
    place = place.resolve()
    if not place.is_relative_to(folder):
        return ""
    if {"site-packages", "dist-packages"} & set(place.parts):
        return ""
    # A seat that lies above Python's or arrears' own folder, as in a home or a checkout.
    if any(place.is_relative_to(other) and not folder.is_relative_to(other) for other in _OTHERS):
        return ""
    return str(place.relative_to(folder))


_OWN: Final = "python/"
_OTHERS: Final = tuple(
    Path(place).resolve()
    for place in (
        sysconfig.get_path("stdlib"),
        sysconfig.get_path("platstdlib"),
        str(Path(__file__).parent.parent),
    )
)


def _file_of(spec: str, agent: Any) -> Path | None:
    if spec.startswith(_OWN):
        return Path(spec.removeprefix(_OWN).rpartition(":")[0])
    code = _code(agent)
    return Path(code.co_filename) if code is not None else None


def _where(file: Path | None, agent: Any, error: BaseException) -> str:
    """The line that failed; where no line did, the one at which `reply` begins."""
    if file is None:
        return ""
    place = line_in(file, error)
    if place:
        return place
    code = _code(getattr(agent, "own", agent))
    inside = _inside(file.resolve().parent, code.co_filename) if code is not None else ""
    return f"{inside}:{code.co_firstlineno}" if inside else file.name


def _code(agent: Any) -> Any:
    """The code of a seat's `reply`, where it is written in Python."""
    return getattr(unwrap(getattr(agent, "reply", None)), "__code__", None)  # type: ignore[arg-type]
