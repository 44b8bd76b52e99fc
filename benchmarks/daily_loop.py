"""The projection as the rules tell it, day by day: slow, plain, and independent of the kernel.

Every day of two years is visited: income comes in, what is due is paid, the balance is looked at.
`project` must equal it exactly; tests and the benchmark compare them.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from arrears.economy.position import Money
from arrears.terms import Terms, payment_plan

FIELDS = ("success", "recovery", "qrd", "hrd", "cd", "l1d", "l2d", "atv", "atv_365", "min_assets")


def plan_arrays(money: Money, terms: Terms) -> NDArray[np.int64]:
    """Rows (day, principal, amount) of the payment plan."""
    plan = payment_plan(money.need_coll_amt, terms)
    return np.array([(p.day, p.principal, p.amount) for p in plan], dtype=np.int64)


def project_daily(money: Money, terms: Terms) -> dict[str, Any]:
    """The fields of `Projection`, from the plain loop."""
    seen = days_of(
        money.need_coll_amt, money.assets, money.daily_surplus, plan_arrays(money, terms)
    )
    success = bool(seen[0])
    return dict(
        zip(FIELDS, (success, 1.0 - terms.disc_ratio if success else 0.0, *seen[1:]), strict=True)
    )


@njit(cache=True)  # type: ignore[untyped-decorator]
def days_of(
    need: int, assets: int, surplus: int, plan: NDArray[np.int64]
) -> tuple[int, int, int, int, int, int, float, float, int]:
    """Success, QRD, HRD, CD, L1D, L2D, ATV over two years and over one, lowest assets."""
    balance, lowest, success = assets, assets, 1 if assets > 50_000 else 0
    paid, principal, qrd, hrd = 0, 0, -1, -1
    tiers = np.zeros(731, dtype=np.int64)
    last = plan[len(plan) - 1, 0]
    for day in range(1, max(730, last) + 1):
        balance += surplus
        if paid < len(plan) and plan[paid, 0] == day:
            balance -= plan[paid, 2]
            principal += plan[paid, 1]
            paid += 1
        if qrd < 0 and 4 * principal >= need:
            qrd = day
        if hrd < 0 and 2 * principal >= need:
            hrd = day
        if day <= 730:
            lowest = min(lowest, balance)
            if balance <= 50_000:
                success = 0
            if balance < 200_000:
                tiers[day] = 1
            elif balance < 500_000:
                tiers[day] = 2
            elif balance < 1_000_000:
                tiers[day] = 3
            elif balance < 2_000_000:
                tiers[day] = 4
            else:
                tiers[day] = 5
    l1d, l2d = 0, 0
    for day in range(1, 731):
        l1d += tiers[day] == 1
        l2d += tiers[day] == 2
    return success, qrd, hrd, last, l1d, l2d, _variance(tiers, 730), _variance(tiers, 365), lowest


@njit(cache=True)  # type: ignore[untyped-decorator]
def _variance(tiers: NDArray[np.int64], n: int) -> float:
    """Sample variance of days 1 … n, from whole sums so that it is exact up to one division."""
    total, squares = 0, 0
    for day in range(1, n + 1):
        total += tiers[day]
        squares += tiers[day] * tiers[day]
    return float((n * squares - total * total) / (n * (n - 1)))
