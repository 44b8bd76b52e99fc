"""A faithful stub of an OpenAI-compatible server, and every way in which such servers fail.

It speaks the chat-completions protocol (the official SDK is a client of it in test_stub.py), checks
what it is sent as a real server would, and is a real process's neighbour: a thread with its own
event loop on a loopback port. What it answers is a `Mind`; how it fails is `Faults`.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Protocol, Self

import orjson
from aiohttp import web

FAULTS = (
    "429", "429 with Retry-After", "500", "hang", "dropped", "truncated", "no choices", "garbage",
    "wrong type",
)  # fmt: skip
KEY = "sk-stub-0123456789"
Instead = tuple[int, bytes] | str
"""What is sent instead of an answer: a status and a body; or `hang`, `drop`."""


class Mind(Protocol):
    """What the model says."""

    def __call__(self, request: Mapping[str, Any]) -> str: ...


class Faults:
    """Which tries of which requests fail, and how: decided by the request's own bytes."""

    def __init__(
        self,
        rate: float = 0.0,
        kinds: Sequence[str] = FAULTS,
        *,
        most_in_a_row: int = 3,
        doomed: Callable[[bytes], bool] = lambda body: False,
    ) -> None:
        self.rate, self.kinds, self.most_in_a_row = rate, kinds, most_in_a_row
        self.doomed = doomed
        self.seen: Counter[str] = Counter()
        """Faults dealt out, by kind."""
        self._tries: Counter[bytes] = Counter()
        self._row: Counter[bytes] = Counter()

    def next(self, body: bytes) -> str:
        """The fault of this try, "" for none."""
        if self.doomed(body):
            self.seen["refused"] += 1
            return "refused"
        key = blake2b(body, digest_size=8).digest()
        self._tries[key] += 1
        draw = blake2b(key + self._tries[key].to_bytes(4, "big"), digest_size=8).digest()
        number = int.from_bytes(draw, "big")
        if (number % 10_000) / 10_000 >= self.rate or self._row[key] >= self.most_in_a_row:
            self._row[key] = 0
            return ""
        self._row[key] += 1
        kind = self.kinds[(number // 10_000) % len(self.kinds)]
        self.seen[kind] += 1
        return kind


class Stub:
    """The server. Use it as a context manager; `base` is its address."""

    def __init__(
        self,
        mind: Mind,
        faults: Faults | None = None,
        *,
        key: str = "",
        no_schema: bool = False,
        no_usage: bool = False,
        repeats_key: bool = False,
        instead: Callable[[Mapping[str, Any]], Instead | None] = lambda request: None,
    ) -> None:
        self.mind, self.faults, self.key = mind, faults or Faults(), key
        self.no_schema, self.no_usage, self.repeats_key = no_schema, no_usage, repeats_key
        self.instead = instead
        self.requests: list[dict[str, Any]] = []
        """Every request body, in the order of arrival."""
        self.answered = 0
        self.base = ""
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        # Limits against a deadlock, far beyond what a busy machine takes.
        assert self._ready.wait(600), "the stub did not come up"
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(600)

    def spec(self, name: str) -> str:
        """The model's name on the command line."""
        return f"compat/{name}@{self.base}"

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._run())
        self._loop.close()

    async def _run(self) -> None:
        app = web.Application(client_max_size=1 << 24)
        app.router.add_post("/v1/chat/completions", self._complete)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        self.base = f"http://127.0.0.1:{port}/v1"
        self._ready.set()
        await self._stop.wait()
        await runner.cleanup()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    async def _complete(self, http: web.Request) -> web.StreamResponse:
        body = await http.read()
        if self.key and http.headers.get("Authorization") != f"Bearer {self.key}":
            sent = http.headers.get("Authorization", "").removeprefix("Bearer ")
            told = f": {sent}" if self.repeats_key else "."
            return _error(401, f"Incorrect API key provided{told}", "invalid_api_key")
        try:
            request = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            return _error(400, f"We could not parse the JSON body of your request: {error}")
        wrong = _wrong_with(request)
        if wrong:
            return _error(400, wrong)
        self.requests.append(request)
        if self.no_schema and "response_format" in request:
            return _error(400, "'response_format' of type 'json_schema' is not supported")
        instead = self.instead(request)
        if isinstance(instead, tuple):
            status, sent = instead
            return web.Response(body=sent, status=status, content_type="application/json")
        if instead == "drop":
            assert http.transport is not None
            http.transport.abort()
            return web.Response()
        if instead == "hang":
            return await self._fail(http, "hang", request)
        fault = self.faults.next(body)
        if fault:
            return await self._fail(http, fault, request)
        self.answered += 1
        return web.Response(body=self._answer(request), content_type="application/json")

    def _answer(self, request: Mapping[str, Any]) -> bytes:
        text = self.mind(request)
        words = sum(len(m["content"].split()) for m in request["messages"])
        usage = {
            "prompt_tokens": words,
            "completion_tokens": len(text.split()),
            "total_tokens": words + len(text.split()),
            "prompt_tokens_details": {"cached_tokens": words // 2},
        }
        return orjson.dumps(
            {
                "id": f"chatcmpl-{self.answered}",
                "object": "chat.completion",
                "created": 1_760_000_000,
                "model": request["model"],
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": text, "refusal": None},
                        "logprobs": None,
                        "finish_reason": "stop",
                    }
                ],
                **({} if self.no_usage else {"usage": usage}),
            }
        )

    async def _fail(
        self, http: web.Request, fault: str, request: Mapping[str, Any]
    ) -> web.StreamResponse:
        if fault == "429":
            return _error(429, "Rate limit reached for requests", "rate_limit_exceeded")
        if fault == "429 with Retry-After":
            answer = _error(429, "Rate limit reached for tokens", "rate_limit_exceeded")
            answer.headers["Retry-After"] = "1"
            return answer
        if fault == "500":
            return _error(500, "The server had an error while processing your request")
        if fault == "refused":
            return _error(400, "This prompt was blocked by the content filter", "content_filter")
        if fault == "hang":
            await asyncio.sleep(3600)
            return _error(504, "too late")
        whole = self._answer(request)
        if fault == "dropped":
            answer = web.StreamResponse(headers={"Content-Length": str(len(whole))})
            await answer.prepare(http)
            await answer.write(whole[: len(whole) // 2])
            assert http.transport is not None
            http.transport.abort()
            return answer
        if fault == "truncated":
            return web.Response(body=whole[: len(whole) // 2], content_type="application/json")
        if fault == "no choices":
            return web.json_response({"id": "x", "object": "chat.completion", "choices": []})
        if fault == "garbage":
            return web.Response(body=b"\x00\xff\xfe{]", content_type="application/json")
        assert fault == "wrong type", fault
        return web.Response(text="<html><h1>Sign in</h1></html>", content_type="text/html")


def _error(status: int, words: str, code: str | None = None) -> web.Response:
    kind = "invalid_request_error" if status < 500 else "server_error"
    body = {"error": {"message": words, "type": kind, "param": None, "code": code}}
    return web.json_response(body, status=status)


def _wrong_with(request: Any) -> str:
    """What a real server would refuse about a request, "" for nothing."""
    if not isinstance(request.get("model"), str):
        return "you must provide a model parameter"
    messages = request.get("messages")
    if not messages:
        return "[] is too short - 'messages'"
    roles = [m.get("role") for m in messages]
    if any(role not in ("system", "user", "assistant") for role in roles):
        return "Invalid value for role"
    if any(not isinstance(m.get("content"), str) or not m["content"] for m in messages):
        return "Invalid value for 'content': expected a string"
    talk = roles[1:] if roles[0] == "system" else roles
    if talk != ["user", "assistant"] * (len(talk) // 2) + ["user"]:
        return "Conversation roles must alternate user/assistant/user/assistant/..."
    if not 0 <= request.get("temperature", 0) <= 2:
        return "Invalid 'temperature'"
    limit = request.get("max_tokens", request.get("max_completion_tokens", 1))
    return "" if limit >= 1 else "Invalid 'max_tokens'"
