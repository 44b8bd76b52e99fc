"""What a debtor can pay, what it is willing to pay, and what it will settle for.

Means come from the finances (`economy.means`), distorted by the debtor's literacy; willingness
decides which part of them is given. The reservation of a dimension is the goodness below which the
debtor does not accept; hard means bind whatever the willingness.
"""

from math import exp
from typing import NamedTuple

from arrears.agents.behaviour import BargainingConstants
from arrears.agents.feelings import State
from arrears.agents.goodness import conceded_share, goodness
from arrears.agents.temper import Temper
from arrears.debtors.record import Debtor
from arrears.economy.means import (
    largest_upfront_share,
    liquid_on,
    monthly_amount,
    shortest_inst_prds,
    upfront_amount,
)
from arrears.economy.position import Money, money_of
from arrears.rng import Draws
from arrears.terms import GRID, Value


class Purse(NamedTuple):
    """The debtor's money as it sees it, minor units; fixed for a talk."""

    money: Money
    keep: float
    """What stays back from an upfront payment."""
    monthly: float
    """The monthly surplus as the debtor judges it."""
    demand: float
    """Discount demanded by this person beyond what its record tells, a fraction."""


class Limits(NamedTuple):
    """Goodness by dimension: the first asks and the reservation, and the concession between."""

    first: tuple[float, float, float, float]
    reservation: tuple[float, float, float, float]
    beta: float


def purse_of(debtor: Debtor, temper: Temper, draws: Draws, c: BargainingConstants) -> Purse:
    """The finances as this debtor reckons with them; one low in literacy misjudges its month."""
    money = money_of(debtor)
    expense = debtor.finances.avg_daily_expense * 100
    error = exp(draws.normal(0.0, c.misjudges_sd * (1.0 - temper.financial)))
    return Purse(
        money,
        min(c.floor * 100 + c.keep_days * expense, 0.8 * max(money.assets, 0)),
        max(0.0, 30 * money.daily_surplus * error),
        draws.normal(0.0, c.demand_sd),
    )


def limits(
    purse: Purse, state: State, temper: Temper, will: float, c: BargainingConstants
) -> Limits:
    """First asks and reservations under the present feelings."""
    debt = purse.money.need_coll_amt
    share = largest_upfront_share(purse.money, 0.0, 7, purse.keep)
    share *= c.upfront_least + (1.0 - c.upfront_least) * will
    pmt = goodness("pmt_ratio", _share_at_most(share))
    monthly = purse.monthly * (
        c.monthly_share_least + (c.monthly_share - c.monthly_share_least) * will
    )
    hard = monthly_amount(debt, 0.0, 0.25, 24) > monthly
    months = shortest_inst_prds(debt, 0.0, max(0.05, min(0.5, share)), monthly) or 24
    demand = (
        c.demand_bias
        + c.demand_anger * state.anger / 10
        + c.demand_responsibility * temper.responsibility
        + (c.demand_hardship if hard else 0.0)
        + purse.demand
    )
    disc = min(1.0, max(0.0, demand / 0.30))
    first_disc = min(1.0, max(disc, (demand + c.first_discount) / 0.30, 1 / 6))
    beta = exp(
        c.beta_bias
        + c.beta_anger * state.anger / 10
        + c.beta_fear * state.fear / 10
        + c.beta_responsibility * temper.responsibility
    )
    first = c.first_goodness
    prds = goodness("inst_prds", months)
    return Limits(
        (first_disc, max(first, pmt), first, max(first, prds)),
        (disc, pmt, c.days_wanted * (1.0 - 0.5 * will), prds),
        beta,
    )


def _share_at_most(share: float) -> Value:
    """The largest legal upfront share within `share`; 5 % where there is none."""
    shares = GRID["pmt_ratio"]
    return shares[min(len(shares), max(1, int(20.0 * share + 2e-8))) - 1]


def demands_now(limits: Limits, time: float) -> tuple[float, ...]:
    """The goodness asked of each dimension at this share of the debtor's horizon."""
    share = conceded_share(time, limits.beta)
    return tuple(
        [f + (r - f) * share for f, r in zip(limits.first, limits.reservation, strict=True)]
    )


def affordable_upfront(purse: Purse, disc_ratio: float, pmt_ratio: float, pmt_days: int) -> bool:
    """Whether the debtor has the immediate payment on its day."""
    amount = upfront_amount(purse.money.need_coll_amt, disc_ratio, pmt_ratio)
    return amount <= liquid_on(purse.money, pmt_days, 0.0)
