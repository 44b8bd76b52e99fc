"""`scripted/lenient`, `typical`, `firm`, `adaptive`: they listen, and give way by a plan.

They share one course of talk: make sure of the person, ask, then bargain; in between they answer
what they hear, with warmth or with pressure as their constants say. They differ in those constants
and in the plan by which they concede.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from arrears.agents.behaviour import Behaviour, CollectorConstants, shipped_behaviour
from arrears.agents.collector_plans import BeliefPlan, Plan, TimePlan
from arrears.agents.goodness import goodness, value_at_most
from arrears.agents.listening import facts_in, impression_in
from arrears.agents.maden.guidance import OutcomeSpace, Review
from arrears.agents.words.collector import CollectorVoice
from arrears.agents.words.lines import CollectorLine, Impression, Register, Stage
from arrears.debtors.record import Background
from arrears.dialogue.acts import NON, Act, act
from arrears.dialogue.record import Turn
from arrears.dialogue.tone import hear
from arrears.dialogue.views import CollectorView, Table
from arrears.rng import Draws
from arrears.terms import CREDITOR_PREFERS, DIMENSIONS, Dimension, Mandate, Value

_UPSET = frozenset({"anger", "complaint", "fear", "sadness"})
_STALLING = frozenset({"vague", "blame", "complaint"})
_LEVEL = {dim: f"level_{dim}" for dim in DIMENSIONS}
# Pressure mounts: facts, then a challenge, then the conscience, then the law.
_PRESSING = ("statement_of_facts", "constructive_challenge", "ethical_appeal", "legal_deterrent")


class _Moment(NamedTuple):
    """What a message on terms was made of; a judge may have it made again."""

    register: Register
    impression: Impression
    levels: Mapping[Dimension, float]
    facts: Mapping[str, float]
    first: bool


class ScriptedCollector:
    """One built-in collector in one talk."""

    def __init__(
        self,
        name: str,
        rng: np.random.Generator,
        account: Background,
        mandate: Mandate,
        behaviour: Behaviour | None = None,
    ) -> None:
        behaviour = behaviour or shipped_behaviour()
        self._c: CollectorConstants = behaviour.collectors[name]
        self._plan: Plan = (
            BeliefPlan(account.need_coll_amt, mandate, self._c, behaviour.belief)
            if name == "adaptive"
            else TimePlan(self._c)
        )
        self._draws = Draws(rng)
        self._voice = CollectorVoice(self._draws, account)
        self._registers = tuple(self._c.register)
        self._weights = tuple(self._c.register.values())
        self._used: dict[str, int] = {}
        self._asked = 0
        self._pressed = 0
        self._rounds = 0.0
        self._last: _Moment | None = None

    async def reply(self, view: CollectorView) -> Turn:
        """The next message."""
        return self._reply(view)

    async def remember(self, view: CollectorView, turn: Turn) -> None:
        """Think again what it thought when it said this."""
        del turn
        self._reply(view)

    async def draft(self, view: CollectorView, space: OutcomeSpace | None) -> Turn:
        """The same, kept within a planner's room from now on."""
        if space is not None:
            opening = {d: goodness(d, v) for d, v in space.open.items()}
            limit = {d: goodness(d, v) for d, v in space.limit.items()}
            self._plan = self._plan.within(opening, limit)
        return self._reply(view)

    async def revise(self, view: CollectorView, draft: Turn, review: Review) -> Turn:
        """The message again, on the terms that a judge suggests instead."""
        if not review.suggest:
            return draft
        moment = self._last or _Moment("neutral", "", self._plan.levels(0.0, view.table), {}, False)
        levels = dict(moment.levels)
        for wanted in review.suggest:
            if wanted.dim is not None and wanted.value is not None:
                levels[wanted.dim] = goodness(wanted.dim, wanted.value)
        return self._terms(moment._replace(levels=levels), view)

    def _reply(self, view: CollectorView) -> Turn:
        self._last = None
        if view.number == 1:
            return self._turn("identity_verification", "neutral", "", (NON,), greet=True)
        words = view.heard[-1].dialogue
        impression = impression_in(hear(words))
        facts = facts_in(words)
        self._plan.hear(facts)
        strategy = self._choose(impression, view)
        register = self._register(impression)
        if strategy != "repayment_negotiation":
            return self._turn(strategy, register, impression, (NON,), facts=facts)
        return self._bargain(register, impression, view, facts)

    def _register(self, impression: Impression) -> Register:
        register: str = self._draws.weighted(self._registers, self._weights)
        if register == "firm" and impression in ("fear", "sadness"):
            return "neutral"
        return register  # type: ignore[return-value]

    def _choose(self, impression: Impression, view: CollectorView) -> str:
        c, draws = self._c, self._draws
        if impression in _UPSET and draws.chance(
            c.appease / (1.0 + self._used.get("emotional_appeasement", 0) + c.appease)
        ):
            return "emotional_appeasement"
        if self._asked < c.asks_before_offer:
            self._asked += 1
            return "financial_assessment"
        if impression in _STALLING and draws.chance(c.press / (1.0 + self._pressed + c.press)):
            step = min(self._pressed, len(_PRESSING) - 1)
            self._pressed += 1
            return _PRESSING[step]
        if "establish_trust" not in self._used and impression == "vague" and draws.chance(0.25):
            return "establish_trust"
        return "repayment_negotiation"

    def _bargain(
        self,
        register: Register,
        impression: Impression,
        view: CollectorView,
        facts: Mapping[str, float],
    ) -> Turn:
        c = self._c
        first = self._rounds == 0.0
        last = view.number >= view.max_turns - 1
        time = 1.0 if last else self._rounds / c.rounds
        self._rounds += 1.0 + (c.yields if impression in ("hardship", "anger", "sadness") else 0.0)
        levels = self._plan.levels(time, view.table)
        self._last = _Moment(register, impression, levels, facts, first)
        return self._terms(self._last, view)

    def _terms(self, moment: "_Moment", view: CollectorView) -> Turn:
        """A message on terms."""
        register, impression, levels, facts, first = moment
        last = view.number >= view.max_turns - 1
        accepts, asks, rejects = self._answers(levels, view.table, view.mandate)
        sealing = len(accepts) == len(view.table.open_dimensions())
        stage: Stage = "open" if first else "final" if last else "revise" if asks else "hold"
        if not asks and not sealing:
            asks = self._insist(view.table, accepts)
        acts = accepts + rejects + asks
        return self._turn(
            "repayment_negotiation",
            register,
            impression,
            acts or (NON,),
            stage="" if sealing else stage,
            closing=sealing,
            facts=facts,
            levels=levels,
        )

    def _answers(
        self, levels: Mapping[Dimension, float], table: Table, mandate: Mandate
    ) -> tuple[tuple[Act, ...], tuple[Act, ...], tuple[Act, ...]]:
        """What is accepted, what is asked anew, and what is refused outright."""
        accepts, asks, rejects = [], [], []
        for dim, position in zip(DIMENSIONS, table, strict=True):
            if position.sealed is not None:
                continue
            wish, level = position.debtor, levels[dim]
            if (
                wish is not None
                and goodness(dim, wish) <= level + 1e-9
                and mandate.allows(dim, wish)
            ):
                accepts.append(act("accept", dim, wish))
                continue
            offer = _within(mandate, dim, value_at_most(dim, level))
            if offer != position.collector:
                asks.append(act("ask", dim, offer))
            elif wish is not None and self._draws.chance(self._c.refuses):
                rejects.append(act("reject", dim, wish))
        return tuple(accepts), tuple(asks), tuple(rejects[:1])

    def _insist(self, table: Table, accepts: tuple[Act, ...]) -> tuple[Act, ...]:
        """The standing asks again, where nothing moved."""
        taken = {a.dim for a in accepts}
        return tuple(
            act("ask", dim, position.collector)
            for dim, position in zip(DIMENSIONS, table, strict=True)
            if position.sealed is None and position.collector is not None and dim not in taken
        )[:2]

    def _turn(
        self,
        strategy: str,
        register: Register,
        impression: Impression,
        acts: tuple[Act, ...],
        *,
        greet: bool = False,
        stage: Stage = "",
        closing: bool = False,
        facts: Mapping[str, float] | None = None,
        levels: Mapping[Dimension, float] | None = None,
    ) -> Turn:
        used = self._used.get(strategy, 0)
        self._used[strategy] = used + 1
        line = CollectorLine(
            strategy,
            register,
            impression,
            acts if acts != (NON,) else (),
            stage,
            used,
            greet,
            closing,
        )
        private: dict[str, float | str | bool | None] = {"impression": impression or "none"}
        for name, amount in (facts or {}).items():
            private[f"heard_{name}"] = amount
        for dim, level in (levels or {}).items():
            private[_LEVEL[dim]] = int(100.0 * level + 0.5) / 100.0
        return Turn(
            "collector",
            self._voice.say(line),
            acts,
            _thoughts(strategy, impression, acts),
            strategy,
            private=private,
        )


def _within(mandate: Mandate, dim: Dimension, value: Value) -> Value:
    """The nearest value to the debtor's good that the mandate allows."""
    if mandate.allows(dim, value):
        return value
    allowed = mandate.allowed(dim)
    return allowed[-1] if CREDITOR_PREFERS[dim] < 0 else allowed[0]


def _thoughts(strategy: str, impression: Impression, acts: tuple[Act, ...]) -> str:
    heard = f"I hear {impression}" if impression else "Nothing stands out in what I hear"
    move = strategy.replace("_", " ")
    if acts == (NON,):
        return f"{heard}; {move} first, no terms yet."
    return f"{heard}; {move}: {', '.join(str(a) for a in acts)}."
