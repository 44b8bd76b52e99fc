"""Models as judges: what they are asked, and what is taken from the answer.

Each kind has a prompt, a JSON schema and a reader that refuses marks off their scale. A judge that
fails gives no score and a reason. A judge is shown what was said and done, and who the debtor is;
never what a seat thought.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, Literal, NamedTuple

from arrears.agents.briefing import heard_of, profile_text, transcript_text
from arrears.debtors.record import Debtor
from arrears.dialogue.record import Dialogue
from arrears.models.chat import ChatModel, Message, Sampling, Schema
from arrears.models.json_answers import ask_json, number_in
from arrears.models.usage import Usage
from arrears.prompts.library import Language, prompt

Kind = Literal["experience", "soundness", "persona", "realism"]
KINDS: Final[tuple[Kind, ...]] = ("experience", "soundness", "persona", "realism")

_EXPERIENCE: Final = {
    "satisfaction": ("US", ("empathy", "respect", "transparency", "feasibility")),
    "emotion_support": ("ES", ("identification", "comforting", "experience", "impact")),
    "communication": ("CA", ("consistency", "role", "expression", "humanness")),
}
_PERSONA: Final = ("emotion", "cognition", "style", "scenario")
_PERSONA_FLAGS: Final = ("broke_character", "leaked_instructions", "turned_collector")
_REALISM: Final = ("naturalness", "alignment", "plausibility", "fluency")
_PAIR: Final = ("human_likeness", "realism")


class Scale(NamedTuple):
    """What a score can be, both ends included."""

    least: float
    most: float

    def holds(self, score: float) -> bool:
        """Whether a score lies on it; NaN never does."""
        return self.least <= score <= self.most


SCALES: Final[Mapping[str, Scale]] = {
    **{
        score: Scale(1, 10)
        for name, criteria in _EXPERIENCE.values()
        for score in (name, *(f"{name}.{criterion}" for criterion in criteria))
    },
    "DS": Scale(1, 5),
    **dict.fromkeys((*_PERSONA, *_REALISM), Scale(1, 5)),
    **dict.fromkeys(_PERSONA_FLAGS, Scale(0, 1)),
}
"""The scale of each score that a judge or a person gives to one dialogue."""


class Judgement(NamedTuple):
    """One judge on one dialogue."""

    scores: Mapping[str, float]
    """By name; flags are 0 or 1."""
    reason: str
    usage: Usage


def scales(kind: Kind) -> tuple[str, ...]:
    """The scores that a kind gives, the main ones; sub-criteria are `US.empathy` and so on."""
    if kind == "experience":
        return tuple(name for name, _ in _EXPERIENCE.values())
    if kind == "soundness":
        return ("DS",)
    return _PERSONA if kind == "persona" else _REALISM


async def judge_dialogue(
    kind: Kind,
    model: ChatModel,
    sampling: Sampling,
    dialogue: Dialogue,
    debtor: Debtor,
    language: Language,
) -> Judgement:
    """One judgement. ModelError where the model gave none that can be read."""
    values = {
        "persona": profile_text(debtor, language),
        "transcript": transcript_text(heard_of(dialogue.turns), language),
    }
    return await _asked(kind, model, sampling, values, language, _READERS[kind], _SCHEMAS[kind])


async def judge_pair(
    model: ChatModel, sampling: Sampling, first: Dialogue, second: Dialogue, language: Language
) -> Judgement:
    """Which of two dialogues is better, asked in both orders: 1 the first, 0 the second, ½ a tie.

    A judge that prefers the same place both times has said nothing about the dialogues: a tie.
    """
    a, b = (transcript_text(heard_of(d.turns), language) for d in (first, second))
    marks: list[Mapping[str, float]] = []
    usage = Usage()
    reason = ""
    # Of two dialogues with the same text both orders are the same request, yet two votes.
    for one, other, drawn in ((a, b, sampling), (b, a, sampling.second())):
        found = await _asked(
            "pairwise", model, drawn, {"first": one, "second": other}, language, _pair,
            _PAIR_SCHEMA,
        )  # fmt: skip
        marks.append(found.scores)
        usage += found.usage
        reason = reason or found.reason
    scores = {name: (marks[0][name] + 1.0 - marks[1][name]) / 2 for name in _PAIR}
    # One vote and one tie is a leaning, which three values cannot show: it stays ¾ or ¼.
    return Judgement(scores, reason, usage)


async def judge_candidates(
    model: ChatModel,
    sampling: Sampling,
    values: Mapping[str, str],
    candidates: tuple[str, ...],
    language: Language,
) -> tuple[tuple[float, ...], Usage]:
    """Marks 1 … 10 for candidate messages, listed forward and backward, the two added (2 … 20).

    `values` fills the account and the transcript of the prompt. ModelError.
    """
    count = len(candidates)
    total = [0.0] * count
    usage = Usage()
    forward, backward = range(count), range(count - 1, -1, -1)
    for order, drawn in ((forward, sampling), (backward, sampling.second())):
        listed = "\n".join(f"{place}. {candidates[i]}" for place, i in enumerate(order, 1))
        filled = prompt("candidates", language).fill(
            {**values, "candidates": listed, "count": str(count)}
        )
        answer = await ask_json(
            model,
            [
                Message(role="system", content=filled.system),
                Message(role="user", content=filled.ask),
            ],
            replace(drawn, schema=_CANDIDATES_SCHEMA),
            lambda found: _marks(found, count),
        )
        usage += answer.usage
        for i, mark in zip(order, answer.value, strict=True):
            total[i] += mark
    return tuple(total), usage


async def _asked(
    name: str,
    model: ChatModel,
    sampling: Sampling,
    values: Mapping[str, str],
    language: Language,
    read: Callable[[dict[str, Any]], dict[str, float]],
    schema: Schema,
) -> Judgement:
    filled = prompt(name, language).fill(values)

    def reader(found: dict[str, Any]) -> tuple[dict[str, float], str]:
        return read(found), str(found.get("reason", ""))[:500]

    answer = await ask_json(
        model,
        [Message(role="system", content=filled.system), Message(role="user", content=filled.ask)],
        replace(sampling, schema=schema),
        reader,
    )
    scores, reason = answer.value
    return Judgement(scores, reason, answer.usage)


def _mark(value: Any, scale: Scale, name: str) -> float:
    least, most = scale
    try:
        number = number_in(value, most)
    except ValueError as error:
        raise ValueError(f"{name} must be a number from {least:g} to {most:g}: {error}") from None
    if not scale.holds(number):
        raise ValueError(f"{name} must be from {least:g} to {most:g}, not {number:g}")
    return number


def _experience(found: dict[str, Any]) -> dict[str, float]:
    scores: dict[str, float] = {}
    for part, (name, criteria) in _EXPERIENCE.items():
        body = found[part]
        scores[name] = _mark(body["score"], SCALES[name], f"{part}.score")
        for criterion in criteria:
            score = f"{name}.{criterion}"
            scores[score] = _mark(body[criterion], SCALES[score], f"{part}.{criterion}")
    return scores


def _soundness(found: dict[str, Any]) -> dict[str, float]:
    return {"DS": _mark(found["score"], SCALES["DS"], "score")}


def _persona(found: dict[str, Any]) -> dict[str, float]:
    scores = {name: _mark(found[name], SCALES[name], name) for name in _PERSONA}
    for flag in _PERSONA_FLAGS:
        if not isinstance(found[flag], bool):
            raise ValueError(f"{flag} must be true or false")
        scores[flag] = float(found[flag])
    return scores


def _realism(found: dict[str, Any]) -> dict[str, float]:
    return {name: _mark(found[name], SCALES[name], name) for name in _REALISM}


def _pair(found: dict[str, Any]) -> dict[str, float]:
    votes = {"a": 1.0, "b": 0.0, "tie": 0.5}
    scores = {}
    for name in _PAIR:
        vote = str(found[name]).strip().lower()
        if vote not in votes:
            raise ValueError(f'{name} must be "A", "B" or "tie"')
        scores[name] = votes[vote]
    return scores


def _marks(found: dict[str, Any], count: int) -> list[float]:
    marks = found["marks"]
    if not isinstance(marks, list) or len(marks) != count:
        raise ValueError(f"marks must be a list of {count} numbers")
    return [_mark(mark, Scale(1, 10), "a mark") for mark in marks]


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


_NUMBER = {"type": "number"}
_TEXT = {"type": "string"}
_YES_NO = {"type": "boolean"}
_VOTE = {"type": "string", "enum": ["A", "B", "tie"]}
_SCHEMAS: Final[Mapping[Kind, Schema]] = {
    "experience": Schema(
        "experience",
        _object(
            {
                **{
                    part: _object(dict.fromkeys((*criteria, "score"), _NUMBER))
                    for part, (_, criteria) in _EXPERIENCE.items()
                },
                "reason": _TEXT,
            }
        ),
    ),
    "soundness": Schema("soundness", _object({"score": _NUMBER, "reason": _TEXT})),
    "persona": Schema(
        "persona",
        _object(
            {
                **dict.fromkeys(_PERSONA, _NUMBER),
                **dict.fromkeys(_PERSONA_FLAGS, _YES_NO),
                "reason": _TEXT,
            }
        ),
    ),
    "realism": Schema("realism", _object({**dict.fromkeys(_REALISM, _NUMBER), "reason": _TEXT})),
}
_PAIR_SCHEMA: Final = Schema("pairwise", _object({**dict.fromkeys(_PAIR, _VOTE), "reason": _TEXT}))
_CANDIDATES_SCHEMA: Final = Schema(
    "candidates", _object({"marks": {"type": "array", "items": _NUMBER}, "reason": _TEXT})
)
_READERS: Final[Mapping[Kind, Callable[[dict[str, Any]], dict[str, float]]]] = {
    "experience": _experience,
    "soundness": _soundness,
    "persona": _persona,
    "realism": _realism,
}
