"""Which failures are worth another try, and after how long."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import numpy as np
import orjson

from arrears.models.transport import Fault, Response

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
    words, code = _said(response.body)
    status = response.status
    again = status in _AGAIN or status >= 500
    if status == 429 and any(spent in code for spent in _SPENT):
        again = False
    return Fault(
        "status",
        f"{status} {words}".strip(),
        status=status,
        again=again,
        after=retry_after(response.headers, now) if again else 0.0,
    )


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float:
    """Seconds that a server asks to wait, as a number or a date; 0 where it does not."""
    precise = headers.get("retry-after-ms")
    if precise is not None and precise.strip().isdigit():
        return int(precise) / 1000
    value = headers.get("Retry-After", "").strip()
    if not value:
        return 0.0
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - (now or datetime.now(UTC))).total_seconds())


def _said(body: bytes) -> tuple[str, str]:
    """What an error body says, and its code."""
    try:
        found: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return " ".join(body[: _WORDS * 2].decode("utf-8", "replace").split())[:_WORDS], ""
    if isinstance(found, list) and found:
        found = found[0]
    error = found.get("error", found) if isinstance(found, dict) else found
    if isinstance(error, dict):
        words = error.get("message") or error.get("detail") or error.get("msg") or ""
        code = f"{error.get('code') or ''} {error.get('type') or ''}"
        return str(words)[:_WORDS] or str(error)[:_WORDS], code
    return str(error)[:_WORDS], ""
