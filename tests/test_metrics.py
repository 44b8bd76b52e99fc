"""The metrics of both papers by their rules, on dialogues small enough to reckon by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from arrears.debtors.suites import load_suite
from arrears.dialogue.acts import act
from arrears.dialogue.record import Dialogue, Ending, Turn
from arrears.economy.position import money_of
from arrears.economy.projection import project
from arrears.scoring import dcn
from arrears.scoring.debtbench import (
    collection_efficiency,
    collection_rate,
    long_term_sustainability,
    short_term_affordability,
)
from arrears.scoring.row import Row, columns_of, row_from, score
from arrears.scoring.statistics import bootstrap, holm, mean_interval, paired, wilson
from arrears.scoring.summary import compare, summarise
from arrears.scoring.unscored import Unscored
from arrears.terms import Mandate, Terms

PERSON = load_suite("dcn")[0]
GOOD = Terms(0.05, 0.10, 14, 12)
RUIN = Terms(0.0, 0.50, 1, 3)


def dialogue(
    terms: Terms | None, ending: Ending = "agreed", turns: int = 3, n: int = 1
) -> Dialogue:
    """A talk of so many turns about discount and months only."""
    messages: list[Turn] = []
    for number in range(1, turns + 1):
        messages.append(
            Turn(
                "collector",
                "Good day, please, 5% off?",
                (act("ask", "disc_ratio", 0.05),),
                number=number,
            )
        )
        messages.append(
            Turn("debtor", "I need 12 months.", (act("ask", "inst_prds", 12),), number=number)
        )
    return Dialogue(
        case=f"dcn/x/{n}/1", suite="dcn", debtor_id=PERSON.id, collector="x", debtor_seat="y",
        mandate=Mandate(), turns=tuple(messages), ending=ending, terms=terms,
    )  # fmt: skip


def test_formulas_of_debtbench() -> None:
    terms = Terms(0.10, 0.25, 5, 6)
    assert collection_rate(terms.disc_ratio) == pytest.approx(0.9)
    assert collection_rate(None) == 0
    # (1 − .1)·(.25/5 + .75/180) = .0488 a day, 4.875 percent
    assert collection_efficiency(terms) == pytest.approx(4.875)
    # .85·(4000 + 5·100) / (10,000·.9·.25)
    assert short_term_affordability(terms, 10_000, 4000, 100) == pytest.approx(1.7)
    # .95·100·30·6 / (10,000·.9·.75)
    assert long_term_sustainability(terms, 10_000, 100) == pytest.approx(17_100 / 6_750)


def test_a_row_holds_what_the_projection_says() -> None:
    row = score(dialogue(GOOD), PERSON)
    p = project(money_of(PERSON), GOOD)
    assert (row.success, row.qrd, row.hrd, row.cd) == (p.success, p.qrd, p.hrd, p.cd)
    assert (row.l1d, row.l2d, row.atv) == (p.l1d, p.l2d, p.atv)
    assert row.recovery == pytest.approx(0.95)
    assert row.turns == 3
    assert row.dc == 0.5, "two of the four terms were spoken of"


def test_without_agreement_days_are_of_nobody_and_quality_is_unscored_not_zero() -> None:
    row = score(dialogue(None, "max_turns"), PERSON)
    assert (row.success, row.recovery, row.qrd, row.cd, row.own_cri) == (
        False,
        0.0,
        None,
        None,
        None,
    )
    assert row.ce == row.sa == row.ls == Unscored("no agreement")
    assert row.own_cci == 0
    assert row.l2d >= 0


def test_a_plan_that_fails_counts_as_an_agreement_and_not_as_a_success() -> None:
    row = score(dialogue(RUIN), PERSON)
    assert row.agreed
    assert not row.success
    assert (row.recovery, row.own_cci) == (0.0, 0.0)
    found = dcn.averages([row, score(dialogue(GOOD, n=2), PERSON)])
    assert (0.5, pytest.approx(0.475)) == (found.SR, found.RR)
    assert pytest.approx((1 + 90 + 14 + 360) / 2) == found.CD, "CD is averaged over agreements"


def test_averages_take_days_over_agreements_and_health_over_all() -> None:
    rows = [score(dialogue(GOOD), PERSON), score(dialogue(None, "walked_away", n=2), PERSON)]
    found = dcn.averages(rows)
    assert found.CD == 374
    assert pytest.approx((rows[0].l2d + rows[1].l2d) / 2) == found.L2D
    assert found.SR == 0.5


def test_without_any_agreement_cri_and_cci_are_unscored() -> None:
    rows = [score(dialogue(None, "max_turns", n=n), PERSON) for n in range(3)]
    found = dcn.averages(rows)
    assert math.isnan(found.QRD)
    cri, dhi, cci = dcn.indices(np.array(found))
    assert math.isnan(cri)
    assert math.isnan(cci)
    assert not math.isnan(dhi)
    summary = summarise(rows, np.random.default_rng(1), 50)
    assert summary.dcn["CCI"].value is None
    assert (summary.dcn["CCI"].scored, summary.dcn["CCI"].unscored) == (0, 3)
    assert summary.debtbench["CE"].value is None


def test_theta_weighs_the_creditors_side_where_it_is_above_one() -> None:
    """As the formula's docstring says, with its figures; θ below one weighs the debtor's side."""
    cci = dcn.comprehensive_collection_index

    def gains(theta: float, cri: float, dhi: float, step: float = 0.01) -> tuple[float, float]:
        here = cci(cri, dhi, theta)
        return cci(cri + step, dhi, theta) - here, cci(cri, dhi + step, theta) - here

    by_cri, by_dhi = gains(2, 0.71, 0.99)
    assert (by_cri, by_dhi) == (pytest.approx(0.009, abs=5e-4), pytest.approx(0.001, abs=5e-4))
    for side in (0.1, 0.5, 1.0):
        by_cri, by_dhi = gains(2, side, side, 1e-6)
        assert by_cri == pytest.approx(4 * by_dhi, rel=1e-3), "θ² times as much, where both are one"
        by_cri, by_dhi = gains(0.5, side, side, 1e-6)
        assert by_dhi == pytest.approx(4 * by_cri, rel=1e-3)
        assert gains(1, side, side)[0] == pytest.approx(gains(1, side, side)[1])
    told = dcn.comprehensive_collection_index.__doc__ or ""
    assert "θ > 1 gives the creditor's side, CRI, the greater weight" in " ".join(told.split())


def test_nothing_has_no_average() -> None:
    with pytest.raises(ValueError, match="no dialogues"):
        dcn.averages([])
    with pytest.raises(ValueError, match="no dialogues"):
        summarise([], np.random.default_rng(1))


@pytest.mark.parametrize(("ending", "unscored"), [("error", 0), ("malformed", 1)])
def test_a_broken_dialogue_is_unjudged_and_left_out_of_the_mean(
    ending: Ending, unscored: int
) -> None:
    broken, whole = score(dialogue(None, ending), PERSON), score(dialogue(GOOD, n=2), PERSON)
    assert broken.us == Unscored(f"the talk ended as {ending}")
    us = summarise([broken, whole], np.random.default_rng(1), 50).debtbench["US"]
    assert us.value == whole.us
    assert (us.scored, us.unscored) == (1, unscored), "what failed from outside was never there"


def test_a_row_survives_the_way_through_plain_values() -> None:
    rows = [score(dialogue(GOOD), PERSON), score(dialogue(None, "error"), PERSON)]
    columns = columns_of(rows)
    for i, row in enumerate(rows):
        assert row_from({name: values[i] for name, values in columns.items()}) == row


def scripted(us: list[float], collector: str) -> list[Row]:
    """Rows that differ in satisfaction only, one debtor each."""
    base = score(dialogue(GOOD), PERSON)
    return [
        replace(
            base, us=value, collector=collector, debtor_id=f"d{i}", case=f"dcn/{collector}/d{i}/1"
        )
        for i, value in enumerate(us)
    ]


def test_pairs_are_made_of_the_same_debtors() -> None:
    a, b = scripted([5.0, 6.0, 7.0, 8.0] * 10, "a"), scripted([4.0, 5.0, 6.0, 7.0] * 10, "b")
    (found,) = compare({"a": a, "b": b[5:]}, np.random.default_rng(1), ("US",), 400)
    assert (found.difference.n, found.difference.value) == (35, 1.0)
    assert found.p_adjusted < 0.01


def test_equal_collectors_do_not_differ() -> None:
    a = scripted([5.0, 6.0, 7.0], "a")
    (found,) = compare(
        {"a": a, "b": scripted([5.0, 6.0, 7.0], "b")}, np.random.default_rng(1), ("US",), 200
    )
    assert (found.difference.value, found.p_adjusted) == (0.0, 1.0)


def test_an_unscored_side_leaves_its_pair_out() -> None:
    a = scripted([5.0, 6.0], "a")
    a[0] = replace(a[0], us=Unscored("judge failed"))
    (found,) = compare(
        {"a": a, "b": scripted([5.0, 5.0], "b")}, np.random.default_rng(1), ("US",), 50
    )
    assert found.difference.n == 1


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(200):
        found = mean_interval(list(rng.normal(1.0, 1.0, 60)), rng, 300)
        hits += found.low <= 1.0 <= found.high
    assert 0.88 <= hits / 200 <= 0.99


def test_wilson_interval_of_a_share() -> None:
    """Ten of ten is no certainty: Wilson's lower end is 1 / (1 + z²/n)."""
    found = wilson(10, 10)
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(10 / (10 + 1.959964**2))
    with pytest.raises(ValueError, match="nothing"):
        wilson(0, 0)


