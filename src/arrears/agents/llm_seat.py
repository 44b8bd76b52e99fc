"""A language model in a seat: one growing conversation, one message at a time.

The conversation begins with what never changes and grows at its end only, so that a server which
keeps prefixes has most of each request already.
"""

from collections.abc import Mapping
from dataclasses import replace

from arrears.agents.briefing import Wording, next_message
from arrears.agents.maden.guidance import OutcomeSpace, Review, note_of, review_text
from arrears.dialogue.parser import ParsedMessage, parse_message
from arrears.dialogue.record import Turn
from arrears.dialogue.render import render_message
from arrears.dialogue.views import CollectorView, DebtorView
from arrears.errors import ActSyntaxError, MalformedReply
from arrears.models.chat import ChatModel, Completion, Message, Sampling
from arrears.models.usage import Usage
from arrears.prompts.library import Language, prompt, words
from arrears.strategies import Seat, Strategy

TRIES = 3
"""A message that cannot be read is sent back at most twice (docs/domain.md)."""
_EXCERPT = 300


class LLMSeat:
    """Collector or debtor, by what its first message says."""

    def __init__(
        self,
        seat: Seat,
        system: str,
        model: ChatModel,
        sampling: Sampling,
        language: Language,
        known: Mapping[str, Strategy] | None = None,
        wording: Wording = "full",
    ) -> None:
        self._seat = seat
        self._model = model
        self._sampling = sampling
        self._language = language
        self._known = known
        self._wording: Wording = wording
        self._messages: list[Message] = [Message(role="system", content=system)]

    async def reply(self, view: CollectorView | DebtorView) -> Turn:
        """The next message. MalformedReply, ModelError."""
        return await self._write(self._ask(view))

    async def remember(self, view: CollectorView | DebtorView, turn: Turn) -> None:
        """What it was asked and wrote before, as it would stand in its conversation."""
        self._messages.append(Message(role="user", content=self._ask(view)))
        self._messages.append(Message(role="assistant", content=render_message(turn)))

    async def draft(self, view: CollectorView, space: OutcomeSpace | None) -> Turn:
        """A message that is not sent yet; `space` where a planner has just spoken."""
        ask = self._ask(view)
        if space is not None:
            ask = f"{note_of(space, self._language)}\n\n{ask}"
        return await self._write(ask)

    async def revise(self, view: CollectorView, draft: Turn, review: Review) -> Turn:
        """The message that takes the draft's place."""
        del view
        turn = await self._write(review_text(review, self._language))
        usage = (draft.usage or Usage()) + (turn.usage or Usage())
        return replace(turn, usage=usage)

    def _ask(self, view: CollectorView | DebtorView) -> str:
        return next_message(view, self._seat, self._language, self._wording)

    async def _write(self, ask: str) -> Turn:
        talk = self._messages
        talk.append(Message(role="user", content=ask))
        usage = Usage()
        reasoning: list[str] = []
        error = ""
        for _ in range(TRIES):
            completion = await self._model.complete(talk, self._sampling)
            usage += completion.usage
            if completion.reasoning:
                reasoning.append(completion.reasoning)
            talk.append(Message(role="assistant", content=completion.text or "…"))
            try:
                message = self._read(completion)
            except ActSyntaxError as unread:
                error = str(unread)
                again = prompt("unreadable", self._language).fill({"error": error}).system
                talk.append(Message(role="user", content=again))
                continue
            return Turn(
                self._seat,
                message.dialogue,
                message.acts,
                message.thoughts,
                message.strategy,
                repairs=message.repairs,
                usage=usage,
                reasoning="\n\n".join(reasoning),
            )
        raise MalformedReply(f"{error} after {TRIES} tries; {_last(completion)}")

    def _read(self, completion: Completion) -> ParsedMessage:
        """The message. One that was cut off is none, also where it can be read.

        Its end is missing: half a sentence, a value that went on, or, where the model was still in
        its reasoning (chat templates open that without a mark), the message itself.
        """
        small = words(self._language)
        if not completion.text:
            raise ActSyntaxError(small["cut" if completion.cut else "empty"])
        try:
            message = parse_message(completion.text, self._seat, self._known)
        except ActSyntaxError as error:
            if completion.cut:
                raise ActSyntaxError(f"{error} {small['cut']}") from None
            raise
        if completion.cut:
            raise ActSyntaxError(small["cut"])
        return message


def _last(completion: Completion) -> str:
    """The last try as it is stored: what was written, and what a user can do about it."""
    if completion.text:
        told = f"the last one was: {completion.text[:_EXCERPT]}"
    elif completion.reasoning:
        told = f"the last one was reasoning only, which ends: {completion.reasoning[-_EXCERPT:]}"
    else:
        told = "the last one was: (nothing)"
    if completion.cut:
        return f"it reached its most tokens (--max-tokens gives it more); {told}"
    return told
