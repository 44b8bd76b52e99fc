"""Filling what is unknown from the built-in population, so that it goes with what is known.

Of many draws of the population the one nearest to what is known is taken, and what is known put
over it. Words and sentences are the population's: English.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from arrears.debtors.distributions import Distributions, distributions
from arrears.debtors.life import REASON_CATEGORIES, compose_life, describe, plain_reason
from arrears.debtors.money import Account, draw_account, income_and_expense
from arrears.debtors.persona import cognition_levels, draw_latents, draw_personality
from arrears.debtors.population import (
    background_of,
    circumstances,
    finances_of,
    pseudonym,
)
from arrears.debtors.record import (
    RESILIENCE_LEVELS,
    Background,
    Category,
    Cognition,
    Debtor,
    Emotions,
    Finances,
    Personality,
    Reason,
    Scenario,
    Trait,
)
from arrears.rng import Draws, rng_for
from arrears.synthesis.personas.draft import COGNITION, Draft
from arrears.synthesis.records.finances import published_lines

_DRAWS: Final = 200
_LIVES: Final = 100
_TAG: Final = "["


def fill_from_population(drafts: Iterable[Draft], seed: int) -> Iterator[Debtor]:
    """Whole debtors in order, the `i`-th from an address of its own."""
    for i, draft in enumerate(drafts):
        yield filled(draft, Draws(rng_for(seed, "enrich", i)))


def filled(draft: Draft, draws: Draws) -> Debtor:
    """One debtor: everything that the draft knows, and the rest drawn."""
    d = distributions()
    background, finances, account = account_of(draft, draws, d)
    category, person, levels = _person(draft, draws, d)
    mind = Cognition(
        **{
            name: draft.cognition.get(name)
            or Trait(level=levels[name], description=describe(draws, name, levels[name]))
            for name in COGNITION
        }
    )
    reason, scenario = _life(draft, finances, account, draws)
    return Debtor(
        id=draft.id,
        background=background,
        finances=finances.model_copy(update={"overdue_reason": reason}),
        personality=person,
        cognition=mind,
        scenario=scenario,
        category=category,
    )


def account_of(
    draft: Draft, draws: Draws, d: Distributions
) -> tuple[Background, Finances, Account]:
    """What the draft knows of the account and the money; drawn where it knows nothing.

    The reason in the finances is the draft's, or that of the circumstances.
    """
    drawn = draw_account(draws, "debtbench", d)
    known = draft.background
    if known is None:
        known = background_of(pseudonym(draws, drawn.sex, d), drawn)
    elif known.name.startswith(_TAG):
        known = known.model_copy(update={"name": pseudonym(draws, known.sex, d)})
    facts = known.model_dump(exclude={"name"})
    money = draft.finances
    if money is not None:
        account = Account(
            **facts,
            assets=money.assets,
            avg_daily_income=money.avg_daily_income,
            avg_daily_expense=money.avg_daily_expense,
        )
    elif draft.background is None:
        account = drawn
    else:
        lines = published_lines()
        assets = round(lines.assets.draw(draws, known.need_coll_amt), 2)
        kept = lines.surplus.draw(draws, known.need_coll_amt)
        income, expense = income_and_expense(draws, kept, d)
        account = Account(
            **facts, assets=assets, avg_daily_income=income, avg_daily_expense=expense
        )
    work, household, why = circumstances(draws, account)
    reason = draft.overdue_reason or plain_reason(
        draws,
        reason_category=why,
        age=account.age,
        sex=account.sex,
        work=work,
        household=household,
        overdue_days=account.overdue_days,
    )
    return known, finances_of(account, reason), account


def _person(
    draft: Draft, draws: Draws, d: Distributions
) -> tuple[Category, Personality, dict[str, int]]:
    """The nearest of many draws, with what is known put over it."""
    best: tuple[float, Category, Personality, dict[str, int]] | None = None
    kinds, shares = [c for c, _ in d.shares], [share for _, share in d.shares]
    for _ in range(_DRAWS if _knows(draft) else 1):
        drawn: Category = draws.weighted(kinds, shares)
        category: Category = draft.category or drawn
        latents = draw_latents(draws, category, d)
        person, levels = draw_personality(draws, latents, d), cognition_levels(latents, d)
        off = _distance(draft, person, levels)
        if best is None or off < best[0]:
            best = off, category, person, levels
    assert best is not None
    _, category, person, levels = best
    return (
        category,
        Personality(
            character=draft.character or person.character,
            mbti=draft.mbti or person.mbti,
            emotions=Emotions(**{**person.emotions.model_dump(), **draft.emotions}),
            emotional_resilience=draft.emotional_resilience or person.emotional_resilience,
            style=draft.style or person.style,
        ),
        levels,
    )


def _knows(draft: Draft) -> bool:
    return bool(
        draft.emotions or draft.cognition or draft.emotional_resilience or draft.character
        or draft.style or draft.mbti
    )  # fmt: skip


def _distance(draft: Draft, person: Personality, levels: dict[str, int]) -> float:
    """In steps of each scale."""
    off = sum(abs(getattr(person.emotions, n) - draft.emotions[n]) for n in draft.emotions) / 2
    off += sum(abs(levels[name] - trait.level) for name, trait in draft.cognition.items())
    if draft.emotional_resilience:
        places = [RESILIENCE_LEVELS.index(r)
                  for r in (draft.emotional_resilience, person.emotional_resilience)]  # fmt: skip
        off += abs(places[0] - places[1])
    off += 1.0 - len(set(draft.character) & set(person.character)) / max(1, len(draft.character))
    off += float(bool(draft.style) and not set(draft.style) & set(person.style))
    letters = sum(a != b for a, b in zip(draft.mbti or "", person.mbti, strict=False))
    return float(off + 0.25 * letters)


def _life(
    draft: Draft, finances: Finances, account: Account, draws: Draws
) -> tuple[Reason, Scenario]:
    """The known scenario, or one in which the reason can have happened."""
    known, reason = draft.scenario(), finances.overdue_reason
    if known is not None:
        return reason, known
    kind = reason.category if reason.category in REASON_CATEGORIES else ""
    for _ in range(_LIVES):
        work, household, why = circumstances(draws, account)
        if not kind or why == kind:
            break
    told, scenario = compose_life(
        draws, **account._asdict(), reason_category=kind or why, work=work, household=household
    )
    return (draft.overdue_reason or told), Scenario(
        work=draft.work or scenario.work,
        household=draft.household or scenario.household,
        story=draft.story or scenario.story,
    )
