"""What planner and judge say to the one who speaks, and what each of the three must be able to do.

All three see the collector's view and nothing else; the debtor hears the final message only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from arrears.dialogue.acts import Act
from arrears.dialogue.record import Turn
from arrears.dialogue.views import CollectorView
from arrears.models.usage import Usage
from arrears.prompts.library import Language, prompt, words
from arrears.terms import DIMENSIONS, Dimension, Value, written


@dataclass(frozen=True, slots=True)
class OutcomeSpace:
    """A planner's decision: the class of the case and the room for settling it."""

    category: int
    """1 … 4: DCN's classes by what there is now and what is to come."""
    reason: str
    open: Mapping[Dimension, Value]
    """The value to open with, by dimension; legal."""
    limit: Mapping[Dimension, Value]
    """The furthest value to settle at; legal, no better for the creditor than `open`."""
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Review:
    """A judge's word on a draft."""

    comment: str
    acceptable: bool
    """The draft may go out as it is."""
    suggest: tuple[Act, ...] = ()
    """Terms to put instead; asks and accepts on legal values."""
    usage: Usage | None = None


class Planner(Protocol):
    """Sorts a case once its reason is known."""

    async def plan(self, view: CollectorView) -> OutcomeSpace:
        """The outcome space. UnreadableAnswer, or ModelError where there was no answer."""


class Judge(Protocol):
    """Reviews each draft; neutral."""

    async def review(self, view: CollectorView, draft: Turn) -> Review:
        """What it thinks of a draft. UnreadableAnswer, ModelError where there was no answer."""


class Communicator(Protocol):
    """The one who speaks, able to be guided."""

    async def draft(self, view: CollectorView, space: OutcomeSpace | None) -> Turn:
        """A message that is not sent yet; `space` is given once, when the planner has decided."""

    async def revise(self, view: CollectorView, draft: Turn, review: Review) -> Turn:
        """The message that takes a draft's place."""


def room_text(space: OutcomeSpace, language: Language) -> str:
    """The room of a space in a line."""
    small = words(language)
    text: str = small["room_join"].join(
        small["room"].format(
            dim=d, open=written(d, space.open[d]), limit=written(d, space.limit[d])
        )
        for d in DIMENSIONS
    )
    return text


def note_of(space: OutcomeSpace, language: Language) -> str:
    """A space as it is told to a model that speaks."""
    values = {
        "category": str(space.category),
        "meaning": words(language)["classes"][space.category],
        "reason": space.reason,
        "room": room_text(space, language),
    }
    return prompt("plan_note", language).fill(values).system


def review_text(review: Review, language: Language) -> str:
    """A review as it is told to a model that speaks."""
    acts = ", ".join(map(str, review.suggest))
    suggestion = words(language)["suggestion"].format(acts=acts) if acts else ""
    values = {"comment": review.comment, "suggestion": suggestion}
    return prompt("review_note", language).fill(values).system
