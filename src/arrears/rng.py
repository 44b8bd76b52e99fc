"""Where randomness comes from: every random number has an address.

`rng_for(run_seed, "debtor", 17, …)` is the generator that lives at that address. Two addresses
that differ in any part give independent streams; the same address always gives the same stream,
in whatever order and in however many processes the addresses are visited.
"""

from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from math import cos, log, pi, sqrt
from typing import Any, TypeVar

import numpy as np
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import NDArray

T = TypeVar("T")
_BLOCK = 128


def rng_for(seed: int, *address: str | int) -> np.random.Generator:
    """The generator at an address.

    Parts are joined with their types, so `1` and `"1"` are different addresses.
    """
    text = "\x1f".join(
        [str(seed), *[f"str:{a}" if type(a) is str else f"int:{a}" for a in address]]
    )
    key = np.frombuffer(blake2b(text.encode(), digest_size=16).digest(), dtype="<u8")
    # numpy's stubs name its own SeedSequence only; any ISeedSequence is taken.
    return np.random.Generator(np.random.Philox(_Key(key)))  # type: ignore[arg-type]


def _stream(rng: np.random.Generator) -> Iterator[float]:
    while True:
        yield from rng.random(_BLOCK)[::-1].tolist()


class _Key(ISeedSequence):
    """Hands Philox its key. `Philox(key=…)` gives the same stream, but first gathers entropy from
    the system that nobody uses, and that takes twice as long as all the rest.
    """

    __slots__ = ("_key",)

    def __init__(self, key: NDArray[np.uint64]) -> None:
        self._key = key

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> Any:
        """The key, for the two words that Philox asks for."""
        return self._key


class Draws:
    """Plain Python numbers from one generator, drawn a block at a time.

    A scalar call into numpy costs about a microsecond, a built-in dialogue makes some hundreds of
    them. Only the generator's raw uniforms are used, and everything else is derived from them
    here: numpy promises stable bytes for its bit generators, not for its distributions.
    """

    __slots__ = ("uniform",)

    uniform: Callable[[], float]
    """A number in [0, 1). The stream's own `__next__`: it is called some hundred times a talk."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.restart(rng)

    def restart(self, rng: np.random.Generator) -> None:
        """Go on with another generator; whoever shares these draws goes on with it too."""
        self.uniform = _stream(rng).__next__

    def below(self, n: int) -> int:
        """A whole number in 0 … n − 1."""
        return int(self.uniform() * n)

    def choice(self, items: Sequence[T]) -> T:
        """One of the items, each as likely as the next. IndexError if there are none."""
        return items[int(self.uniform() * len(items))]

    def weighted(self, items: Sequence[T], weights: Sequence[float]) -> T:
        """One of the items, with probability proportional to its weight (none negative)."""
        mark = self.uniform() * sum(weights)
        for place, weight in enumerate(weights):
            mark -= weight
            if mark < 0:
                return items[place]
        return items[-1]

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self.uniform() < probability

    def normal(self, mean: float = 0.0, sd: float = 1.0) -> float:
        """A normal number, by Box and Muller's transform of two uniforms."""
        radius = sqrt(-2.0 * log(1.0 - self.uniform()))
        return mean + sd * radius * cos(2.0 * pi * self.uniform())
