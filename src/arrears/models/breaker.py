"""When an endpoint counts as down, so that an outage stops a run and does not burn it.

Every call is pursued with patience; a whole night of failures would still end one dialogue after
another as `error`. So one breaker watches all calls to a server. Once it trips, nothing is asked
any more: whoever is on the way, waits or begins is told at once, and its dialogue stays pending.
"""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final

from arrears.errors import EndpointDown
from arrears.models.transport import Fault

# The server has looked at the request and will not have it: it is anything but down.
_ANSWERS: Final = (400, 413, 422)
_WORDS: Final = 300


class Breaker:
    """Of one server, shared by all seats and roles that ask it.

    It trips after `most_calls` in a row that were given up, or when tries of at least two calls
    have failed for `most_seconds` without a success between, and none is on its way that has lasted
    longer than those that failed: a server may be slow. One that throttles (429) or refuses a
    request for what it says is alive: the former counts as a call only once it is given up, the
    latter never.
    """

    def __init__(
        self,
        spec: str,
        most_calls: int,
        most_seconds: float,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._spec, self._clock = spec, clock
        self._most_calls, self._most_seconds = most_calls, most_seconds
        self._row = 0
        self._since: float | None = None
        self._failing: set[int] = set()
        self._longest = 0.0
        self._sent: dict[int, float] = {}
        self._why = ""
        self._watched: set[asyncio.Timeout] = set()

    def sent(self, call: int) -> None:
        """A try of this call is on its way; `served`, `failed` or `dropped` ends it."""
        self._sent[call] = self._clock()

    def dropped(self, call: int) -> None:
        """Nobody waits for the try any more, if one is on its way."""
        self._sent.pop(call, None)

    def served(self, call: int) -> None:
        """The try has brought an answer."""
        del self._sent[call]
        self._row = 0
        if self._since is not None:
            self._alive()

    def failed(self, call: int, fault: Fault) -> None:
        """The try has failed."""
        seconds = self._clock() - self._sent.pop(call)
        if fault.status == 429 or _about_the_request(fault):
            self._alive()
            return
        now = self._clock()
        if self._since is None:
            self._since = now
        self._failing.add(call)
        self._longest = max(self._longest, seconds)
        lasted = now - self._since
        if lasted < self._most_seconds or len(self._failing) < 2:
            return
        if all(now - sent <= self._longest for sent in self._sent.values()):
            self._trip(f"nothing but failures for {lasted:.0f} s", fault)

    def gave_up(self, fault: Fault) -> None:
        """A call has ended without an answer."""
        if _about_the_request(fault):
            return
        self._row += 1
        if self._row >= self._most_calls:
            self._trip(f"{self._row} calls in a row have failed", fault)

    def check(self) -> None:
        """EndpointDown once it has tripped."""
        if self._why:
            raise EndpointDown(self._why)

    def watch(self) -> asyncio.Timeout:
        """What is awaited under this timeout ends as soon as the breaker trips, until `unwatch`."""
        watch = asyncio.timeout(None)
        self._watched.add(watch)
        return watch

    def unwatch(self, watch: asyncio.Timeout) -> None:
        """It has ended."""
        self._watched.discard(watch)

    def _alive(self) -> None:
        self._since = None
        self._failing.clear()
        self._longest = 0.0

    def _trip(self, what: str, fault: Fault) -> None:
        if self._why:
            return
        self._why = (
            f"{self._spec} counts as down: {what}; the last one said: {fault.words[:_WORDS]}. No "
            "new dialogue is begun, and those that were waiting for it stay pending. Once it "
            "answers again, resume with the same command (bench --retry-errors also plays those "
            "again that had ended as error)"
        )
        now = asyncio.get_running_loop().time()
        for watch in self._watched:
            watch.reschedule(now)


def _about_the_request(fault: Fault) -> bool:
    return fault.kind == "filtered" or fault.status in _ANSWERS
