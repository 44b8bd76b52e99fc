"""The projection itself, compiled: one agreement, the path without one, and whole grids.

Between two payments assets change by the same whole number of minor units every day, so lowest
balance, tier days and tier variance come per segment without touching a day. Everything up to the
variance is 64-bit integer arithmetic, which makes the result identical to the day-by-day loop.

Imported only by `projection`, and there only on first use: numba takes half a second to load.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

HORIZON = 730
YEAR = 365
MONTH = 30
FLOOR = 50_000
TIER_2, TIER_3, TIER_4, TIER_5 = 200_000, 500_000, 1_000_000, 2_000_000


@njit(cache=True, inline="always")  # type: ignore[untyped-decorator]
def _days_below(
    threshold: int, base: int, surplus: int, low: int, high: int, first: int, last: int
) -> int:
    """Days of low … high on which base + surplus·day, `first` … `last`, is below the threshold."""
    if first < threshold:
        if last < threshold:
            return high - low + 1
        return -((base - threshold) // surplus) - low  # the ceiling of (threshold − base)/surplus
    if last >= threshold:
        return 0
    return high - (base - threshold) // -surplus


@njit(cache=True, inline="always")  # type: ignore[untyped-decorator]
def _variance(n: int, n1: int, n2: int, n3: int, n4: int) -> float:
    """Sample variance of the tier over n days, from the days below each of the four thresholds."""
    total = 5 * n - n1 - n2 - n3 - n4
    squares = 25 * n - 3 * n1 - 5 * n2 - 7 * n3 - 9 * n4
    return (n * squares - total * total) / (n * (n - 1))


@njit(cache=True)  # type: ignore[untyped-decorator]
def project_one(
    need: int, assets: int, surplus: int, disc: int, pmt: int, days: int, months: int, rate: int
) -> tuple[bool, float, int, int, int, int, int, float, float, int]:
    """The fields of `Projection`, in its order.

    Amounts in minor units, `disc` and `pmt` in percent, `rate` the fee in hundredths of a percent.
    `months` = 0 projects the path on which nothing is paid; its QRD, HRD and CD mean nothing.
    """
    owed = need - need * disc // 100
    upfront = (owed * pmt + 99) // 100
    rest = owed - upfront
    fee = (rest * rate + 5000) // 10000
    # Cumulative principal after k payments is upfront + ceil(rest·k / months). Quotient and
    # remainder are split off once; the ceiling then advances by carrying, without a division.
    each, over, fee_each, fee_over = 0, 0, 0, 0
    if months:
        each, over = rest // months, rest % months
        fee_each, fee_over = fee // months, fee % months
    carry, fee_carry = 0, 0

    principal, base = 0, assets
    qrd, hrd = -1, -1
    lowest = assets
    n1, n2, n3, n4 = 0, 0, 0, 0
    atv_year = 0.0
    low = 1
    step = 0
    while low <= HORIZON:
        # `step` payments lie behind; the next one is on this day.
        done = step > months or months == 0
        following = HORIZON + 1 if done else days + MONTH * step
        high = min(following - 1, HORIZON)
        if low <= YEAR < high:
            high = YEAR
            following = YEAR + 1
            pays = False
        else:
            pays = high < HORIZON
        if high >= low:
            first = base + surplus * low
            last = base + surplus * high
            lowest = min(lowest, first, last)
            if first < TIER_5 or last < TIER_5:
                n4 += _days_below(TIER_5, base, surplus, low, high, first, last)
                if first < TIER_4 or last < TIER_4:
                    n3 += _days_below(TIER_4, base, surplus, low, high, first, last)
                    if first < TIER_3 or last < TIER_3:
                        n2 += _days_below(TIER_3, base, surplus, low, high, first, last)
                        if first < TIER_2 or last < TIER_2:
                            n1 += _days_below(TIER_2, base, surplus, low, high, first, last)
        if high == YEAR:
            atv_year = _variance(YEAR, n1, n2, n3, n4)
        low = high + 1
        if pays:
            if step == 0:
                amount, paid = upfront, upfront
            else:
                paid, amount = each, each + fee_each
                carry -= over
                if carry < 0:
                    carry += months
                    paid += 1
                    amount += 1
                fee_carry -= fee_over
                if fee_carry < 0:
                    fee_carry += months
                    amount += 1
            principal += paid
            base -= amount
            if qrd < 0 and 4 * principal >= need:
                qrd = following
            if hrd < 0 and 2 * principal >= need:
                hrd = following
            step += 1

    success = lowest > FLOOR
    recovery = 1.0 - disc / 100.0 if success else 0.0
    completed = days + MONTH * months
    atv = _variance(HORIZON, n1, n2, n3, n4)
    return success, recovery, qrd, hrd, completed, n1, n2 - n1, atv, atv_year, lowest


@njit(cache=True)  # type: ignore[untyped-decorator]
def project_grid(
    moneys: NDArray[np.int64],
    rows: NDArray[np.int64],
    success: NDArray[np.bool_],
    days: NDArray[np.int32],
    atv: NDArray[np.float64],
    min_assets: NDArray[np.int64],
) -> None:
    """Fill in n debtors under m agreements.

    `moneys` is (n, 3), `rows` (m, 5) with disc, pmt, days, months, rate; `success` and
    `min_assets` are (n, m); `days` is (5, n, m): QRD, HRD, CD, L1D, L2D; `atv` is (2, n, m): over
    two years and over one.
    """
    for i in range(moneys.shape[0]):
        need, assets, surplus = moneys[i]
        for j in range(rows.shape[0]):
            disc, pmt, pmt_days, months, rate = rows[j]
            (
                success[i, j],
                _,
                days[0, i, j],
                days[1, i, j],
                days[2, i, j],
                days[3, i, j],
                days[4, i, j],
                atv[0, i, j],
                atv[1, i, j],
                min_assets[i, j],
            ) = project_one(need, assets, surplus, disc, pmt, pmt_days, months, rate)
