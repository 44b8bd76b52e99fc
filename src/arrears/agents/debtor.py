"""`scripted/debtor`: a person at the other end, as a behavioural model.

It hears (`perceive`), feels (`feelings`), knows its means and limits (`reservation`), chooses a
strategy and acts (`debtor_moves`), and finds words (`words`). The four behavioural categories are
nowhere in here: they come out of the persona and of what the talk does to it.
"""

import numpy as np

from arrears.agents.behaviour import STRATEGIES, Behaviour, shipped_behaviour
from arrears.agents.debtor_moves import (
    Moment,
    Stance,
    acts_for,
    propensities,
    stance,
)
from arrears.agents.feelings import State, after_hearing, first_state, willingness
from arrears.agents.perceive import Perceived, perceive
from arrears.agents.reservation import Limits, limits, purse_of
from arrears.agents.temper import temper_of
from arrears.agents.words.debtor import DebtorVoice
from arrears.agents.words.lines import DebtorLine, Gap, Mood
from arrears.debtors.record import Debtor
from arrears.dialogue.acts import LEAVE, Act
from arrears.dialogue.record import Turn
from arrears.dialogue.views import DebtorView
from arrears.rng import Draws
from arrears.terms import DIMENSIONS, Dimension, Value

_FACTS = ("reason", "income", "assets", "work", "expense", "household")
_OPEN = frozenset({"honest_disclosure", "dilemma_rendering"})


