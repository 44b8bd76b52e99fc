"""MADeN at work: plan once, draft, review, revise (DCN §5, figure 3).

The initial stage lasts until the debtor has given a reason for being overdue, at the latest until
it has spoken twice. Then the planner decides, once, and from then on the judge sees each draft.
A planner or judge whose answer cannot be read is noted on the turn, and the dialogue goes on
without it: that is the method's own failing. One that gives no answer at all ends the dialogue as
an error: what was played without it would be another method's.
"""

from dataclasses import replace
from functools import cache

from arrears.agents.listening import reason_given
from arrears.agents.maden.guidance import (
    Communicator,
    Judge,
    OutcomeSpace,
    Planner,
    Review,
    room_text,
)
from arrears.dialogue.record import Note, Turn
from arrears.dialogue.views import CollectorView
from arrears.errors import UnreadableAnswer
from arrears.prompts.library import Language

METHODS = ("direct", "planning", "judging", "maden")
_LATEST = 2


class Team:
    """A collector's seat with one who speaks and, by method, a planner and a judge."""

    def __init__(
        self,
        speaker: Communicator,
        planner: Planner | None,
        judge: Judge | None,
        language: Language,
    ) -> None:
        self._speaker = speaker
        self._planner = planner
        self._judge = judge
        self._language = language
        self._initial = True

    async def reply(self, view: CollectorView) -> Turn:
        """The next message, with what was said about it on the way. ModelError where the planner or
        the judge gives no answer; otherwise as the speaker.
        """
        notes: list[Note] = []
        space: OutcomeSpace | None = None
        if self._initial and _over(view):
            self._initial = False
            if self._planner is not None:
                try:
                    space = await self._planner.plan(view)
                    notes.append(_plan_note(space, self._language))
                except UnreadableAnswer as error:
                    notes.append(Note("planner", f"(no plan: {error})"))
        turn = await self._speaker.draft(view, space)
        if self._judge is None or self._initial:
            return _with(turn, notes)
        try:
            review = await self._judge.review(view, turn)
        except UnreadableAnswer as error:
            notes.append(Note("judge", f"(no review: {error})"))
            return _with(turn, notes)
        notes.append(_review_note(review))
        if review.acceptable:
            return _with(turn, notes)
        notes.append(Note("draft", f"[{', '.join(map(str, turn.acts))}] {turn.dialogue}"))
        return _with(await self._speaker.revise(view, turn, review), notes)


def _with(turn: Turn, notes: list[Note]) -> Turn:
    return replace(turn, notes=tuple(notes)) if notes else turn


def _over(view: CollectorView) -> bool:
    """Whether the debtor has said why it is overdue."""
    said = [h.dialogue for h in view.heard if h.seat == "debtor"]
    return len(said) >= _LATEST or any(reason_given(words) for words in said)


def _plan_note(space: OutcomeSpace, language: Language) -> Note:
    room = room_text(space, language)
    return Note("planner", f"class {space.category}: {space.reason} [{room}]", space.usage)


def _review_note(review: Review) -> Note:
    acts = ", ".join(map(str, review.suggest))
    verdict = "acceptable" if review.acceptable else f"revise{f' [{acts}]' if acts else ''}"
    return Note("judge", f"{verdict}: {review.comment}", review.usage)


@cache
def method_of(line: str) -> tuple[str, str]:
    """A collector's name as (model, method): `scripted/typical+maden`, direct without a `+`."""
    model, plus, method = line.rpartition("+")
    if plus and method in METHODS:
        return model, method
    return line, "direct"


def line_of(model: str, method: str) -> str:
    """The name of a model under a method."""
    return model if method == "direct" else f"{model}+{method}"
