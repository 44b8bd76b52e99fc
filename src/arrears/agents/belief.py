"""What `scripted/adaptive` believes of a debtor's money, and the terms that suit the belief.

A grid over ln assets and ln daily surplus, weighted by the prior of the population (docs/domain.md)
and by how likely each point makes what the debtor has claimed, given that claims run low.
"""

from math import exp, log
from typing import NamedTuple

from arrears.agents.behaviour import BeliefConstants

# Three-point Gauss-Hermite quadrature: exact up to the fifth degree, and nine points
# for two amounts cost a third of a grid of five by five.
_NODES = ((-(3.0**0.5), 1 / 6), (0.0, 2 / 3), (3.0**0.5, 1 / 6))


class Point(NamedTuple):
    """One possible debtor: yuan, and yuan a day."""

    assets: float
    daily_surplus: float
    weight: float


class Belief:
    """A distribution over assets and surplus that claims sharpen."""

    def __init__(self, need_coll_amt: float, c: BeliefConstants) -> None:
        debt = log(need_coll_amt)
        self._c = c
        self._assets = (c.assets_intercept + c.assets_slope * debt, c.assets_sd)
        self._surplus = (c.surplus_intercept + c.surplus_slope * debt, c.surplus_sd)
        self._claims: dict[str, float] = {}

    def hear(self, claims: dict[str, float]) -> bool:
        """Take in claims (`assets`, `income`, `expense`); True if anything new was told."""
        fresh = {k: v for k, v in claims.items() if k not in self._claims and v > 0}
        self._claims.update(fresh)
        return bool(fresh)

    def points(self) -> tuple[Point, ...]:
        """The grid with its posterior weights, which sum to 1."""
        c = self._c
        assets = _posterior(self._assets, self._claims.get("assets"), c)
        income, expense = self._claims.get("income"), self._claims.get("expense")
        net = income - expense if income and expense and income > expense else None
        surplus = _posterior(self._surplus, net, c)
        return tuple(Point(exp(a), exp(s), wa * ws) for a, wa in assets for s, ws in surplus)


def _posterior(
    prior: tuple[float, float], claim: float | None, c: BeliefConstants
) -> list[tuple[float, float]]:
    """Grid points of a log amount with weights: normal prior, log-normal claim."""
    mean, sd = prior
    if claim is not None:
        # Conjugate: the claim is the amount times a factor below one, so it points higher.
        told = log(claim) - log(c.claim_factor)
        precision, weight = sd**-2, c.claim_sd**-2
        mean = (mean * precision + told * weight) / (precision + weight)
        sd = (precision + weight) ** -0.5
    return [(mean + sd * z, weight) for z, weight in _NODES]
