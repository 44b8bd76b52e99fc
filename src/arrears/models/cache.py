"""Answers kept on disk, for those who ask for it.

The key is everything that determines an answer: the address and the whole request, so model,
messages, temperature, seed, limits and schema. One file an answer, moved into place in one step.
"""

import os
from hashlib import sha256
from pathlib import Path

from arrears.errors import cannot_write


def cache_key(url: str, request: bytes) -> str:
    """The key of one request; it holds no secret (keys travel in headers)."""
    return sha256(url.encode() + b"\n" + request).hexdigest()


class Cache:
    """A folder of answers. Several processes may share it."""

    def __init__(self, folder: Path) -> None:
        """StorageError where the folder cannot be made."""
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(folder, error) from error

    def get(self, key: str) -> bytes | None:
        """The stored answer, or None."""
        try:
            return self._place(key).read_bytes()
        except FileNotFoundError:
            return None

    def put(self, key: str, answer: bytes) -> None:
        """Store an answer whole or not at all."""
        place = self._place(key)
        new = place.with_name(f".{key}.{os.getpid()}")
        try:
            place.parent.mkdir(exist_ok=True)
            new.write_bytes(answer)
            os.replace(new, place)
        except OSError as error:
            new.unlink(missing_ok=True)
            raise cannot_write(place, error) from error

    def _place(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key[2:]}.json"
