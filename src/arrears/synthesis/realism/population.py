"""A population in figures, beside another: DebtBench's Figures 3 and 4 for any debtors."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from arrears.debtors.record import (
    CATEGORIES,
    EMOTIONS,
    MBTI_TYPES,
    RESILIENCE_LEVELS,
    Debtor,
)
from arrears.debtors.statistics import COGNITION
from arrears.synthesis.extras import extra

Floats = np.ndarray
Population = Sequence[Debtor]
Populations = Mapping[str, Population]
"""By the name under which it stands on the page, one or two."""


def _log(amount: float) -> float:
    """Log scale that takes debts and nothing too: sign times log10 of 1 + the amount."""
    return float(np.sign(amount) * np.log10(1.0 + abs(amount)))


class Trait(NamedTuple):
    """One number of background or finances."""

    name: str
    words: str
    of: Callable[[Debtor], float]
    """As the record has it: yuan, days, years."""
    money: bool = True


TRAITS: Final = (
    Trait("need_coll_amt", "amount to be collected", lambda d: d.background.need_coll_amt),
    Trait("bal_due", "amount borrowed", lambda d: d.background.bal_due),
    Trait("overdue_days", "days overdue", lambda d: d.background.overdue_days, False),
    Trait("age", "age", lambda d: d.background.age, False),
    Trait("male", "male", lambda d: float(d.background.sex == "male"), False),
    Trait("assets", "assets", lambda d: d.finances.assets),
    Trait("avg_daily_income", "income a day", lambda d: d.finances.avg_daily_income),
    Trait("avg_daily_expense", "expense a day", lambda d: d.finances.avg_daily_expense),
)


@dataclass(frozen=True, slots=True)
class Plane:
    """Everybody on the two directions in which people differ most."""

    explained: tuple[float, ...]
    """Share of the variance of each direction, 0 … 1."""
    loadings: Mapping[str, tuple[float, ...]]
    """How much each trait weighs in each direction."""
    points: Mapping[str, Floats]
    """By population, shape (people, 2)."""


def plane(populations: Populations) -> Plane:
    """PCA of background and finances, fitted on all populations together.

    Money on a log scale; every trait standardised over all people; a trait that is the same for
    everybody weighs nothing. Needs scikit-learn. Signs are fixed: the amount to be collected
    never weighs negatively in a direction.
    """
    decomposition = extra("sklearn.decomposition")
    tables = {name: _table(people) for name, people in populations.items()}
    everybody = np.concatenate(list(tables.values()))
    mean, spread = everybody.mean(axis=0), everybody.std(axis=0)
    spread[spread == 0] = 1.0
    scaled = (everybody - mean) / spread
    parts = min(2, *scaled.shape)
    pca = decomposition.PCA(n_components=parts, svd_solver="full").fit(scaled)
    axes = pca.components_ * np.where(pca.components_[:, :1] < 0, -1.0, 1.0)
    points = {name: (table - mean) / spread @ axes.T for name, table in tables.items()}
    return Plane(
        tuple(round(float(share), 4) for share in np.nan_to_num(pca.explained_variance_ratio_)),
        {
            trait.name: tuple(round(float(axis[i]), 3) for axis in axes)
            for i, trait in enumerate(TRAITS)
        },
        {name: np.pad(found, ((0, 0), (0, 2 - parts))) for name, found in points.items()},
    )


def _table(people: Population) -> Floats:
    return np.array(
        [[_log(t.of(d)) if t.money else t.of(d) for t in TRAITS] for d in people], dtype=np.float64
    )


def medians(people: Population) -> dict[str, float]:
    """Median of each trait; for `male`, the share."""
    values = {t.name: np.array([t.of(d) for d in people], dtype=np.float64) for t in TRAITS}
    return {
        name: round(float(v.mean() if name == "male" else np.median(v)), 2)
        for name, v in values.items()
    }


def distances(one: Population, other: Population) -> dict[str, float]:
    """Kolmogorov–Smirnov distance of each trait: the largest gap between the shares of people up to
    any value, 0 (the same distribution) … 1 (apart).
    """
    found = {}
    for trait in TRAITS:
        a, b = (np.sort([trait.of(d) for d in people]) for people in (one, other))
        at = np.concatenate([a, b])
        gap = np.searchsorted(a, at, "right") / len(a) - np.searchsorted(b, at, "right") / len(b)
        found[trait.name] = round(float(np.abs(gap).max()), 4)
    return found


class Shares(NamedTuple):
    """How one thing is distributed in one population."""

    of: int
    """Records that have it; the shares are of these."""
    shares: Mapping[str, float]
    """In an order of its own, or the most frequent first."""


def personas(people: Population) -> int:
    """Records with a personality."""
    return sum(d.personality is not None for d in people)


def distributions(people: Population) -> dict[str, Shares]:
    """Shares by subject: `emotion …`, `cognition …`, `resilience`, `mbti`, `category`, `reason`.

    A subject that no record has is left out.
    """
    persons = [d.personality for d in people if d.personality]
    minds = [d.cognition for d in people if d.cognition]
    categories = [d.category for d in people if d.category]
    found = {
        **{
            f"emotion {name}": _shares([getattr(p.emotions, name) for p in persons], range(11))
            for name in EMOTIONS
        },
        **{
            f"cognition {name}": _shares([getattr(m, name).level for m in minds], range(1, 6))
            for name in COGNITION
        },
        "resilience": _shares([p.emotional_resilience for p in persons], RESILIENCE_LEVELS),
        "mbti": _shares([p.mbti for p in persons], MBTI_TYPES),
        "category": _shares(categories, CATEGORIES),
        "reason": _shares([d.finances.overdue_reason.category for d in people]),
    }
    return {subject: shares for subject, shares in found.items() if shares.of}


def _shares(values: Sequence[object], order: Sequence[object] | None = None) -> Shares:
    counts = Counter(values)
    keys = order if order is not None else [key for key, _ in counts.most_common()]
    return Shares(
        len(values), {str(k): round(counts[k] / len(values), 4) if values else 0.0 for k in keys}
    )


def vocabulary(people: Population) -> dict[str, Counter[str]]:
    """How often each word of character and of style was given; empty without personas."""
    persons = [d.personality for d in people if d.personality]
    found = {
        "character": Counter(word for p in persons for word in p.character),
        "style": Counter(word for p in persons for word in p.style),
    }
    return {name: words for name, words in found.items() if words}
