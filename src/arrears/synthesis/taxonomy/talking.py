"""Conversations as a model is shown them: scrubbed, numbered, one turn a line."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from arrears.agents.briefing import quoted
from arrears.prompts.library import Language, words
from arrears.strategies import Seat
from arrears.synthesis.conversations import Conversation


class Unit(NamedTuple):
    """One text that is grouped or labelled, and where it was said."""

    text: str
    seat: Seat
    conversation: str
    turn: int
    """From 0, among all utterances of the conversation."""


def units_of(conversations: Sequence[Conversation]) -> list[Unit]:
    """Every utterance, in order."""
    return [
        Unit(said.text, said.seat, talk.id, turn)
        for talk in conversations
        for turn, said in enumerate(talk.utterances)
    ]


def scrubbed(conversations: Sequence[Conversation]) -> tuple[list[Conversation], Counter[str]]:
    """The same talks without personal data, and how much of each kind was taken out."""
    from arrears.synthesis.pii.scrub import Scrubber

    scrubber = Scrubber()
    counts: Counter[str] = Counter()
    clean: list[Conversation] = []
    for talk in conversations:
        found = scrubber.scrub(talk)
        assert len(found.conversation.utterances) == len(talk.utterances), talk.id
        clean.append(found.conversation)
        counts.update(dict(found.counts))
    return clean, counts


def numbered(talk: Conversation, language: Language) -> str:
    """The talk, a line a turn, numbered from 1: `3. The customer: I lost my job.`"""
    seats = words(language)["seats"]
    colon = "：" if language == "zh" else ": "
    return "\n".join(
        f"{number}. {seats[said.seat]}{colon}{one_line(said.text)}"
        for number, said in enumerate(talk.utterances, 1)
    )


def one_line(text: str) -> str:
    """Words of another as one line of a prompt: no new line can pose as another turn."""
    return quoted(" ".join(text.split()))
