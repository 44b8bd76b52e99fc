"""The coarse filter: who of several messages deserves to be played out (DebtBench §4.1).

Candidates are marked in one list, forward and reversed, and the two marks are added (equation 2): a
judge that favours a place favours each message once. Asked for is respect and empathy,
transparency, and feasibility.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from arrears.agents.behaviour import shipped_behaviour
from arrears.agents.belief import Belief
from arrears.agents.briefing import account_values, transcript_text
from arrears.agents.listening import facts_in
from arrears.dialogue.record import Turn
from arrears.dialogue.render import render_act
from arrears.dialogue.tone import hear
from arrears.dialogue.views import CollectorView
from arrears.models.chat import ChatModel, Sampling
from arrears.models.usage import Usage
from arrears.prompts.library import Language
from arrears.scoring.debtbench import W_LONG, W_SHORT
from arrears.scoring.judges import judge_candidates
from arrears.terms import DIMENSIONS, Value

# The gentlest terms of the grid stand for what has not been spoken of.
_OPEN: Final[dict[str, Value]] = {
    "disc_ratio": 0.0, "pmt_ratio": 0.05, "pmt_days": 14, "inst_prds": 24,
}  # fmt: skip


class Marks(NamedTuple):
    """What a judge says of candidates."""

    totals: tuple[float, ...]
    """One each, forward and reversed added: 2 … 20."""
    usage: Usage


class ListJudge(Protocol):
    """Marks candidate messages against each other."""

    async def mark(self, view: CollectorView, candidates: Sequence[Turn]) -> Marks:
        """A mark for each, in order. ModelError."""


class ModelListJudge:
    """A model, asked twice."""

    def __init__(self, model: ChatModel, sampling: Sampling, language: Language) -> None:
        self._model, self._sampling, self._language = model, sampling, language

    async def mark(self, view: CollectorView, candidates: Sequence[Turn]) -> Marks:
        """Listed forward and reversed, the two added."""
        values = {
            **account_values(view.account, self._language),
            "transcript": transcript_text(view.heard, self._language),
        }
        listed = tuple(
            f"[{', '.join(map(render_act, turn.acts))}] {turn.dialogue}" for turn in candidates
        )
        totals, usage = await judge_candidates(
            self._model, self._sampling, values, listed, self._language
        )
        return Marks(totals, usage)


class RubricListJudge:
    """Built in: marks what the ear hears and what the debtor has told of its means.

    It looks at each message by itself, so no order could move it, and no further than the message:
    kind words and gentle terms get its best marks. That is what the simulation is there to correct.
    """

    async def mark(self, view: CollectorView, candidates: Sequence[Turn]) -> Marks:
        """No model is asked."""
        return Marks(tuple(2.0 * rubric_mark(view, turn) for turn in candidates), Usage())


def rubric_mark(view: CollectorView, turn: Turn) -> float:
    """1 … 10: a third each for respect and empathy, transparency, feasibility."""
    tone = hear(turn.dialogue)
    respect = 0.5 + 0.3 * tone.warmth + 0.2 * tone.respect - 0.6 * tone.pressure
    respect -= 0.5 * tone.legal_threat + 1.0 * min(1, tone.abuse_count)
    transparent = 0.5 + 0.5 * max(tone.clarity, tone.offer, tone.trust) - 0.7 * tone.jargon
    parts = (_unit(respect), _unit(transparent), feasibility(view, turn))
    return 1.0 + 9.0 * sum(parts) / 3.0


def feasibility(view: CollectorView, turn: Turn) -> float:
    """How likely the debtor can carry what this message puts on the table, 0 … 1.

    Over what may be believed of its means after what it has told; the margins are SA's and LS's.
    1 where no terms are named.
    """
    offered = {a.dim: a.value for a in turn.acts if a.kind in ("ask", "accept") and a.dim}
    if not offered:
        return 1.0
    terms = dict(_OPEN)
    for dim, position in zip(DIMENSIONS, view.table, strict=True):
        for value in (position.collector, position.sealed, offered.get(dim)):
            if value is not None:
                terms[dim] = value
    debt = view.account.need_coll_amt
    belief = Belief(debt, shipped_behaviour().belief)
    for heard in view.heard:
        if heard.seat == "debtor":
            belief.hear(dict(facts_in(heard.dialogue)))
    owed = debt * (1.0 - terms["disc_ratio"])
    upfront = owed * terms["pmt_ratio"]
    monthly = (owed - upfront) / terms["inst_prds"]
    return sum(
        point.weight
        for point in belief.points()
        if upfront <= W_SHORT * (point.assets + point.daily_surplus * terms["pmt_days"])
        and monthly <= W_LONG * 30.0 * point.daily_surplus
    )


def best(totals: Sequence[float], count: int) -> tuple[int, ...]:
    """The places of the best marks, best first; of equal marks the earlier one."""
    order = sorted(range(len(totals)), key=lambda i: (-totals[i], i))
    return tuple(order[:count])


def _unit(value: float) -> float:
    return min(1.0, max(0.0, value))
