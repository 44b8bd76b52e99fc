"""A model behind HTTP: one call, pursued with patience, paced, counted and paid for."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import count
from time import perf_counter

import numpy as np

from arrears.errors import ModelError
from arrears.models.billing import Billing
from arrears.models.breaker import Breaker
from arrears.models.cache import Cache, cache_key
from arrears.models.chat import Completion, Message, Purpose, Sampling
from arrears.models.dialect import PLAIN, Dialect, advice_for, change_after
from arrears.models.openai_chat import Answered, completion_of, read_answer, request_bytes
from arrears.models.pacing import Ceiling, Gate
from arrears.models.providers import Endpoint
from arrears.models.retries import Patience, fault_of, wait_before
from arrears.models.transport import Fault, Response, Transport
from arrears.models.usage import Usage

Sleep = Callable[[float], Awaitable[object]]
_LOGGER = logging.getLogger(__name__)
_calls = count(1)


@dataclass(slots=True)
class Server:
    """One model at one endpoint, with all that its callers share."""

    endpoint: Endpoint
    key: str
    """Travels in a header of each request, and is cut out of whatever comes back."""
    transport: Transport
    gate: Gate
    requests: Ceiling | None
    tokens: Ceiling | None
    patience: Patience
    billing: Billing
    breaker: Breaker
    cache: Cache | None
    rng: np.random.Generator
    """For the jitter of waits; it decides nothing that is said."""
    dialect: Dialect = PLAIN
    """How requests are written since this server has turned parts of them down."""
    sleep: Sleep = asyncio.sleep

    def learn(self, dialect: Dialect, told: Sequence[str]) -> None:
        """Write requests in this way from now on, and say so once.

        Calls that are on their way at the same time learn the same, or another part of it.
        """
        joined = self.dialect.joined(dialect)
        if joined == self.dialect:
            return
        self.dialect = joined
        for what in told:
            _LOGGER.warning("%s %s", self.endpoint.spec, what)
            self.billing.note(what)


class RemoteModel:
    """The server as one seat's ChatModel."""

    def __init__(self, server: Server, purpose: Purpose) -> None:
        self._server = server
        self._purpose = purpose
        self._headers = headers_for(server.key)
        self._url = f"{server.endpoint.base}/chat/completions"

    async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completion:
        """Ask until there is an answer, patience ends, or asking again is no use (ModelError).

        EndpointDown once the breaker has tripped, also for calls that are on their way.
        """
        server = self._server
        began = perf_counter()
        key = ""
        if server.cache is not None:
            # As it is meant, whatever the server has turned down: a fresh run has not learned that.
            body = request_bytes(server.endpoint, messages, sampling)
            key = cache_key(self._url, body, None if server.endpoint.takes_seed else sampling.seed)
            kept = self._kept(server.cache, key, began)
            if kept is not None:
                return kept
        server.breaker.check()
        watch = server.breaker.watch()
        try:
            async with watch:
                response, completion = await self._answered(messages, sampling, began)
        except TimeoutError:
            server.breaker.check()
            raise
        finally:
            server.breaker.unwatch(watch)
        if server.cache is not None:
            server.cache.put(key, response.body)
        return completion

    def _kept(self, cache: Cache, key: str, began: float) -> Completion | None:
        stored = cache.get(key)
        if stored is None:
            return None
        try:
            completion = completion_of(Response(200, {}, stored))
        except Fault:
            return None
        self._server.billing.from_cache(completion.usage, self._purpose, perf_counter() - began)
        return completion

    async def _answered(
        self, messages: Sequence[Message], sampling: Sampling, began: float
    ) -> tuple[Response, Completion]:
        """The answer to a request, written as this server takes it. ModelError."""
        server, spec = self._server, self._server.endpoint.spec
        dialect, told = server.dialect, list[str]()
        call = next(_calls)
        while True:
            body = request_bytes(server.endpoint, messages, sampling, dialect)
            try:
                answer = await self._pursue(call, body, sampling, began)
            except Fault as fault:
                change = change_after(fault, dialect, server.endpoint, messages, sampling)
                if change is None:
                    server.breaker.gave_up(fault)
                    server.breaker.check()
                    raise ModelError(f"{spec}: {fault.words}{advice_for(fault)}") from None
                dialect = change.dialect
                told.append(change.told)
                continue
            if told:
                server.learn(dialect, told)
            return answer

    def _most(self, body: bytes, sampling: Sampling) -> Usage:
        """What a try uses at most: a token for two bytes of its request, and the whole answer."""
        limit = sampling.max_tokens or self._server.endpoint.answer_tokens
        return Usage(len(body) // 2, limit)

    async def _pursue(
        self, call: int, body: bytes, sampling: Sampling, began: float
    ) -> tuple[Response, Completion]:
        """The answer. ModelError where patience ends, Fault where asking again is no use."""
        server, patience = self._server, self._server.patience
        most = self._most(body, sampling)
        guess = len(body) / 4 + most.tokens_out
        tries = 0
        while True:
            tries += 1
            if server.requests is not None:
                await server.requests.take()
            if server.tokens is not None:
                await server.tokens.take(guess)
            try:
                response, (completion, reported) = await self._paid(call, body, most, tries, began)
            except Fault as fault:
                used = fault.reported.usage if fault.reported is not None else Usage()
                if server.tokens is not None:
                    server.tokens.give_back(guess - used.tokens_in - used.tokens_out)
                if not fault.again:
                    raise
                given_up = tries >= patience.tries or fault.after > patience.longest_asked
                if given_up:
                    server.breaker.gave_up(fault)
                server.breaker.check()
                if given_up:
                    raise ModelError(
                        f"{server.endpoint.spec}: gave up after {tries} tries: {fault.words}"
                    ) from None
                await server.sleep(wait_before(tries + 1, fault.after, patience, server.rng))
                continue
            if server.tokens is not None:
                used = reported.usage
                server.tokens.give_back(guess - used.tokens_in - used.tokens_out)
            return response, completion

    async def _paid(
        self, call: int, body: bytes, most: Usage, tries: int, began: float
    ) -> tuple[Response, Answered]:
        """One try, with what it costs. Fault where it brought no answer; BudgetSpent."""
        billing = self._server.billing
        bill = await billing.open(most)
        tried = perf_counter()
        try:
            response, answered = await self._once(call, body)
            seconds = perf_counter() - began
            billing.answered(bill, answered.reported, self._purpose, tries, seconds)
            return response, answered
        except Fault as fault:
            seconds = perf_counter() - tried
            billing.rejected(bill, fault.reported, self._purpose, seconds, fault.words)
            raise
        finally:
            await billing.settle(bill)

    async def _once(self, call: int, body: bytes) -> tuple[Response, Answered]:
        """One try. Fault where it brought no answer."""
        server = self._server
        ticket = await server.gate.enter()
        throttled = served = False
        server.breaker.sent(call)
        try:
            response = await server.transport.post(self._url, self._headers, body)
            if server.key:
                response = _without(response, server.key)
            if response.status != 200:
                raise fault_of(response)
            answered = read_answer(response)
            served = True
            server.breaker.served(call)
            return response, answered
        except Fault as fault:
            throttled = fault.status in (429, 529)
            server.breaker.failed(call, fault)
            raise
        finally:
            server.breaker.dropped(call)
            server.gate.leave(ticket, throttled=throttled, served=served)


def headers_for(key: str) -> dict[str, str]:
    """What travels with each request."""
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    return headers


def _without(response: Response, key: str) -> Response:
    """A response without the key: some servers repeat what they were sent, and words are stored."""
    secret = key.encode()
    if secret not in response.body:
        return response
    return response._replace(body=response.body.replace(secret, b"(the key)"))
