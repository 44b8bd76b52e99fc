"""How fast one server is asked: in flight at once, requests a minute, tokens a minute."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from time import monotonic


class Gate:
    """Lets so many calls in at once, fewer after a 429, one more for each round that goes well.

    Additive increase, multiplicative decrease. Calls that were on their way when the limit was cut
    say nothing about the new limit, so they cannot cut it again.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = float(most)
        self.inside = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._entered = 0
        self._cut_at = 0

    async def enter(self) -> int:
        """Wait for a place; the ticket goes to `leave`."""
        while self.inside >= max(1, int(self.limit)):
            place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(place)
            try:
                await place
            except asyncio.CancelledError:
                if place.done() and not place.cancelled():
                    self._wake()  # The place was ours; hand it on.
                raise
        self.inside += 1
        self._entered += 1
        return self._entered

    def leave(self, ticket: int, *, throttled: bool = False, served: bool = False) -> None:
        """Give the place back, telling how the server took the call."""
        self.inside -= 1
        if throttled and ticket > self._cut_at:
            self.limit = max(1.0, self.limit / 2)
            self._cut_at = self._entered
        elif served:
            self.limit = min(float(self.most), self.limit + 1.0 / self.limit)
        self._wake()

    def _wake(self) -> None:
        room = max(1, int(self.limit)) - self.inside
        while room > 0 and self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                room -= 1


class Ceiling:
    """At most so many units a minute, evenly spread: no minute ever holds more.

    `clock` and `sleep` are the machine's; tests bring their own.
    """

    def __init__(
        self,
        per_minute: float,
        clock: Callable[[], float] = monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._seconds_each = 60.0 / per_minute
        self._clock = clock
        self._sleep = sleep
        self._free_at = clock()

    async def take(self, units: float = 1.0) -> None:
        """Wait until so many units may be used, and use them."""
        now = self._clock()
        starts = max(now, self._free_at)
        self._free_at = starts + units * self._seconds_each
        if starts > now:
            await self._sleep(starts - now)

    def give_back(self, units: float) -> None:
        """Units that were taken beforehand and turned out not to be needed (negative: more)."""
        self._free_at -= units * self._seconds_each
