"""The two projected years day by day, for pictures: what `projection` decides without them."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arrears.economy.position import Money
from arrears.economy.projection import HORIZON
from arrears.terms import DEFAULT_FEES, Terms, payment_plan


class Trajectory(NamedTuple):
    """Balances at the end of days 0 … 730, each array of shape (731,), minor units."""

    assets: NDArray[np.int64]
    remaining: NDArray[np.int64]
    """Principal that is still to be repaid under the plan; without an agreement the whole debt."""


def trajectory(
    money: Money, terms: Terms | None, fees: Mapping[int, int] = DEFAULT_FEES
) -> Trajectory:
    """Assets and remaining debt under an agreement, or (None) where nothing is paid."""
    assets = money.assets + money.daily_surplus * np.arange(HORIZON + 1, dtype=np.int64)
    plan = () if terms is None else payment_plan(money.need_coll_amt, terms, fees)
    owed = sum(p.principal for p in plan) if plan else money.need_coll_amt
    remaining = np.full(HORIZON + 1, owed, dtype=np.int64)
    for payment in plan:
        assets[payment.day :] -= payment.amount
        remaining[payment.day :] -= payment.principal
    return Trajectory(assets, remaining)
