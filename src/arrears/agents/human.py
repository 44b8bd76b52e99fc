"""A person in a seat: words and acts come from wherever `Prompter` gets them.

A person may do what any seat may: the same acts, the same parser, the same views.
"""

from typing import Protocol

from arrears.characters import whole
from arrears.dialogue.parser import parse_message
from arrears.dialogue.record import Turn
from arrears.dialogue.views import CollectorView, DebtorView
from arrears.errors import ActSyntaxError
from arrears.strategies import Seat


class Prompter(Protocol):
    """Shows a view to a person and brings back what the person does."""

    def show(self, view: CollectorView | DebtorView) -> None:
        """Show what has been said and where the table stands."""

    def ask(self, question: str) -> str:
        """One line from the person. EOFError or KeyboardInterrupt when it leaves."""

    def complain(self, error: ActSyntaxError) -> None:
        """Say what could not be read."""


class HumanAgent:
    """A seat that a person fills."""

    def __init__(self, seat: Seat, prompter: Prompter) -> None:
        self._seat = seat
        self._prompter = prompter

    async def reply(self, view: CollectorView | DebtorView) -> Turn:
        """The person's message; what cannot be read is asked for again."""
        self._prompter.show(view)
        while True:
            words = whole(self._prompter.ask("say")).strip()
            if not words:
                continue
            acts = whole(self._prompter.ask("do")).strip() or "non"
            try:
                message = parse_message(f"Action: {acts}\nDialogue: {words}", self._seat)
            except ActSyntaxError as error:
                self._prompter.complain(error)
                continue
            return Turn(self._seat, message.dialogue, message.acts, repairs=message.repairs)
