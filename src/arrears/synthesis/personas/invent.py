"""Filling what is unknown by a model: first the person, then the life."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from arrears.bench.run import Progress, silent
from arrears.debtors.distributions import distributions
from arrears.debtors.record import (
    CATEGORIES,
    EMOTIONS,
    MBTI_TYPES,
    RESILIENCE_LEVELS,
    Debtor,
)
from arrears.models.chat import Schema
from arrears.models.unanswered import Unanswered
from arrears.prompts.library import Language, words
from arrears.rng import Draws, rng_for
from arrears.synthesis.asking import Clerk, Question, ask_all
from arrears.synthesis.personas.attributes import characters, sentence, styles, whole_number
from arrears.synthesis.personas.draft import COGNITION, Draft
from arrears.synthesis.personas.enrich import incomplete
from arrears.synthesis.personas.population import account_of

_AMOUNT: Final = re.compile(r"\d[\d,]*(?:\.\d+)?")
_LEAST_AMOUNT: Final = 100.0
_NEAR: Final = 0.06
"""How far an amount in a story may be rounded."""


class Invented(NamedTuple):
    """What became of drafts."""

    people: tuple[Debtor, ...]
    """Those that are whole now."""
    failures: Mapping[str, Unanswered]
    """By id of the draft: why a model gave nothing that could be taken."""


def invent(
    clerk: Clerk, drafts: Sequence[Draft], seed: int, store: Path, progress: Progress = silent
) -> Invented:
    """Ask for a person, then for a life, for each draft that lacks them.

    Account and money that nobody knows are the built-in population's. Drafts that are incomplete
    stand among the failures, and nothing is asked about them. Errors as `ask_all`.
    """
    broken = incomplete(drafts)
    # Each draft's account is drawn at an address of its place among all of them.
    known = [
        _with_account(draft, seed, i) for i, draft in enumerate(drafts) if draft.id not in broken
    ]
    asked = ask_all(
        clerk,
        "enrich",
        [
            Question(f"{d.id}#person", clerk.ask("enrich_person", _values(d, clerk.language)),
                     PERSON_SCHEMA, read_person)
            for d in known if d.personality() is None or d.minds() is None or d.category is None
        ],
        store, progress,
    )  # fmt: skip
    persons = [_put_under(d, asked.answers.get(f"{d.id}#person", {})) for d in known]
    failures = {key.rpartition("#")[0]: why for key, why in asked.failures.items()}
    failures |= broken
    lives = ask_all(
        clerk,
        "enrich",
        [
            Question(f"{d.id}#life", clerk.ask("enrich_life", _values(d, clerk.language)),
                     LIFE_SCHEMA, _life_reader(d))
            for d in persons if d.id not in failures and d.scenario() is None
        ],
        store, progress,
    )  # fmt: skip
    failures |= {key.rpartition("#")[0]: why for key, why in lives.failures.items()}
    whole = [_put_under(d, lives.answers.get(f"{d.id}#life", {})) for d in persons]
    return Invented(tuple(_debtor(d) for d in whole if d.id not in failures), failures)


def read_person(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a draft. ValueError, KeyError or TypeError where one cannot be taken."""
    if answer["category"] not in CATEGORIES:
        raise ValueError(f'"category" must be one of {", ".join(CATEGORIES)}')
    if answer["mbti"] not in MBTI_TYPES:
        raise ValueError('"mbti" must be one of the sixteen types')
    if answer["resilience"] not in RESILIENCE_LEVELS:
        raise ValueError(f'"resilience" must be one of {", ".join(RESILIENCE_LEVELS)}')
    found: dict[str, Any] = {
        "category": answer["category"],
        "mbti": answer["mbti"],
        "emotional_resilience": answer["resilience"],
        "emotions": {name: _sure(answer["emotions"][name], 0, 10, name) for name in EMOTIONS},
        "cognition": {},
    }
    for key, known, most in (("character", characters(), 4), ("style", styles(), 3)):
        chosen = tuple(dict.fromkeys(str(word).strip().lower() for word in answer[key]))
        if not chosen or len(chosen) > most or any(word not in known for word in chosen):
            raise ValueError(f'"{key}" must hold one to {most} of the words that were given')
        found[key] = chosen
    for name in COGNITION:
        trait = answer["cognition"][name]
        text = sentence(trait["description"], f"{name}.description")
        if text is None:
            raise ValueError(f'"{name}" needs a description')
        found["cognition"][name] = {"level": _sure(trait["level"], 1, 5, name), "description": text}
    return found


def _sure(value: Any, low: int, high: int, key: str) -> int:
    mark = whole_number(value, low, high, key)
    if mark is None:
        raise ValueError(f'"{key}" must be a number')
    return mark


