"""Planner and judge that are language models; what they answer is checked against the grid."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from arrears.agents.briefing import account_values, limits_text, transcript_text
from arrears.agents.goodness import goodness
from arrears.agents.maden.guidance import OutcomeSpace, Review
from arrears.dialogue.acts import Act
from arrears.dialogue.acts_text import acts_from_json, read_acts
from arrears.dialogue.record import Turn
from arrears.dialogue.views import CollectorView
from arrears.errors import ActSyntaxError, ModelError
from arrears.models.chat import ChatModel, Message, Sampling, Schema
from arrears.models.json_answers import ask_json
from arrears.models.usage import Usage
from arrears.prompts.library import Language, prompt
from arrears.terms import DIMENSIONS, Dimension, Mandate, Value

_TEXT = {"type": "string"}
_ENDS: dict[str, Any] = {
    "type": "object",
    "properties": {"open": _TEXT, "limit": _TEXT},
    "required": ["open", "limit"],
    "additionalProperties": False,
}
PLAN_SCHEMA = Schema(
    "outcome_space",
    {
        "type": "object",
        "properties": {
            "category": {"type": "integer", "enum": [1, 2, 3, 4]},
            "reason": _TEXT,
            **dict.fromkeys(DIMENSIONS, _ENDS),
        },
        "required": ["category", "reason", *DIMENSIONS],
        "additionalProperties": False,
    },
)
REVIEW_SCHEMA = Schema(
    "review",
    {
        "type": "object",
        "properties": {"comment": _TEXT, "acceptable": {"type": "boolean"}, "suggest": _TEXT},
        "required": ["comment", "acceptable", "suggest"],
        "additionalProperties": False,
    },
)


class ModelPlanner:
    """Asks once, with the whole talk so far."""

    def __init__(self, model: ChatModel, sampling: Sampling, language: Language) -> None:
        self._model = model
        self._sampling = replace(sampling, schema=PLAN_SCHEMA)
        self._language = language

    async def plan(self, view: CollectorView) -> OutcomeSpace:
        """The outcome space. ModelError."""
        filled = prompt("planner", self._language).fill(
            {
                **account_values(view.account, self._language),
                "limits": limits_text(view.mandate, self._language),
                "transcript": transcript_text(view.heard, self._language),
            }
        )
        answer = await ask_json(
            self._model,
            [
                Message(role="system", content=filled.system),
                Message(role="user", content=filled.ask),
            ],
            self._sampling,
            lambda found: read_space(found, view.mandate),
        )
        return replace(answer.value, usage=answer.usage)


class ModelJudge:
    """Hears the talk as it goes on, and sees each draft: its conversation grows at the end."""

    def __init__(self, model: ChatModel, sampling: Sampling, language: Language) -> None:
        self._model = model
        self._sampling = replace(sampling, schema=REVIEW_SCHEMA)
        self._language = language
        self._messages: list[Message] = []
        self._heard = 0

    async def review(self, view: CollectorView, draft: Turn) -> Review:
        """What it thinks of a draft. ModelError."""
        values = {
            **account_values(view.account, self._language),
            "limits": limits_text(view.mandate, self._language),
            "news": transcript_text(view.heard[self._heard :], self._language),
            "draft": f"[{', '.join(map(str, draft.acts))}] {draft.dialogue}",
        }
        self._heard = len(view.heard)
        filled = prompt("reviewer", self._language).fill(values)
        if not self._messages:
            self._messages.append(Message(role="system", content=filled.system))
        self._messages.append(Message(role="user", content=filled.ask))
        try:
            answer = await ask_json(self._model, self._messages, self._sampling, read_review)
        except ModelError:
            # What it said was no review; the next question must not follow on this one directly.
            self._messages.append(Message(role="assistant", content="…"))
            raise
        self._messages.append(Message(role="assistant", content=answer.text))
        return replace(answer.value, usage=answer.usage)


def read_space(found: Mapping[str, Any], mandate: Mandate) -> OutcomeSpace:
    """A planner's answer, brought onto the grid and within the mandate. ValueError, KeyError."""
    category = int(found["category"])
    if category not in (1, 2, 3, 4):
        raise ValueError(f"category must be 1, 2, 3 or 4, not {category}")
    opening: dict[Dimension, Value] = {}
    limit: dict[Dimension, Value] = {}
    for dim in DIMENSIONS:
        ends = found[dim]
        values = sorted(
            (_legal(dim, ends["open"], mandate), _legal(dim, ends["limit"], mandate)),
            key=partial(goodness, dim),
        )
        opening[dim], limit[dim] = values
    return OutcomeSpace(category, str(found.get("reason", ""))[:500], opening, limit, Usage())


def _legal(dim: Dimension, value: Any, mandate: Mandate) -> Value:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{dim} has no value")
    try:
        read = read_acts(f"ask({dim}={value})", "collector").acts[0].value
    except ActSyntaxError as error:
        raise ValueError(str(error)) from None
    assert read is not None, "an ask has a value"
    allowed = mandate.allowed(dim)
    return read if read in allowed else min(allowed, key=lambda v: abs(v - read))


def read_review(found: Mapping[str, Any]) -> Review:
    """A judge's answer. ValueError, KeyError."""
    acceptable = found["acceptable"]
    if not isinstance(acceptable, bool):
        raise ValueError("acceptable must be true or false")
    return Review(str(found["comment"])[:1000], acceptable, _suggested(found.get("suggest")))


def _suggested(value: Any) -> tuple[Act, ...]:
    """Suggested terms; what cannot be read is no reason to lose the comment."""
    if not value:
        return ()
    try:
        acts = acts_from_json(value, "collector").acts
    except ActSyntaxError:
        return ()
    return tuple(a for a in acts if a.kind in ("ask", "accept") and a.value is not None)
