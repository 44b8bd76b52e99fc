"""A model applies a taxonomy to conversations, with its own confidence."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from arrears.bench.run import Progress
from arrears.models.chat import Schema
from arrears.models.unanswered import Unanswered
from arrears.prompts.library import Language, words
from arrears.synthesis.asking import Clerk, Question, ask_all
from arrears.synthesis.conversations import Conversation
from arrears.synthesis.taxonomy.file import SEATS
from arrears.synthesis.taxonomy.labelled import Given, Taxonomy
from arrears.synthesis.taxonomy.talking import numbered, one_line


class ByModel(NamedTuple):
    """What a model gave."""

    given: Mapping[str, list[Given]]
    """By conversation; what could not be labelled is missing."""
    failures: Mapping[str, Unanswered]
    """Why, by conversation. It is in no count of labels: nobody has said that it shows none."""


def label_by_model(
    clerk: Clerk,
    taxonomy: Taxonomy,
    conversations: Sequence[Conversation],
    store: Path,
    progress: Progress,
) -> ByModel:
    """Labels of conversations that hold no personal data any more. Errors as `ask_all`."""
    shown = listed(taxonomy, clerk.language)
    questions = [
        Question(
            talk.id,
            clerk.ask(
                "label_strategies",
                {"taxonomy": shown, "transcript": numbered(talk, clerk.language)},
            ),
            LABELS_SCHEMA,
            lambda raw, talk=talk: read_labels(raw, talk, taxonomy),  # type: ignore[misc]
        )
        for talk in conversations
    ]
    return ByModel(*ask_all(clerk, "labels", questions, store, progress))


def listed(taxonomy: Taxonomy, language: Language) -> str:
    """The taxonomy as a prompt shows it: names and meanings, no examples (they are people's)."""
    seats = words(language)["seats"]
    parts: list[str] = []
    for seat in SEATS:
        if taxonomy[seat]:
            parts.append(f"{seats[seat]}:")
        for key, strategy in taxonomy[seat].items():
            meaning = strategy.meaning
            if language == "zh":
                meaning = strategy.zh_meaning or meaning
            parts.append(f"- {key}: {one_line(meaning)}")
    return "\n".join(parts)


def read_labels(raw: dict[str, Any], talk: Conversation, taxonomy: Taxonomy) -> list[Given]:
    """The labels of every turn. ValueError, KeyError or TypeError where they cannot be taken."""
    rows = raw["turns"]
    count = len(talk.utterances)
    if not isinstance(rows, list) or [row["turn"] for row in rows] != list(range(1, count + 1)):
        raise ValueError(f"turns must be marked in order, each from 1 to {count} once")
    given: list[Given] = []
    for row, said in zip(rows, talk.utterances, strict=True):
        marks: dict[str, float] = {}
        for label in row["labels"]:
            key, confidence = label["key"], label["confidence"]
            if key not in taxonomy[said.seat]:
                known = ", ".join(taxonomy[said.seat])
                raise ValueError(f"turn {row['turn']}: {key!r} is none of this side's: {known}")
            if isinstance(confidence, bool) or not isinstance(confidence, int | float):
                raise ValueError(f"turn {row['turn']}: a confidence is a number")
            if not 0 <= confidence <= 1:
                raise ValueError(f"turn {row['turn']}: a confidence is from 0 to 1")
            marks[key] = max(marks.get(key, 0.0), float(confidence))
        given.append(Given(dict(sorted(marks.items(), key=lambda mark: -mark[1]))))
    return given


LABELS_SCHEMA: Final = Schema(
    "labels",
    {
        "type": "object",
        "properties": {
            "turns": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "turn": {"type": "integer"},
                        "labels": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "properties": {
                                    "key": {"type": "string"},
                                    "confidence": {"type": "number"},
                                },
                                "required": ["key", "confidence"],
                                "additionalProperties": False,
                            },
                        },
                    },
                    "required": ["turn", "labels"],
                    "additionalProperties": False,
                },
            }
        },
        "required": ["turns"],
        "additionalProperties": False,
    },
)
