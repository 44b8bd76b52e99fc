"""Back to any point of a stored talk: what a seat saw before each of its messages."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from arrears.debtors.record import Background
from arrears.dialogue.ledger import Ledger
from arrears.dialogue.record import Turn
from arrears.dialogue.views import CollectorView, Heard
from arrears.terms import Mandate


class Before(NamedTuple):
    """One message of the collector and what it had before it."""

    view: CollectorView
    turn: Turn
    """As it is stored."""
    said: tuple[Turn, ...]
    """All messages of both seats before it."""


def collector_moments(
    turns: Sequence[Turn], account: Background, mandate: Mandate, max_turns: int
) -> Iterator[Before]:
    """The collector's messages in order, each with its view; the ledger is kept anew."""
    ledger = Ledger(mandate)
    heard: tuple[Heard, ...] = ()
    own: tuple[Turn, ...] = ()
    for at, turn in enumerate(turns):
        if turn.seat == "collector":
            view = CollectorView(
                account, mandate, heard, own, ledger.table(), turn.number, max_turns
            )
            yield Before(view, turn, tuple(turns[:at]))
            own = (*own, turn)
        ledger.apply(turn.seat, turn.acts)
        heard = (*heard, Heard(turn.seat, turn.dialogue, turn.acts))
