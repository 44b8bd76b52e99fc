"""A file of finished things that grows by whole lines and is put in order at the end."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from arrears.files import LineFile, Span, replace_file

K = TypeVar("K")


class LineStore(Generic[K]):
    """Lines by key. A kill leaves each of them whole or not at all. A context manager."""

    def __init__(self, path: Path, key: Callable[[Any], K]) -> None:
        """`key` takes a line's key from its JSON. BrokenFile, StorageError."""
        self._path, self._key = path, key
        self._file = LineFile(path)
        try:
            self._spans: dict[K, Span] = self._file.index(key)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def __contains__(self, key: K) -> bool:
        return key in self._spans

    def __len__(self) -> int:
        return len(self._spans)

    def __iter__(self) -> Iterator[K]:
        return iter(tuple(self._spans))

    def add(self, key: K, line: bytes) -> None:
        """Store a line, newline included. StorageError where it cannot be written whole."""
        (self._spans[key],) = self._file.append([line])

    def read(self, key: K) -> bytes:
        """A stored line. KeyError."""
        return self._file.read(self._spans[key])

    def forget(self, keys: Sequence[K]) -> None:
        """Drop these lines, atomically."""
        gone = set(keys)
        if gone:
            self.put_in_order([key for key in self._spans if key not in gone])

    def put_in_order(self, keys: Sequence[K]) -> None:
        """Rewrite the file, atomically, with the lines of these keys only, in this order."""
        spans = [self._spans[key] for key in keys]
        if len(spans) == len(self) and all(a.start < b.start for a, b in pairwise(spans)):
            return
        replace_file(self._path, lambda out: self._file.copy(spans, out))
        before, self._file = self._file, LineFile(self._path)
        before.close()
        self._spans = self._file.index(self._key)
