"""What a debtor can really pay, in closed form.

Between the upfront payment and the last instalment assets change by the same amount each month,
so they are lowest just after the upfront payment or just after the last instalment; a plan can be
kept when both balances stay above the floor. (Exact up to the cents of rounding; the projection
is the judge of a finished agreement.) All amounts are whole minor units.
"""

from collections.abc import Mapping

from arrears.economy.position import Money
from arrears.terms import DEFAULT_FEES


def upfront_amount(need_coll_amt: int, disc_ratio: float, pmt_ratio: float) -> float:
    """The immediate payment."""
    return need_coll_amt * (1.0 - disc_ratio) * pmt_ratio


def liquid_on(money: Money, day: int, keep: float) -> float:
    """What can be paid at once on that day while `keep` stays."""
    return money.assets + money.daily_surplus * day - keep


def largest_upfront_share(money: Money, disc_ratio: float, day: int, keep: float) -> float:
    """The share of the discounted debt that can be paid on that day; may be negative."""
    return liquid_on(money, day, keep) / (money.need_coll_amt * (1.0 - disc_ratio))


def monthly_amount(
    need_coll_amt: int,
    disc_ratio: float,
    pmt_ratio: float,
    inst_prds: int,
    fees: Mapping[int, int] = DEFAULT_FEES,
) -> float:
    """One instalment, its share of the fee included."""
    rest = need_coll_amt * (1.0 - disc_ratio) * (1.0 - pmt_ratio)
    return rest * (1.0 + fees[inst_prds] / 10000) / inst_prds


def shortest_inst_prds(
    need_coll_amt: int,
    disc_ratio: float,
    pmt_ratio: float,
    monthly: float,
    fees: Mapping[int, int] = DEFAULT_FEES,
) -> int | None:
    """The fewest instalments that are each at most `monthly`; None where even 24 are too dear."""
    rest = need_coll_amt * (1.0 - disc_ratio) * (1.0 - pmt_ratio)
    for months, fee in fees.items():
        if rest * (1.0 + fee / 10000) <= monthly * months:
            return months
    return None


def can_keep(
    money: Money,
    disc_ratio: float,
    pmt_ratio: float,
    pmt_days: int,
    inst_prds: int,
    floor: float,
    fees: Mapping[int, int] = DEFAULT_FEES,
) -> bool:
    """Whether assets stay at or above the floor to the end of the plan."""
    left = liquid_on(money, pmt_days, upfront_amount(money.need_coll_amt, disc_ratio, pmt_ratio))
    a_month = 30 * money.daily_surplus - monthly_amount(
        money.need_coll_amt, disc_ratio, pmt_ratio, inst_prds, fees
    )
    return left >= floor and left + inst_prds * a_month >= floor
