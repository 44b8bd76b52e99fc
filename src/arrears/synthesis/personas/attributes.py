"""What is read out of a conversation, attribute by attribute: prompt, schema, and what is refused.

A value without words of the customer that show it is refused, and so is a word that the vocabulary
lacks: what comes back can be played by any seat.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, NamedTuple

from arrears.debtors.distributions import distributions
from arrears.debtors.life import REASON_CATEGORIES
from arrears.debtors.record import CATEGORIES, EMOTIONS, MBTI_TYPES, RESILIENCE_LEVELS
from arrears.models.chat import Schema
from arrears.prompts.library import Language, Prompt, prompt, words
from arrears.synthesis.conversations import Conversation
from arrears.synthesis.personas.draft import COGNITION

UNKNOWN: Final = "unknown"
_MOST_CHARACTERS, _MOST_STYLES = 4, 3
_SENTENCES: Final = re.compile(r"[.!?。！？…]+")
_EDGES: Final = " \"'“”‘’.,!?;:…。，！？；：、-"

Fields = dict[str, Any]
"""Fields of a `Draft`; `evidence` a text."""


class Attribute(NamedTuple):
    """One thing that is asked about a conversation."""

    name: str
    prompt: str
    schema: Schema
    read: Callable[[Mapping[str, Any]], Fields]
    """What an answer says; ValueError, KeyError or TypeError where it cannot be taken."""


@cache
def characters() -> tuple[str, ...]:
    """The vocabulary of character."""
    return tuple(word.text for word in distributions().characters)


@cache
def styles() -> tuple[str, ...]:
    """The vocabulary of ways of speaking."""
    return tuple(word.text for word in distributions().styles)


def fill(attribute: Attribute, transcript: str, language: Language) -> Prompt:
    """What is asked."""
    small = words(language)
    comma = "、" if language == "zh" else ", "
    values = {
        "transcript": transcript,
        "characters": comma.join(characters()),
        "styles": comma.join(styles()),
        "reasons": comma.join(REASON_CATEGORIES),
        "attribute": small["traits"].get(attribute.name, ""),
        "meaning": small["meaning"].get(attribute.name, ""),
        "levels": "\n".join(f"{level}: {text}" for level, text in small["levels"].items()),
    }
    return prompt(attribute.prompt, language).fill(values)


def reader(attribute: Attribute, talk: Conversation) -> Callable[[dict[str, Any]], Fields]:
    """Reads an answer about this conversation, and sees that its evidence was said in it."""
    said = " ".join(_plain(text) for text in talk.of("debtor"))

    def read(answer: dict[str, Any]) -> Fields:
        fields = attribute.read(answer)
        known = any(value not in (None, (), {}, "") for value in fields.values())
        evidence = str(answer.get("evidence", ""))
        if not known:
            return {"evidence": ""}
        if not _plain(evidence):
            raise ValueError(f'"evidence" must repeat words of the customer, or say "{UNKNOWN}"')
        if _plain(evidence) not in said:
            raise ValueError(f'"evidence" was not said by the customer: {evidence[:80]!r}')
        return {**fields, "evidence": evidence}

    return read


def _plain(text: str) -> str:
    return " ".join(text.lower().split()).strip(_EDGES)


def _chosen(answer: Mapping[str, Any], key: str, known: tuple[str, ...]) -> str | None:
    value = answer[key]
    if value == UNKNOWN:
        return None
    if value not in known:
        raise ValueError(f'"{key}" must be one of {", ".join(known)}, or "{UNKNOWN}"')
    return str(value)


def _several(
    answer: Mapping[str, Any], key: str, known: tuple[str, ...], most: int
) -> tuple[str, ...]:
    value = answer[key]
    if value == UNKNOWN:
        return ()
    if not isinstance(value, list):
        raise ValueError(f'"{key}" must be a list')
    found = tuple(dict.fromkeys(str(word).strip().lower() for word in value))
    foreign = [word for word in found if word not in known]
    if foreign:
        raise ValueError(f'"{key}": {foreign[0]!r} is not one of the words that were given')
    if len(found) > most:
        raise ValueError(f'"{key}" holds {len(found)} words; {most} are the most')
    return found


def whole_number(value: Any, low: int, high: int, key: str) -> int | None:
    """A mark, or None for `unknown`. ValueError."""
    if value == UNKNOWN:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise ValueError(f'"{key}" must be a whole number from {low} to {high}, or "{UNKNOWN}"')
    if not low <= value <= high:
        raise ValueError(f'"{key}" must be from {low} to {high}, not {value}')
    return int(value)


def sentence(value: Any, key: str) -> str | None:
    """A text, or None for `unknown` and for nothing. ValueError."""
    if not isinstance(value, str):
        raise ValueError(f'"{key}" must be a text')
    text = value.strip()
    return None if text.lower() in ("", UNKNOWN) else text


def _category(answer: Mapping[str, Any]) -> Fields:
    return {"category": _chosen(answer, "category", CATEGORIES)}


def _character(answer: Mapping[str, Any]) -> Fields:
    return {"character": _several(answer, "character", characters(), _MOST_CHARACTERS)}


def _mbti(answer: Mapping[str, Any]) -> Fields:
    return {"mbti": _chosen(answer, "mbti", MBTI_TYPES)}


def _emotions(answer: Mapping[str, Any]) -> Fields:
    marks = {name: whole_number(answer[name], 0, 10, name) for name in EMOTIONS}
    return {"emotions": {name: mark for name, mark in marks.items() if mark is not None}}


def _resilience(answer: Mapping[str, Any]) -> Fields:
    return {"emotional_resilience": _chosen(answer, "resilience", RESILIENCE_LEVELS)}


def _style(answer: Mapping[str, Any]) -> Fields:
    return {"style": _several(answer, "style", styles(), _MOST_STYLES)}


def _cognition(name: str) -> Callable[[Mapping[str, Any]], Fields]:
    def read(answer: Mapping[str, Any]) -> Fields:
        level = whole_number(answer["level"], 1, 5, "level")
        if level is None:
            return {"cognition": {}}
        description = sentence(answer["description"], "description")
        if description is None:
            raise ValueError('"description" must say what the level means')
        return {"cognition": {name: {"level": level, "description": description}}}

    return read


def _reason(answer: Mapping[str, Any]) -> Fields:
    kind = _chosen(answer, "category", REASON_CATEGORIES)
    if kind is None:
        return {"overdue_reason": None}
    text = sentence(answer["text"], "text")
    if text is None:
        raise ValueError('"text" must tell the reason in a sentence')
    return {"overdue_reason": {"category": kind, "text": text}}


def _scenario(answer: Mapping[str, Any]) -> Fields:
    story = sentence(answer["story"], "story")
    if story is not None:
        count = len([part for part in _SENTENCES.split(story) if part.strip()])
        if not 3 <= count <= 6:
            raise ValueError(f'"story" must have three to six sentences, not {count}')
    return {
        "work": sentence(answer["work"], "work"),
        "household": sentence(answer["household"], "household"),
        "story": story,
    }


def _object(**properties: Mapping[str, Any]) -> dict[str, Any]:
    every = {**properties, "evidence": {"type": "string"}}
    return {
        "type": "object",
        "properties": every,
        "required": list(every),
        "additionalProperties": False,
    }


def _one_of(known: tuple[str, ...]) -> dict[str, Any]:
    return {"type": "string", "enum": [*known, UNKNOWN]}


def _some_of(known: tuple[str, ...]) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "string", "enum": list(known)}}


def _mark(low: int, high: int) -> dict[str, Any]:
    return {"enum": [*range(low, high + 1), UNKNOWN]}


_TEXT: Final = {"type": "string"}


@cache
def attributes() -> tuple[Attribute, ...]:
    """Everything that is asked about a conversation, in order."""

    def plain(name: str, read: Callable[[Mapping[str, Any]], Fields], **shape: Any) -> Attribute:
        return Attribute(name, f"extract_{name}", Schema(name, _object(**shape)), read)

    feelings = {name: _mark(0, 10) for name in EMOTIONS}
    level = {"level": _mark(1, 5), "description": _TEXT}
    return (
        plain("category", _category, category=_one_of(CATEGORIES)),
        plain("character", _character, character=_some_of(characters())),
        plain("mbti", _mbti, mbti=_one_of(MBTI_TYPES)),
        plain("emotions", _emotions, **feelings),
        plain("resilience", _resilience, resilience=_one_of(RESILIENCE_LEVELS)),
        plain("style", _style, style=_some_of(styles())),
        *(
            Attribute(name, "extract_cognition", Schema(name, _object(**level)), _cognition(name))
            for name in COGNITION
        ),
        plain("reason", _reason, category=_one_of(REASON_CATEGORIES), text=_TEXT),
        plain("scenario", _scenario, work=_TEXT, household=_TEXT, story=_TEXT),
    )
