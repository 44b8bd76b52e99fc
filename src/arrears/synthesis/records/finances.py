"""What the table does not tell of the money: DCN's linear model with Gaussian noise (§2.2).

The logarithm of assets, and of what is kept a day, is a line on the logarithm of the debt, with
normal noise. The lines are fitted where the table has enough complete rows, else they are those of
docs/domain.md, "A population that fits".
"""

from math import exp, log
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from arrears.debtors.distributions import distributions
from arrears.rng import Draws
from arrears.synthesis.records.mapping import RecordMapping
from arrears.synthesis.records.table import LEAST_ROWS, Table

_LEAST_SD: Final = 0.05


class Line(NamedTuple):
    """`ln y = constant + slope · ln debt + N(0, sd)`, y and debt in yuan."""

    constant: float
    slope: float
    sd: float
    fitted: bool

    def draw(self, draws: Draws, debt: float) -> float:
        """A value, yuan."""
        return exp(self.constant + self.slope * log(debt) + self.sd * draws.normal())


class Lines(NamedTuple):
    """Both lines of a model."""

    assets: Line
    surplus: Line

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        return {"assets": self.assets._asdict(), "surplus": self.surplus._asdict()}


def lines_from(document: dict[str, Any]) -> Lines:
    """As `Lines.document` gave it."""
    return Lines(Line(**document["assets"]), Line(**document["surplus"]))


def published_lines() -> Lines:
    """Those of docs/domain.md, at the level of the suite `dcn`."""
    money, level = distributions().money, distributions().money["level"]["dcn"]

    def line(name: str, factor: float) -> Line:
        body = money[name]
        return Line(body["constant"] + log(factor), body["slope"], body["sd"], fitted=False)

    return Lines(line("ln_assets", level["assets"]), line("ln_surplus", level["income"]))


def fit_lines(table: Table, mapping: RecordMapping) -> Lines:
    """The lines of a table, as far as it has them."""
    published = published_lines()
    debt = _yuan(table, mapping, "need_coll_amt")
    assert debt is not None
    assets = _yuan(table, mapping, "assets")
    income = _yuan(table, mapping, "avg_daily_income")
    expense = _yuan(table, mapping, "avg_daily_expense")
    surplus = income - expense if income is not None and expense is not None else None
    return Lines(
        _fitted(debt, assets) or published.assets,
        _fitted(debt, surplus) or published.surplus,
    )


def _yuan(table: Table, mapping: RecordMapping, field: str) -> NDArray[np.float64] | None:
    source = mapping.source(field)
    return None if source is None else table.column(field) * source.factor


def _fitted(debt: NDArray[np.float64], other: NDArray[np.float64] | None) -> Line | None:
    if other is None:
        return None
    with np.errstate(invalid="ignore"):
        whole = (debt > 0) & (other > 0)
    if int(whole.sum()) < LEAST_ROWS:
        return None
    x, y = np.log(debt[whole]), np.log(other[whole])
    slope = float(np.cov(x, y)[0, 1] / np.var(x, ddof=1)) if x.std() > 0 else 0.0
    constant = float(y.mean() - slope * x.mean())
    return Line(constant, slope, max(_LEAST_SD, float((y - constant - slope * x).std())), True)
