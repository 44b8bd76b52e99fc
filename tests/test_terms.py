"""What can be agreed: the grid, snapping, the mandate, and a payment plan that sums to the fen."""

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrears.errors import TermsError
from arrears.terms import (
    DEFAULT_FEES,
    DIMENSIONS,
    GRID,
    RATIOS,
    Dimension,
    Mandate,
    Terms,
    all_terms,
    dimension_named,
    minor_units,
    payment_plan,
    snap,
    written,
)
from arrears.terms_text import parse_terms

legal_terms = st.sampled_from(all_terms())
debts = st.integers(min_value=1, max_value=10**10)


def test_there_are_5880_legal_agreements_and_the_last_dimension_varies_fastest() -> None:
    terms = all_terms()
    assert len(terms) == len(set(terms)) == 7 * 10 * 14 * 6 == 5880
    assert terms[0] == Terms(0.0, 0.05, 1, 3)
    assert terms[1] == Terms(0.0, 0.05, 1, 6)
    assert terms[-1] == Terms(0.3, 0.5, 14, 24)


@pytest.mark.parametrize(
    ("dimension", "proposed", "value", "repair"),
    [
        ("disc_ratio", 0.0, 0.0, ""),
        ("disc_ratio", 0.137, 0.15, "snapped"),
        ("disc_ratio", 0.12, 0.10, "snapped"),
        # A tie goes to the creditor: less discount, more upfront, sooner, fewer months.
        ("disc_ratio", 0.125, 0.10, "snapped"),
        ("disc_ratio", 0.025, 0.0, "snapped"),
        ("pmt_ratio", 0.125, 0.15, "snapped"),
        ("pmt_ratio", 0.475, 0.50, "snapped"),
        ("pmt_days", 6.5, 6, "snapped"),
        ("inst_prds", 15, 12, "snapped"),
        ("inst_prds", 21, 18, "snapped"),
        ("inst_prds", 10, 9, "snapped"),
        ("inst_prds", 22, 24, "snapped"),
        # Out of range is clamped.
        ("disc_ratio", 0.5, 0.3, "clamped"),
        ("disc_ratio", -0.1, 0.0, "clamped"),
        ("pmt_ratio", 0.0, 0.05, "clamped"),
        ("pmt_ratio", 1.0, 0.5, "clamped"),
        ("pmt_days", 0, 1, "clamped"),
        ("pmt_days", 30, 14, "clamped"),
        ("inst_prds", 1, 3, "clamped"),
        ("inst_prds", 60, 24, "clamped"),
    ],
)
def test_a_proposed_value_is_brought_onto_the_grid(
    dimension: Dimension, proposed: float, value: float, repair: str
) -> None:
    assert snap(dimension, proposed) == (value, repair)


@given(st.sampled_from(DIMENSIONS), st.floats(-10, 100))
def test_snapping_gives_the_nearest_legal_value_and_is_idempotent(
    dimension: Dimension, proposed: float
) -> None:
    value, _ = snap(dimension, proposed)
    assert value in GRID[dimension]
    assert abs(value - proposed) <= min(abs(v - proposed) for v in GRID[dimension]) + 1e-7
    assert snap(dimension, value) == (value, "")


@pytest.mark.parametrize("proposed", [nan, inf, -inf])
def test_what_is_no_number_cannot_be_snapped(proposed: float) -> None:
    with pytest.raises(TermsError, match="is not a number"):
        snap("disc_ratio", proposed)


def test_terms_off_the_grid_do_not_exist() -> None:
    with pytest.raises(TermsError, match=r"legal values: 0%, 5%, 10%, 15%, 20%, 25%, 30%"):
        Terms(0.12, 0.25, 7, 6)
    with pytest.raises(TermsError, match="legal values: 3, 6, 9, 12, 18, 24"):
        Terms(0.0, 0.25, 7, 5)


def test_an_unknown_dimension_is_answered_with_the_four() -> None:
    with pytest.raises(TermsError, match="disc_ratio, pmt_ratio, pmt_days, inst_prds"):
        dimension_named("discount")


# The payment plan


@given(debts, legal_terms)
def test_the_rows_of_a_plan_sum_exactly_to_what_is_owed(debt: int, terms: Terms) -> None:
    plan = payment_plan(debt, terms)
    owed = debt - debt * round(terms.disc_ratio * 100) // 100
    upfront = plan[0].principal
    fee = ((owed - upfront) * DEFAULT_FEES[terms.inst_prds] + 5000) // 10000
    assert sum(p.principal for p in plan) == owed
    assert sum(p.fee for p in plan) == fee
    assert all(p.amount == p.principal + p.fee for p in plan)
    assert all(p.principal >= 0 and p.fee >= 0 for p in plan)


@given(debts, legal_terms)
def test_a_plan_has_one_payment_at_once_and_then_one_a_month(debt: int, terms: Terms) -> None:
    days = [p.day for p in payment_plan(debt, terms)]
    assert days == [terms.pmt_days + 30 * k for k in range(terms.inst_prds + 1)]


