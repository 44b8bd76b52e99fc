"""A model behind HTTP: one call, pursued with patience, paced, counted and paid for."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from time import perf_counter
from typing import NamedTuple

import numpy as np

from arrears.errors import ModelError
from arrears.models.budget import Budget, Call, CallLog
from arrears.models.cache import Cache, cache_key
from arrears.models.chat import Completion, Message, Purpose, Sampling
from arrears.models.openai_chat import completion_of, request_bytes
from arrears.models.pacing import Ceiling, Gate
from arrears.models.providers import Endpoint
from arrears.models.retries import Patience, fault_of, wait_before
from arrears.models.transport import Fault, Response, Transport
from arrears.models.usage import Price, Usage

_SCHEMA = "response_format"
_SCHEMA_WORDS = ("response_format", "json_schema", "guided", "structured output")
Sleep = Callable[[float], Awaitable[object]]


class Server(NamedTuple):
    """One model at one endpoint, with all that its callers share."""

    endpoint: Endpoint
    key: str
    """Travels in a header of each request, and is cut out of whatever comes back."""
    transport: Transport
    gate: Gate
    requests: Ceiling | None
    tokens: Ceiling | None
    patience: Patience
    price: Price | None
    budget: Budget | None
    log: CallLog | None
    cache: Cache | None
    rng: np.random.Generator
    """For the jitter of waits; it decides nothing that is said."""
    refused: set[str]
    """Optional parts of a request that this server has turned down; they are not sent again."""
    sleep: Sleep = asyncio.sleep


class RemoteModel:
    """The server as one seat's ChatModel."""

    def __init__(self, server: Server, purpose: Purpose) -> None:
        self._server = server
        self._purpose = purpose
        self._headers = headers_for(server.key)

    async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completion:
        """Ask until there is an answer, patience ends, or asking again is no use (ModelError)."""
        server = self._server
        if sampling.schema is None:
            return await self._complete(messages, sampling)
        if _SCHEMA in server.refused:
            return await self._complete(messages, replace(sampling, schema=None))
        try:
            return await self._complete(messages, sampling)
        except ModelError as error:
            if not any(word in str(error) for word in _SCHEMA_WORDS):
                raise
            # The prompt asks for JSON too, and what comes is checked either way.
            server.refused.add(_SCHEMA)
            return await self._complete(messages, replace(sampling, schema=None))

    async def _complete(self, messages: Sequence[Message], sampling: Sampling) -> Completion:
        server = self._server
        url = f"{server.endpoint.base}/chat/completions"
        body = request_bytes(server.endpoint, messages, sampling)
        began = perf_counter()
        key = ""
        if server.cache is not None:
            key = cache_key(url, body)
            stored = server.cache.get(key)
            if stored is not None:
                completion = completion_of(Response(200, {}, stored))
                self._count(completion.usage, 0.0, 0, began, cached=True)
                return completion
        if server.budget is None or server.price is None:
            return (await self._pursue(url, body, key, sampling, began))[0]
        most = server.price.of(self._most(body, sampling))
        await server.budget.reserve(most)
        cost = 0.0
        try:
            completion, paid = await self._pursue(url, body, key, sampling, began)
            cost = paid or 0.0
            return completion
        finally:
            await server.budget.settle(most, cost)

    def _most(self, body: bytes, sampling: Sampling) -> Usage:
        """What a call uses at most: a token for two bytes of its request, and the whole answer."""
        limit = sampling.max_tokens or self._server.endpoint.answer_tokens
        return Usage(len(body) // 2, limit)

    async def _pursue(
        self, url: str, body: bytes, key: str, sampling: Sampling, began: float
    ) -> tuple[Completion, float | None]:
        """The answer, and what it cost; None without a price."""
        server, patience = self._server, self._server.patience
        guess = len(body) / 4 + (sampling.max_tokens or server.endpoint.answer_tokens)
        tries = 0
        while True:
            tries += 1
            if server.requests is not None:
                await server.requests.take()
            if server.tokens is not None:
                await server.tokens.take(guess)
            try:
                response, completion = await self._once(url, body)
            except Fault as fault:
                if server.tokens is not None:
                    server.tokens.give_back(guess)
                if not fault.again:
                    raise ModelError(f"{server.endpoint.spec}: {fault.words}") from None
                if tries >= patience.tries or fault.after > patience.longest_asked:
                    raise ModelError(
                        f"{server.endpoint.spec}: gave up after {tries} tries: {fault.words}"
                    ) from None
                await server.sleep(wait_before(tries + 1, fault.after, patience, server.rng))
                continue
            usage = completion.usage
            if server.tokens is not None:
                server.tokens.give_back(guess - usage.tokens_in - usage.tokens_out)
            if server.cache is not None:
                server.cache.put(key, response.body)
            cost = None
            if server.price is not None:
                # A limit on money must not rest on a server that counts no tokens.
                counted = usage.tokens_in or usage.tokens_out
                cost = server.price.of(usage if counted else self._most(body, sampling))
            self._count(usage, cost, tries, began)
            return completion, cost

    async def _once(self, url: str, body: bytes) -> tuple[Response, Completion]:
        """One try. Fault where it brought no answer."""
        server = self._server
        ticket = await server.gate.enter()
        throttled = served = False
        try:
            response = await server.transport.post(url, self._headers, body)
            if server.key:
                response = _without(response, server.key)
            if response.status != 200:
                throttled = response.status in (429, 529)
                raise fault_of(response)
            completion = completion_of(response)
            served = True
            return response, completion
        finally:
            server.gate.leave(ticket, throttled=throttled, served=served)

    def _count(
        self, usage: Usage, cost: float | None, tries: int, began: float, cached: bool = False
    ) -> None:
        log = self._server.log
        if log is not None:
            spec = self._server.endpoint.spec
            seconds = perf_counter() - began
            log.add(Call(self._purpose, spec, usage, cost, tries, seconds, cached))


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
