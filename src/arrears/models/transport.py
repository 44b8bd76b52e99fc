"""One POST over aiohttp: bytes out, bytes in, and what went wrong by name.

Nothing is retried here and nothing is understood. aiohttp costs about a tenth of a millisecond of
CPU a call where the official SDK costs two.
"""

import os
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from arrears.models.usage import Reported

Kind = Literal["connect", "timeout", "dropped", "status", "unreadable", "empty", "filtered"]


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
        self,
        kind: Kind,
        words: str,
        *,
        status: int = 0,
        again: bool = True,
        after: float = 0.0,
        names: str = "",
        reported: Reported | None = None,
    ) -> None:
        self.kind: Kind = kind
        self.words = words
        self.status = status
        self.again = again
        """Whether another try may help."""
        self.after = after
        """Seconds that the server asks to wait, 0 where it asks for none."""
        self.names = names
        """The field of the request that the server says it is about; "" where it says none."""
        self.reported = reported
        """What the try has used all the same, None where the server reports nothing."""
        super().__init__(words)


class Transport:
    """The connections of one run. Made inside the event loop that uses it; close it there."""

    def __init__(self, connections: int, timeouts: Timeouts) -> None:
        import aiohttp  # Costs a quarter of a second: only where a server is really called.

        self._aiohttp: Any = aiohttp
        self._timeouts = timeouts
        self._proxies: dict[str, str | None] = {}
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
        """Send and read to the end. Fault of kind `connect`, `timeout` or `dropped`, and of kind
        `status` for a redirect that would lose the request.
        """
        http = self._aiohttp
        try:
            async with self._session.post(
                url, data=body, headers=headers, proxy=self._proxy(url)
            ) as answer:
                if answer.method != "POST":
                    # By 301, 302 and 303 the request goes on as a GET, without what it asks.
                    moved = answer.history[0].status
                    raise Fault(
                        "status",
                        f"{moved} the server has moved to {answer.url}; give that address",
                        status=moved,
                        again=False,
                    )
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

    def _proxy(self, url: str) -> str | None:
        if url not in self._proxies:
            self._proxies[url] = proxy_for(url, os.environ)
        return self._proxies[url]


def proxy_for(url: str, environment: Mapping[str, str]) -> str | None:
    """The proxy by which an address is reached, after HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and
    NO_PROXY (either case); None for this machine, and where none is set.

    aiohttp's own reading of the environment would also take passwords from .netrc.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()

    def named(variable: str) -> str:
        return environment.get(variable.lower()) or environment.get(variable) or ""

    if host == "localhost" or host.startswith("127.") or host == "::1":
        return None
    for place in named("NO_PROXY").split(","):
        end = place.strip().lower().lstrip("*").lstrip(".")
        if place.strip() == "*" or (end and (host == end or host.endswith(f".{end}"))):
            return None
    return named(f"{parts.scheme.upper()}_PROXY") or named("ALL_PROXY") or None
