"""Which of its eight strategies a debtor takes, and with which acts. Pure but for the draws."""

from collections.abc import Mapping
from math import exp
from typing import NamedTuple

from arrears.agents.behaviour import BargainingConstants, StrategyConstants
from arrears.agents.feelings import Impact, State
from arrears.agents.goodness import goodness, value_at_least
from arrears.agents.reservation import (
    Limits,
    Purse,
    affordable_upfront,
    demands_now,
)
from arrears.agents.temper import Temper
from arrears.dialogue.acts import NON, Act, act
from arrears.dialogue.views import Table
from arrears.economy.means import monthly_amount
from arrears.rng import Draws
from arrears.terms import DIMENSIONS, Dimension, Value


class Moment(NamedTuple):
    """What the choice of a strategy looks at."""

    state: State
    temper: Temper
    impact: Impact
    will: float
    on_table: float
    """Share of the four dimensions on which the collector has an ask or a seal stands."""
    told: float
    """Share of its story that the debtor has told."""


def propensities(moment: Moment, last: str, c: StrategyConstants) -> tuple[float, ...]:
    """Softmax weights (unnormalised) of the strategies, in the order of `STRATEGIES`."""
    state, temper, impact = moment.state, moment.temper, moment.impact
    drivers = (
        1.0,
        state.anger / 10,
        state.fear / 10,
        state.sadness / 10,
        state.disgust / 10,
        state.trust,
        1.0 - state.trust,
        1.0 - state.patience,
        temper.responsibility,
        1.0 - temper.responsibility,
        temper.legal,
        moment.will,
        moment.on_table,
        moment.told,
        1.0 if impact.asked else 0.0,
        impact.warmth,
        min(1.0, impact.pressure + impact.legal + impact.abuse),
    )
    weights = []
    for name, of in c.scores:
        score = 0.0
        for driver, weight in of:
            score += weight * drivers[driver]
        if name == "repayment_negotiation":
            if moment.on_table == 0.0:
                score += c.before_offer
        elif name == last:
            score += c.same_again
        weights.append(exp(c.sharpness * score))
    return tuple(weights)


class Stance(NamedTuple):
    """What the debtor would take and what it would ask, dimension by dimension."""

    accepts: tuple[Act, ...]
    asks: tuple[Act, ...]
    """Most pressing first; only what is not already its live ask."""
    standing: tuple[Act, ...]
    """Asks that stand already, for insisting."""


# (place in DIMENSIONS, dimension)
_IN_TURN: tuple[tuple[int, Dimension], ...] = (
    (0, "disc_ratio"),
    (2, "pmt_days"),
    (1, "pmt_ratio"),
    (3, "inst_prds"),
)


def stance(
    table: Table, purse: Purse, limits: Limits, time: float, c: BargainingConstants
) -> Stance:
    """Where the debtor stands on every open dimension now."""
    accepts: list[Act] = []
    gaps: list[tuple[float, Act]] = []
    standing: list[Act] = []
    taken: dict[Dimension, Value] = {}
    for dim, position in zip(DIMENSIONS, table, strict=True):
        if position.sealed is not None:
            taken[dim] = position.sealed
    wants = demands_now(limits, time)
    # Discount and days first: whether an upfront share can be paid depends on both.
    for at, dim in _IN_TURN:
        position = table[at]
        if position.sealed is not None:
            continue
        wanted = wants[at]
        offer = position.collector
        if (
            offer is not None
            and goodness(dim, offer) >= wanted - c.slack
            and _within_means(purse, {**taken, dim: offer}, table)
        ):
            accepts.append(act("accept", dim, offer))
            taken[dim] = offer
            continue
        value = value_at_least(dim, wanted)
        asking = act("ask", dim, value)
        if position.debtor == value:
            standing.append(asking)
        else:
            gap = wanted - (goodness(dim, offer) if offer is not None else 0.0)
            gaps.append((-gap, asking))
    gaps.sort(key=lambda pair: pair[0])
    return Stance(tuple(accepts), tuple(a for _, a in gaps), tuple(standing))


def _within_means(purse: Purse, taken: Mapping[Dimension, Value], table: Table) -> bool:
    """Whether the debtor has the money for what it would have agreed to, as it judges itself.

    What is not agreed yet is reckoned at its worst: no discount, payment on the first day.
    """
    disc = taken.get("disc_ratio", 0.0)
    pmt = taken.get("pmt_ratio")
    days = int(taken.get("pmt_days", 1))
    if pmt is not None and not affordable_upfront(purse, disc, pmt, days):
        return False
    months = taken.get("inst_prds")
    if months is None or months == 24:
        return True
    share = pmt if pmt is not None else (table.pmt_ratio.collector or 0.25)
    monthly = monthly_amount(purse.money.need_coll_amt, disc, share, int(months))
    return monthly <= purse.monthly


def acts_for(
    strategy: str, stance: Stance, table: Table, draws: Draws, c: BargainingConstants
) -> tuple[Act, ...]:
    """The acts that go with a strategy; never empty."""
    if strategy == "repayment_negotiation":
        chosen = stance.accepts + stance.asks[: c.asks_at_once]
        return chosen or stance.standing[:1] or (NON,)
    if strategy == "honest_disclosure":
        return stance.accepts or (NON,)
    if strategy == "dilemma_rendering":
        return stance.asks[:1] or (NON,)
    if strategy == "false_compliance":
        swallowed = tuple(
            act("accept", dim, position.collector)
            for dim, position in zip(DIMENSIONS, table, strict=True)
            if position.sealed is None and position.collector is not None
        )
        return swallowed or (NON,)
    if strategy == "emotional_confrontation" and draws.chance(0.5):
        offered = [
            dim
            for dim, position in zip(DIMENSIONS, table, strict=True)
            if position.sealed is None and position.collector is not None
        ]
        if offered:
            return (act("reject", draws.choice(offered)),)
    return (NON,)
