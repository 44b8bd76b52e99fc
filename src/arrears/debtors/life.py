"""Lives: work, household, the reason for being overdue, and a story that agrees with the record.

The words are data (`data/work.yaml`, `reasons.yaml`, `stories.yaml`, `cognition.yaml`). What it
means that a story agrees with its record is written down in `life_check.py`.
"""

from functools import cache
from importlib import resources
from typing import Any, Final, NamedTuple

import yaml

from arrears.debtors.record import Reason, Scenario, Sex
from arrears.errors import BrokenFile, UnknownName
from arrears.phrases import Bank, bank_of, load_bank
from arrears.rng import Draws

_PACKAGE: Final = "arrears.debtors"


class Work(NamedTuple):
    """One way of earning a living."""

    text: str
    """Fits after "You are"."""
    youngest: int
    oldest: int
    weight: dict[Sex, float]
    least_income: float
    """Yuan a day."""
    most_income: float
    kind: str
    """`wage`, `gig`, `own`, `none` (out of work), `home`, `study` or `pension`."""


class Household(NamedTuple):
    """One way of living together."""

    text: str
    """Fits after "You live"; `{spouse}` is wife or husband."""
    youngest: int
    oldest: int
    weight: float
    spouse: bool
    children: bool
    parents: bool


class Fits(NamedTuple):
    """Who may have a reason; empty where all may."""

    works: frozenset[str]
    youngest: int
    oldest: int
    households: frozenset[str]


class Cause(NamedTuple):
    """One kind of reason."""

    weight: float
    fits: Fits
    words: tuple[str, ...]
    """Cues, lower case; every reason of the kind holds one."""


def _yaml(name: str) -> Any:
    text = (resources.files("arrears.debtors") / "data" / f"{name}.yaml").read_text("utf-8")
    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise BrokenFile(f"{name}.yaml", f"not YAML: {error}") from error


@cache
def works() -> dict[str, Work]:
    """Ways of earning a living by key."""
    return {
        key: Work(
            text=w["is"],
            youngest=w["ages"][0],
            oldest=w["ages"][1],
            weight={"male": w["m"], "female": w["f"]},
            least_income=w["income"][0],
            most_income=w["income"][1],
            kind=w["kind"],
        )
        for key, w in _yaml("work")["works"].items()
    }


@cache
def households() -> dict[str, Household]:
    """Ways of living together by key."""
    return {
        key: Household(
            text=h["is"],
            youngest=h["ages"][0],
            oldest=h["ages"][1],
            weight=h["weight"],
            spouse=h.get("spouse", False),
            children=h.get("children", False),
            parents=h.get("parents", False),
        )
        for key, h in _yaml("work")["households"].items()
    }


@cache
def causes() -> dict[str, Cause]:
    """Kinds of reasons by key."""
    found = {}
    for key, body in _yaml("reasons").items():
        fits = body["fits"]
        youngest, oldest = fits.get("ages", (18, 100))
        found[key] = Cause(
            body["weight"],
            Fits(
                frozenset(fits.get("works", ())),
                youngest,
                oldest,
                frozenset(fits.get("households", ())),
            ),
            tuple(body["words"]),
        )
    return found


@cache
def _reasons() -> Bank:
    """What is told of each kind of reason: `KIND.tell` and `KIND.story`."""
    raw = _yaml("reasons")
    return bank_of({k: {"tell": b["tell"], "story": b["story"]} for k, b in raw.items()}, "reasons")


REASON_CATEGORIES: Final[tuple[str, ...]] = tuple(causes())


def works_for(age: int, sex: Sex) -> tuple[tuple[str, float], ...]:
    """Keys and weights of the work that a person of that age and sex may do."""
    return tuple(
        (key, w.weight[sex]) for key, w in works().items() if w.youngest <= age <= w.oldest
    )


def income_fits(work: str, avg_daily_income: float) -> bool:
    """Whether that work brings about that much, yuan a day."""
    found = works()[work]
    return found.least_income <= avg_daily_income <= found.most_income


def households_for(age: int, sex: Sex) -> tuple[tuple[str, float], ...]:
    """Keys and weights of the households that a person of that age may live in."""
    return tuple(
        (key, h.weight) for key, h in households().items() if h.youngest <= age <= h.oldest
    )


