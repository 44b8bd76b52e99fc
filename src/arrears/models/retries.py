"""Which failures are worth another try, and after how long."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import numpy as np
import orjson

from arrears.models.transport import Fault, Response
from arrears.models.usage import read_usage

_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
# Codes of a 429 that waiting does not mend.
_SPENT = ("insufficient_quota", "billing_hard_limit_reached", "exceeded_current_quota_error")
_WORDS = 300


class Patience(NamedTuple):
    """How long a call is pursued."""

    tries: int = 6
    first_wait: float = 0.5
    """Seconds before the second try; doubled for each further one."""
    longest_wait: float = 30.0
    """Seconds, of our own waits."""
    longest_asked: float = 300.0
    """Seconds; a server that asks for more is given up."""


def wait_before(attempt: int, asked: float, patience: Patience, rng: np.random.Generator) -> float:
    """Seconds before try `attempt` (from 2): what the server asked, else a doubled wait, jittered.

    Never less than was asked; the jitter, up to a half on top, spreads a herd of callers.
    """
    own = min(patience.longest_wait, patience.first_wait * 2.0 ** (attempt - 2))
    if asked > 0:
        return asked + float(rng.random()) * min(own, 1.0)
    return own * (0.5 + float(rng.random()))


def fault_of(response: Response, now: datetime | None = None) -> Fault:
    """The fault that a status other than 200 stands for, with the provider's own words."""
    found, said = said_in(response.body)
    status = response.status
    again = worth_another_try(status, said.code)
    usage = found.get("usage") if isinstance(found, dict) else None
    return Fault(
        "status",
        f"{status} {said.words}".strip(),
        status=status,
        again=again,
        after=retry_after(response.headers, now) if again else 0.0,
        names=said.names,
        reported=read_usage(usage) if isinstance(usage, dict) else None,
    )


def worth_another_try(status: int, code: str = "") -> bool:
    """Whether a failure of this status may pass by itself."""
    if status == 429 and any(spent in code for spent in _SPENT):
        return False
    return status in _AGAIN or status >= 500


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float:
    """Seconds that a server asks to wait, as a number or a date; 0 where it does not."""
    precise = headers.get("retry-after-ms")
    if precise is not None and precise.strip().isascii() and precise.strip().isdigit():
        return int(precise) / 1000
    value = headers.get("Retry-After", "").strip()
    if not value:
        return 0.0
    try:
        seconds = float(value)
        return seconds if seconds > 0 else 0.0
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return 0.0
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - (now or datetime.now(UTC))).total_seconds())


class Said(NamedTuple):
    """What an error says."""

    words: str
    """Of whoever failed; "" where it says nothing."""
    code: str = ""
    """Its code and its type."""
    names: str = ""
    """The field of the request that it is about."""
    status: int = 0
    """A status of HTTP that it gives as its code, 0 where it gives none."""


def said_in(body: bytes) -> tuple[Any, Said]:
    """A body as JSON (None where it is none), and what it says."""
    try:
        found: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        text = body[: _WORDS * 2].decode("utf-8", "replace")
        return None, Said(" ".join(text.split())[:_WORDS])
    if isinstance(found, list) and found:
        found = found[0]
    return found, error_in(found)


def error_in(found: Any) -> Said:
    """What an object with an error in it says: under `error`, or in the object itself."""
    error = (found.get("error") or found) if isinstance(found, dict) else found
    if isinstance(error, str):
        return Said(error[:_WORDS])
    if not isinstance(error, dict):
        return Said("" if error is None else str(error)[:_WORDS])
    detail = error.get("detail")
    words, names = _details(detail) if isinstance(detail, list) else ("", "")
    words = words or next(
        (str(error[key]) for key in ("message", "detail", "msg") if error.get(key)), ""
    )
    code = error.get("code")
    return Said(
        words[:_WORDS] or str(error)[:_WORDS],
        f"{code or ''} {error.get('type') or ''}",
        names or str(error.get("param") or ""),
        _status(code) or _status(error.get("status")),
    )


def _details(found: list[Any]) -> tuple[str, str]:
    """FastAPI's list of what is wrong with a request: in words, and the first field."""
    words, names = [], ""
    for item in found:
        if isinstance(item, dict) and item.get("msg"):
            place = [str(part) for part in item.get("loc") or () if part != "body"]
            names = names or ".".join(place)
            words.append(f"{'.'.join(place)}: {item['msg']}" if place else str(item["msg"]))
    return "; ".join(words), names


def _status(code: Any) -> int:
    text = str(code)
    number = int(text) if text.isascii() and text.isdigit() and len(text) == 3 else 0
    return number if number >= 400 else 0
