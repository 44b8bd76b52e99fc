"""One POST over aiohttp: bytes out, bytes in, and what went wrong by name.

Nothing is retried here and nothing is understood. aiohttp costs about a tenth of a millisecond of
CPU a call where the official SDK costs two.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

Kind = Literal["connect", "timeout", "dropped", "status", "unreadable", "empty"]


class Timeouts(NamedTuple):
    """Seconds."""

    connect: float = 10.0
    """Until a connection stands."""
    first_byte: float = 180.0
    """Until the answer begins: for an answer that is not streamed, all of the model's work."""
    total: float = 300.0


class Response(NamedTuple):
    """What came back, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Fault(Exception):
    """One try that brought no answer."""

    def __init__(
        self, kind: Kind, words: str, *, status: int = 0, again: bool = True, after: float = 0.0
    ) -> None:
        self.kind: Kind = kind
        self.words = words
        self.status = status
        self.again = again
        """Whether another try may help."""
        self.after = after
        """Seconds that the server asks to wait, 0 where it asks for none."""
        super().__init__(words)


class Transport:
    """The connections of one run. Made inside the event loop that uses it; close it there."""

    def __init__(self, connections: int, timeouts: Timeouts) -> None:
        import aiohttp  # Costs a quarter of a second: only where a server is really called.

        self._aiohttp: Any = aiohttp
        self._timeouts = timeouts
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections, ttl_dns_cache=300),
            timeout=aiohttp.ClientTimeout(
                total=timeouts.total, sock_connect=timeouts.connect, sock_read=timeouts.first_byte
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def close(self) -> None:
        """Give the connections back."""
        await self._session.close()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Response:
        """Send and read to the end. Fault of kind `connect`, `timeout` or `dropped`."""
        http = self._aiohttp
        try:
            async with self._session.post(url, data=body, headers=headers) as answer:
                return Response(answer.status, answer.headers, await answer.read())
        except http.ServerTimeoutError as error:
            raise Fault("timeout", f"no answer in time: {error}") from None
        except TimeoutError:
            raise Fault("timeout", f"no answer within {self._timeouts.total:g} s") from None
        except http.ClientConnectorError as error:
            raise Fault("connect", f"cannot connect: {error}") from None
        except http.InvalidURL as error:
            raise Fault("connect", f"no address: {error}", again=False) from None
        except (http.ClientError, OSError) as error:
            words = f"{type(error).__name__}: {error}".rstrip(": ")
            raise Fault("dropped", f"the connection broke ({words})") from None
