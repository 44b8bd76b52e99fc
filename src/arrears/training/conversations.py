"""Stored talks as a model would have had them in the collector's chair.

What is said to the model is made from the creditor's side of the table alone (`CollectorView`), by
the same functions that brief a model during a talk: no private field of the debtor can get in, and
a trained model meets at the table exactly what it was trained on. Notes of planners and judges stay
out: a collector trained on them would wait for advice that nobody gives.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from arrears.agents.briefing import Style, Wording, collector_system, next_message
from arrears.debtors.record import Background
from arrears.dialogue.record import Turn
from arrears.dialogue.render import render_message
from arrears.dialogue.rewind import collector_moments
from arrears.models.chat import Message
from arrears.prompts.library import Language
from arrears.strategies import Taxonomy
from arrears.terms import Mandate


class Briefing(NamedTuple):
    """How the collector of a training set is briefed; the same as at the table."""

    style: Style
    wording: Wording = "full"
    language: Language = "en"
    mandate: Mandate = Mandate()
    max_turns: int = 12
    taxonomy: Taxonomy | None = None
    guidance: str = ""
    """One more paragraph for the system's message; "" for none."""

    def system(self, account: Background) -> Message:
        """The first message."""
        text = collector_system(
            self.style, account, self.mandate, self.max_turns, self.language, self.taxonomy,
            self.wording, self.guidance,
        )  # fmt: skip
        return Message(role="system", content=text)


class Answered(NamedTuple):
    """One message of the collector as a question and an answer."""

    prompt: list[Message]
    """All that was said to the model up to here; ends with the user's message."""
    answer: Message
    number: int
    """The exchange, from 1."""


def conversation(turns: Sequence[Turn], account: Background, briefing: Briefing) -> list[Message]:
    """The whole talk: system, then a user's and an assistant's message for each exchange.

    It ends with the collector's last message: a debtor's answer that nobody takes up is left out.
    """
    talk = [briefing.system(account)]
    for asked, answer in _messages(turns, account, briefing):
        talk += [asked, answer]
    return talk


def answers(turns: Sequence[Turn], account: Background, briefing: Briefing) -> Iterator[Answered]:
    """Each message of the collector with all that went before it."""
    so_far = [briefing.system(account)]
    for number, (asked, answer) in enumerate(_messages(turns, account, briefing), 1):
        so_far.append(asked)
        yield Answered(list(so_far), answer, number)
        so_far.append(answer)


def asked_now(turns: Sequence[Turn], account: Background, briefing: Briefing) -> list[Message]:
    """What the model is asked after these turns, the last of them the debtor's, if any."""
    standing = Turn("collector", "", (), number=turns[-1].number + 1 if turns else 1)
    *_, last = answers([*turns, standing], account, briefing)
    return last.prompt


def brief(turn: Turn) -> Turn:
    """Of a built-in collector's thoughts what it heard. The rest says strategy and acts over again:
    every word costs time, and a small model that has planned an act in its thoughts may believe
    that it has written it.
    """
    heard, repeats, _ = turn.thoughts.partition(";")
    return replace(turn, thoughts=f"{heard}.") if repeats else turn


def written(turn: Turn, style: Style) -> str:
    """A collector's message as a model writes it. DCN's form has no strategy line."""
    return render_message(replace(turn, strategy=None) if style == "dcn" else turn)


def _messages(
    turns: Sequence[Turn], account: Background, briefing: Briefing
) -> Iterator[tuple[Message, Message]]:
    moments = collector_moments(turns, account, briefing.mandate, briefing.max_turns)
    for view, turn, _ in moments:
        ask = next_message(view, "collector", briefing.language, briefing.wording)
        yield (
            Message(role="user", content=ask),
            Message(role="assistant", content=written(turn, briefing.style)),
        )
