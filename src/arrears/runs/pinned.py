"""The plan that a folder was begun by: stored first, read back, and the same or refused."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

import arrears
from arrears.errors import BrokenFile, RunMismatch
from arrears.files import replace_file
from arrears.runs.rules import comparable

P = TypeVar("P", bound=BaseModel)
RULES = "rules"
"""Of a plan: the field with the digest of code and data (`arrears.runs.rules`)."""


def store_plan(path: Path, plan: Mapping[str, Any]) -> None:
    """Write a plan in one step, indented. StorageError."""
    text = orjson.dumps(plan, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    replace_file(path, lambda out: out.write(text))


def read_object(path: Path) -> dict[str, Any]:
    """An object that a file holds. BrokenFile, also where there is no such file."""
    try:
        raw = orjson.loads(path.read_bytes())
    except OSError as error:
        raise BrokenFile(path, error.strerror or str(error)) from error
    except orjson.JSONDecodeError as error:
        raise BrokenFile(path, f"not JSON: {error}") from None
    if not isinstance(raw, dict):
        raise BrokenFile(path, "not a JSON object")
    return raw


def read_pinned(path: Path, kind: type[P], *, fresh: str = "choose another --out") -> P:
    """The plan in a file.

    RunMismatch where another version of arrears wrote it, in another format or with fields that
    this one does not know; `fresh` is what to do if not to use that version. BrokenFile where it
    cannot be read at all.
    """
    raw = read_object(path)
    wanted, version = kind.model_fields["format"].default, raw.get("format")
    writer = raw.get("arrears")
    by = f"arrears {writer}" if isinstance(writer, str) else "the arrears that wrote it"
    if version != wanted:
        raise RunMismatch(
            f"{path.parent} has format version {version}, this arrears reads {wanted}; use {by}, "
            f"or {fresh}"
        )
    try:
        return kind.model_validate_json(orjson.dumps(raw))
    except ValidationError as error:
        found = error.errors()
        unknown = [_field(one["loc"]) for one in found if one["type"] == "extra_forbidden"]
        if unknown and writer != arrears.__version__:
            raise RunMismatch(
                f"{path.parent} was written by a newer arrears"
                f"{f' ({writer})' if isinstance(writer, str) else ''}: this one, "
                f"{arrears.__version__}, does not know {', '.join(unknown)}; use that version, or "
                f"{fresh}"
            ) from None
        raise BrokenFile(path, found[0]["msg"], field=_field(found[0]["loc"])) from None


def _field(place: Sequence[int | str]) -> str:
    return ".".join(map(str, place))


def refuse(
    folder: Path,
    what: str,
    there: Mapping[str, Any],
    asked: Mapping[str, Any],
    differing: Iterable[str],
    *,
    remedy: str = "resume it with its own configuration, or choose another --out",
) -> None:
    """RunMismatch, field by field, unless nothing is `differing`; `what` the folder holds."""
    fields = list(differing)
    if not fields:
        return
    lines = [
        f"  {field}: {there.get(field)} there, {asked.get(field)} asked"
        for field in fields
        if field != RULES
    ]
    if RULES in fields:
        lines.append(f"  {RULES}: {rules_differ(there)}")
        remedy = f"finish it with {_code(there)}; else {remedy.rpartition(', or ')[2]}"
    raise RunMismatch(
        f"{folder} holds another {what}; it differs in {', '.join(fields)}:\n"
        + "\n".join([*lines, remedy])
    )


def rules_differ(there: Mapping[str, Any]) -> str:
    """What it means that a stored plan has another digest of its rules than the one asked for."""
    if comparable(str(there.get(RULES) or "")):
        return f"code or data that have a say in the results have changed since {_code(there)}"
    return f"{_code(there)} noted them in another way, so nobody can tell whether they are the same"


def _code(plan: Mapping[str, Any]) -> str:
    version = plan.get("arrears")
    if version and version != arrears.__version__:
        return f"arrears {version}"
    return "the code that began it"
