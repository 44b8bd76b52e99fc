"""How far a built-in collector is ready to go now, dimension by dimension.

A plan answers with a goodness level for each dimension: what it offers is at most that good for
the debtor, and what the debtor asks is accepted up to it.
"""

from collections.abc import Mapping
from functools import cache
from typing import Protocol

import numpy as np

from arrears.agents.behaviour import BeliefConstants, CollectorConstants
from arrears.agents.belief import Belief
from arrears.agents.goodness import conceded_share, goodness
from arrears.dialogue.views import Table
from arrears.terms import DIMENSIONS, Dimension, Mandate

Levels = Mapping[Dimension, float]


class Plan(Protocol):
    """What a collector concedes when."""

    def hear(self, facts: Mapping[str, float]) -> None:
        """Take in amounts that the debtor has stated, yuan."""

    def levels(self, time: float, table: Table) -> Levels:
        """The levels at this share of the own horizon (0 … 1)."""

    def within(self, opening: Levels, limit: Levels) -> "Plan":
        """The same plan kept within a room that a planner has set."""


class TimePlan:
    """Concedes with time from an opening to a limit, whoever sits there."""

    def __init__(
        self, c: CollectorConstants, opening: Levels | None = None, limit: Levels | None = None
    ) -> None:
        self._c = c
        self._opening: Levels = opening or c.opening  # type: ignore[assignment]
        self._limit: Levels = limit or c.limit  # type: ignore[assignment]

    def within(self, opening: Levels, limit: Levels) -> Plan:
        """From that opening to that limit at the same pace."""
        return TimePlan(self._c, opening, limit)

    def hear(self, facts: Mapping[str, float]) -> None:
        """A plan of this kind does not look at the debtor."""

    def levels(self, time: float, table: Table) -> Levels:
        """Opening + (limit − opening)·time^(1/β)."""
        share, limit = conceded_share(time, self._c.beta), self._limit
        return {d: a + (limit[d] - a) * share for d, a in self._opening.items()}


class BeliefPlan:
    """Offers what is best for both under what it believes of the debtor's money.

    A candidate is worth its expected comprehensive index (own CCI over the belief) times the
    chance that the debtor takes it: the chance falls with the distance to what the debtor asks,
    the faster the less time is left. Without agreement both sides get nothing, so toward the end
    the plan gives way wherever it costs least.
    """

    def __init__(
        self, need_coll_amt: float, mandate: Mandate, c: CollectorConstants, b: BeliefConstants
    ) -> None:
        # Heavy: compiled code is loaded where such a collector plays.
        from arrears.economy.candidates import candidate_grid

        self._b = b
        self._debt = need_coll_amt
        self._belief = Belief(need_coll_amt, b)
        self._grid = candidate_grid(mandate)
        self._goods = _goodness_of(mandate)
        self._worth: np.ndarray | None = None
        self._room: tuple[Levels, Levels] | None = None

    def within(self, opening: Levels, limit: Levels) -> Plan:
        """The best offer inside the room."""
        self._room = (opening, limit)
        return self

    def hear(self, facts: Mapping[str, float]) -> None:
        """Sharpen the belief by what was told."""
        if self._belief.hear(dict(facts)):
            self._worth = None

    def levels(self, time: float, table: Table) -> Levels:
        """The goodness of the candidate that is best by worth less distance."""
        worth = self._expected_worth()
        asked = np.array(
            [
                goodness(d, p.debtor) if p.debtor is not None else 0.0
                for d, p in zip(DIMENSIONS, table, strict=True)
            ]
        )
        sealed = np.array(
            [
                goodness(d, p.sealed) if p.sealed is not None else -1.0
                for d, p in zip(DIMENSIONS, table, strict=True)
            ]
        )
        short = np.maximum(asked - self._goods, 0.0).sum(axis=1)
        broken = ((sealed >= 0) & (np.abs(self._goods - sealed) > 1e-9)).sum(axis=1)
        wary = self._b.wary_first + (self._b.wary_last - self._b.wary_first) * time
        score = worth * np.exp(-wary * short) - broken
        best = self._goods[int(np.argmax(score))]
        levels = {d: float(level) for d, level in zip(DIMENSIONS, best, strict=True)}
        if self._room is not None:
            low, high = self._room
            levels = {d: min(max(level, low[d]), high[d]) for d, level in levels.items()}
        return levels

    def _expected_worth(self) -> np.ndarray:
        if self._worth is None:
            points = self._belief.points()
            self._worth = self._grid.expected_own_cci(self._debt, points)
        return self._worth


@cache
def _goodness_of(mandate: Mandate) -> np.ndarray:
    """The candidates on the scale of goodness, shape (candidates, 4)."""
    from arrears.economy.candidates import candidate_grid

    return np.array(
        [[goodness(d, getattr(t, d)) for d in DIMENSIONS] for t in candidate_grid(mandate).terms]
    )
