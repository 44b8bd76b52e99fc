"""What an agreement with this debtor is worth, as far as the collector's seat can know.

The built-in planner and judge believe what `scripted/adaptive` believes: the population's averages,
sharpened by what the debtor has told. An agreement is worth its own CCI in expectation.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arrears.agents.behaviour import shipped_behaviour
from arrears.agents.belief import Belief
from arrears.agents.goodness import goodness
from arrears.agents.listening import facts_in
from arrears.dialogue.views import CollectorView
from arrears.terms import DIMENSIONS, Dimension, Terms, Value

NEAR_BEST = 0.95
"""Agreements whose worth is at least this share of the best one's count as good."""


class Appraisal(NamedTuple):
    """Every candidate agreement and what it is worth."""

    assets: float
    """Believed, yuan."""
    daily_surplus: float
    """Believed, yuan a day."""
    told: tuple[str, ...]
    """Which amounts the debtor has named."""
    terms: tuple[Terms, ...]
    worth: NDArray[np.float64]

    def room(
        self, allowed: Callable[[Terms], bool] = lambda _: True, near: float = NEAR_BEST
    ) -> "Room":
        """The best of the allowed candidates, and how far the good ones reach.

        `near`: the share of the best worth from which a candidate counts as good.
        """
        inside = np.array([allowed(t) for t in self.terms])
        if not inside.any():
            inside[:] = True
        worth = np.where(inside, self.worth, -np.inf)
        best = int(np.argmax(worth))
        good = [t for t, w in zip(self.terms, worth, strict=True) if w >= near * worth[best]]
        ends = {d: sorted({getattr(t, d) for t in good}, key=_to_the_good(d)) for d in DIMENSIONS}
        return Room(
            self.terms[best],
            {d: values[0] for d, values in ends.items()},
            {d: values[-1] for d, values in ends.items()},
        )


class Room(NamedTuple):
    """How far good agreements reach."""

    best: Terms
    least: Mapping[Dimension, Value]
    """The creditor's end."""
    most: Mapping[Dimension, Value]
    """The debtor's end."""


def appraise(view: CollectorView) -> Appraisal:
    """Appraise the case from what the collector's seat has heard."""
    # Heavy: compiled code is loaded where such a module is at the table.
    from arrears.economy.candidates import candidate_grid

    debt = view.account.need_coll_amt
    belief = Belief(debt, shipped_behaviour().belief)
    told: dict[str, float] = {}
    for heard in view.heard:
        if heard.seat == "debtor":
            facts = facts_in(heard.dialogue)
            belief.hear(dict(facts))
            told |= facts
    points = belief.points()
    grid = candidate_grid(view.mandate)
    return Appraisal(
        sum(p.weight * p.assets for p in points),
        sum(p.weight * p.daily_surplus for p in points),
        tuple(sorted(told)),
        grid.terms,
        np.asarray(grid.expected_own_cci(debt, points)),
    )


def _to_the_good(dim: Dimension) -> Callable[[Value], float]:
    return lambda value: goodness(dim, value)
