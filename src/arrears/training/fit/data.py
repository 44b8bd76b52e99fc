"""The rows that are trained on: JSON lines in one of three forms, each of them checked."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from arrears.errors import BrokenFile
from arrears.tables.json_lines import json_object, text_lines
from arrears.tables.text import cannot_read
from arrears.training.fit.recipe import Kind

Form = Literal["messages", "completion", "preference"]
KEYS: Final[Mapping[Form, tuple[str, ...]]] = {
    "messages": ("messages",),
    "completion": ("prompt", "completion"),
    "preference": ("prompt", "chosen", "rejected"),
}
FORMS: Final[Mapping[Kind, tuple[Form, ...]]] = {
    "sft": ("messages", "completion"),
    "dpo": ("preference",),
}
ABOUT = "about"
"""The one further key that a row may have; nothing of it is trained on."""
PROMPT: Final = "collector_prompt"
"""Of what a row is about: how its collector was briefed."""
_ROLES = ("system", "user", "assistant")


class Data(NamedTuple):
    """A file of rows, all of one form."""

    path: Path
    form: Form
    rows: list[dict[str, Any]]
    """Without what they are about."""
    lines: list[int]
    """Where each row stands in the file, from 1."""
    digest: str
    """SHA-256 of the file."""
    collector_prompt: str = ""
    """How the collector of all rows was briefed; "" where they do not say."""


def read_data(kind: Kind, path: Path) -> Data:
    """The rows of a file. BrokenFile, with the line and the key, for anything that is not one."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise cannot_read(path, error) from error
    form: Form | None = None
    rows, lines = [], []
    briefed: dict[str, int] = {}
    for line in text_lines(path):
        number, row = line.number, json_object(path, line)
        found = _form(kind, row, path, number)
        if form is not None and found != form:
            raise BrokenFile(
                path,
                f"is of another form: {_and(KEYS[found])}; the rows before it have "
                f"{_and(KEYS[form])}. Give each form a file of its own",
                line=number,
            )
        form = found
        _check(form, row, path, number)
        rows.append({key: row[key] for key in KEYS[form]})
        lines.append(number)
        briefed.setdefault(_briefed(row), number)
    if form is None:
        raise BrokenFile(path, f"holds no rows; a row is {_either(kind)}")
    if len(briefed) > 1:
        one, other = list(briefed)[:2]
        raise BrokenFile(
            path,
            f"was briefed with {other or 'an unknown prompt'}, the rows before it with "
            f"{one or 'an unknown one'}; a model can keep to one {PROMPT} only",
            briefed[other],
            f"{ABOUT}.{PROMPT}",
        )
    return Data(path, form, rows, lines, sha256(raw).hexdigest(), *briefed)


def _briefed(row: Mapping[str, Any]) -> str:
    about = row.get(ABOUT)
    return str(about.get(PROMPT, "")) if isinstance(about, Mapping) else ""


def _form(kind: Kind, row: Mapping[str, Any], path: Path, number: int) -> Form:
    keys = set(row) - {ABOUT}
    for form in FORMS[kind]:
        if keys == set(KEYS[form]):
            return form
    other = next((k for k, forms in FORMS.items() for f in forms if keys == set(KEYS[f])), None)
    hint = f". These rows are for `arrears train {other}`" if other else ""
    raise BrokenFile(
        path,
        f"has the keys {_and(sorted(keys)) or '(none)'}; a row for {kind} has {_either(kind)}"
        f", and may have {ABOUT}{hint}",
        line=number,
    )


def _check(form: Form, row: Mapping[str, Any], path: Path, number: int) -> None:
    for key in KEYS[form]:
        _messages(row[key], path, number, key)
    if form == "messages":
        if not any(m["role"] == "assistant" for m in row["messages"]):
            raise BrokenFile(
                path, "no message of the assistant; nothing is learned", number, "messages"
            )
        return
    if row["prompt"][-1]["role"] != "user":
        raise BrokenFile(path, "its last message must be the user's", number, "prompt")
    for key in KEYS[form][1:]:
        if [m["role"] for m in row[key]] != ["assistant"]:
            raise BrokenFile(path, "must be one message of the assistant", number, key)
    if form == "preference" and row["chosen"] == row["rejected"]:
        raise BrokenFile(path, "says the same as chosen; a pair must differ", number, "rejected")


def _messages(value: Any, path: Path, number: int, key: str) -> None:
    if not isinstance(value, list) or not value:
        raise BrokenFile(path, "must be a list of messages", number, key)
    for at, message in enumerate(value):
        field = f"{key}[{at}]"
        if not isinstance(message, dict) or set(message) != {"role", "content"}:
            raise BrokenFile(path, "a message has role and content, no more", number, field)
        role, content = message["role"], message["content"]
        if role not in _ROLES:
            raise BrokenFile(
                path, f"role is one of {', '.join(_ROLES)}, not {role!r}", number, field
            )
        if role == "system" and at:
            raise BrokenFile(path, "the system's message comes first", number, field)
        if not isinstance(content, str):
            raise BrokenFile(path, "content must be a text", number, field)
        if role == "assistant" and not content.strip():
            raise BrokenFile(path, "the assistant says nothing", number, field)


def _and(keys: Sequence[str]) -> str:
    return " and ".join([", ".join(keys[:-1]), keys[-1]] if len(keys) > 1 else keys)


def _either(kind: Kind) -> str:
    return ", or ".join(_and(KEYS[form]) for form in FORMS[kind])
