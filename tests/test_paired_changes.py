"""How sure a change is: its interval, its p and its verdict, over debtors met before and after."""

import numpy as np
import pytest

from arrears.rng import rng_for
from arrears.scoring.statistics import paired
from arrears.training.report.paired import Change, adjusted, changes
from arrears.training.report.scores import LEARNT
from arrears.training.report.words import moved


def columns(seed: int, n: int = 50) -> tuple[np.ndarray, np.ndarray]:
    """Scores of so many debtors before and after."""
    rng = np.random.default_rng(seed)
    before = rng.normal(size=(n, 1))
    return before, before + rng.normal(0.3, 0.5, size=(n, 1))


def test_a_plain_mean_changes_as_the_houses_paired_comparison_says() -> None:
    before, after = columns(1)
    (found,) = changes(before, after, rng_for(5, "x"))
    same = paired(list(after[:, 0]), list(before[:, 0]), rng_for(5, "x"))
    assert found[2:6] == pytest.approx((same.value, same.low, same.high, same.p))
    assert (found.before, found.after) == pytest.approx((before.mean(), after.mean()))


def test_means_over_agreements_are_resampled_with_their_debtors() -> None:
    rng = np.random.default_rng(3)
    before, after = rng.normal(size=(2, 40, 1))
    before[rng.random(40) < 0.3] = np.nan
    after[rng.random(40) < 0.2] = np.nan
    (found,) = changes(before, after, rng_for(7, "y"))
    draws = rng_for(7, "y")
    gaps = [
        float(np.nanmean(after[pick]) - np.nanmean(before[pick]))
        for _ in range(20)
        for pick in draws.integers(0, 40, (100, 40))
    ]
    assert found.difference == pytest.approx(np.nanmean(after) - np.nanmean(before))
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(gaps, [0.025, 0.975])))


def test_fewer_agreements_do_not_make_a_share_of_them_significant() -> None:
    # 300 of 300 kept before; 273 agreements after, of which 2 are not: by chance as often as not.
    before, after = np.ones((300, 1)), np.ones((300, 1))
    after[:27], after[27:29] = np.nan, 0.0
    (found,) = changes(before, after, rng_for(1, "z"))
    assert found.p is not None
    assert found.p > 0.2


def test_repeats_with_the_same_debtor_are_no_new_debtors() -> None:
    before, after = columns(4)
    (once,) = changes(before, after, rng_for(1, "r"))
    (twice,) = changes(
        before.repeat(2, axis=0), after.repeat(2, axis=0), rng_for(1, "r"), repeats=2
    )
    assert twice[:6] == pytest.approx(once[:6])


def test_what_nothing_is_known_of_has_no_change() -> None:
    nothing, some = np.full((6, 1), np.nan), np.ones((6, 1))
    (found,) = changes(nothing, some, rng_for(1, "n"))
    assert found[:6] == (None, 1.0, None, None, None, None)
    assert found.verdict(1) == ""
    (same,) = changes(some, some, rng_for(1, "n"))
    assert (same.difference, same.p, same.verdict(1)) == (0.0, 1.0, "same")


def test_a_single_debtor_makes_no_interval() -> None:
    (found,) = changes(
        np.array([[1.0], [2.0]]), np.array([[3.0], [4.0]]), rng_for(1, "o"), repeats=2
    )
    assert found[:6] == (1.5, 3.5, 2.0, None, None, 1.0)
    assert found.verdict(1) == "same"
    plain = next(m for m in LEARNT if m.key == "reward")
    assert moved("it", plain, found) == "it did not change measurably (+2.000, of one debtor)"


def test_what_holm_lets_pass_is_marked_and_nothing_else() -> None:
    up = Change(0.0, 0.2, 0.2, 0.1, 0.3, 0.01, 0.02)
    assert [up.verdict(better) for better in (1, -1, 0)] == ["better", "worse", "other"]
    assert up._replace(p_adjusted=0.06).verdict(1) == "same", "whatever its own interval says"
    assert up._replace(p_adjusted=None).verdict(1) == "same", "not before it was corrected"
    unknown = Change(None, 1.0, None, None, None, None)
    holm = adjusted([up, unknown, up._replace(p=0.04)])
    assert [one.p_adjusted for one in holm] == [0.02, None, 0.04]
