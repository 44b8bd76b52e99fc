"""A model behind HTTP: one call, pursued with patience, paced, counted and paid for."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
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
    headers: Mapping[str, str]
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

    async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completion:
        """Ask until there is an answer, patience ends, or asking again is no use (ModelError)."""
        server = self._server
        if sampling.schema is None or _SCHEMA in server.refused:
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
            return await self._pursue(url, body, key, sampling, began)
        # A token is at least two bytes of JSON: what the call costs at most.
        limit = sampling.max_tokens or server.endpoint.answer_tokens
        most = server.price.of(Usage(len(body) // 2, limit))
        await server.budget.reserve(most)
        cost = 0.0
        try:
            completion = await self._pursue(url, body, key, sampling, began)
            cost = server.price.of(completion.usage)
            return completion
        finally:
            await server.budget.settle(most, cost)

    async def _pursue(
        self, url: str, body: bytes, key: str, sampling: Sampling, began: float
    ) -> Completion:
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
            cost = server.price.of(usage) if server.price is not None else None
            self._count(usage, cost, tries, began)
            return completion

    async def _once(self, url: str, body: bytes) -> tuple[Response, Completion]:
        """One try. Fault where it brought no answer."""
        server = self._server
        ticket = await server.gate.enter()
        throttled = served = False
        try:
            response = await server.transport.post(url, server.headers, body)
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
    """What travels with each request. The key is here and nowhere else."""
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    return headers
