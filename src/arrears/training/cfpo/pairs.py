"""From weighed candidates to preference pairs: a ranking, and a margin that a pair must have."""

from collections.abc import Sequence
from typing import NamedTuple

from arrears.training.cfpo.weigh import Candidate, Moment


class Pair(NamedTuple):
    """Two messages for the same past, and by how much the first is better."""

    chosen: Candidate
    rejected: Candidate
    margin: float


def pairs_of(moment: Moment, margin: float, most: int = 1, by_marks: bool = False) -> list[Pair]:
    """At most `most` pairs of a turn, the widest first, each at least `margin` apart.

    Ranked by the mean foresight reward of those that were played out (0 … 1), or `by_marks` by the
    judge's marks on the same scale (2 … 20 brought to 0 … 1). The best is set against the worst,
    then the best against the second worst, the second best against the worst, and so on: no pair is
    of one message with itself, and two messages that read alike make none. A message with a fault
    of its own (its words are not its acts) is never the better one, whatever came of it.
    """
    ranked = _ranked(moment.candidates, by_marks)
    found = []
    for spread in range(len(ranked) - 1, 0, -1):
        for better in range(len(ranked) - spread):
            (high, first), (low, last) = ranked[better], ranked[better + spread]
            if first.faults or _message(first) == _message(last):
                continue
            if high - low >= margin:
                found.append(Pair(first, last, high - low))
    return sorted(found, key=lambda pair: -pair.margin)[:most]


def _ranked(candidates: Sequence[Candidate], by_marks: bool) -> list[tuple[float, Candidate]]:
    """The candidates that have a worth, best first; equals in the order in which they came."""
    worth = [
        (value, candidate)
        for candidate in candidates
        if (value := _mark(candidate) if by_marks else candidate.reward) is not None
    ]
    return sorted(worth, key=lambda one: -one[0])


def _mark(candidate: Candidate) -> float | None:
    return None if candidate.mark is None else (candidate.mark - 2.0) / 18.0


def _message(candidate: Candidate) -> tuple[object, ...]:
    turn = candidate.turn
    return turn.acts, turn.dialogue, turn.thoughts, turn.strategy
