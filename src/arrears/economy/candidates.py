"""A thinned grid of agreements and their worth under a belief, for planners that price offers.

A planner sees only its own seat's view; what it believes of the debtor's money comes in as points.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple, Protocol

import numpy as np

from arrears.economy.grid import Floats, Ints, project_rows, terms_rows
from arrears.economy.position import Money
from arrears.terms import GRID, Mandate, Terms, minor_units

# Neighbouring days differ little; a thinned axis prices an offer in a third of the time.
_DAYS = (2, 5, 7, 10, 14)
_DISCOUNTS = (0.0, 0.05, 0.10, 0.20, 0.30)


class MoneyPoint(Protocol):
    """One possible debtor: yuan, yuan a day, probability."""

    @property
    def assets(self) -> float: ...
    @property
    def daily_surplus(self) -> float: ...
    @property
    def weight(self) -> float: ...


class CandidateGrid(NamedTuple):
    """Agreements to choose among, with the kernel's rows."""

    terms: tuple[Terms, ...]
    rows: Ints

    def expected_own_cci(self, need_coll_amt: float, points: Sequence[MoneyPoint]) -> Floats:
        """Own CCI of each candidate, averaged over the points; `need_coll_amt` in yuan."""
        debt = minor_units(need_coll_amt)
        money = [Money(debt, minor_units(p.assets), minor_units(p.daily_surplus)) for p in points]
        weights = np.array([p.weight for p in points])
        return np.asarray(weights @ project_rows(money, self.rows).own_cci())


@cache
def candidate_grid(mandate: Mandate) -> CandidateGrid:
    """The candidates that a mandate allows; days and discounts are thinned."""
    terms = tuple(
        Terms(float(disc), float(pmt), days, int(months))
        for disc in mandate.allowed("disc_ratio")
        if disc in _DISCOUNTS
        for pmt in mandate.allowed("pmt_ratio")
        for days in _DAYS
        if days <= mandate.max_pmt_days
        for months in GRID["inst_prds"]
        if months <= mandate.max_inst_prds
    )
    return CandidateGrid(terms, terms_rows(terms))
