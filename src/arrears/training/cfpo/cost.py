"""What a round of CFPO will cost, in calls of models and tokens, before it starts."""

from typing import Final, NamedTuple

from arrears.models.backends import is_model
from arrears.training.cfpo.plan import RUBRIC, Course

EXPECTED_TURNS: Final = 8.14
"""Mean length of a talk, in exchanges: DebtBench's overall AT (Table 3)."""
# Of one message with its part of the form, and of a briefing in full; tokens, from the shipped
# prompts at about four characters each.
_MESSAGE: Final = 120
_BRIEFING: Final = {"full": 900, "short": 70}
_MARKING: Final = 60


class Line(NamedTuple):
    """One kind of call."""

    what: str
    model: str
    """Who is asked."""
    calls: int
    tokens_in: int
    """Read, all of them anew: servers that keep prefixes read far fewer."""
    tokens_out: int


class Estimate(NamedTuple):
    """What is to be expected, kind by kind."""

    lines: tuple[Line, ...]
    playouts: int

    @property
    def calls(self) -> int:
        """In all."""
        return sum(line.calls for line in self.lines)


def estimate(course: Course) -> Estimate:
    """Expected calls and tokens of a whole round, built-in seats and judges not counted.

    A talk is expected to last 8.14 exchanges (no longer than `max_turns`), so the chosen turn has
    half of them before it and half of them to come.
    """
    talk = min(EXPECTED_TURNS, float(course.max_turns))
    moments = course.debtors * min(course.moments, talk)
    playouts = moments * course.played_out * course.playouts
    to_come = (talk - 1.0) / 2.0
    briefing = _BRIEFING[course.wording]
    middle = briefing + _MESSAGE * talk
    lines = []
    policy = _line("talks", course.policy, course.debtors * talk, middle, _MESSAGE)
    candidates = _line("candidates", course.policy, moments * course.candidates, middle, _MESSAGE)
    ends = _line(
        "playouts", course.policy, playouts * to_come, middle + _MESSAGE * talk / 2, _MESSAGE
    )
    lines += [policy, candidates, ends]
    if is_model(course.debtor_seat):
        said = course.debtors * talk + playouts * (to_come + 0.5)
        lines.append(_line("debtor", course.debtor_seat, said, 900 + _MESSAGE * talk, _MESSAGE))
    if course.marked and course.judge != RUBRIC:
        shown = 250 + _MESSAGE * (talk / 2 + course.candidates)
        lines.append(_line("marks", course.judge, 2 * moments, shown, _MARKING))
    if course.experience != RUBRIC and playouts:
        shown = 600 + _MESSAGE * talk
        lines.append(_line("experience", course.experience, playouts, shown, 3 * _MARKING))
    return Estimate(tuple(line for line in lines if line.calls), round(playouts))


def _line(what: str, model: str, calls: float, tokens_in: float, tokens_out: float) -> Line:
    return Line(what, model, round(calls), round(calls * tokens_in), round(calls * tokens_out))
