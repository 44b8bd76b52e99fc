"""What the projection knows of a debtor: three whole numbers of minor units."""

from typing import NamedTuple

from arrears.debtors.record import MOST_YUAN, Debtor
from arrears.errors import UsageError
from arrears.terms import minor_units

LARGEST_AMOUNT = 100 * int(MOST_YUAN)
"""Minor units. Up to here no product of the projection leaves 64 bits."""


class Money(NamedTuple):
    """One debtor's money today, whole minor units (fen)."""

    need_coll_amt: int
    """The amount to be collected, at least 1."""
    assets: int
    """Assets on day 0; may be negative."""
    daily_surplus: int
    """Income less expense of one day; negative where expense is larger."""


def money_from(need_coll_amt: float, assets: float, daily_surplus: float) -> Money:
    """Money from yuan, each amount rounded to the fen.

    UsageError where the debt is not at least one fen or where an amount is no number or beyond a
    trillion yuan, more than 64 bits can project exactly.
    """
    limit = LARGEST_AMOUNT / 100
    for name, amount in (
        ("amount to be collected", need_coll_amt),
        ("assets", assets),
        ("daily surplus", daily_surplus),
    ):
        if not abs(amount) <= limit:
            raise UsageError(f"{name} {amount} is no amount of at most {limit:,.0f} yuan")
    money = Money(minor_units(need_coll_amt), minor_units(assets), minor_units(daily_surplus))
    if money.need_coll_amt < 1:
        raise UsageError(f"amount to be collected {need_coll_amt} is not positive")
    return money


def money_of(debtor: Debtor) -> Money:
    """A record's money. UsageError as for `money_from`."""
    finances = debtor.finances
    return money_from(debtor.background.need_coll_amt, finances.assets, finances.avg_daily_balance)
