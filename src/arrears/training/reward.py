"""The foresight reward: what a whole talk is worth to both sides (DebtBench §4.2, eq. 3 to 5).

    R(τ) = w_aq · f(α) + w_ie · experience(τ)

The paper leaves f open ("domain-informed"). Here f(α) is the present value of the payments that the
debtor has agreed to, over the amount to be collected, and 0 where there is no agreement or where
the projection says that the debtor cannot keep it:

    f(α) = keeps(α) · [ u·(1+r)^(−d/365) + Σ_k m·(1+r)^(−(d+30k)/365) ] / D

with u the upfront payment due on day d, m the monthly payment, k = 1 … `inst_prds`, fees included,
D the amount to be collected and r the creditor's yearly rate. The fee schedule pays the creditor
about 14 % a year for waiting; r has to lie above that, or waiting would be worth more than money.
At 24 % every discount, every smaller first payment, every later day and every longer plan lowers f,
on the whole grid (tests/test_reward.py), and f never exceeds 1.

The experience is a judge's mark of the debtor's satisfaction, 1 to 10, brought to [0, 1]. An
unjudged talk has no reward: it is neither 0 nor 1.
"""

from typing import Final, NamedTuple

from arrears.debtors.record import Debtor
from arrears.dialogue.record import Dialogue
from arrears.economy.position import money_of
from arrears.economy.projection import project
from arrears.scoring.rubric import judge
from arrears.scoring.unscored import Score, Unscored
from arrears.terms import Terms, minor_units, payment_plan

YEARLY_RATE: Final = 0.24
"""What a creditor wants for waiting a year. Above the fee schedule's own 12 to 15 %."""


class Weights(NamedTuple):
    """How much each part counts; not negative."""

    agreement: float = 0.5
    """w_aq, of the agreement's quality."""
    experience: float = 0.5
    """w_ie, of how it felt."""
    yearly_rate: float = YEARLY_RATE


class Reward(NamedTuple):
    """The reward of one talk and its parts."""

    total: Score
    agreement: float
    """f(α), 0 … 1."""
    experience: Score
    """0 … 1."""


def agreement_quality(
    terms: Terms | None, debtor: Debtor, yearly_rate: float = YEARLY_RATE
) -> float:
    """f(α) of an agreement with this debtor, 0 … 1; 0 without one (None)."""
    if terms is None or not project(money_of(debtor), terms).success:
        return 0.0
    return present_value(terms, debtor.background.need_coll_amt, yearly_rate)


def present_value(terms: Terms, debt: float, yearly_rate: float = YEARLY_RATE) -> float:
    """What the agreed payments are worth today, as a share of the debt; `debt` in yuan."""
    owed, growth = minor_units(debt), 1.0 + yearly_rate
    paid: float = sum(p.amount * growth ** (-p.day / 365.0) for p in payment_plan(owed, terms))
    return paid / owed


def foresight_reward(
    dialogue: Dialogue, debtor: Debtor, weights: Weights | None = None, us: Score | None = None
) -> Reward:
    """The reward of a talk that has ended.

    `us`: a judge's mark of the debtor's satisfaction, 1 … 10; None for the built-in rubric's.
    """
    weights = weights or Weights()
    quality = agreement_quality(dialogue.terms, debtor, weights.yearly_rate)
    mark = judge(dialogue, debtor).us if us is None else us
    if isinstance(mark, Unscored):
        return Reward(mark, quality, mark)
    felt = (mark - 1.0) / 9.0
    return Reward(weights.agreement * quality + weights.experience * felt, quality, felt)
