"""`python/FILE.py:NAME`: a seat that its user wrote.

NAME is a class or function that is called once a talk: a collector's with
`(account, mandate, rng)`, a debtor's with `(debtor, rng)`; it returns an `Agent`. What it is given
is what that seat may know.
"""

import importlib.util
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from arrears.errors import UsageError

OWN = "python"
Factory = Callable[..., Any]


def is_own(spec: str) -> bool:
    """Whether a name means a seat in a file of the user's."""
    return spec.startswith(f"{OWN}/")


def own_digest(spec: str) -> str:
    """SHA-256 of the file, so that a run knows by which code it was played. UsageError."""
    path, _ = _parts(spec)
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UsageError(f"{spec}: cannot read {path}: {error.strerror or error}") from None


@cache
def load_own(spec: str) -> Factory:
    """The class or function of that name. UsageError where the file or the name is not there."""
    path, name = _parts(spec)
    own_digest(spec)
    found = importlib.util.spec_from_file_location(f"arrears_own_{path.stem}", path)
    if found is None or found.loader is None:
        raise UsageError(f"{spec}: {path} is no Python file")
    module = importlib.util.module_from_spec(found)
    try:
        found.loader.exec_module(module)
    except Exception as error:
        raise UsageError(f"{spec}: {path} fails: {type(error).__name__}: {error}") from error
    factory = getattr(module, name, None)
    if not callable(factory):
        known = ", ".join(n for n, v in vars(module).items() if isinstance(v, type)) or "none"
        raise UsageError(f"{spec}: {path} has no {name!r}; its classes: {known}")
    return factory  # type: ignore[no-any-return]


def seat_own(spec: str, *arguments: Any) -> Any:
    """An agent of that kind. UsageError where it cannot answer."""
    agent = load_own(spec)(*arguments)
    if not callable(getattr(agent, "reply", None)):
        raise UsageError(f"{spec} made a {type(agent).__name__}, which has no reply(view)")
    return agent


def _parts(spec: str) -> tuple[Path, str]:
    place, colon, name = spec.removeprefix(f"{OWN}/").rpartition(":")
    if not colon or not name.isidentifier():
        raise UsageError(f"{spec!r} names no class; write {OWN}/FILE.py:NAME")
    return Path(place), name
