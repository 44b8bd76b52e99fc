"""The ledger: what each side asks, what is sealed, and so what is agreed (docs/domain.md).

Acts of a message apply from left to right. The agreement stands when all four dimensions are
sealed at once. The creditor's mandate is checked at every seal, whichever side completes it.
"""

from collections.abc import Sequence
from functools import cache

from arrears.dialogue.acts import Act
from arrears.dialogue.record import Effect
from arrears.dialogue.views import Position, Table
from arrears.strategies import Seat
from arrears.terms import DIMENSIONS, Dimension, Mandate, Terms, Value


class _Entry:
    """One dimension of the ledger."""

    __slots__ = ("asks", "said", "sealed")

    def __init__(self) -> None:
        self.asks: dict[Seat, Value | None] = {"collector": None, "debtor": None}
        # The value as its side wrote it, where that was not legal.
        self.said: dict[Seat, float | None] = {"collector": None, "debtor": None}
        self.sealed: Value | None = None


# There are some thousands of positions at most, and a talk makes fifty.
_position = cache(Position)
_OTHER: dict[Seat, Seat] = {"collector": "debtor", "debtor": "collector"}


class Ledger:
    """The state of one negotiation."""

    def __init__(self, mandate: Mandate | None = None) -> None:
        self._mandate = mandate or Mandate()
        self._entries: dict[Dimension, _Entry] = {d: _Entry() for d in DIMENSIONS}
        self._table: Table | None = None

    def apply(self, seat: Seat, acts: Sequence[Act]) -> tuple[Effect, ...]:
        """Apply a message's acts from left to right; what each of them did."""
        return tuple([self._apply(seat, act) for act in acts])

    def table(self) -> Table:
        """Where all four dimensions stand."""
        if self._table is None:
            self._table = Table(
                *[
                    _position(e.asks["collector"], e.asks["debtor"], e.sealed)
                    for e in self._entries.values()
                ]
            )
        return self._table

    def agreement(self) -> Terms | None:
        """The terms, once all four dimensions are sealed at once."""
        sealed: list[Value] = []
        for entry in self._entries.values():
            if entry.sealed is None:
                return None
            sealed.append(entry.sealed)
        disc, pmt, days, prds = sealed
        return Terms(float(disc), float(pmt), int(days), int(prds))

    def _apply(self, seat: Seat, act: Act) -> Effect:
        if act.dim is None:
            return "none"
        self._table = None
        entry = self._entries[act.dim]
        if act.kind == "reject":
            return self._reject(seat, act, entry)
        value = act.value
        assert value is not None, "an ask or an accept names its value"
        if act.kind == "ask":
            return self._ask(seat, act.dim, value, act.said, entry)
        other = _OTHER[seat]
        if not _meets(act, entry.asks[other], entry.said[other]):
            # It is that side's ask from now on, yet an accept of 12 % must not seal a live 10 %.
            entry.asks[seat], entry.said[seat] = value, act.said
            if value != entry.sealed:
                entry.sealed = None
            return "counted_as_ask"
        if entry.sealed == value:
            return "kept"
        return self._seal(act.dim, value, entry)

    def _ask(
        self, seat: Seat, dim: Dimension, value: Value, said: float | None, entry: _Entry
    ) -> Effect:
        entry.asks[seat], entry.said[seat] = value, said
        if value == entry.sealed:
            return "kept"
        reopened = entry.sealed is not None
        entry.sealed = None
        if value == entry.asks[_OTHER[seat]]:
            return self._seal(dim, value, entry)
        return "reopened" if reopened else "asked"

    def _seal(self, dim: Dimension, value: Value, entry: _Entry) -> Effect:
        if not self._mandate.allows(dim, value):
            return "outside_mandate"
        entry.sealed = value
        return "sealed"

    def _reject(self, seat: Seat, act: Act, entry: _Entry) -> Effect:
        other = _OTHER[seat]
        if act.value is not None and act.value not in (entry.asks[other], entry.sealed):
            return "no_effect"
        if entry.asks[other] is None and entry.sealed is None:
            return "no_effect"
        entry.asks[other], entry.said[other] = None, None
        entry.sealed = None
        return "withdrawn"


def _meets(act: Act, live: Value | None, live_said: float | None) -> bool:
    """Whether an accept is of the live ask, either as that was written or as it was snapped.

    An accept of 12 % is not an accept of a live 10 %, although 12 % snaps to 10 %.
    """
    if live is None:
        return False
    if act.said is None:
        return act.value == live
    return live_said is not None and abs(act.said - live_said) < 1e-9
