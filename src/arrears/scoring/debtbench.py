"""The nine metrics of DebtBench (appendix C.3), one formula each.

SR, AT and CR are over all dialogues, CE, SA and LS over those that end in an agreement; US, ES and
CA come from a judge. `scoring.summary` takes the means.
"""

from typing import Final

from arrears.terms import Terms

W_SHORT: Final = 0.85
"""Safety margin on what is at hand (equation 11)."""
W_LONG: Final = 0.95
"""Safety margin on income (equation 12)."""


def collection_rate(disc_ratio: float | None) -> float:
    """CR of one dialogue: 1 − discount, 0 without agreement (None) (equation 9)."""
    return 0.0 if disc_ratio is None else 1.0 - disc_ratio


def collection_efficiency(terms: Terms) -> float:
    """CE of one agreement, percent of the debt a day (equation 10).

    Printed as a sum over dialogues; the reported 0.6 to 1.8 can only be the mean over agreements.
    """
    a_day = terms.pmt_ratio / terms.pmt_days + (1.0 - terms.pmt_ratio) / (30.0 * terms.inst_prds)
    return 100.0 * (1.0 - terms.disc_ratio) * a_day


def short_term_affordability(
    terms: Terms, debt: float, assets: float, daily_income: float
) -> float:
    """Means until the upfront payment over that payment (equation 11); affordable from 1."""
    means = assets + daily_income * terms.pmt_days
    return W_SHORT * means / (debt * (1.0 - terms.disc_ratio) * terms.pmt_ratio)


def long_term_sustainability(terms: Terms, debt: float, daily_income: float) -> float:
    """Income over all instalments, over their sum (equation 12); sustainable from 1."""
    income = daily_income * 30.0 * terms.inst_prds
    return W_LONG * income / (debt * (1.0 - terms.disc_ratio) * (1.0 - terms.pmt_ratio))
