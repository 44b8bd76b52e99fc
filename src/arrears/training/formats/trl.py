"""Rows as TRL takes them, one JSON object a line.

- a whole talk: `{"messages": […]}`; every message of the assistant is learned
- one answer: `{"prompt": […], "completion": [{…}]}`; only the completion is learned
- a preference: `{"prompt": […], "chosen": [{…}], "rejected": [{…}]}`

Messages are `{"role", "content"}`. What a row is about (debtor, case, scores) stands under `about`,
which no trainer reads.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from arrears.files import replace_file
from arrears.models.chat import Message

Row = dict[str, Any]


def talk_row(messages: Sequence[Message], about: Mapping[str, Any]) -> Row:
    """A whole talk; it ends with the assistant's message."""
    return {"messages": list(messages), "about": dict(about)}


def answer_row(prompt: Sequence[Message], answer: Message, about: Mapping[str, Any]) -> Row:
    """One answer to all that was said before; the prompt ends with the user's message."""
    return {"prompt": list(prompt), "completion": [answer], "about": dict(about)}


def preference_row(
    prompt: Sequence[Message], chosen: Message, rejected: str, about: Mapping[str, Any]
) -> Row:
    """Two answers to the same prompt. ValueError where they are the same."""
    if chosen["content"] == rejected:
        raise ValueError("the chosen and the rejected answer are the same")
    worse = Message(role="assistant", content=rejected)
    return {"prompt": list(prompt), "chosen": [chosen], "rejected": [worse], "about": dict(about)}


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write the file in one step. StorageError."""
    lines = b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
    replace_file(path, lambda out: out.write(lines))
