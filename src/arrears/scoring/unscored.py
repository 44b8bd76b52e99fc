"""What stands where nothing could be judged: never a zero."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unscored:
    """No score, and why."""

    reason: str


# A score, or the reason why there is none.
Score = float | Unscored


def scored(values: list[Score]) -> list[float]:
    """The scores among the values; what is unscored is left out, to be counted elsewhere."""
    return [value for value in values if not isinstance(value, Unscored)]
