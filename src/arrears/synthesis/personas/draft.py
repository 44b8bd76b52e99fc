"""What is known of a person so far: a persona's fields, each of which may be unknown."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import Field, ValidationError, field_validator

from arrears.debtors.record import (
    EMOTIONS,
    Background,
    Category,
    Cognition,
    Debtor,
    Emotions,
    Feeling,
    Finances,
    Personality,
    Reason,
    Record,
    Resilience,
    Scenario,
    Trait,
)
from arrears.errors import BrokenFile
from arrears.files import replace_file
from arrears.models.unanswered import Unanswered, unanswered_told
from arrears.tables.json_lines import not_json, refuse_keys_twice, text_lines

COGNITION: Final = (
    "legal_awareness", "financial_literacy", "responsibility", "credit_awareness",
)  # fmt: skip


class Draft(Record):
    """One person, as far as known. None, an empty tuple or a missing key is unknown."""

    kind: Literal["draft"] = "draft"
    """Tells a file of drafts from one of debtors."""
    id: str
    """Of the conversation or the debtor that it was made from."""
    background: Background | None = None
    """What the creditor knows; the name is a pseudonym or `[NAME]`."""
    finances: Finances | None = None
    """Where a record told them."""
    category: Category | None = None
    """How the person takes a call."""
    character: tuple[str, ...] = ()
    """Words of the vocabulary."""
    mbti: Annotated[str, Field(pattern="^[EI][SN][TF][JP]$")] | None = None
    """Type."""
    emotions: Mapping[str, Feeling] = Field(default_factory=dict)
    """Those of the six that are known."""
    emotional_resilience: Resilience | None = None
    """Level."""
    style: tuple[str, ...] = ()
    """Words of the vocabulary, the most striking first."""
    cognition: Mapping[str, Trait] = Field(default_factory=dict)
    """Those of the four that are known."""
    overdue_reason: Reason | None = None
    """Kind and sentence."""
    work: str | None = None
    """What the person lives on."""
    household: str | None = None
    """Whom the person lives with."""
    story: str | None = None
    """The life behind the debt."""
    evidence: Mapping[str, str] = Field(default_factory=dict)
    """By attribute: the person's words that show it, personal data taken out."""
    failures: Mapping[str, Unanswered] = Field(default_factory=dict)
    """By attribute: why a model gave no answer; not the same as an answer of `unknown`."""
    removed: Mapping[str, int] = Field(default_factory=dict)
    """Personal data that was taken out of the conversation, by kind."""

    @field_validator("failures", mode="before")
    @classmethod
    def _of_an_older_arrears(cls, found: Any) -> Any:
        """A reason alone, as drafts had it before, says no more than it does."""
        if not isinstance(found, dict):
            return found
        return {
            name: unanswered_told(why, "model") if isinstance(why, str) else why
            for name, why in found.items()
        }

    @property
    def incomplete(self) -> tuple[str, ...]:
        """Attributes about which nothing is known because asking failed from outside; none in a
        draft of an older arrears, which does not tell.
        """
        return tuple(
            name for name, why in self.failures.items() if why.outside and why.cause != "unknown"
        )

    @property
    def unknown(self) -> tuple[str, ...]:
        """Names of what is missing for a whole persona."""
        missing = [
            name
            for name in ("category", "character", "mbti", "emotional_resilience", "style",
                         "overdue_reason", "work", "household", "story")
            if not getattr(self, name)
        ]  # fmt: skip
        missing += [name for name in EMOTIONS if name not in self.emotions]
        return tuple(missing + [name for name in COGNITION if name not in self.cognition])

    def personality(self) -> Personality | None:
        """The personality, where all of it is known."""
        if not (self.character and self.mbti and self.style and self.emotional_resilience):
            return None
        if set(self.emotions) != set(EMOTIONS):
            return None
        return Personality(
            character=self.character,
            mbti=self.mbti,
            emotions=Emotions(**self.emotions),
            emotional_resilience=self.emotional_resilience,
            style=self.style,
        )

    def minds(self) -> Cognition | None:
        """The cognition, where all of it is known."""
        return Cognition(**self.cognition) if set(self.cognition) == set(COGNITION) else None

    def scenario(self) -> Scenario | None:
        """The scenario, where all of it is known."""
        if not (self.work and self.household and self.story):
            return None
        return Scenario(work=self.work, household=self.household, story=self.story)


def draft_of(debtor: Debtor) -> Draft:
    """Everything that a debtor's record knows, as a draft."""
    person, mind, life = debtor.personality, debtor.cognition, debtor.scenario
    return Draft(
        id=debtor.id,
        background=debtor.background,
        finances=debtor.finances,
        category=debtor.category,
        character=person.character if person else (),
        mbti=person.mbti if person else None,
        emotions=person.emotions.model_dump() if person else {},
        emotional_resilience=person.emotional_resilience if person else None,
        style=person.style if person else (),
        cognition={name: getattr(mind, name) for name in COGNITION} if mind else {},
        overdue_reason=debtor.finances.overdue_reason,
        work=life.work if life else None,
        household=life.household if life else None,
        story=life.story if life else None,
    )


def write_drafts(path: Path, drafts: Iterable[Draft]) -> None:
    """One a line, jsonl, whole or not at all. StorageError."""
    lines = [
        orjson.dumps(
            {"kind": "draft", **d.model_dump(mode="json", exclude_defaults=True)},
            option=orjson.OPT_APPEND_NEWLINE,
        )
        for d in drafts
    ]
    replace_file(path, lambda file: file.writelines(lines))


def read_drafts(path: Path) -> tuple[Draft, ...]:
    """What `extract` wrote. BrokenFile says in which line and field it breaks."""
    found = []
    for line in text_lines(path):
        try:
            found.append(Draft.model_validate_json(line.text))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            if first["type"] == "json_invalid":
                raise not_json(path, line, first["msg"]) from None
            field = ".".join(map(str, first["loc"]))
            raise BrokenFile(path, first["msg"], line.number, field) from None
        refuse_keys_twice(path, line)
    if not found:
        raise BrokenFile(path, "holds nobody")
    return tuple(found)


def holds_drafts(path: Path) -> bool:
    """Whether a file is of drafts, and not of debtors: by its first line."""
    if path.suffix.lower() != ".jsonl":
        return False
    try:
        first = orjson.loads(next(text_lines(path)).text)
    except (StopIteration, BrokenFile, orjson.JSONDecodeError):
        return False  # Who reads it next says why it cannot be read.
    return isinstance(first, dict) and first.get("kind") == "draft"
