"""The best agreement there is, the front of what can be had, and what an agreement left behind.

Every search enumerates the 5,880 legal agreements; none of it is approximate.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from arrears.economy.grid import Flags, Floats, GridProjection, legal_terms, project_all, within
from arrears.economy.indices import (
    comprehensive_collection_index,
    creditor_recovery_index,
    debtor_health_index,
)
from arrears.economy.position import Money
from arrears.economy.projection import Projection, project, project_without_agreement
from arrears.terms import DEFAULT_FEES, Mandate, Terms

Objective = Literal["cci", "recovery", "speed", "health"]
OBJECTIVES: tuple[Objective, ...] = ("cci", "recovery", "speed", "health")
WHOLE_GRID = Mandate()
LONGEST = 14 + 30 * 24
"""Days until the last payment of the slowest legal agreement."""


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


def own_cri(projection: Projection) -> float:
    """CRI of this one agreement: SR is 1 or 0."""
    p = projection
    return creditor_recovery_index(float(p.success), p.recovery, p.qrd, p.hrd, p.cd)


def own_dhi(projection: Projection) -> float:
    """DHI of this one agreement."""
    return debtor_health_index(projection.l1d, projection.l2d, projection.atv)


def own_cci(projection: Projection) -> float:
    """CCI of this one agreement; 0 where the plan fails or an index is not positive."""
    if not projection.success:
        return 0.0
    return comprehensive_collection_index(own_cri(projection), own_dhi(projection))


def value_of(projection: Projection, objective: Objective) -> float:
    """What an agreement is worth; 0 where the plan fails, whatever the objective but health.

    `cci`: own CCI. `recovery`: share of the debt that is repaid. `speed`: share of the longest
    legal collection (734 days) that is saved, HRD and CD in equal parts. `health`: own DHI, which
    a plan that fails has too.
    """
    if objective == "health":
        return own_dhi(projection)
    if not projection.success:
        return 0.0
    if objective == "cci":
        return own_cci(projection)
    if objective == "recovery":
        return projection.recovery
    return 1.0 - (projection.hrd + projection.cd) / (2 * LONGEST)


def values(grid: GridProjection, objective: Objective) -> Floats:
    """`value_of` for every agreement of a grid, bit for bit."""
    if objective == "health":
        return grid.own_dhi()
    if objective == "cci":
        return grid.own_cci()
    if objective == "recovery":
        return grid.recovery
    return np.where(grid.success, 1.0 - (grid.hrd + grid.cd) / (2 * LONGEST), 0.0)


def feasible(money: Money, fees: Mapping[int, int] = DEFAULT_FEES) -> Flags:
    """Which of the 5,880 agreements the debtor can keep, in the order of `all_terms()`."""
    return project_all(money, fees).success


def best(
    money: Money,
    objective: Objective = "cci",
    mandate: Mandate = WHOLE_GRID,
    fees: Mapping[int, int] = DEFAULT_FEES,
) -> Best | None:
    """The agreement with the largest value among those that succeed within the mandate.

    Equal values go to the larger own CCI, then to the larger own DHI (so ruin is still told from
    hardship where every CCI is 0), then to the first in the order of `all_terms()`: less discount,
    a smaller upfront share, an earlier payment, fewer months. None where nothing can be kept.
    """
    return best_in(project_all(money, fees), money, objective, mandate, fees)


def best_in(
    grid: GridProjection,
    money: Money,
    objective: Objective = "cci",
    mandate: Mandate = WHOLE_GRID,
    fees: Mapping[int, int] = DEFAULT_FEES,
) -> Best | None:
    """`best`, out of a grid that was projected before: `project_all(money, fees)`."""
    allowed = np.flatnonzero(grid.success & within(mandate))
    if not len(allowed):
        return None
    worth = values(grid, objective)[allowed]
    tied = allowed[worth == worth.max()]
    order = np.lexsort((tied, -grid.own_dhi()[tied], -grid.own_cci()[tied]))
    terms = legal_terms()[int(tied[order[0]])]
    return Best(terms, float(worth.max()), project(money, terms, fees))


def regret(
    money: Money,
    terms: Terms | None,
    objective: Objective = "cci",
    mandate: Mandate = WHOLE_GRID,
    fees: Mapping[int, int] = DEFAULT_FEES,
) -> float:
    """How much more the best agreement would have been worth, at least 0.

    No agreement (None) is worth 0, in `health` the DHI of the years in which nothing is paid.
    Where nothing can be kept there was nothing better to be had, and the regret is 0. So it is
    where a plan outside the mandate, or in `health` one that fails or none at all, has a larger
    value than the best that can be had.
    """
    top = best(money, objective, mandate, fees)
    if top is None:
        return 0.0
    if terms is not None:
        value = value_of(project(money, terms, fees), objective)
    elif objective == "health":
        path = project_without_agreement(money)
        value = debtor_health_index(path.l1d, path.l2d, path.atv)
    else:
        value = 0.0
    return max(0.0, top.value - value)


def pareto_front(
    money: Money, mandate: Mandate = WHOLE_GRID, fees: Mapping[int, int] = DEFAULT_FEES
) -> tuple[ParetoPoint, ...]:
    """Recovery against health: agreements that can be kept and that none beats in both.

    From the largest own CRI to the largest own DHI; of equal points only the first in the order of
    `all_terms()`. Empty where nothing can be kept.
    """
    grid = project_all(money, fees)
    cri, dhi = grid.own_cri(), grid.own_dhi()
    allowed = np.flatnonzero(grid.success & within(mandate))
    order = allowed[np.lexsort((allowed, -dhi[allowed], -cri[allowed]))]
    front: list[ParetoPoint] = []
    highest = -np.inf
    for i in order:
        if dhi[i] > highest:
            highest = dhi[i]
            front.append(ParetoPoint(legal_terms()[i], float(cri[i]), float(dhi[i])))
    return tuple(front)