def test_holm_correction() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


def test_paired_needs_pairs() -> None:
    with pytest.raises(ValueError, match="no pairs"):
        paired([1.0], [1.0, 2.0], np.random.default_rng(1))


def test_the_same_generator_gives_the_same_interval() -> None:
    table = np.random.default_rng(1).normal(size=(50, 2))
    one = bootstrap(table, dcn.means, np.random.default_rng(9), 100)
    assert one == bootstrap(table, dcn.means, np.random.default_rng(9), 100)


def test_repeats_with_the_same_debtors_are_no_new_debtors() -> None:
    """Five identical repeats: the same means, and intervals that are no narrower."""
    from dataclasses import replace

    from arrears.rng import rng_for
    from tests.talks import talks

    people = {d.id: d for d in load_suite("debtbench", "test")[:60]}
    once = [score(t, people[t.debtor_id]) for t in talks("scripted/typical", "debtbench", 60)]
    other = [score(t, people[t.debtor_id]) for t in talks("scripted/firm", "debtbench", 60)]

    def repeated(rows: list[Row]) -> list[Row]:
        return [
            replace(row, case=f"{row.case.rpartition('/')[0]}/{n}")
            for n in range(1, 6)
            for row in rows
        ]

    one, five = (summarise(rows, rng_for(1, "x"), 400) for rows in (once, repeated(once)))
    for name, metric in one.debtbench.items():
        more = five.debtbench[name]
        assert more.value == pytest.approx(metric.value)
        assert metric.low is not None
        assert metric.high is not None
        assert more.low == pytest.approx(metric.low, abs=1e-9)
        assert more.high == pytest.approx(metric.high, abs=1e-9)
        assert more.scored == 5 * metric.scored
    single, many = (
        compare({"a": a, "b": b}, rng_for(1, "y"), ("own CCI",), 400)[0]
        for a, b in ((once, other), (repeated(once), repeated(other)))
    )
    assert many.difference.n == single.difference.n == 60
    assert many.difference.low == pytest.approx(single.difference.low)
