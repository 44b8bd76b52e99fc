"""Built-in debtors: money as docs/domain.md has it, persons that hang together."""

from collections import Counter
from itertools import islice
from math import log

import numpy as np
import pytest

from arrears.debtors.distributions import cholesky, distributions
from arrears.debtors.life import REASON_CATEGORIES
from arrears.debtors.persona import voice_family
from arrears.debtors.population import make_debtor, make_population
from arrears.debtors.record import CATEGORIES, MBTI_TYPES, Debtor
from arrears.debtors.statistics import correlations, describe_population
from arrears.errors import UnknownName


@pytest.fixture(scope="module")
def records() -> list[Debtor]:
    """Six thousand `dcn` records, enough for two digits."""
    return list(make_population("dcn", 6000, seed=77))


@pytest.fixture(scope="module")
def people() -> list[Debtor]:
    """Three thousand personas."""
    return list(make_population("debtbench", 3000, seed=77))


def test_debt_assets_and_surplus_are_those_of_docs_domain(records: list[Debtor]) -> None:
    ln_debt = np.array([log(d.background.need_coll_amt) for d in records])
    ln_assets = np.array([log(d.finances.assets) for d in records])
    ln_surplus = np.array([log(d.finances.avg_daily_balance) for d in records])
    assert ln_debt.mean() == pytest.approx(9.046, abs=0.02)
    assert ln_debt.std() == pytest.approx(0.439, abs=0.015)
    slope, constant = np.polyfit(ln_debt, ln_assets, 1)
    assert slope == pytest.approx(0.502, abs=0.02)
    assert (ln_assets - slope * ln_debt - constant).std() == pytest.approx(0.195, abs=0.01)
    slope, constant = np.polyfit(ln_debt, ln_surplus, 1)
    assert slope == pytest.approx(0.476, abs=0.05)
    assert (ln_surplus - slope * ln_debt - constant).std() == pytest.approx(0.359, abs=0.02)


@pytest.mark.parametrize(
    ("field", "low", "median", "high"),
    [
        ("need_coll_amt", 4200, 8400, 17500),
        ("assets", 2400, 4000, 6500),
        ("avg_daily_balance", 29, 58, 112),
    ],
)
def test_quantiles_are_those_of_docs_domain(
    records: list[Debtor], field: str, low: float, median: float, high: float
) -> None:
    found = describe_population(records)["quantiles"][field]
    assert [found[0], found[2], found[4]] == pytest.approx([low, median, high], rel=0.06)


def test_nobody_owes_more_than_was_lent_and_expense_is_its_share_of_income(
    records: list[Debtor],
) -> None:
    for debtor in records:
        assert debtor.background.need_coll_amt <= debtor.background.bal_due
        assert 30 <= debtor.background.overdue_days <= 720
        money = debtor.finances
        assert 0.42 <= money.avg_daily_expense / money.avg_daily_income <= 0.88
        assert debtor.personality is None
        assert debtor.scenario is None


def test_the_vocabulary_is_rich() -> None:
    d = distributions()
    assert len(d.characters) >= 60
    assert len(d.styles) >= 40
    assert len(REASON_CATEGORIES) >= 16
    assert len({w.family for w in d.styles}) == 8


def test_every_word_type_and_reason_occurs(people: list[Debtor]) -> None:
    figures = describe_population(people)
    d = distributions()
    assert set(figures["mbti"]) == set(MBTI_TYPES)
    assert set(figures["character"]) == {w.text for w in d.characters}
    assert set(figures["style"]) == {w.text for w in d.styles}
    assert set(figures["reasons"]) == set(REASON_CATEGORIES)


def test_shares_of_the_categories_hold_in_any_run_of_people(people: list[Debtor]) -> None:
    wanted = dict(distributions().shares)
    for run in (people, people[:1000], people[500:1500]):
        counts = Counter(d.category for d in run)
        for category in CATEGORIES:
            assert counts[category] / len(run) == pytest.approx(wanted[category], abs=0.005)


def test_persons_go_with_their_category(people: list[Debtor]) -> None:
    by = describe_population(people)["by_category"]
    assert max(by, key=lambda c: by[c]["anger"]) == "confrontational"
    assert max(by, key=lambda c: by[c]["disgust"]) == "confrontational"
    assert max(by, key=lambda c: by[c]["sadness"]) == "helpless"
    assert max(by, key=lambda c: by[c]["fear"]) == "helpless"
    assert min(by, key=lambda c: by[c]["resilience"]) == "helpless"
    assert max(by, key=lambda c: by[c]["responsibility"]) == "cooperative"
    evasive = {
        c: np.mean(
            [
                d.personality is not None and voice_family(d.personality.style) == "evasive"
                for d in people
                if d.category == c
            ]
        )
        for c in CATEGORIES
    }
    assert max(evasive, key=lambda c: evasive[c]) == "avoidant"
    assert evasive["avoidant"] > 2 * evasive["cooperative"]


def test_categories_overlap_so_that_nobody_is_a_script(people: list[Debtor]) -> None:
    """Among the calmest confrontational there are calmer ones than the angriest cooperative."""
    anger = {
        c: [d.personality.emotions.anger for d in people if d.category == c and d.personality]
        for c in CATEGORIES
    }
    for category in CATEGORIES:
        assert len(set(anger[category])) >= 6
    assert np.quantile(anger["confrontational"], 0.1) < np.quantile(anger["cooperative"], 0.9)


def test_traits_correlate_as_it_is_written(people: list[Debtor]) -> None:
    """Rounding to whole numbers and the cut at 0 weaken a correlation, they do not turn it."""
    found = correlations(people)
    d = distributions()
    for i, a in enumerate(d.latents):
        for j in range(i):
            written, seen = d.correlation[i][j], found[a][d.latents[j]]
            if abs(written) >= 0.15:
                assert seen * written > 0, (a, d.latents[j])
            assert abs(seen) <= abs(written) + 0.08, (a, d.latents[j])
            assert abs(seen) >= 0.5 * abs(written) - 0.06, (a, d.latents[j])


def test_the_root_of_the_correlation_is_a_root() -> None:
    d = distributions()
    full = np.zeros((11, 11))
    for i, row in enumerate(d.root):
        full[i, : i + 1] = row
    assert np.allclose(full @ full.T, np.array(d.correlation))
    with pytest.raises(ValueError, match="positive definite"):
        cholesky(((1.0, 2.0), (2.0, 1.0)))


def test_words_of_character_do_not_contradict_one_another(people: list[Debtor]) -> None:
    excluded = distributions().excluded
    for debtor in people:
        assert debtor.personality is not None
        words = debtor.personality.character
        assert 2 <= len(set(words)) == len(words) <= 4
        assert not any(a in excluded[b] for a in words for b in words)


def test_a_person_does_not_depend_on_how_many_are_made() -> None:
    few = list(make_population("debtbench", 12, seed=5))
    many = list(islice(make_population("debtbench", 900, seed=5), 12))
    assert few == many
    assert make_debtor("debtbench", 5, 11, few[11].id) == few[11]


def test_another_seed_gives_other_people() -> None:
    one = {d.background.need_coll_amt for d in make_population("dcn", 50, seed=1)}
    other = {d.background.need_coll_amt for d in make_population("dcn", 50, seed=2)}
    assert not one & other


def test_an_unknown_suite_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="known: dcn, debtbench"):
        list(make_population("debtbank", 1, seed=1))
