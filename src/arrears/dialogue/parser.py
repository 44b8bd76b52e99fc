"""What a model or a person writes, taken apart: thoughts, strategy, acts and what is said aloud.

The message has labelled parts (Thoughts, Strategy, Action, Dialogue), in English or Chinese, in
any case, bold, as headings or bullets, or is one JSON object with the same keys; a reasoning block
may stand before it. Acts are read from the action part only, never from prose. What cannot be read
is an `ActSyntaxError` that is sent back to the writer.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

import orjson

from arrears.dialogue.acts import Act
from arrears.dialogue.acts_text import SHAPE, ReadActs, acts_from_json, read_acts
from arrears.errors import ActSyntaxError, UnknownName
from arrears.strategies import Seat, strategy_named

Part = Literal["thoughts", "strategy", "action", "dialogue"]
_LABELS: Final[Mapping[str, Part]] = {
    "thoughts": "thoughts", "thought": "thoughts", "thinking": "thoughts", "think": "thoughts",
    "inner thoughts": "thoughts", "reasoning": "thoughts", "analysis": "thoughts",
    "思考": "thoughts", "想法": "thoughts", "内心想法": "thoughts",
    "strategy": "strategy", "strategies": "strategy", "策略": "strategy",
    "action": "action", "actions": "action", "act": "action", "acts": "action",
    "动作": "action", "行动": "action", "行为": "action",
    "dialogue": "dialogue", "dialog": "dialogue", "response": "dialogue", "reply": "dialogue",
    "say": "dialogue", "speech": "dialogue", "message": "dialogue", "utterance": "dialogue",
    "对话": "dialogue", "回复": "dialogue", "话术": "dialogue",
}  # fmt: skip
_NAMES: Final = "|".join(sorted(map(re.escape, _LABELS), key=len, reverse=True))
_LABEL: Final = re.compile(
    rf"^[ \t>#*\-•\d.)(\[【_]{{0,12}}({_NAMES})"
    r"[ \t]{0,4}[\]】*_]{0,4}[ \t]{0,4}[:：][*_]{0,4}",
    re.IGNORECASE,
)
# A heading or a bold line needs no colon, but nothing else may stand on it.
_HEADING: Final = re.compile(
    rf"^[ \t]{{0,4}}(?:#{{1,6}}|\*\*|【|\[)[ \t]{{0,4}}({_NAMES})[ \t*】\]]{{0,6}}$", re.IGNORECASE
)
# A label in the middle of a line counts only where no line begins with it.
_INLINE: Final = re.compile(
    rf"(?:(?<=[\s.;。；])|^)\**({_NAMES})\**[ \t]{{0,2}}[:：]\**", re.IGNORECASE
)
_FENCE: Final = re.compile(r"^```[a-z]{0,10}\s*|\s*```$", re.IGNORECASE)
_OPEN, _CLOSE = "<think>", "</think>"
_QUOTES: Final = (('"', '"'), ("“", "”"), ("「", "」"), ("'", "'"))


class ParsedMessage(NamedTuple):
    """One message, read."""

    thoughts: str
    strategy: str | None
    """Key of the strategy that was named; None where none was, or none that the seat has."""
    acts: tuple[Act, ...]
    dialogue: str
    repairs: tuple[str, ...]
    """Readable notes of what was mended on the way."""


def parse_message(text: str, seat: Seat) -> ParsedMessage:
    """Read one message of a seat.

    A missing action is not taken for `non`: a model that forgot it is told. ActSyntaxError tells
    what is missing or cannot be read.
    """
    reasoning, body = _without_reasoning(text)
    repairs: list[str] = []
    parts = _from_json(body)
    if parts is None:
        parts = _labelled(body)
    thoughts = "\n".join(filter(None, (reasoning, _words(parts.get("thoughts")))))
    said = _spoken(parts.get("dialogue"))
    if "action" not in parts:
        raise ActSyntaxError(
            f"There is no Action part. Add a line `Action: non`, or with terms: `Action: {SHAPE}`."
        )
    read = _read(parts["action"], seat)
    if not said:
        raise ActSyntaxError("There is no Dialogue part. Add a line `Dialogue: …` with your words.")
    strategy = _strategy(_words(parts.get("strategy")), seat, repairs)
    return ParsedMessage(thoughts, strategy, read.acts, said, (*repairs, *read.repairs))


def _read(action: Any, seat: Seat) -> ReadActs:
    return read_acts(action, seat) if isinstance(action, str) else acts_from_json(action, seat)


def _without_reasoning(text: str) -> tuple[str, str]:
    """The reasoning block, and the message after it. An unclosed block ends at the first label."""
    start, end = text.find(_OPEN), text.rfind(_CLOSE)
    if end >= 0:
        reasoning = text[start + len(_OPEN) if 0 <= start < end else 0 : end]
        before = text[:start] if 0 <= start < end else ""
        return reasoning.strip(), (before + text[end + len(_CLOSE) :]).strip()
    if start >= 0:
        return "", (text[:start] + text[start + len(_OPEN) :]).strip()
    return "", text.strip()


def _from_json(body: str) -> dict[Part, Any] | None:
    """The parts of a message that is one JSON object, else None."""
    bare = _FENCE.sub("", body).strip()
    if not bare.startswith("{"):
        return None
    try:
        found = orjson.loads(bare)
    except orjson.JSONDecodeError:
        return None
    parts: dict[Part, Any] = {}
    for key, value in found.items():
        label = _LABELS.get(key.strip().lower().replace("_", " "))
        if label is not None and value is not None:
            parts[label] = value
    return parts


def _labelled(body: str) -> dict[Part, Any]:
    """The labelled parts. What stands before the first label belongs to the thoughts."""
    parts: dict[Part, list[str]] = {}
    part: Part = "thoughts"
    for line in body.splitlines():
        label = _LABEL.match(line) or _HEADING.match(line)
        if label is not None:
            part = _LABELS[label[1].lower()]
            line = line[label.end() :]
        parts.setdefault(part, []).append(line)
    if "action" not in parts or "dialogue" not in parts:
        return _inline(body, {name: "\n".join(lines).strip() for name, lines in parts.items()})
    # A fence around the whole message is nobody's words.
    return {name: _FENCE.sub("", "\n".join(lines).strip()) for name, lines in parts.items()}


def _inline(body: str, by_line: dict[Part, Any]) -> dict[Part, Any]:
    """The parts where labels stand on one line; `by_line` where that brings no more to light."""
    marks = list(_INLINE.finditer(body))
    found: dict[Part, Any] = {}
    for mark, after in zip(marks, [*marks[1:], None], strict=False):
        end = after.start() if after else len(body)
        found.setdefault(_LABELS[mark[1].lower()], body[mark.end() : end].strip())
    return found if len(found) > len(by_line) - ("thoughts" in by_line) else by_line


def _words(part: Any) -> str:
    """A part as text."""
    return part.strip() if isinstance(part, str) else "" if part is None else str(part)


def _spoken(part: Any) -> str:
    """What is said, without the quotation marks around the whole of it."""
    words = _words(part)
    for opening, closing in _QUOTES:
        inner = words[1:-1]
        wrapped = len(words) > 1 and words.startswith(opening) and words.endswith(closing)
        if wrapped and opening not in inner and closing not in inner:
            return inner.strip()
    return words


def _strategy(text: str, seat: Seat, repairs: list[str]) -> str | None:
    """The strategy's key. A label is no reason to fail: an unknown one is noted and dropped."""
    label = text.strip(" .*_`\"'[]()").split("\n")[0]
    if not label or label.lower() in ("none", "n/a", "-"):
        return None
    try:
        return strategy_named(seat, label).key
    except UnknownName:
        repairs.append(f"strategy {label[:60]!r} is none of the {seat}'s")
        return None
