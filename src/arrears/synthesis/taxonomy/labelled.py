"""Conversations whose turns carry strategies: read to learn from, written by `strategies label`.

A line is `{"id": …, "turns": [{"seat": …, "text": …, "labels": [key, …]}, …]}`; what `label` writes
has the confidence of each label beside it and can be corrected by hand and learned from.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from arrears.errors import BrokenFile
from arrears.files import replace_file
from arrears.strategies import Seat, Strategy
from arrears.synthesis.conversations import Conversation, read_conversations
from arrears.tables.json_lines import json_object, text_lines

Taxonomy = Mapping[Seat, Mapping[str, Strategy]]


class Labelled(NamedTuple):
    """A conversation and the strategies of each utterance."""

    conversation: Conversation
    labels: tuple[frozenset[str], ...]
    """By utterance; empty where it shows none."""


class Given(NamedTuple):
    """The strategies that an utterance was given, with their confidence, 0 … 1."""

    labels: Mapping[str, float]
    """Most certain first."""


def read_labelled(path: Path, taxonomy: Taxonomy) -> tuple[Labelled, ...]:
    """Labelled conversations. BrokenFile, with line and field, also for a turn without `labels`
    and for a label that its seat's taxonomy lacks.
    """
    talks = iter(read_conversations(path))
    if path.is_dir():
        raise BrokenFile(path, "is a run; labelled conversations are a jsonl file")
    found: list[Labelled] = []
    for line in text_lines(path):
        number, turns = line.number, json_object(path, line).get("turns")
        if not isinstance(turns, list):
            raise BrokenFile(path, "has no turns with seat, text and labels", number, "turns")
        said = [(n, t) for n, t in enumerate(turns) if _spoken(path, number, n, t)]
        if not said:
            continue
        talk = next(talks)
        found.append(Labelled(talk, tuple(
            _labels(path, number, n, turn, utterance.seat, taxonomy)
            for (n, turn), utterance in zip(said, talk.utterances, strict=True)
        )))  # fmt: skip
    return tuple(found)


def write_labelled(
    path: Path, conversations: Sequence[Conversation], given: Sequence[Sequence[Given]]
) -> None:
    """Conversations with what their utterances were given, in one step."""
    lines = [
        orjson.dumps(
            {
                "id": talk.id,
                "turns": [
                    {
                        "seat": said.seat,
                        "text": said.text,
                        "labels": list(one.labels),
                        "confidence": {k: round(c, 4) for k, c in one.labels.items()},
                    }
                    for said, one in zip(talk.utterances, row, strict=True)
                ],
            },
            option=orjson.OPT_APPEND_NEWLINE,
        )
        for talk, row in zip(conversations, given, strict=True)
    ]
    replace_file(path, lambda out: out.writelines(lines))


def _spoken(path: Path, number: int, place: int, turn: Any) -> bool:
    """Whether a turn is one that `read_conversations` keeps."""
    if not isinstance(turn.get("seat"), str) or not isinstance(turn.get("text"), str):
        raise BrokenFile(path, "labelled turns have seat and text", number, f"turns[{place}]")
    return turn["seat"].strip().lower() != "system" and bool(turn["text"].strip())


def _labels(
    path: Path, number: int, place: int, turn: Mapping[str, Any], seat: Seat, taxonomy: Taxonomy
) -> frozenset[str]:
    field = f"turns[{place}].labels"
    labels = turn.get("labels")
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise BrokenFile(path, "must be a list of keys, empty for none", number, field)
    for label in labels:
        if label not in taxonomy[seat]:
            known = ", ".join(taxonomy[seat]) or "none"
            why = f"{label!r} is no strategy of the {seat}; the taxonomy has {known}"
            raise BrokenFile(path, why, number, field)
    return frozenset(labels)
