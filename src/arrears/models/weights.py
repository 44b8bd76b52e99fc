"""Weights as they lie in a folder: the headers of safetensors files, read without torch.

A safetensors file is a JSON header and raw numbers. The header says where each tensor ends, so that
a file which is cut short, empty, or something else altogether is found before it is loaded.
"""

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from arrears.errors import BrokenFile, UsageError

INDEX: Final = "model.safetensors.index.json"
WHOLE: Final = "model.safetensors"
NUMBERS: Final = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}
"""Kinds of numbers that can be read here; a bfloat16 is the upper half of a float32."""
_HEADER: Final = 8
"""Bytes that tell the length of a safetensors header."""
_POINTER: Final = b"version https://git-lfs"
_AT_ONCE: Final = 1 << 22
"""Numbers that are compared at a time."""


class Weight(NamedTuple):
    """Where one tensor lies."""

    path: Path
    kind: str
    """As safetensors writes it: F32, F16, BF16."""
    shape: tuple[int, ...]
    start: int
    """Bytes from the start of the file."""

    def read(self) -> NDArray[np.float32]:
        """Its numbers. UsageError where one is not finite, BrokenFile where the file is gone."""
        numbers = _floats(self.kind, self._stored())
        if not np.isfinite(numbers).all():
            raise UsageError(f"{self.path} holds numbers that are not finite; the model is broken")
        return numbers

    def same_numbers(self, other: "Weight") -> bool:
        """Whether both hold the same numbers, however they are stored. BrokenFile."""
        if self.shape != other.shape:
            return False
        ours, theirs = self._stored().reshape(-1), other._stored().reshape(-1)
        for at in range(0, len(ours), _AT_ONCE):
            a, b = ours[at : at + _AT_ONCE], theirs[at : at + _AT_ONCE]
            if self.kind != other.kind:
                a, b = _floats(self.kind, a), _floats(other.kind, b)
            if not np.array_equal(a, b):
                return False
        return True

    def _stored(self) -> "np.memmap[Any, np.dtype[Any]]":
        try:
            return np.memmap(
                self.path, dtype=NUMBERS[self.kind], mode="r", offset=self.start, shape=self.shape
            )
        except OSError as error:
            raise BrokenFile(self.path, error.strerror or str(error)) from error


def tensors_in(folder: Path) -> dict[str, Weight]:
    """All tensors of a folder's one safetensors file, or of all that its index names.

    UsageError where it holds none; BrokenFile where one of the files is missing or not whole.
    """
    index = folder / INDEX
    if not index.exists():
        whole = folder / WHOLE
        if not whole.exists():
            raise UsageError(f"{folder} holds no weights: neither {WHOLE} nor {INDEX} is in it")
        return tensors_of(whole)
    places = read_object(index).get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(n, str) for n in places.values()):
        raise BrokenFile(index, "names no files", field="weight_map")
    found: dict[str, Weight] = {}
    for name in sorted(set(places.values())):
        found |= tensors_of(folder / name)
    return found


def tensors_of(path: Path) -> dict[str, Weight]:
    """The header of a safetensors file. BrokenFile where it is cut short or something else."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_HEADER), "little")
            # A length read from anything else may be any number.
            header = orjson.loads(file.read(length) if length < size else b"")
        start = _HEADER + length
        found = {}
        for name, about in header.items():
            if name == "__metadata__":
                continue
            begin, end = about["data_offsets"]
            if start + end > size:
                raise BrokenFile(path, f"cut short: {name} ends at byte {start + end} of {size}")
            kind, shape = about["dtype"], tuple(about["shape"])
            if kind in NUMBERS and prod(shape) * np.dtype(NUMBERS[kind]).itemsize != end - begin:
                raise BrokenFile(path, f"{name}: {by(shape)} {kind} is not {end - begin} bytes")
            found[name] = Weight(path, kind, shape, start + begin)
    except OSError as error:
        raise BrokenFile(path, error.strerror or str(error)) from error
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BrokenFile(path, f"not a safetensors file{_instead(path)}") from None
    return found


def read_object(path: Path) -> dict[str, Any]:
    """A JSON file that holds an object. BrokenFile where it cannot be read."""
    try:
        found = orjson.loads(path.read_bytes())
    except OSError as error:
        raise BrokenFile(path, error.strerror or str(error)) from error
    except orjson.JSONDecodeError as error:
        raise BrokenFile(path, f"not JSON{_instead(path) or f': {error}'}") from None
    if not isinstance(found, dict):
        raise BrokenFile(path, "not a JSON object")
    return found


def _instead(path: Path) -> str:
    """What a file holds in place of what its name says; "" where that is not known."""
    with path.open("rb") as file:
        head = file.read(len(_POINTER))
    if not head:
        return ": it is empty; download it again"
    if head == _POINTER:
        return (
            ": it is a git-lfs pointer, which only says where the file is; run `git lfs pull` "
            "in its folder, or download it"
        )
    return ""


def _floats(kind: str, stored: NDArray[Any]) -> NDArray[np.float32]:
    if kind == "BF16":
        return (stored.astype(np.uint32) << 16).view(np.float32)
    return stored.astype(np.float32)


def by(shape: tuple[int, ...]) -> str:
    """A shape as it is shown: rows x columns."""
    return " x ".join(map(str, shape))


def plain_matrices(tensors: Mapping[str, Weight]) -> str:
    """The first matrix that is not of plain floating-point numbers; "" where all are.

    Indices and masks are long integers or have another number of dimensions.
    """
    plain = (*NUMBERS, "F64", "I64")
    return next((n for n, w in tensors.items() if len(w.shape) == 2 and w.kind not in plain), "")
