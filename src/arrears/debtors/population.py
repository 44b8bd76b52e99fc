"""Populations of debtors from a seed.

Each person has an address of its own: person 17 of a seed is the same whether ten or ten thousand
are made, in any order, in any process.
"""

from collections.abc import Iterator

from arrears.debtors.distributions import Distributions, distributions, suite_shape
from arrears.debtors.life import (
    REASON_CATEGORIES,
    compose_life,
    describe,
    households_for,
    income_fits,
    plain_reason,
    reason_weights,
    works_for,
)
from arrears.debtors.money import Account, draw_account
from arrears.debtors.persona import COGNITION, cognition_levels, draw_latents, draw_personality
from arrears.debtors.record import (
    Background,
    Category,
    Cognition,
    Debtor,
    Finances,
    Reason,
    Sex,
    Trait,
)
from arrears.errors import UsageError
from arrears.rng import Draws, rng_for

# The golden ratio's fractional part: its multiples fill the unit interval evenly, so that any run
# of consecutive people has the shares of the categories, not only a large one.
_GOLDEN = 0.6180339887498949


def make_population(suite: str, n: int, seed: int, prefix: str = "") -> Iterator[Debtor]:
    """`n` debtors drawn as a suite's are; ids are `prefix-0001`, …

    UnknownName for a suite that is not shipped, UsageError for a negative number of people.
    """
    suite_shape(suite)
    if n < 0:
        raise UsageError(f"{n} people cannot be made")
    width = max(4, len(str(n)))
    stem = prefix or f"{suite}-{seed}"
    for i in range(n):
        yield make_debtor(suite, seed, i, f"{stem}-{i + 1:0{width}d}")


def make_debtor(suite: str, seed: int, i: int, debtor_id: str) -> Debtor:
    """The `i`-th person (from 0) of a suite's population with that seed."""
    d = distributions()
    draws = Draws(rng_for(seed, suite, "person", i))
    account = draw_account(draws, suite, d)
    background = background_of(pseudonym(draws, account.sex, d), account)
    work, household, why = circumstances(draws, account)
    if not suite_shape(suite).persona:
        reason = plain_reason(
            draws,
            reason_category=why,
            age=account.age,
            sex=account.sex,
            work=work,
            household=household,
            overdue_days=account.overdue_days,
        )
        return Debtor(id=debtor_id, background=background, finances=finances_of(account, reason))
    category = category_of(i, d)
    latents = draw_latents(draws, category, d)
    levels = cognition_levels(latents, d)
    reason, scenario = compose_life(
        draws, **account._asdict(), reason_category=why, work=work, household=household
    )
    return Debtor(
        id=debtor_id,
        background=background,
        finances=finances_of(account, reason),
        personality=draw_personality(draws, latents, d),
        cognition=Cognition(
            **{
                name: Trait(level=levels[name], description=describe(draws, name, levels[name]))
                for name in COGNITION
            }
        ),
        scenario=scenario,
        category=category,
    )


def category_of(i: int, d: Distributions) -> Category:
    """The category of the `i`-th person."""
    mark = (0.5 + i * _GOLDEN) % 1.0
    for category, share in d.shares:
        mark -= share
        if mark < 0:
            return category
    return d.shares[-1][0]


def pseudonym(draws: Draws, sex: Sex, d: Distributions) -> str:
    """An invented name."""
    return draws.choice(d.begin) + draws.choice(d.end[sex])


def circumstances(draws: Draws, account: Account) -> tuple[str, str, str]:
    """Work, household and kind of reason that go with the age, the sex and the income."""
    works = works_for(account.age, account.sex)
    fitting = [(w, p) for w, p in works if income_fits(w, account.avg_daily_income)] or works
    work = draws.weighted([w for w, _ in fitting], [p for _, p in fitting])
    households = households_for(account.age, account.sex)
    household = draws.weighted([h for h, _ in households], [p for _, p in households])
    weights = reason_weights(account.age, account.sex, work, household)
    return work, household, draws.weighted(REASON_CATEGORIES, weights)


def background_of(name: str, account: Account) -> Background:
    """What the creditor knows of an account."""
    return Background(
        name=name,
        age=account.age,
        sex=account.sex,
        bal_due=account.bal_due,
        need_coll_amt=account.need_coll_amt,
        overdue_days=account.overdue_days,
    )


def finances_of(account: Account, reason: Reason) -> Finances:
    """What only the debtor knows of the money."""
    return Finances(
        assets=account.assets,
        avg_daily_income=account.avg_daily_income,
        avg_daily_expense=account.avg_daily_expense,
        overdue_reason=reason,
    )
