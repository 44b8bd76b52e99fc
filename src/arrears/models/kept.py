"""What a local model made of beginnings of conversations, held as long as there is room."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

KEEPS: Final = 2 << 30
"""Bytes that are held on a processor; a fifth of a graphics card's memory there."""


class Kept(NamedTuple):
    """What a model made of a beginning."""

    tokens: tuple[int, ...]
    layers: tuple[tuple[Any, Any], ...]
    """Keys and values of each layer, shape (heads, tokens, width)."""

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(t.numel() * t.element_size() for pair in self.layers for t in pair)


class Memory:
    """Beginnings by name, the least recently used forgotten first."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._held: OrderedDict[bytes, Kept] = OrderedDict()
        self.bytes = 0
        """What it holds now."""

    def find(self, name: bytes, tokens: Sequence[int]) -> Kept | None:
        """What is kept under a name, cut to what it shares with the tokens; None for nothing.

        The last token is never taken: what follows it has to be computed.
        """
        kept = self._held.get(name)
        if kept is None:
            return None
        self._held.move_to_end(name)
        shared, most = 0, min(len(kept.tokens), len(tokens) - 1)
        if kept.tokens[:most] == tuple(tokens[:most]):
            shared = most
        else:
            while kept.tokens[shared] == tokens[shared]:
                shared += 1
        if shared == 0:
            return None
        layers = tuple((k[:, :shared], v[:, :shared]) for k, v in kept.layers)
        return Kept(kept.tokens[:shared], layers)

    def keep(self, name: bytes, kept: Kept) -> None:
        """Hold on to a beginning, as long as there is room."""
        old = self._held.pop(name, None)
        if old is not None:
            self.bytes -= old.size
        if kept.size > self._most:
            return
        self._held[name] = kept
        self.bytes += kept.size
        while self.bytes > self._most:
            _, gone = self._held.popitem(last=False)
            self.bytes -= gone.size
