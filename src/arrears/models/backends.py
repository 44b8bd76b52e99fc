"""The models of one run: opened by name, shared by all its dialogues, closed at its end."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from arrears.errors import UsageError
from arrears.models.billing import Billing
from arrears.models.breaker import Breaker
from arrears.models.budget import Budget, CallLog
from arrears.models.cache import Cache
from arrears.models.chat import ChatModel, Purpose
from arrears.models.pacing import Ceiling, Gate
from arrears.models.providers import LOCAL as LOCAL
from arrears.models.providers import Endpoint, endpoint_of, key_for
from arrears.models.providers import is_model as is_model
from arrears.models.remote import RemoteModel, Server
from arrears.models.retries import Patience
from arrears.models.shelf import LocalSeat, Shelf
from arrears.models.transport import Timeouts, Transport
from arrears.models.usage import PriceTable, load_prices
from arrears.rng import rng_for


@dataclass(frozen=True, slots=True)
class Settings:
    """How models are called. Nothing here decides what is asked of them."""

    concurrency: int = 16
    """Calls in flight at once, to each model."""
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)
    patience: Patience = field(default_factory=Patience)
    max_cost: float | None = None
    prices: Path | None = None
    cache: Path | None = None
    down_after_calls: int = 20
    """An endpoint counts as down after so many calls in a row that were given up …"""
    down_after_seconds: float = 60.0
    """… or where nothing but failures came of it for so long."""


def check_model(spec: str, settings: Settings, environment: Mapping[str, str] = os.environ) -> None:
    """See before anything is spent that a model can be called at all.

    UnknownName or UsageError: no such provider, no key, no price for --max-cost; of a local model
    all that can be seen before its weights are read.
    """
    provider, _, name = spec.partition("/")
    if provider == LOCAL:
        if not name:
            raise UsageError(f"{spec}: there is no model in (no path); name a folder, hf/PATH")
        from arrears.models.opening import check_local

        check_local(Path(name))
        return
    key_for(endpoint_of(spec, environment), environment)
    if settings.max_cost is not None:
        load_prices(settings.prices).required(_priced(spec))


class Backends:
    """Use it as an async context manager, inside the loop in which the dialogues run."""

    def __init__(
        self,
        settings: Settings,
        log: Path | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        """StorageError where the log of calls or the cache cannot be written."""
        self._settings = settings
        self._environment = environment
        self._prices: PriceTable = load_prices(settings.prices)
        self._log = CallLog(log) if log is not None else None
        self._cache = Cache(settings.cache) if settings.cache is not None else None
        spent = self._log.spent if self._log is not None else 0.0
        self._budget = Budget(settings.max_cost, spent) if settings.max_cost is not None else None
        self._servers: dict[str, Server] = {}
        self._local = Shelf(settings.concurrency)
        self._transport: Transport | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if self._transport is not None:
            await self._transport.close()
        self._local.close()
        if self._log is not None:
            self._log.close()

    def model(self, spec: str, purpose: Purpose) -> ChatModel:
        """A model for one purpose of one dialogue. Errors as `check_model`."""
        if spec.partition("/")[0] == LOCAL:
            return LocalSeat(self._local, spec, purpose, self._log)
        server = self._servers.get(spec)
        if server is None:
            server = self._servers[spec] = self._open(endpoint_of(spec, self._environment))
        return RemoteModel(server, purpose)

    def _open(self, endpoint: Endpoint) -> Server:
        settings = self._settings
        if self._transport is None:
            self._transport = Transport(settings.concurrency, settings.timeouts)
        rpm, tpm = settings.requests_per_minute, settings.tokens_per_minute
        return Server(
            endpoint,
            key_for(endpoint, self._environment),
            self._transport,
            Gate(settings.concurrency),
            Ceiling(rpm) if rpm else None,
            Ceiling(tpm) if tpm else None,
            settings.patience,
            Billing(
                endpoint.spec, self._prices.of(_priced(endpoint.spec)), self._budget, self._log
            ),
            Breaker(endpoint.spec, settings.down_after_calls, settings.down_after_seconds),
            self._cache,
            rng_for(0, "jitter", endpoint.spec),
        )


def _priced(spec: str) -> str:
    """The name under which a model stands in the price table: `compat` without its address."""
    return spec.partition("@")[0] if spec.startswith("compat/") else spec
