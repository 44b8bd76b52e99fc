"""What a judge of behaviour may change in a persona, and how a change is put into it."""

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

from arrears.debtors.record import EMOTIONS, RESILIENCE_LEVELS, Debtor, Trait
from arrears.models.json_answers import number_in
from arrears.synthesis.personas.attributes import characters, sentence, styles, whole_number
from arrears.synthesis.personas.draft import COGNITION

Dimension = Literal["emotion", "cognition", "style"]
DIMENSIONS: Final[tuple[Dimension, ...]] = ("emotion", "cognition", "style")
_OF: Final[Mapping[str, Dimension]] = {
    **dict.fromkeys((*EMOTIONS, "resilience", "character"), "emotion"),
    **dict.fromkeys(COGNITION, "cognition"),
    "style": "style",
}  # fmt: skip
Value = int | str | tuple[str, ...]


class Change(NamedTuple):
    """One field of a persona that a conversation contradicted."""

    field: str
    before: Value
    after: Value
    reason: str
    description: str = ""
    """For a cognitive attribute: the sentence that goes with the new level."""


class Verdict(NamedTuple):
    """What a judge makes of one conversation."""

    scores: Mapping[Dimension, float]
    """1 … 5."""
    changes: tuple[Change, ...]
    """Of dimensions below the threshold only."""
    reason: str


def read_verdict(answer: Mapping[str, Any], person: Debtor, threshold: float) -> Verdict:
    """What a model answered. ValueError, KeyError or TypeError where it cannot be taken: a score
    off its scale, a change of a field that there is not or that is consistent, a value off its
    scale, or no change at all where a score calls for one.
    """
    scores: dict[Dimension, float] = {}
    for name in DIMENSIONS:
        try:
            score = number_in(answer[name], 5)
        except ValueError as error:
            raise ValueError(f'"{name}" must be a number from 1 to 5: {error}') from None
        if not 1 <= score <= 5:
            raise ValueError(f'"{name}" must be a number from 1 to 5')
        scores[name] = score
    changes = tuple(_change(raw, person) for raw in answer["changes"])
    changes = tuple(c for c in changes if c.before != c.after)
    for change in changes:
        if scores[_OF[change.field]] >= threshold:
            raise ValueError(
                f'"{change.field}" belongs to "{_OF[change.field]}", which you found consistent; '
                "leave it as it is"
            )
    if len({c.field for c in changes}) < len(changes):
        raise ValueError("a field is changed twice")
    return Verdict(scores, changes, str(answer.get("reason", ""))[:500])


def _change(raw: Mapping[str, Any], person: Debtor) -> Change:
    field, value, reason = str(raw["field"]), raw["value"], str(raw["reason"]).strip()
    if field not in _OF:
        raise ValueError(f'"{field}" is no field that may be changed; these may: {", ".join(_OF)}')
    if not reason:
        raise ValueError(f'the change of "{field}" needs a reason')
    after: Value | None
    description = ""
    if field in EMOTIONS:
        after = whole_number(value, 0, 10, field)
    elif field in COGNITION:
        after = whole_number(value, 1, 5, field)
        description = sentence(raw.get("description", ""), "description") or ""
        if not description:
            raise ValueError(f'the change of "{field}" needs a "description"')
    elif field == "resilience":
        after = value if value in RESILIENCE_LEVELS else None
    else:
        known, most = (styles(), 3) if field == "style" else (characters(), 4)
        texts = tuple(dict.fromkeys(str(word).strip().lower() for word in value))
        fine = 0 < len(texts) <= most and all(word in known for word in texts)
        after = texts if fine else None
    if after is None:
        raise ValueError(f'"{field}" cannot become {value!r}')
    return Change(field, value_of(person, field), after, reason[:300], description)


def value_of(person: Debtor, field: str) -> Value:
    """What a persona has in a field."""
    temper, mind = person.personality, person.cognition
    assert temper is not None
    assert mind is not None
    if field in EMOTIONS:
        return int(getattr(temper.emotions, field))
    if field in COGNITION:
        return int(getattr(mind, field).level)
    if field == "resilience":
        return temper.emotional_resilience
    found: tuple[str, ...] = getattr(temper, field)
    return found


def changed(person: Debtor, changes: tuple[Change, ...]) -> Debtor:
    """The persona with its contradicted fields changed, and nothing else."""
    temper, mind = person.personality, person.cognition
    assert temper is not None
    assert mind is not None
    feelings = {c.field: c.after for c in changes if c.field in EMOTIONS}
    own: dict[str, Any] = {c.field: c.after for c in changes if c.field in ("character", "style")}
    for change in changes:
        if change.field == "resilience":
            own["emotional_resilience"] = change.after
    if feelings:
        own["emotions"] = temper.emotions.model_copy(update=feelings)
    traits = {
        c.field: Trait(level=int(str(c.after)), description=c.description)
        for c in changes
        if c.field in COGNITION
    }
    return person.model_copy(
        update={
            "personality": temper.model_copy(update=own),
            "cognition": mind.model_copy(update=traits),
        }
    )
