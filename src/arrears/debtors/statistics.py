"""What a population looks like, in figures."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from arrears.debtors.record import CATEGORIES, EMOTIONS, RESILIENCE_LEVELS, Debtor

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_MONEY: dict[str, Callable[[Debtor], float]] = {
    "need_coll_amt": lambda d: d.background.need_coll_amt,
    "bal_due": lambda d: d.background.bal_due,
    "overdue_days": lambda d: d.background.overdue_days,
    "age": lambda d: d.background.age,
    "assets": lambda d: d.finances.assets,
    "avg_daily_income": lambda d: d.finances.avg_daily_income,
    "avg_daily_expense": lambda d: d.finances.avg_daily_expense,
    "avg_daily_balance": lambda d: d.finances.avg_daily_balance,
}
COGNITION = ("legal_awareness", "financial_literacy", "responsibility", "credit_awareness")


def describe_population(people: Sequence[Debtor]) -> dict[str, Any]:
    """Quantiles of money and age (yuan, days, years), shares, and means by category.

    `people` must not be empty.
    """
    persons = [d for d in people if d.personality and d.cognition]
    return {
        "people": len(people),
        "quantiles": {name: _quantiles([of(d) for d in people]) for name, of in _MONEY.items()},
        "quantile_levels": list(QUANTILES),
        "male": round(sum(d.background.sex == "male" for d in people) / len(people), 4),
        "reasons": _shares([d.finances.overdue_reason.category for d in people]),
        "categories": _shares([d.category for d in people if d.category]),
        "by_category": {
            category: _person([d for d in persons if d.category == category])
            for category in CATEGORIES
            if any(d.category == category for d in persons)
        },
        "mbti": _shares([d.personality.mbti for d in persons if d.personality]),
        "character": _shares(
            [w for d in persons if d.personality for w in d.personality.character]
        ),
        "style": _shares([w for d in persons if d.personality for w in d.personality.style]),
        "different_stories": len({d.scenario.story for d in people if d.scenario}),
    }


def correlations(people: Sequence[Debtor]) -> dict[str, dict[str, float]]:
    """Pearson correlations between emotions, resilience and cognition, within categories.

    The category's mean is taken off first, so that what is left is what the copula put there.
    """
    persons = [d for d in people if d.personality and d.cognition and d.category]
    names = [*EMOTIONS, "resilience", *COGNITION]
    values = np.array([list(_traits(d).values()) for d in persons], dtype=float)
    kinds = np.array([CATEGORIES.index(d.category) for d in persons if d.category])
    for kind in np.unique(kinds):
        values[kinds == kind] -= values[kinds == kind].mean(axis=0)
    matrix = np.corrcoef(values.T)
    return {
        a: {b: round(float(matrix[i, j]), 3) for j, b in enumerate(names)}
        for i, a in enumerate(names)
    }


def _traits(debtor: Debtor) -> dict[str, float]:
    person, mind = debtor.personality, debtor.cognition
    assert person is not None
    assert mind is not None
    return {
        **{name: float(getattr(person.emotions, name)) for name in EMOTIONS},
        "resilience": 1.0 + RESILIENCE_LEVELS.index(person.emotional_resilience),
        **{name: float(getattr(mind, name).level) for name in COGNITION},
    }


def _person(people: Sequence[Debtor]) -> dict[str, float]:
    rows = [_traits(d) for d in people]
    return {name: round(float(np.mean([row[name] for row in rows])), 2) for name in rows[0]}


def _quantiles(values: Sequence[float]) -> list[float]:
    return [round(float(q), 2) for q in np.quantile(values, QUANTILES)]


def _shares(values: Sequence[str]) -> dict[str, float]:
    """Share of each value, the most frequent first."""
    counts = Counter(values)
    return {value: round(n / len(values), 4) for value, n in counts.most_common()}
