"""What a seat may see. No view type has a field in which the other side's secrets would fit.

The collector's view holds the `Background` of the debtor, not the `Debtor`; the debtor's view has
no mandate. Of the other side both hear `Heard`: words and acts, neither thoughts nor strategy.
"""

from typing import NamedTuple

from arrears.debtors.record import Background, Debtor
from arrears.dialogue.acts import Act
from arrears.dialogue.record import Turn
from arrears.strategies import Seat
from arrears.terms import DIMENSIONS, Dimension, Mandate, Value


class Heard(NamedTuple):
    """The public part of one message."""

    seat: Seat
    dialogue: str
    acts: tuple[Act, ...]


class Position(NamedTuple):
    """Where one dimension stands."""

    collector: Value | None
    """The collector's live ask."""
    debtor: Value | None
    """The debtor's live ask."""
    sealed: Value | None
    """The agreed value."""


class Table(NamedTuple):
    """Where all four dimensions stand; public."""

    disc_ratio: Position
    pmt_ratio: Position
    pmt_days: Position
    inst_prds: Position

    def open_dimensions(self) -> tuple[Dimension, ...]:
        """The dimensions that are not sealed."""
        return tuple(
            d for d, position in zip(DIMENSIONS, self, strict=True) if position.sealed is None
        )


class CollectorView(NamedTuple):
    """Everything that the collector's seat knows."""

    account: Background
    mandate: Mandate
    heard: tuple[Heard, ...]
    """Every public message so far, both sides, in order."""
    own: tuple[Turn, ...]
    """Its own messages, whole."""
    table: Table
    number: int
    """The exchange that is being written, from 1."""
    max_turns: int


class DebtorView(NamedTuple):
    """Everything that the debtor's seat knows."""

    debtor: Debtor
    heard: tuple[Heard, ...]
    own: tuple[Turn, ...]
    table: Table
    number: int
    max_turns: int
