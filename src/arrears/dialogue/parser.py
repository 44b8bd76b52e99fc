"""What a model or a person writes, taken apart: thoughts, strategy, acts and what is said aloud.

The message has labelled parts (Thoughts, Strategy, Action, Dialogue), in English or Chinese, in
any case, bold, as headings or bullets, or is one JSON object with the same keys; a reasoning block
may stand before it. Acts are read from the action part only, never from prose: once a message has
its action and its dialogue, a further Action line is words. With a further Dialogue as well there
are two messages, one of which may be a draft that was thrown away or a quotation: neither counts.
What cannot be read is an `ActSyntaxError` that is sent back to the writer.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

import orjson

from arrears.dialogue.acts import Act
from arrears.dialogue.acts_text import SHAPE, ReadActs, acts_from_json, read_acts
from arrears.errors import ActSyntaxError, UnknownName
from arrears.models.reasoning import blocks_of
from arrears.strategies import Seat, Strategy, strategy_named

Part = Literal["thoughts", "strategy", "action", "dialogue"]
_LABELS: Final[Mapping[str, Part]] = {
    "thoughts": "thoughts", "thought": "thoughts", "thinking": "thoughts", "think": "thoughts",
    "inner thoughts": "thoughts", "inner thought": "thoughts", "internal thoughts": "thoughts",
    "thought process": "thoughts", "reasoning": "thoughts", "analysis": "thoughts",
    "思考": "thoughts", "思考过程": "thoughts", "想法": "thoughts", "内心想法": "thoughts",
    "内心独白": "thoughts", "心理活动": "thoughts", "思路": "thoughts",
    "strategy": "strategy", "strategies": "strategy", "策略": "strategy", "谈判策略": "strategy",
    "action": "action", "actions": "action", "act": "action", "acts": "action",
    "action line": "action", "动作": "action", "行动": "action", "行为": "action", "操作": "action",
    "dialogue": "dialogue", "dialog": "dialogue", "response": "dialogue", "reply": "dialogue",
    "say": "dialogue", "speech": "dialogue", "message": "dialogue", "utterance": "dialogue",
    "对话": "dialogue", "对话内容": "dialogue", "回复": "dialogue", "回应": "dialogue",
    "话术": "dialogue", "发言": "dialogue", "台词": "dialogue",
}  # fmt: skip
_NAMES: Final = "|".join(sorted(map(re.escape, _LABELS), key=len, reverse=True))
# What may stand before a label: marks of lists, headings and emphasis, numbers, pictures.
_LEAD: Final = (
    r"[ \t\u3000\xa0>#*\-•·●–—\d.)(\[【（）．、一二三四五六①②③④⑤_"
    r"\u2600-\u27bf\U0001f300-\U0001faff\ufe0f]{0,12}"
)
# Without the ASCII flag `ſay` would match `say`, and is no key of the labels.
_FLAGS: Final = re.IGNORECASE | re.ASCII
# A bracket or bold type that closes after the name does for a colon: `【动作】无`, `**Act** non`.
_LABEL: Final = re.compile(
    rf"^{_LEAD}({_NAMES})"
    r"[ \t]{0,4}[\]】*_]{0,4}[ \t]{0,4}(?:[(（][^()（）]{0,40}[)）][*_]{0,4}[ \t]{0,4})?"
    r"(?:[:：]|(?<=[\]】])|(?<=[^\s*]\*\*))[*_]{0,4}",
    _FLAGS,
)
# A heading or a bold line needs no colon, but nothing else may stand on it.
_HEADING: Final = re.compile(
    rf"^[ \t]{{0,4}}(?:#{{1,6}}|\*\*|【|\[)[ \t]{{0,4}}(?:\d[.、)][ \t]{{0,2}})?"
    rf"({_NAMES})[ \t*】\]]{{0,6}}$",
    _FLAGS,
)
# A label in the middle of a line counts only where no line begins with it.
_INLINE: Final = re.compile(rf"(?:(?<=[\s.;。；])|^)\**({_NAMES})\**[ \t]{{0,2}}[:：]\**", _FLAGS)
# What else has been seen for a label. It counts only where no usual label gives both parts:
# `| Action | non |`, `Action – non`, `My action: non`, `动作/Action：non`, `Action` on its own.
_LOOSE: Final = re.compile(
    rf"^[|]?{_LEAD}(?:(?:my|final|next|the|collector|debtor)(?:['’]s)?[ \t]{{1,3}}"
    rf"|催收员|债务人|欠款人|我的)?({_NAMES})[*_\]】]{{0,4}}"
    rf"(?:[ \t]{{0,3}}/[ \t]{{0,3}}(?:{_NAMES}))?[ \t*_]{{0,8}}"
    r"(?:(?:[:：|=→–]|—{1,2}|->?)[*_ \t]{0,6}|$)",
    _FLAGS,
)
_XML: Final = re.compile(rf"<({_NAMES})>", _FLAGS)
_OBJECT: Final = re.compile(r"^[ \t\[]{0,8}\{", re.MULTILINE)
_TRAILING_COMMA: Final = re.compile(r",\s{0,20}([}\]])")
# The name of a language is no more than that where a line ends after it: "```ask(…)```" is an act.
_FENCE: Final = re.compile(r"^```(?:[a-z]{1,12}[ \t]*(?=[\r\n])|json\b)?\s*|\s*```$", re.IGNORECASE)
_AFTER_NAME: Final = re.compile(r"[(（,，;；:：/+&、]|\s[-–—]+\s|——|\s(?:and|then)\s")
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
# A byte order mark and a zero-width space are no words.
_BLANK: Final = " \t\r\n\v\f\u3000\xa0\ufeff\u200b"
_TWO: Final = (
    "There are two messages, each with an Action and a Dialogue. Write one message with one Action "
    "and one Dialogue."
)
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


def parse_message(
    text: str, seat: Seat, known: Mapping[str, Strategy] | None = None
) -> ParsedMessage:
    """Read one message of a seat, whose strategies are `known` by key or the shipped ones.

    A missing action is not taken for `non`: a model that forgot it is told. ActSyntaxError tells
    what is missing or cannot be read.
    """
    try:
        return _parse(text, seat, known)
    except RecursionError:
        raise ActSyntaxError(
            'The JSON object is nested too deeply. Write {"action": "non", "dialogue": "…"}.'
        ) from None


def _parse(text: str, seat: Seat, known: Mapping[str, Strategy] | None) -> ParsedMessage:
    reasoning, body = _without_reasoning(text)
    repairs: list[str] = []
    parts = _parts(body, repairs)
    thoughts = "\n".join(filter(None, (reasoning, _words(parts.get("thoughts")))))
    said = _spoken(parts.get("dialogue"))
    if "action" not in parts:
        if _FENCE.sub("", body).lstrip().startswith("{"):
            raise ActSyntaxError(
                "The JSON object cannot be read, or has no `action`. Write"
                ' {"action": "non", "dialogue": "…"}, or with terms: '
                f'"action": "{SHAPE}".'
            )
        raise ActSyntaxError(
            f"There is no Action part. Add a line `Action: non`, or with terms: `Action: {SHAPE}`."
        )
    read = _read(parts["action"], seat)
    if not said:
        raise ActSyntaxError("There is no Dialogue part. Add a line `Dialogue: …` with your words.")
    strategy = _strategy(_words(parts.get("strategy")), seat, known, repairs)
    return ParsedMessage(thoughts, strategy, read.acts, said, (*repairs, *read.repairs))


def _read(action: Any, seat: Seat) -> ReadActs:
    return read_acts(action, seat) if isinstance(action, str) else acts_from_json(action, seat)


def _without_reasoning(text: str) -> tuple[str, str]:
    """The reasoning, and the message around it. An unclosed block ends at the first label."""
    if "<" not in text and "[" not in text and "◁" not in text:
        return "", text.strip(_BLANK)
    found = blocks_of(text, _is_whole)
    return found.thought, f"{found.said}{found.unclosed}".strip(_BLANK)


def _is_whole(text: str) -> bool:
    """Whether a text begins with a label and has an action and a dialogue."""
    lines = text.strip(_BLANK).splitlines()
    if not lines or not (_LABEL.match(lines[0]) or _HEADING.match(lines[0])):
        return False
    found = {_LABELS[m[1].lower()] for m in map(_LABEL.match, lines) if m}
    found |= {_LABELS[m[1].lower()] for m in map(_HEADING.match, lines) if m}
    return {"action", "dialogue"} <= found


def _parts(body: str, repairs: list[str]) -> dict[Part, Any]:
    """The parts of a message, as many as there are.

    The shape in which it begins comes first: labels within an object's or a tag's words are words.
    """
    parts: dict[Part, Any] | None = None
    if body[:1] in ("{", "`"):
        parts = _from_json(body)
    elif body[:1] in ("<", "|"):
        parts = _odd_shape(body, {})
    if parts is None:
        parts = _labelled(body, repairs)
        if "action" not in parts or "dialogue" not in parts:
            parts = _odd_shape(body, parts) or _inline(body, parts)
    return parts


def _from_json(body: str) -> dict[Part, Any] | None:
    """The parts of a message that is one JSON object, else None."""
    bare = _FENCE.sub("", body).strip()
    if not bare.startswith("{"):
        return None
    try:
        found = orjson.loads(bare)
    except orjson.JSONDecodeError:
        return _json_within(bare) or None
    return _keyed(found)


def _keyed(found: Mapping[str, Any]) -> dict[Part, Any]:
    """The parts of an object, or of the object within it that holds the action."""
    parts: dict[Part, Any] = {}
    for key, value in found.items():
        label = _LABELS.get(_CAMEL.sub(" ", key).strip(" :：*").lower().replace("_", " "))
        if label is not None and value is not None:
            parts[label] = value
    if "action" not in parts:
        for value in found.values():
            inner = _keyed(value) if isinstance(value, dict) else {}
            if "action" in inner:
                return {**parts, **inner}
    return parts


def _labelled(body: str, repairs: list[str]) -> dict[Part, Any]:
    """The labelled parts. What stands before the first label belongs to the thoughts."""
    parts: dict[Part, list[str]] = {}
    part: Part = "thoughts"
    second = False
    for line in body.splitlines():
        label = _LABEL.match(line) or _HEADING.match(line)
        if label is not None:
            named = _LABELS[label[1].lower()]
            if named == "action" != part and "action" in parts and "dialogue" in parts:
                # People forge acts in what they say, and models repeat it.
                repairs.append("a second Action line in the dialogue was taken as words")
                second = True
            elif named == "dialogue" and second:
                raise ActSyntaxError(_TWO)
            else:
                part = named
                line = line[label.end() :]
        parts.setdefault(part, []).append(line)
    # A fence around the whole message is nobody's words.
    return {name: _FENCE.sub("", "\n".join(lines).strip()) for name, lines in parts.items()}


def _inline(body: str, by_line: dict[Part, Any]) -> dict[Part, Any]:
    """The parts where labels stand on one line; `by_line` where that brings no more to light.

    What is said runs to the end, or to a line that begins with the label of a new part.
    """
    found: dict[Part, list[str]] = {}
    part: Part = "thoughts"
    at, second = 0, False
    for mark in _INLINE.finditer(body):
        named = _LABELS[mark[1].lower()]
        begins_line = mark.start() == 0 or body[mark.start() - 1] == "\n"
        saying = part == "dialogue" or "dialogue" in found
        if saying and (named in found or not begins_line):
            second = second or (named == "action" and "action" in found)
            if second and named == "dialogue":
                raise ActSyntaxError(_TWO)
            continue
        if mark.start():
            found.setdefault(part, []).append(body[at : mark.start()].strip())
        part, at = named, mark.end()
    found.setdefault(part, []).append(body[at:].strip())
    if len(found) - ("thoughts" in found) <= len(by_line) - ("thoughts" in by_line):
        return by_line
    return {name: "\n".join(filter(None, pieces)) for name, pieces in found.items()}


def _odd_shape(body: str, by_label: Mapping[Part, Any]) -> dict[Part, Any] | None:
    """The parts of a message in a shape that models write now and then; None where there is none.

    Each must give an action and what is said. An object among prose counts only where nothing
    else is labelled.
    """
    shapes = [_tagged, _loosely_labelled]
    if not {"action", "dialogue"} & by_label.keys():
        shapes.append(_json_within)
    return next((p for p in (s(body) for s in shapes) if p.keys() >= {"action", "dialogue"}), None)


def _tagged(body: str) -> dict[Part, Any]:
    """`<action>non</action><dialogue>…</dialogue>`; a tag within another one is words."""
    parts: dict[Part, Any] = {}
    lower, at = body.lower(), 0
    for tag in _XML.finditer(body):
        part = _LABELS[tag[1].lower()]
        if tag.start() < at or len(lower) != len(body):
            continue
        if part in parts:
            if {"action", "dialogue"} <= parts.keys() and part in ("action", "dialogue"):
                raise ActSyntaxError(_TWO)
            continue
        end = lower.find(f"</{tag[1].lower()}>", tag.end())
        at = end if end >= 0 else len(body)
        parts[part] = body[tag.end() : at].strip()
    return parts


def _loosely_labelled(body: str) -> dict[Part, Any]:
    """Lines with unusual labels, see `_LOOSE`. What is said comes last."""
    parts: dict[Part, list[str]] = {}
    part: Part = "thoughts"
    for line in body.splitlines():
        label = _LOOSE.match(line) or _LABEL.match(line)
        if label is not None and "dialogue" not in parts:
            part = _LABELS[label[1].lower()]
            line = line[label.end() :]
        parts.setdefault(part, []).append(line.rstrip(" |") if body[:1] == "|" else line)
    return {name: _FENCE.sub("", "\n".join(lines).strip()) for name, lines in parts.items()}


def _json_within(body: str) -> dict[Part, Any]:
    """The first object that begins a line: with prose around it, or with the usual small errors
    (a comma too many, line ends within the words).
    """
    start = _OBJECT.search(body)
    if start is None:
        return {}
    text = body[start.end() - 1 :]
    for attempt in (text, _TRAILING_COMMA.sub(r"\1", text)):
        try:
            found, end = json.JSONDecoder(strict=False).raw_decode(attempt)
        except ValueError:
            continue
        parts = _keyed(found)
        if _OBJECT.search(attempt, end) and {"action", "dialogue"} <= parts.keys():
            further = _json_within(attempt[end:])
            if {"action", "dialogue"} <= further.keys():
                raise ActSyntaxError(_TWO)
        return parts
    return {}


def _words(part: Any) -> str:
    """A part as text; the texts within a list or an object, one below the other."""
    return part.strip() if isinstance(part, str) else "\n".join(_texts(part)).strip()


def _texts(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        part = list(part.values())
    if isinstance(part, list):
        for item in part:
            yield from _texts(item)
    elif part is not None:
        yield str(part)


def _spoken(part: Any) -> str:
    """What is said, without the quotation marks around the whole of it."""
    words = _words(part)
    if words.endswith("**") and words.count("**") % 2:
        # The label and the words were in bold together: `**Dialogue: Hello.**`
        words = words[:-2].rstrip()
    for opening, closing in _QUOTES:
        inner = words[1:-1]
        wrapped = len(words) > 1 and words.startswith(opening) and words.endswith(closing)
        if wrapped and opening not in inner and closing not in inner:
            return inner.strip()
    return words


def _strategy(
    text: str, seat: Seat, known: Mapping[str, Strategy] | None, repairs: list[str]
) -> str | None:
    """The strategy's key. A label is no reason to fail: an unknown one is noted and dropped."""
    label = text.split("\n")[0].strip(" .*_`\"'[]()。“”「」【】")
    if not label or label.lower() in ("none", "n/a", "-", "无"):
        return None
    try:
        return strategy_named(seat, label, known).key
    except UnknownName:
        pass
    # `Financial assessment (find out about income)`, `情绪安抚，先让他平静`: the name comes first.
    head = _AFTER_NAME.split(label, maxsplit=1)[0].strip(" .*_`\"'")
    try:
        return strategy_named(seat, head, known).key
    except UnknownName:
        repairs.append(f"strategy {label[:60]!r} is none of the {seat}'s")
        return None