def reason_weights(age: int, sex: Sex, work: str, household: str) -> tuple[float, ...]:
    """Weights over `REASON_CATEGORIES`; 0 for what cannot have happened to this person."""
    kind = works()[work].kind
    return tuple(
        cause.weight if may_have(cause, age, kind, household) else 0.0
        for cause in causes().values()
    )


def may_have(cause: Cause, age: int, kind_of_work: str, household: str) -> bool:
    """Whether the reason is possible for that age, kind of work and household."""
    fits = cause.fits
    return (
        fits.youngest <= age <= fits.oldest
        and (not fits.works or kind_of_work in fits.works)
        and (not fits.households or household in fits.households)
    )


def plain_reason(
    draws: Draws, *, reason_category: str, age: int, sex: Sex, work: str, household: str,
    overdue_days: int,
) -> Reason:  # fmt: skip
    """The reason alone, in the first person."""
    if reason_category not in causes():
        raise UnknownName("reason", reason_category, REASON_CATEGORIES)
    slots = _kin(draws, age, sex, household)
    text = _say(draws, _reasons(), f"{reason_category}.tell", slots)
    return Reason(category=reason_category, text=text)


def compose_life(
    draws: Draws, *, age: int, sex: Sex, need_coll_amt: float, bal_due: float, overdue_days: int,
    assets: float, avg_daily_income: float, avg_daily_expense: float, reason_category: str,
    work: str, household: str,
) -> tuple[Reason, Scenario]:  # fmt: skip
    """Reason and scenario of one person; amounts in yuan, told as `in_words` rounds them."""
    spouse = spouse_of(sex)
    kin = _kin(draws, age, sex, household)
    home = households()[household].text.replace("{spouse}", spouse)
    lent = in_words(bal_due)
    slots = {
        **kin,
        "age": str(age),
        "work": works()[work].text,
        "home": home,
        "debt": in_words(need_coll_amt),
        "lent": lent,
        "lent_start": lent,
        "months": months_in_words(overdue_days),
        "assets": in_words(assets),
        "keep": f"{avg_daily_income - avg_daily_expense:.0f}",
    }
    told, reasons = load_bank(_PACKAGE, "data/stories"), _reasons()
    story = " ".join(
        (
            _say(draws, told, "opening", slots),
            _say(draws, told, "loan", slots),
            _say(draws, reasons, f"{reason_category}.story", slots),
            _say(draws, told, "money", slots),
            _say(draws, told, "today", slots),
            _say(draws, told, "hope", slots),
        )
    )
    reason = Reason(
        category=reason_category, text=_say(draws, reasons, f"{reason_category}.tell", slots)
    )
    return reason, Scenario(work=works()[work].text, household=home, story=story)


def describe(draws: Draws, attribute: str, level: int) -> str:
    """A second-person sentence of a cognitive attribute at a level 1 … 5."""
    return _say(draws, load_bank(_PACKAGE, "data/cognition"), f"{attribute}.{level}", {})


def spouse_of(sex: Sex) -> str:
    """The word for whom a person of that sex is married to in these stories."""
    return "wife" if sex == "male" else "husband"


def in_words(amount: float) -> str:
    """An amount as people say it: to the hundred from 2,000 yuan on, to the ten below."""
    step = 100 if amount >= 2000 else 10
    return f"{step * round(amount / step):,}"


def months_in_words(days: int) -> str:
    """`a month`, `5 months`, `a year`, `a year and 2 months`."""
    months = max(1, round(days / 30))
    if months < 12:
        return "a month" if months == 1 else f"{months} months"
    years, rest = divmod(months, 12)
    whole = "a year" if years == 1 else f"{years} years"
    if not rest:
        return whole
    return f"{whole} and {'a month' if rest == 1 else f'{rest} months'}"


def relatives(age: int, sex: Sex, household: str) -> tuple[str, ...]:
    """Of whom a person of that age and household may speak as ill."""
    home = households()[household]
    found = ["mother", "father"] if age <= 58 else ["sister", "brother"]
    if home.spouse:
        found.append(spouse_of(sex))
    if home.children:
        found.append("child")
    return tuple(found)


def _kin(draws: Draws, age: int, sex: Sex, household: str) -> dict[str, str]:
    relative = draws.choice(relatives(age, sex, household))
    return {"relative": relative, "spouse": spouse_of(sex)}


def _say(draws: Draws, bank: Bank, path: str, slots: dict[str, str]) -> str:
    return bank.pick(draws, path).say(draws, slots)
