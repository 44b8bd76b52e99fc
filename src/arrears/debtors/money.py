"""The debt and the money behind it: docs/domain.md, "A population that fits"."""

from math import ceil, exp, log, sqrt
from typing import NamedTuple

from arrears.debtors.distributions import Distributions
from arrears.debtors.record import Sex
from arrears.rng import Draws


class Account(NamedTuple):
    """One drawn account. Amounts in yuan."""

    age: int
    sex: Sex
    bal_due: float
    need_coll_amt: float
    overdue_days: int
    assets: float
    avg_daily_income: float
    avg_daily_expense: float


def draw_account(draws: Draws, suite: str, d: Distributions) -> Account:
    """An account of a suite: amounts log-normal, the rest correlated with them."""
    money, level = d.money, d.money["level"][suite]
    z_debt, z_assets, z_surplus = draws.normal(), draws.normal(), draws.normal()
    ln_debt = money["ln_debt"]["mean"] + money["ln_debt"]["sd"] * z_debt
    need_coll_amt = round(exp(ln_debt), 2)
    assets = level["assets"] * exp(_on_debt(money["ln_assets"], ln_debt, z_assets))
    surplus = level["income"] * exp(_on_debt(money["ln_surplus"], ln_debt, z_surplus))
    income, expense = income_and_expense(draws, surplus, d)
    return Account(
        age=_age(draws, d),
        sex="male" if draws.chance(d.account["male"]) else "female",
        bal_due=borrowed(draws, need_coll_amt, d),
        need_coll_amt=need_coll_amt,
        overdue_days=_overdue(draws, z_debt, z_surplus, d),
        assets=float(round(assets)),
        avg_daily_income=income,
        avg_daily_expense=expense,
    )


def income_and_expense(draws: Draws, surplus: float, d: Distributions) -> tuple[float, float]:
    """What comes in and goes out on an average day where so much is kept, yuan."""
    share = d.money["expense_share"]
    spent = min(share["most"], max(share["least"], draws.normal(share["mean"], share["sd"])))
    kept = max(0.5, round(2 * surplus) / 2)
    income = max(float(max(1, round(surplus / (1 - spent)))), kept)
    return income, income - kept


def _on_debt(line: dict[str, float], ln_debt: float, z: float) -> float:
    return line["slope"] * ln_debt + line["constant"] + line["sd"] * z


def _age(draws: Draws, d: Distributions) -> int:
    bands = d.account["age_bands"]
    first = draws.weighted([band[0] for band in bands], [band[1] for band in bands])
    later = [band[0] for band in bands if band[0] > first]
    end = later[0] if later else d.account["age"]["most"] + 1
    return int(first) + draws.below(int(end) - int(first))


def borrowed(draws: Draws, need_coll_amt: float, d: Distributions) -> float:
    """What was lent: round, and at least what is still owed."""
    repaid = d.money["repaid_share"]
    share = min(repaid["most"], max(0.0, draws.normal(repaid["mean"], repaid["sd"])))
    step = d.money["round_loan_to"]
    return float(step * ceil(need_coll_amt / (1 - share) / step))


def _overdue(draws: Draws, z_debt: float, z_surplus: float, d: Distributions) -> int:
    a, b = d.account["overdue_on_debt"], d.account["overdue_on_surplus"]
    z = a * z_debt + b * z_surplus + sqrt(1 - a * a - b * b) * draws.normal()
    days = d.account["overdue_days"]
    drawn = round(exp(log(days["median"]) + days["sd"] * z))
    return min(int(days["most"]), max(int(days["least"]), drawn))
