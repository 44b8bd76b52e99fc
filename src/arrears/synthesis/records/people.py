"""From a synthetic row to a debtor: units, bounds, what is missing filled."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from arrears.debtors.distributions import Distributions, distributions
from arrears.debtors.life import causes, plain_reason
from arrears.debtors.money import Account, borrowed, income_and_expense
from arrears.debtors.population import (
    background_of,
    circumstances,
    finances_of,
    pseudonym,
)
from arrears.debtors.record import Debtor, Sex
from arrears.rng import Draws, rng_for
from arrears.synthesis.records.drawing import Wanted
from arrears.synthesis.records.finances import Lines
from arrears.synthesis.records.mapping import RecordMapping
from arrears.synthesis.records.ranges import LEAST_DAYS, LEAST_DEBT, limits
from arrears.synthesis.records.table import Column

_AGES: Final = limits("age")
assert _AGES is not None
_YOUNGEST, _OLDEST = int(_AGES.least), int(_AGES.most)


class Person:
    """Reads rows of one model. Amounts come out in yuan."""

    def __init__(self, mapping: RecordMapping, columns: Sequence[Column], lines: Lines) -> None:
        self._mapping, self._columns, self._lines = mapping, columns, lines
        self._place = {column.name: i for i, column in enumerate(columns)}

    def overdue(self) -> Wanted:
        """Which rows are debtors at all: something is owed, and for a day at least."""
        days, debt = self._place["overdue_days"], self._place["need_coll_amt"]
        of_day, of_debt = self._factor("overdue_days"), self._factor("need_coll_amt")
        needed = [self._place[name] for name in ("age", "sex")]

        def wanted(data: NDArray[np.float64]) -> NDArray[np.bool_]:
            with np.errstate(invalid="ignore"):
                late = data[:, days] * of_day >= LEAST_DAYS
                owes = data[:, debt] * of_debt >= LEAST_DEBT
            return np.asarray(owes & late & ~np.isnan(data[:, needed]).any(axis=1))

        return wanted

    def debtors(self, data: NDArray[np.float64], seed: int, stem: str) -> Iterator[Debtor]:
        """A debtor a row, in order; ids are `stem-0001`, …"""
        width = max(4, len(str(len(data))))
        d = distributions()
        for i, row in enumerate(data):
            draws = Draws(rng_for(seed, "record", i))
            yield self._debtor(row, draws, d, f"{stem}-{i + 1:0{width}d}")

    def _debtor(
        self, row: NDArray[np.float64], draws: Draws, d: Distributions, name: str
    ) -> Debtor:
        account = self._account(row, draws, d)
        background = background_of(pseudonym(draws, account.sex, d), account)
        work, household, why = circumstances(draws, account)
        told = self._text(row, "overdue_reason")
        reason = plain_reason(
            draws,
            reason_category=told if told in causes() else why,
            age=account.age,
            sex=account.sex,
            work=work,
            household=household,
            overdue_days=account.overdue_days,
        )
        return Debtor(id=name, background=background, finances=finances_of(account, reason))

    def _account(self, row: NDArray[np.float64], draws: Draws, d: Distributions) -> Account:
        debt = round(max(LEAST_DEBT, self._number(row, "need_coll_amt") or 0.0), 2)
        lent = self._number(row, "bal_due")
        sex: Sex = "male" if self._text(row, "sex") == "male" else "female"
        assets = self._number(row, "assets")
        # Drawn whether they are needed or not, so that one value that is there moves no other.
        drawn_assets = self._lines.assets.draw(draws, debt)
        kept = self._lines.surplus.draw(draws, debt)
        made_up, spent = income_and_expense(draws, kept, d)
        income, expense = (
            self._number(row, "avg_daily_income"),
            self._number(row, "avg_daily_expense"),
        )
        if income is None and expense is None:
            income, expense = made_up, spent
        elif income is None:
            assert expense is not None
            income = expense + kept
        elif expense is None:
            expense = max(0.0, income - kept)
        return Account(
            age=int(min(_OLDEST, max(_YOUNGEST, round(self._number(row, "age") or 0)))),
            sex=sex,
            bal_due=borrowed(draws, debt, d) if lent is None else max(debt, round(lent, 2)),
            need_coll_amt=debt,
            overdue_days=max(1, round(self._number(row, "overdue_days") or 0)),
            assets=round(drawn_assets if assets is None else assets, 2),
            avg_daily_income=round(max(0.0, income), 2),
            avg_daily_expense=round(max(0.0, expense or 0.0), 2),
        )

    def _factor(self, field: str) -> float:
        source = self._mapping.source(field)
        return 1.0 if source is None else source.factor

    def _number(self, row: NDArray[np.float64], field: str) -> float | None:
        if field not in self._place or np.isnan(row[self._place[field]]):
            return None
        return float(row[self._place[field]]) * self._factor(field)

    def _text(self, row: NDArray[np.float64], field: str) -> str:
        place = self._place.get(field)
        if place is None or np.isnan(row[place]):
            return ""
        return self._columns[place].levels[int(row[place])]
