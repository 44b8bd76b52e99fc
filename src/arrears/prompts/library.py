"""Prompts by name and language: read, filled in one pass, and hashed into a run.

A file holds one or two parts divided by a line of `=====`: what never changes in a conversation
(the system's part) and what is asked. A placeholder is `{name}`; what is filled in is never read
again for placeholders, so nothing that a person wrote can become one.
"""

import re
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib import resources
from typing import Any, Final, Literal, NamedTuple

import yaml

from arrears.errors import UnknownName, UsageError

Language = Literal["en", "zh"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh")
_HOLE: Final = re.compile(r"\{([a-z_]+)\}")
_DIVIDER: Final = "\n=====\n"


class Prompt(NamedTuple):
    """One prompt, its parts still to be filled."""

    name: str
    language: Language
    system: str
    ask: str
    """"" where a prompt has one part only."""

    def fill(self, values: Mapping[str, str]) -> "Prompt":
        """Both parts filled. UsageError names what is missing."""
        return self._replace(
            system=fill(self.system, values, self.name), ask=fill(self.ask, values, self.name)
        )


def fill(template: str, values: Mapping[str, str], name: str = "prompt") -> str:
    """A text with each placeholder replaced once. UsageError where a value is missing."""
    try:
        return _HOLE.sub(lambda hole: values[hole[1]], template)
    except KeyError as error:
        raise UsageError(f"prompt {name} wants a value for {error.args[0]}") from None


def names() -> tuple[str, ...]:
    """Every prompt; each is there in every language."""
    folder = resources.files("arrears.prompts") / "en"
    return tuple(sorted(f.name[:-4] for f in folder.iterdir() if f.name.endswith(".txt")))


@cache
def prompt(name: str, language: Language) -> Prompt:
    """One prompt. UnknownName where there is none of that name."""
    source = resources.files("arrears.prompts") / language / f"{name}.txt"
    try:
        text = source.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise UnknownName("prompt", name, names()) from None
    system, divided, ask = text.partition(_DIVIDER)
    return Prompt(name, language, system.strip(), ask.strip() if divided else "")


@cache
def words(language: Language) -> Mapping[str, Any]:
    """The small words of a language: labels of the table, levels, what a person does not know."""
    text = (resources.files("arrears.prompts") / language / "words.yaml").read_text("utf-8")
    found: Mapping[str, Any] = yaml.safe_load(text)
    return found


@cache
def prompts_digest(language: Language) -> str:
    """SHA-256 over all that can be said in a language."""
    digest = sha256()
    folder = resources.files("arrears.prompts") / language
    for source in sorted(folder.iterdir(), key=lambda f: f.name):
        if source.name.endswith((".txt", ".yaml")):
            digest.update(f"{source.name}\n".encode() + source.read_bytes())
    return digest.hexdigest()