@given(debts, legal_terms)
def test_cumulative_principal_is_rounded_up_to_the_fen_and_never_further(
    debt: int, terms: Terms
) -> None:
    plan = payment_plan(debt, terms)
    owed = sum(p.principal for p in plan)
    upfront = plan[0].principal
    assert 0 <= upfront * 100 - owed * round(terms.pmt_ratio * 100) < 100
    repaid = 0
    for k, payment in enumerate(plan[1:], start=1):
        repaid += payment.principal
        assert 0 <= repaid * terms.inst_prds - (owed - upfront) * k < terms.inst_prds


@given(debts, legal_terms)
def test_instalments_differ_by_at_most_one_fen_of_principal_and_one_of_fee(
    debt: int, terms: Terms
) -> None:
    monthly = payment_plan(debt, terms)[1:]
    assert max(p.principal for p in monthly) - min(p.principal for p in monthly) <= 1
    assert max(p.fee for p in monthly) - min(p.fee for p in monthly) <= 1


@given(debts)
def test_a_quarter_upfront_of_an_undiscounted_debt_is_a_quarter(debt: int) -> None:
    assert 4 * payment_plan(debt, Terms(0.0, 0.25, 7, 6))[0].principal >= debt


def test_a_plan_worked_out_by_hand() -> None:
    # 1,000.00 less 10 % is 900.00; a fifth at once; 720.00 and 1.95 % of it in three months.
    plan = payment_plan(100_000, Terms(0.10, 0.20, 5, 3))
    assert [tuple(p) for p in plan] == [
        (5, 18_000, 0, 18_000),
        (35, 24_000, 468, 24_468),
        (65, 24_000, 468, 24_468),
        (95, 24_000, 468, 24_468),
    ]


def test_a_lender_can_bring_its_own_fees() -> None:
    free = dict.fromkeys(DEFAULT_FEES, 0)
    assert all(p.fee == 0 for p in payment_plan(840_000, Terms(0.0, 0.25, 7, 6), free))


@given(st.integers(-(10**12), 10**12))
def test_yuan_become_whole_fen(fen: int) -> None:
    assert minor_units(fen / 100) == fen


# The mandate


@given(
    st.sampled_from(GRID["disc_ratio"]),
    st.sampled_from(GRID["pmt_ratio"]),
    st.sampled_from(GRID["pmt_days"]),
    st.sampled_from(GRID["inst_prds"]),
    legal_terms,
)
def test_a_mandate_allows_exactly_what_lies_within_its_limits(
    disc: float, pmt: float, days: int, months: int, terms: Terms
) -> None:
    mandate = Mandate(disc, pmt, days, months)
    within = {
        "disc_ratio": terms.disc_ratio <= disc,
        "pmt_ratio": terms.pmt_ratio >= pmt,
        "pmt_days": terms.pmt_days <= days,
        "inst_prds": terms.inst_prds <= months,
    }
    for dimension in DIMENSIONS:
        value = getattr(terms, dimension)
        assert mandate.allows(dimension, value) == within[dimension]
        assert (value in mandate.allowed(dimension)) == within[dimension]


def test_without_limits_the_mandate_is_the_whole_grid() -> None:
    assert {d: Mandate().allowed(d) for d in DIMENSIONS} == dict(GRID)


# Terms that a person types


@given(legal_terms)
def test_terms_are_read_back_as_they_are_written(terms: Terms) -> None:
    assert parse_terms(str(terms)) == terms


@given(legal_terms, st.sampled_from(["percent", "fraction", "bare"]))
def test_a_ratio_is_percent_or_a_fraction_below_one(terms: Terms, way: str) -> None:
    def text(dimension: Dimension) -> str:
        value = getattr(terms, dimension)
        if dimension not in RATIOS or way == "percent":
            return written(dimension, value)
        return f"{value}" if way == "fraction" else f"{round(value * 100)}"

    assert parse_terms(",".join(f"{d}={text(d)}" for d in DIMENSIONS)) == terms


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("disc_ratio=13.7%,pmt_ratio=25%,pmt_days=7,inst_prds=6", "legal values: 0%, 5%, 10%"),
        ("disc_ratio=0,pmt_ratio=25%,pmt_days=7.5,inst_prds=6", "legal values: 1, 2, 3"),
        ("disc_ratio=0,pmt_ratio=25%,pmt_days=7,inst_prds=7", "legal values: 3, 6, 9, 12, 18, 24"),
        ("disc_ratio=nan,pmt_ratio=25%,pmt_days=7,inst_prds=6", "legal values"),
        ("discount=0,pmt_ratio=25%,pmt_days=7,inst_prds=6", "the terms are disc_ratio, pmt_ratio"),
        ("disc_ratio=none,pmt_ratio=25%,pmt_days=7,inst_prds=6", "is not a number"),
        ("disc_ratio=0,pmt_ratio=25%,pmt_days=7", "without inst_prds"),
        ("disc_ratio=0,disc_ratio=0,pmt_ratio=25%,pmt_days=7,inst_prds=6", "given twice"),
        ("disc_ratio", "is no key=value"),
        ("", "without disc_ratio, pmt_ratio, pmt_days, inst_prds"),
    ],
)
def test_terms_that_cannot_be_meant_say_what_is_legal(text: str, said: str) -> None:
    with pytest.raises(TermsError, match=said) as caught:
        parse_terms(text)
    assert caught.value.exit_code == 2
