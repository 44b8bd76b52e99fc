"""The foresight reward ranks agreements as docs/cfpo.md says."""

from itertools import pairwise

import pytest

from arrears.debtors.record import Debtor
from arrears.debtors.suites import load_suite
from arrears.dialogue.record import Dialogue, Turn
from arrears.scoring.unscored import Unscored
from arrears.terms import CREDITOR_PREFERS, DIMENSIONS, Mandate, Terms, all_terms
from arrears.training.reward import (
    Weights,
    agreement_quality,
    foresight_reward,
    present_value,
)

FIRM = Terms(disc_ratio=0.0, pmt_ratio=0.25, pmt_days=7, inst_prds=6)


def debtor(assets: float = 4000.0, income: float = 200.0, expense: float = 140.0) -> Debtor:
    """Somebody who owes 8,400 yuan."""
    someone = load_suite("dcn")[0]
    return someone.model_copy(
        update={
            "background": someone.background.model_copy(update={"need_coll_amt": 8400.0}),
            "finances": someone.finances.model_copy(
                update={"assets": assets, "avg_daily_income": income, "avg_daily_expense": expense}
            ),
        }
    )


def talk(terms: Terms | None) -> Dialogue:
    """A talk that ended so."""
    return Dialogue(
        case="c", suite="s", debtor_id="d", collector="x", debtor_seat="y", mandate=Mandate(),
        turns=(Turn("collector", "Hello.", ()), Turn("debtor", "Yes?", ())),
        ending="agreed" if terms else "max_turns", terms=terms,
    )  # fmt: skip


def test_a_worked_example() -> None:
    # 2,100 on day 7; 6,300 with a fee of 3.6 %, 226.80, over six months: 1,087.80 a month.
    paid = 2100 * 1.24 ** (-7 / 365) + sum(
        1087.80 * 1.24 ** (-(7 + 30 * k) / 365) for k in range(1, 7)
    )
    assert present_value(FIRM, 8400.0) == pytest.approx(paid / 8400)
    assert present_value(FIRM, 8400.0) == pytest.approx(0.9767, abs=5e-5)


def test_every_step_toward_the_creditor_is_worth_more_on_the_whole_grid() -> None:
    worth = {
        (t.disc_ratio, t.pmt_ratio, t.pmt_days, t.inst_prds): present_value(t, 10_000.0)
        for t in all_terms()
    }
    for at, dim in enumerate(DIMENSIONS):
        values = sorted({key[at] for key in worth}, key=lambda v: v * CREDITOR_PREFERS[dim])
        for worse, better in pairwise(values):
            for key, value in worth.items():
                if key[at] == worse:
                    assert value < worth[(*key[:at], better, *key[at + 1 :])], (dim, key)
    assert 0 < min(worth.values()) < max(worth.values()) <= 1


def test_a_rate_at_the_fees_own_level_would_reward_waiting() -> None:
    long, short = (Terms(disc_ratio=0.0, pmt_ratio=0.25, pmt_days=7, inst_prds=m) for m in (24, 3))
    assert present_value(long, 10_000.0, 0.12) > present_value(short, 10_000.0, 0.12)
    assert present_value(long, 10_000.0) < present_value(short, 10_000.0)


def test_what_cannot_be_kept_is_worth_nothing_like_no_agreement() -> None:
    assert agreement_quality(FIRM, debtor()) == pytest.approx(0.9767, abs=5e-5)
    assert agreement_quality(FIRM, debtor(assets=600.0, income=142.0)) == 0.0
    assert agreement_quality(None, debtor()) == 0.0


def test_constructed_agreements_are_ranked_as_the_page_says() -> None:
    someone = debtor()

    def worth(disc: float, pmt: float, days: int, months: int) -> float:
        return agreement_quality(
            Terms(disc_ratio=disc, pmt_ratio=pmt, pmt_days=days, inst_prds=months), someone
        )

    assert worth(0.0, 0.25, 7, 6) > worth(0.0, 0.25, 7, 24) > worth(0.05, 0.25, 7, 6)
    assert worth(0.05, 0.05, 14, 24) > worth(0.10, 0.35, 3, 9) > worth(0.30, 0.5, 1, 12)
    assert worth(0.30, 0.5, 1, 12) > 0 == worth(0.0, 0.5, 1, 3)  # This one ruins.


def test_the_parts_are_weighted_and_lie_between_nought_and_one() -> None:
    someone = debtor()
    both = foresight_reward(talk(FIRM), someone, us=5.5)
    assert both.experience == pytest.approx(0.5)
    assert both.total == pytest.approx(0.5 * both.agreement + 0.25)
    only = foresight_reward(talk(FIRM), someone, Weights(1.0, 0.0), us=1.0)
    assert only.total == only.agreement == pytest.approx(0.9767, abs=5e-5)
    assert foresight_reward(talk(FIRM), someone, Weights(0.0, 1.0), us=10.0).total == 1.0


def test_an_unjudged_talk_has_no_reward() -> None:
    reward = foresight_reward(talk(FIRM), debtor(), us=Unscored("the judge was ill"))
    assert reward.total == Unscored("the judge was ill")
    assert reward.agreement > 0.9