def _life_reader(draft: Draft) -> Any:
    background, money = draft.background, draft.finances
    assert background is not None
    assert money is not None
    amounts = [
        background.need_coll_amt, background.bal_due, money.assets, money.avg_daily_income,
        money.avg_daily_expense, money.avg_daily_balance, 30 * money.avg_daily_income,
        30 * money.avg_daily_expense, 30 * money.avg_daily_balance, float(background.overdue_days),
    ]  # fmt: skip

    def read(answer: Mapping[str, Any]) -> dict[str, Any]:
        found = {key: sentence(answer[key], key) for key in ("work", "household", "story")}
        missing = [key for key, text in found.items() if text is None]
        if missing:
            raise ValueError(f'"{missing[0]}" must not be empty')
        for text in _AMOUNT.findall(found["story"] or ""):
            amount = float(text.replace(",", ""))
            if amount >= _LEAST_AMOUNT and not any(
                abs(amount - told) <= _NEAR * abs(told) for told in amounts
            ):
                raise ValueError(f"the story tells of {text}, which is no amount of the record")
        return found

    return read


def _with_account(draft: Draft, seed: int, i: int) -> Draft:
    draws = Draws(rng_for(seed, "enrich", i))
    background, finances, _ = account_of(draft, draws, distributions())
    return draft.model_copy(
        update={
            "background": background,
            "finances": finances,
            "overdue_reason": finances.overdue_reason,
        }
    )


def _put_under(draft: Draft, answer: Mapping[str, Any]) -> Draft:
    """The draft with an answer's fields where it knew nothing."""
    if not answer:
        return draft
    own = draft.model_dump()
    for key, value in answer.items():
        if isinstance(value, dict):
            own[key] = {**value, **own[key]}
        elif not own[key]:
            own[key] = value
    try:
        return Draft.model_validate(own)
    except ValidationError as error:
        raise ValueError(str(error)) from None


def _debtor(draft: Draft) -> Debtor:
    assert draft.background is not None
    assert draft.finances is not None
    return Debtor(
        id=draft.id,
        background=draft.background,
        finances=draft.finances,
        personality=draft.personality(),
        cognition=draft.minds(),
        scenario=draft.scenario(),
        category=draft.category,
    )


def _values(draft: Draft, language: Language) -> dict[str, str]:
    """What the prompts are filled with."""
    background, money = draft.background, draft.finances
    assert background is not None
    assert money is not None
    comma = "、" if language == "zh" else ", "
    small = words(language)
    record = {
        "age": background.age, "sex": small["sex"][background.sex],
        "bal_due": background.bal_due, "need_coll_amt": background.need_coll_amt,
        "overdue_days": background.overdue_days, "assets": money.assets,
        "avg_daily_income": money.avg_daily_income, "avg_daily_expense": money.avg_daily_expense,
        "overdue_reason": f"{money.overdue_reason.category}: {money.overdue_reason.text}",
    }  # fmt: skip
    return {
        "record": "\n".join(f"- {key}: {value}" for key, value in record.items()),
        "known": "\n".join(f"- {line}" for line in _known(draft, comma)) or small["not_recorded"],
        "characters": comma.join(characters()),
        "styles": comma.join(styles()),
    }


def _known(draft: Draft, comma: str) -> list[str]:
    found = [
        f"{name}: {value if isinstance(value, str) else comma.join(value)}"
        for name in ("category", "character", "mbti", "emotional_resilience", "style", "work",
                     "household", "story")
        if (value := getattr(draft, name))
    ]  # fmt: skip
    found += [f"{name}: {level}" for name, level in draft.emotions.items()]
    return found + [f"{name}: {t.level} ({t.description})" for name, t in draft.cognition.items()]


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_TEXT: Final = {"type": "string"}
_LEVEL: Final = _object(level={"type": "integer"}, description=_TEXT)
PERSON_SCHEMA: Final = Schema(
    "enrich_person",
    _object(
        category={"type": "string", "enum": list(CATEGORIES)},
        character={"type": "array", "items": _TEXT},
        mbti={"type": "string", "enum": list(MBTI_TYPES)},
        emotions=_object(**{name: {"type": "integer"} for name in EMOTIONS}),
        resilience={"type": "string", "enum": list(RESILIENCE_LEVELS)},
        style={"type": "array", "items": _TEXT},
        cognition=_object(**dict.fromkeys(COGNITION, _LEVEL)),
    ),
)
LIFE_SCHEMA: Final = Schema("enrich_life", _object(work=_TEXT, household=_TEXT, story=_TEXT))
