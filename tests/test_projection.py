"""The projection: the rules of the economy, one by one, and equality with the plain daily loop."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrears.economy.grid import legal_terms, project_all, project_many
from arrears.economy.position import Money, money_from
from arrears.economy.projection import project, project_without_agreement
from arrears.errors import UsageError
from arrears.terms import Terms
from benchmarks.daily_loop import FIELDS, days_of, plan_arrays, project_daily

CASES = 100_000
YUAN = 100


def money(debt: float, assets: float, surplus: float) -> Money:
    """Amounts in yuan."""
    return money_from(debt, assets, surplus)


def test_equal_to_the_daily_loop_on_100_000_random_cases() -> None:
    """Wild debtors on purpose: in debt, without surplus, with thresholds hit to the cent."""
    rng = np.random.default_rng(20)
    terms = legal_terms()
    debts = rng.integers(1, 40_000 * YUAN, CASES)
    assets = rng.integers(-3_000 * YUAN, 30_000 * YUAN, CASES)
    surplus = rng.integers(-60 * YUAN, 200 * YUAN, CASES)
    round_ones = rng.random(CASES) < 0.3
    assets[round_ones] = (assets[round_ones] // 50_000) * 50_000
    surplus[round_ones] = (surplus[round_ones] // 2_500) * 2_500
    debts[round_ones] = np.maximum(1, debts[round_ones] // 10_000) * 10_000
    for d, a, s, j in zip(debts, assets, surplus, rng.integers(0, len(terms), CASES), strict=True):
        case, agreed = Money(int(d), int(a), int(s)), terms[j]
        ours = project(case, agreed)
        theirs = days_of(
            case.need_coll_amt, case.assets, case.daily_surplus, plan_arrays(case, agreed)
        )
        assert (int(ours.success), *ours[2:]) == theirs, (case, agreed)


@settings(max_examples=60)
@given(
    st.integers(1, 10**7),
    st.integers(-(10**6), 10**7),
    st.integers(-(10**4), 10**5),
    st.sampled_from(legal_terms()),
)
def test_equal_to_the_daily_loop_uncompiled(debt: int, has: int, keeps: int, agreed: Terms) -> None:
    case = Money(debt, has, keeps)
    seen = days_of.py_func(debt, has, keeps, plan_arrays(case, agreed))
    ours = project(case, agreed)
    assert (int(ours.success), *ours[2:]) == tuple(seen)
    assert ours._asdict() == project_daily(case, agreed)
    assert tuple(ours._asdict()) == FIELDS


def test_arrays_hold_what_single_calls_give() -> None:
    people = [money(8400, 4000, 58), money(17500, 2400, 29), money(300, -50, -2)]
    many = project_many(people)
    for i, case in enumerate(people):
        grid = project_all(case)
        for j in range(0, 5880, 97):
            one = project(case, legal_terms()[j])
            for field, value in one._asdict().items():
                if field == "recovery":
                    assert grid.recovery[j] == value
                else:
                    assert getattr(grid, field)[j] == value
                    assert getattr(many, field)[i, j] == value


@pytest.mark.parametrize(
    ("terms", "qrd", "hrd", "cd"),
    [
        # 25 % upfront without a discount is a quarter of the debt on that very day.
        (Terms(0.0, 0.25, 7, 6), 7, 7 + 30 * 2, 7 + 180),
        (Terms(0.0, 0.5, 1, 3), 1, 1, 91),
        # With a discount, the same share of the discounted debt is not a quarter of the original.
        (Terms(0.30, 0.25, 7, 6), 7 + 30, 7 + 30 * 4, 187),
        (Terms(0.0, 0.05, 14, 24), 14 + 30 * 6, 14 + 30 * 12, 734),
    ],
)
def test_quarter_half_and_end_of_the_collection(terms: Terms, qrd: int, hrd: int, cd: int) -> None:
    seen = project(money(8000, 10_000, 100), terms)
    assert (seen.qrd, seen.hrd, seen.cd) == (qrd, hrd, cd)


def test_five_hundred_yuan_is_failure_and_a_cent_more_is_success() -> None:
    terms = Terms(0.0, 0.05, 1, 24)
    upfront = 0.05 * 1000
    assert not project(money(1000, 500 + upfront, 0), terms).success
    # With a surplus that covers each instalment the day of the upfront payment is the lowest.
    assert not project(money(1000, 500 + upfront - 2.0, 2.0), terms).success
    assert project(money(1000, 500 + upfront - 1.99, 2.0), terms).success


def test_who_starts_with_five_hundred_has_failed_on_day_zero() -> None:
    assert not project(money(100, 500, 50), Terms(0.0, 0.05, 14, 3)).success


def test_a_failed_plan_recovers_nothing() -> None:
    assert project(money(8000, 600, 1), Terms(0.05, 0.5, 1, 3)).recovery == 0
    assert project(money(8000, 9000, 90), Terms(0.05, 0.5, 1, 3)).recovery == pytest.approx(0.95)


def test_payments_after_two_years_count_for_the_end_of_the_collection_only() -> None:
    """24 months from day 14 end on day 734; the last payment can ruin nobody any more."""
    terms = Terms(0.0, 0.05, 14, 24)
    case = money(100_000, 5_000 + 100_000 * 1.15 - 4_000, 0)
    seen = project(case, terms)
    assert seen.cd == 734
    everything = project(
        money(100_000, 5_000 + 100_000 * 1.15 - 4_000, 0), Terms(0.0, 0.05, 10, 24)
    )
    assert everything.min_assets < seen.min_assets


@pytest.mark.parametrize(
    ("assets", "l1d", "l2d"),
    [(1_999.99, 730, 0), (2_000, 0, 730), (4_999.99, 0, 730), (5_000, 0, 0), (-300, 730, 0)],
)
def test_tiers_begin_at_their_thresholds(assets: float, l1d: int, l2d: int) -> None:
    path = project_without_agreement(money(1000, assets, 0))
    assert (path.l1d, path.l2d, path.atv) == (l1d, l2d, 0.0)


def test_without_agreement_assets_rise_through_the_tiers() -> None:
    """From 1,000 yuan at 50 a day: tier 2 on day 20, tier 3 on day 80, 4 on 180, 5 on 380."""
    path = project_without_agreement(money(9000, 1_000, 50))
    tiers = np.repeat([1, 2, 3, 4, 5], [19, 60, 100, 200, 351])
    assert (path.l1d, path.l2d) == (19, 60)
    assert path.atv == pytest.approx(tiers.var(ddof=1))
    assert path.atv_365 == pytest.approx(tiers[:365].var(ddof=1))


def test_an_amount_that_is_none_is_refused() -> None:
    for debt, assets in ((0.0, 1.0), (float("nan"), 1.0), (100.0, float("inf"))):
        with pytest.raises(UsageError):
            money_from(debt, assets, 1.0)
