"""A server without a network: what it answers is a function, its clock moves only in sleeps."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import orjson

from arrears.models.billing import Billing
from arrears.models.breaker import Breaker
from arrears.models.budget import Budget, CallLog
from arrears.models.cache import Cache
from arrears.models.chat import Purpose
from arrears.models.pacing import Gate
from arrears.models.providers import endpoint_of
from arrears.models.remote import RemoteModel, Server
from arrears.models.retries import Patience
from arrears.models.transport import Response, Transport
from arrears.models.usage import Price
from arrears.rng import rng_for

PURPOSE = Purpose("case", "collector", "speaker")
USAGE = {"prompt_tokens": 100, "completion_tokens": 40, "total_tokens": 140}


def completion(content: Any = "Hello.", finish: Any = "stop", **more: Any) -> dict[str, Any]:
    """A completion as a server writes it; `more` joins its message."""
    message = {"role": "assistant", "content": content, **more}
    return {"choices": [{"index": 0, "finish_reason": finish, "message": message}], "usage": USAGE}


def answer(found: Any, status: int = 200) -> Response:
    """An answer; bytes are sent as they stand."""
    return Response(status, {}, found if isinstance(found, bytes) else orjson.dumps(found))


def refusal(words: str, status: int = 400, **more: Any) -> Response:
    """A refusal in OpenAI's shape."""
    return answer({"error": {"message": words, "type": "invalid_request_error", **more}}, status)


class Scripted:
    """The server, and what was sent to it."""

    def __init__(
        self,
        answers: Callable[[Mapping[str, Any]], Response],
        *,
        spec: str = "compat/m@http://h/v1",
        patience: Patience | None = None,
        price: Price | None = None,
        limit: float | None = None,
        log: Path | None = None,
        cache: Path | None = None,
        down_after: tuple[int, float] = (20, 60.0),
        concurrency: int = 16,
    ) -> None:
        self.now = 0.0
        self.requests: list[dict[str, Any]] = []
        self._answers = answers
        self.budget = Budget(limit) if limit is not None else None
        self.log = CallLog(log) if log is not None else None
        endpoint = endpoint_of(spec, {})
        self.server = Server(
            endpoint,
            "",
            cast(Transport, self),
            Gate(concurrency),
            None,
            None,
            patience or Patience(),
            Billing(endpoint.spec, price, self.budget, self.log),
            Breaker(endpoint.spec, *down_after, clock=lambda: self.now),
            Cache(cache) if cache is not None else None,
            rng_for(1, "scripted"),
            sleep=self._sleep,
        )

    def model(self, purpose: Purpose = PURPOSE) -> RemoteModel:
        """The server as a seat's model."""
        return RemoteModel(self.server, purpose)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Response:
        """As `Transport.post`."""
        request = orjson.loads(body)
        self.requests.append(request)
        return self._answers(request)

    async def _sleep(self, seconds: float) -> None:
        self.now += seconds
