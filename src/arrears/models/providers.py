"""`provider/name` to an address: the table of `providers.yaml`, read against the environment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

import yaml

from arrears.errors import UnknownName, UsageError

LOCAL = "hf"
"""What stands for a provider in the name of a model in a folder."""
REASONING_TOKENS = 4096
ANSWER_TOKENS = 1024


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how one model is called. Holds the name of the key's variable, never the key."""

    spec: str
    """As it stands on the command line."""
    provider: str
    name: str
    """As the server knows it."""
    base: str
    """Address without a trailing slash; `/chat/completions` is appended."""
    key_variable: str
    key_optional: bool
    max_tokens_field: str
    takes_seed: bool
    schema: str
    """`json_schema`, `json_object` or `none`."""
    takes_temperature: bool
    answer_tokens: int
    """Default for the most tokens of an answer."""


def providers() -> tuple[str, ...]:
    """The known providers that answer over HTTP."""
    return tuple(_table()["providers"])


def is_model(spec: str) -> bool:
    """Whether a name on the command line means a model that has to be called."""
    return spec.partition("/")[0] in (LOCAL, *providers())


def endpoint_of(spec: str, environment: Mapping[str, str]) -> Endpoint:
    """The endpoint of `provider/name`, or of `compat/NAME@URL`.

    UnknownName for an unknown provider; UsageError for a missing name or an address that is none.
    """
    provider, slash, name = spec.partition("/")
    table = _table()["providers"]
    if provider not in table:
        raise UnknownName("provider", provider, [f"{p}/NAME" for p in table])
    row = table[provider]
    base = environment.get(f"{provider.upper()}_BASE_URL") or row["base"]
    if provider == "compat":
        name, at, base = name.partition("@")
        if not at:
            raise UsageError(f"{spec!r} has no address; write compat/NAME@http://host:port/v1")
    if not slash or not name:
        raise UsageError(f"{spec!r} names no model; write {provider}/NAME")
    try:
        parts = urlsplit(base)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # Half an IPv6 address, or a port that there cannot be.
        sound = False
    if not sound:
        raise UsageError(f"{base!r} is not an http address (of {spec})")
    if parts.username or parts.password:
        # It would be stored with the name of the model.
        raise UsageError(
            f"the address of {provider}/{name} holds a password; take it out and put a key into "
            f"{row['key']}"
        )
    return Endpoint(
        spec=spec,
        provider=provider,
        name=name,
        base=base.rstrip("/"),
        key_variable=row["key"],
        key_optional=bool(row.get("key_optional")),
        max_tokens_field=row.get("max_tokens", "max_tokens"),
        takes_seed=bool(row["seed"]),
        schema=row["schema"],
        takes_temperature=not _matches("no_temperature", name),
        answer_tokens=answer_tokens(name),
    )


def answer_tokens(name: str) -> int:
    """The most tokens of an answer: more for a model that reasons first (DebtBench, Table 9)."""
    reasons = _matches("reasoning", name) and not _matches("answers_at_once", name)
    return REASONING_TOKENS if reasons else ANSWER_TOKENS


def key_for(endpoint: Endpoint, environment: Mapping[str, str]) -> str:
    """The key, read from the environment now. UsageError, naming the variable, where it is missing.

    It is held for the calls only: never stored, logged or shown.
    """
    key = environment.get(endpoint.key_variable, "").strip()
    if not key and not endpoint.key_optional:
        raise UsageError(
            f"{endpoint.spec} needs a key; put it into the environment variable "
            f"{endpoint.key_variable}"
        )
    if not key.isascii() or not key.isprintable():
        raise UsageError(f"{endpoint.key_variable} holds characters that no key has")
    return key


def _matches(kind: str, name: str) -> bool:
    return any(re.search(pattern, name.lower()) for pattern in _table()[kind])


@cache
def _table() -> Mapping[str, Any]:
    text = (resources.files("arrears.models") / "providers.yaml").read_text(encoding="utf-8")
    table: Mapping[str, Any] = yaml.safe_load(text)
    return table