class ScriptedDebtor:
    """One debtor in one talk."""

    def __init__(
        self,
        debtor: Debtor,
        rng: np.random.Generator,
        behaviour: Behaviour | None = None,
        later: np.random.Generator | None = None,
    ) -> None:
        self._c = (behaviour or shipped_behaviour()).debtor
        self._draws = draws = Draws(rng)
        self._later = later
        self._debtor = debtor
        self._temper = temper_of(debtor, draws, self._c.temper)
        self._person = draws.normal()
        self._purse = purse_of(debtor, self._temper, draws, self._c.bargaining)
        self._state = first_state(self._temper, self._c)
        self._voice = DebtorVoice(draws, debtor, self._temper.family)
        self._told: set[str] = set()
        self._moves: dict[str, int] = {}
        self._used: dict[str, int] = {}
        self._asks_before: dict[Dimension, Value] = {}
        self._last = ""
        self._in_earnest = True

    async def reply(self, view: DebtorView) -> Turn:
        """The answer to the collector's last message."""
        if self._later is not None:
            self._draws.restart(self._later)
            self._later = None
        return self._answer(view)

    async def remember(self, view: DebtorView, turn: Turn) -> None:
        """Feel and think again what it felt and thought when it said this.

        A talk of its own, told from the start, brings it to where it was; one of another seat's
        words leaves it with what it would have said in their place.
        """
        del turn
        self._answer(view)

    def _answer(self, view: DebtorView) -> Turn:
        c, table = self._c, view.table
        seen = perceive(view.heard[-1], table, self._asks_before, self._moves)
        self._remember(seen, view)
        state = after_hearing(self._state, self._temper, seen.impact, c)
        self._state = state
        will = willingness(state, self._temper, self._person, c)
        bounds = limits(self._purse, state, self._temper, will, c.bargaining)
        if self._leaves(state):
            return self._turn("emotional_confrontation", (LEAVE,), seen, state, will, bounds)
        where = stance(table, self._purse, bounds, view.number / c.bargaining.horizon, c.bargaining)
        strategy = self._choose(seen, state, will, view)
        acts = acts_for(strategy, where, table, self._draws, c.bargaining)
        return self._turn(strategy, acts, seen, state, will, bounds, where)

    def _remember(self, seen: Perceived, view: DebtorView) -> None:
        self._moves[seen.strategy] = self._moves.get(seen.strategy, 0) + 1
        for dim, position in zip(DIMENSIONS, view.table, strict=True):
            if position.collector is not None:
                self._asks_before[dim] = position.collector

    def _leaves(self, state: State) -> bool:
        w = self._c.words
        return state.patience < w.leave_patience and self._draws.chance(
            w.leave_chance * state.anger / 10
        )

    def _choose(self, seen: Perceived, state: State, will: float, view: DebtorView) -> str:
        on_table = 0.0
        for position in view.table:
            if position[0] is not None or position[2] is not None:
                on_table += 0.25
        if not self._in_earnest and on_table:
            return "false_compliance"
        moment = Moment(
            state, self._temper, seen.impact, will, on_table, len(self._told) / len(_FACTS)
        )
        strategy = self._draws.weighted(
            STRATEGIES, propensities(moment, self._last, self._c.strategies)
        )
        if strategy == "false_compliance":
            self._in_earnest = False
        return strategy

    def _turn(
        self,
        strategy: str,
        acts: tuple[Act, ...],
        seen: Perceived,
        state: State,
        will: float,
        bounds: Limits,
        where: Stance | None = None,
    ) -> Turn:
        mood, heat = mood_of(state)
        line = DebtorLine(
            strategy,
            mood,
            heat,
            self._claims(strategy, seen, state),
            self._gap(seen),
            acts,
            seen.asks_identity and not self._used,
            acts[0] is LEAVE,
            self._used.get(strategy, 0),
        )
        self._used[strategy] = self._used.get(strategy, 0) + 1
        self._last = strategy
        return Turn(
            "debtor",
            self._voice.say(line),
            acts,
            _thoughts(strategy, mood, will, self._in_earnest, where),
            strategy,
            private=self._private(state, will, bounds),
        )

    def _claims(self, strategy: str, seen: Perceived, state: State) -> dict[str, float]:
        """What it tells now. Without responsibility or trust the means are told too low."""
        if strategy not in _OPEN:
            return {}
        claims: dict[str, float] = {}
        for fact in _FACTS:
            if fact not in self._told:
                claims[fact] = self._claimed(fact, state)
                self._told.add(fact)
                if len(claims) == (2 if seen.asks_situation else 1):
                    break
        return claims

    def _claimed(self, fact: str, state: State) -> float:
        money = self._debtor.finances
        shade = (
            self._c.words.exaggerates
            * (1.0 - self._temper.responsibility)
            * (1.0 - state.trust)
            * self._draws.uniform()
        )
        if fact == "assets":
            return float(round(money.assets * (1.0 - shade), -2 if money.assets > 1000 else -1))
        if fact == "income":
            return float(round(money.avg_daily_income * (1.0 - 0.5 * shade)))
        if fact == "expense":
            return float(round(money.avg_daily_expense * (1.0 + 0.5 * shade)))
        return 0.0

    def _gap(self, seen: Perceived) -> Gap:
        """A gap in knowledge that the message touches on, shown now and then."""
        t, impact = self._temper, seen.impact
        touched: list[tuple[Gap, float]] = []
        if impact.legal > 0.3:
            touched.append(("legal", t.legal))
        if impact.facts > 0.3:
            touched.append(("credit", t.credit))
        if seen.strategy == "repayment_negotiation":
            touched.append(("financial", t.financial))
        if seen.strategy in ("ethical_appeal", "constructive_challenge"):
            touched.append(("responsibility", t.responsibility))
        for gap, level in touched:
            if self._draws.chance(self._c.words.gap_chance * (1.0 - level) ** 2):
                return gap
        return ""

    def _private(
        self, state: State, will: float, bounds: Limits
    ) -> dict[str, float | str | bool | None]:
        """What reports show: feelings, beliefs, and whether it means what it says."""
        disc, pmt, days, prds = bounds.reservation
        # None of these is negative, and `round` takes thrice as long to be exact about halves.
        return {
            "happiness": int(10.0 * state.happiness + 0.5) / 10.0,
            "sadness": int(10.0 * state.sadness + 0.5) / 10.0,
            "disgust": int(10.0 * state.disgust + 0.5) / 10.0,
            "fear": int(10.0 * state.fear + 0.5) / 10.0,
            "surprise": int(10.0 * state.surprise + 0.5) / 10.0,
            "anger": int(10.0 * state.anger + 0.5) / 10.0,
            "trust": int(100.0 * state.trust + 0.5) / 100.0,
            "patience": int(100.0 * state.patience + 0.5) / 100.0,
            "severity": int(100.0 * state.severity + 0.5) / 100.0,
            "willingness": int(100.0 * will + 0.5) / 100.0,
            "reservation_disc_ratio": int(100.0 * disc + 0.5) / 100.0,
            "reservation_pmt_ratio": int(100.0 * pmt + 0.5) / 100.0,
            "reservation_pmt_days": int(100.0 * days + 0.5) / 100.0,
            "reservation_inst_prds": int(100.0 * prds + 0.5) / 100.0,
            "in_earnest": self._in_earnest,
        }


def mood_of(state: State) -> tuple[Mood, float]:
    """The feeling that carries the words, and how strongly (0 … 1)."""
    strongest, mood = 1.1 * state.anger, "angry"
    if state.fear > strongest:
        strongest, mood = state.fear, "afraid"
    if state.sadness >= strongest:
        strongest, mood = state.sadness, "sad"
    if strongest >= 4.5:
        return mood, min(1.0, strongest / 10)  # type: ignore[return-value]
    if state.trust > 0.5 and state.happiness >= 2.5:
        return "warm", state.happiness / 10
    return "calm", strongest / 10


def _thoughts(
    strategy: str, mood: Mood, will: float, in_earnest: bool, where: Stance | None
) -> str:
    """One plain sentence for the private record."""
    if not in_earnest:
        return "I say yes so that this ends; I do not mean to pay."
    if where is None:
        return "I have had enough of this talk."
    leaning = "ready to pay" if will > 0.6 else "of two minds" if will > 0.35 else "unwilling"
    wants = ", ".join(map(str, where.asks)) or "nothing more"
    takes = ", ".join(map(str, where.accepts)) or "nothing"
    return f"Feeling {mood}, {leaning}. I could take: {takes}. I would ask: {wants}."
