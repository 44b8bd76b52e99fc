"""What seats speak from that lies outside the package: a local model's files, a replayed run."""

from collections.abc import Iterable
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Final

from arrears.agents.replay import REPLAY
from arrears.errors import BrokenFile
from arrears.models.providers import LOCAL

_WHOLE: Final = 1 << 22
"""Bytes up to which a file is read to its end."""
_PIECES, _PIECE = 64, 1 << 16


def sources_of(specs: Iterable[str]) -> dict[str, str]:
    """A digest of what each of these seats speaks from, by name; only of those that have one.

    So another model in the same folder is another seat. Of a large file the digest takes its size
    and 64 pieces all over it: a training changes them all, and weights are never edited by hand.
    BrokenFile.
    """
    found: dict[str, str] = {}
    for spec in dict.fromkeys(specs):
        kind, _, name = spec.partition("/")
        try:
            if kind == LOCAL and Path(name).is_dir():
                found[spec] = _of_model(Path(name))
            elif kind == REPLAY:
                with (Path(name.partition(":")[0]) / "dialogues.jsonl").open("rb") as file:
                    found[spec] = file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise BrokenFile(error.filename or name, error.strerror or str(error)) from error
    return found


def _of_model(folder: Path) -> str:
    digest = sha256()
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix in (".json", ".jinja", ".txt", ".model", ".safetensors"):
            digest.update(f"{path.name}\n".encode() + _of_file(path))
    return digest.hexdigest()


def _of_file(path: Path) -> bytes:
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= _WHOLE:
            return file_digest(file, "sha256").digest()
        digest = sha256(f"{size}\n".encode())
        for number in range(_PIECES):
            file.seek((size - _PIECE) * number // (_PIECES - 1))
            digest.update(file.read(_PIECE))
        return digest.digest()
