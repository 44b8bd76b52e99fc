"""What stands where nothing could be judged: never a zero."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unscored:
    """No score, and why."""

    reason: str


# A score, or the reason why there is none.
Score = float | Unscored
