"""Agreement of judges, against the worked examples of the literature; what repeats tell."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrears.rng import rng_for
from arrears.scoring.agreement import (
    fleiss_kappa,
    krippendorff_alpha,
    share_within_sd,
    spearman,
    with_interval,
)
from arrears.scoring.repeats import components, components_with_judges, pass_hat

NO = float("nan")
# Fourteen raters put ten subjects into five classes: the worked example of Fleiss' κ.
COUNTS = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip
# Four observers, twelve units, missing values: Krippendorff (2011), "Computing Krippendorff's
# alpha-reliability", example C.
OBSERVERS = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NO, NO, NO],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NO, 3],
        [NO, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NO],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NO],
    ]
).T


def test_fleiss_kappa_of_the_worked_example() -> None:
    table = np.array([[k for k, n in enumerate(row) for _ in range(n)] for row in COUNTS], float)
    assert fleiss_kappa(table) == pytest.approx(0.210, abs=5e-4)


@pytest.mark.parametrize(
    ("level", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)]
)
def test_krippendorffs_alpha_of_the_worked_example(level: str, alpha: float) -> None:
    assert krippendorff_alpha(OBSERVERS, level) == pytest.approx(alpha, abs=5e-4)  # type: ignore[arg-type]


marks = st.lists(st.integers(1, 5), min_size=4, max_size=30)


@given(marks, st.integers(0, 1000))
@settings(max_examples=200)
def test_spearman_is_scipys(a: list[int], seed: int) -> None:
    from scipy.stats import spearmanr

    x = np.array(a, float)
    y = rng_for(seed, "y").integers(1, 6, len(a)).astype(float)
    ours = spearman(x, y)
    if len(set(a)) == 1 or len(set(y)) == 1:
        assert np.isnan(ours)
    else:
        assert ours == pytest.approx(spearmanr(x, y).statistic, abs=1e-12)


def test_perfect_agreement_is_one_and_none_is_undefined() -> None:
    table = np.array([[1.0, 1.0], [2.0, 2.0], [5.0, 5.0]])
    assert fleiss_kappa(table) == pytest.approx(1)
    assert krippendorff_alpha(table) == pytest.approx(1)
    same = np.full((5, 3), 4.0)
    assert np.isnan(fleiss_kappa(same)), "agreement on a constant says nothing"
    assert np.isnan(krippendorff_alpha(same))
    assert np.isnan(fleiss_kappa(np.empty((0, 2))))
    assert np.isnan(krippendorff_alpha(np.array([[1.0, NO], [NO, 2.0]])))


def test_raters_by_chance_agree_as_chance_would() -> None:
    table = rng_for(1, "chance").integers(1, 6, (4000, 3)).astype(float)
    assert abs(fleiss_kappa(table)) < 0.03
    assert abs(krippendorff_alpha(table)) < 0.03


def test_share_within_one_human_standard_deviation() -> None:
    """Pooled deviation of people about their own mean: here √2·½ on each unit."""
    humans = np.array([[4.0, 5.0], [6.0, 7.0], [2.0, 3.0], [8.0, 9.0]])
    judge = np.array([4.5, 7.1, 3.3, 8.0])
    assert share_within_sd(judge, humans) == pytest.approx(3 / 4)
    assert np.isnan(share_within_sd(np.full(4, NO), humans))
    alone = np.array([[2.0], [4.0], [6.0]])
    assert share_within_sd(np.array([4.0, 4.0, 9.0]), alone) == pytest.approx(2 / 3)


def test_a_normal_judge_lies_within_one_deviation_as_often_as_it_should() -> None:
    """A judge that errs like one person against the mean of many: 68 %."""
    rng = rng_for(3, "people")
    truth = rng.normal(5, 2, (4000, 1))
    humans = truth + rng.normal(0, 1, (4000, 9))
    judge = truth[:, 0] + rng.normal(0, 1, 4000)
    assert share_within_sd(judge, humans) == pytest.approx(0.66, abs=0.03)


def test_an_interval_holds_the_value_and_narrows_with_more_units() -> None:
    rng = rng_for(5, "table")
    truth = rng.normal(0, 1, (400, 1))
    table = np.round(truth * 2 + rng.normal(0, 1, (400, 2)))
    few = with_interval(krippendorff_alpha, table[:40], rng_for(1, "a"), 300)
    many = with_interval(krippendorff_alpha, table, rng_for(1, "a"), 300)
    for found in (few, many):
        assert found.low < found.value < found.high
    assert many.high - many.low < (few.high - few.low) / 2


def test_pass_hat_k_is_the_chance_that_k_talks_all_succeed() -> None:
    cases = {"a": [True, True, True, False], "b": [False] * 4, "c": [True] * 4}
    found = pass_hat(cases)
    assert found[1].value == pytest.approx((3 / 4 + 0 + 1) / 3)
    assert found[2].value == pytest.approx((3 / 6 + 0 + 1) / 3)
    assert found[4].value == pytest.approx(1 / 3)
    assert pass_hat({}) == {}


repeated = st.dictionaries(
    st.integers(), st.lists(st.booleans(), max_size=5), min_size=1, max_size=8
)


@given(repeated)
def test_pass_hat_k_is_that_of_every_way_to_draw_k_repeats(
    cases: Mapping[int, list[bool]],
) -> None:
    """Point and interval, whatever number of repeats each case has: those without k are left out
    of pass^k, and no repeat of those with more is."""
    found = pass_hat(cases)
    assert list(found) == list(range(1, 1 + max(map(len, cases.values()))))
    for k, one in found.items():
        chances = [
            float(np.mean([all(draw) for draw in combinations(runs, k)]))
            for runs in cases.values()
            if len(runs) >= k
        ]
        assert one.cases == len(chances)
        assert one.value == pytest.approx(np.mean(chances))
        assert 0 <= one.low <= one.value + 1e-9
        assert one.value - 1e-9 <= one.high <= 1


def test_pass_hat_k_is_unbiased() -> None:
    rng = rng_for(7, "pass")
    draws = rng.random((20_000, 5)) < 0.7
    found = pass_hat({str(i): list(map(bool, row)) for i, row in enumerate(draws)})
    for k in range(1, 6):
        assert found[k].value == pytest.approx(0.7**k, abs=0.01)


def test_components_of_known_variances() -> None:
    rng = rng_for(9, "spread")
    case = rng.normal(0, 2.0, (3000, 1, 1))
    repeat = rng.normal(0, 1.0, (3000, 4, 1))
    judge = rng.normal(0, 0.5, (3000, 4, 3))
    found = components_with_judges(case + repeat + judge)
    assert found.cases == pytest.approx(4.0, rel=0.1)
    assert found.repeats == pytest.approx(1.0, rel=0.1)
    assert found.judge == pytest.approx(0.25, rel=0.1)
    plain = components((case + repeat)[:, :, 0])
    assert plain.cases == pytest.approx(4.0, rel=0.1)
    assert plain.repeats == pytest.approx(1.0, rel=0.1)
    assert sum(x for x in found.shares() if x is not None) == pytest.approx(1)


def test_components_bear_repeats_that_are_missing() -> None:
    """Known variances, and cases with two to four repeats; the same as balanced where none is."""
    rng = rng_for(9, "gaps")
    case = rng.normal(0, 2.0, (3000, 1, 1))
    repeat = rng.normal(0, 1.0, (3000, 4, 1))
    judge = rng.normal(0, 0.5, (3000, 4, 3))
    scores = case + repeat + judge
    scores[:2000, 3] = NO
    scores[:1000, 2] = NO
    found = components_with_judges(scores)
    assert found.cases == pytest.approx(4.0, rel=0.1)
    assert found.repeats == pytest.approx(1.0, rel=0.1)
    assert found.judge == pytest.approx(0.25, rel=0.1)
    alone = np.vstack([scores[:, :, 0], np.full((5, 4), NO)])
    assert components(alone) == components(scores[:, :, 0]), "a case that nobody scored is none"


def test_components_of_an_unbalanced_table_by_hand() -> None:
    """Two cases with 3 and 1 repeats: within 2 over 2 degrees, n0 = (4 − 10/4) / 1 = 1.5."""
    found = components(np.array([[1.0, 2.0, 3.0], [6.0, NO, NO]]))
    between = 3 * (2 - 3) ** 2 + 1 * (6 - 3) ** 2
    assert found.repeats == pytest.approx(1.0)
    assert found.cases == pytest.approx((between - 1.0) / 1.5)


def test_components_are_never_negative_and_need_repeats() -> None:
    flat = components(np.array([[0.0, 1.0], [1.0, 0.0]]))
    assert flat.cases == 0
    assert components(np.ones((3, 3))).shares() == (0, 0, None)
    with pytest.raises(ValueError, match="cannot be told apart"):
        components(np.ones((3, 1)))
    with pytest.raises(ValueError, match="cannot be told apart"):
        components(np.array([[1.0, 2.0], [NO, NO]]))
    with pytest.raises(ValueError, match="cannot be told apart"):
        components_with_judges(np.ones((3, 2, 1)))
