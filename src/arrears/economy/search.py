"""The best agreement there is, the front of what can be had, and what an agreement left behind."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from arrears.economy.grid import Floats, GridProjection, legal_terms, project_all, within
from arrears.economy.indices import (
    comprehensive_collection_index,
    creditor_recovery_index,
    debtor_health_index,
)
from arrears.economy.position import Money
from arrears.economy.projection import Projection, project
from arrears.terms import DEFAULT_FEES, Mandate, Terms

Objective = Literal["cci", "recovery", "speed", "health"]
OBJECTIVES: tuple[Objective, ...] = ("cci", "recovery", "speed", "health")


class Best(NamedTuple):
    """The best agreement for an objective."""

    terms: Terms
    value: float
    projection: Projection


class ParetoPoint(NamedTuple):
    """An agreement that no other beats in both own CRI and own DHI."""

    terms: Terms
    cri: float
    dhi: float


def own_cri(p: Projection) -> float:
    """CRI of this one agreement: SR is 1 or 0."""
    return creditor_recovery_index(float(p.success), p.recovery, p.qrd, p.hrd, p.cd)


def own_dhi(p: Projection) -> float:
    """DHI of this one agreement."""
    return debtor_health_index(p.l1d, p.l2d, p.atv)


def own_cci(p: Projection) -> float:
    """CCI of this one agreement; 0 where the plan fails or an index is not positive."""
    return comprehensive_collection_index(own_cri(p), own_dhi(p)) if p.success else 0.0


def value_of(p: Projection, objective: Objective) -> float:
    """What an agreement is worth; 0 where the plan fails, whatever the objective but health.

    `cci` own CCI; `recovery` share of the debt recovered; `speed` share of the longest possible
    collection (734 days) that is saved, HRD and CD in equal parts; `health` own DHI (which a plan
    that fails has too, and keeps).
    """
    if objective == "health":
        return own_dhi(p)
    if not p.success:
        return 0.0
    if objective == "cci":
        return own_cci(p)
    if objective == "recovery":
        return p.recovery
    return 1.0 - (p.hrd + p.cd) / (2 * _LONGEST)


_LONGEST = 14 + 30 * 24


def values(grid: GridProjection, objective: Objective) -> Floats:
    """`value_of` for every agreement of a grid."""
    if objective == "health":
        return grid.own_dhi()
    if objective == "cci":
        return grid.own_cci()
    if objective == "recovery":
        return grid.recovery
    return np.where(grid.success, 1.0 - (grid.hrd + grid.cd) / (2 * _LONGEST), 0.0)


def feasible(money: Money, fees: Mapping[int, int] = DEFAULT_FEES) -> np.ndarray:
    """Which of the 5,880 agreements the debtor can keep; booleans in grid order."""
    return project_all(money, fees).success


def best(
    money: Money,
    objective: Objective = "cci",
    mandate: Mandate | None = None,
    fees: Mapping[int, int] = DEFAULT_FEES,
) -> Best | None:
    """The agreement with the largest value among those that succeed within the mandate.

    Ties go to the larger own CCI, then to the first in grid order (least discount, least upfront).
    None where no agreement can be kept.
    """
    grid = project_all(money, fees)
    allowed = grid.success if mandate is None else grid.success & within(mandate)
    if not allowed.any():
        return None
    worth = np.where(allowed, values(grid, objective), -np.inf)
    tied = np.flatnonzero(worth >= worth.max() - 1e-12)
    chosen = int(tied[np.argmax(grid.own_cci()[tied])])
    terms = legal_terms()[chosen]
    return Best(terms, float(worth[chosen]), project(money, terms, fees))


def regret(
    money: Money,
    terms: Terms | None,
    objective: Objective = "cci",
    mandate: Mandate | None = None,
    fees: Mapping[int, int] = DEFAULT_FEES,
) -> float:
    """Best value less this agreement's; at least 0 for agreements within the mandate.

    No agreement (None) has the value 0, and so has everything where nothing can be kept.
    """
    top = best(money, objective, mandate, fees)
    value = 0.0 if terms is None else value_of(project(money, terms, fees), objective)
    return (top.value if top is not None else 0.0) - value


def pareto_front(
    money: Money, mandate: Mandate | None = None, fees: Mapping[int, int] = DEFAULT_FEES
) -> tuple[ParetoPoint, ...]:
    """Recovery against health: agreements that can be kept and that none beats in both.

    From the largest own CRI to the largest own DHI; of equal points the first in grid order.
    """
    grid = project_all(money, fees)
    allowed = grid.success if mandate is None else grid.success & within(mandate)
    cri, dhi = grid.own_cri(), grid.own_dhi()
    order = np.flatnonzero(allowed)
    order = order[np.lexsort((order, -dhi[order], -cri[order]))]
    front: list[ParetoPoint] = []
    highest = -np.inf
    for i in order:
        if dhi[i] > highest:
            highest = dhi[i]
            front.append(ParetoPoint(legal_terms()[i], float(cri[i]), float(dhi[i])))
    return tuple(front)
