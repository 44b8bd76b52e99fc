"""Phrases: templates kept as data, compiled once, filled from a generator.

A template is text with choices in square brackets and slots in braces, both nestable:

    "[Look,|Honestly,|] I [can pay|could manage] {pct} [now|straight away] [|, not a fen more]."

A choice takes one of its branches, each as likely as the next; a branch may be empty. A bank is a
YAML file of nested mappings whose leaves are lists of templates; a leaf is named by its path, for
example `strategy.legal_deterrent.firm`.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

import yaml

from arrears.errors import BrokenFile, UnknownName
from arrears.rng import Draws

# Text, a slot's name, or branches to choose from.
Text = str
Slot = tuple[str]
Part = str | tuple[str] | list["Phrase"]


class Phrase:
    """One compiled template."""

    __slots__ = ("_parts", "slots", "source")

    def __init__(self, source: str) -> None:
        """ValueError where brackets or braces do not pair."""
        self.source = source
        parts, end = _compile(source, 0, nested=False)
        if end != len(source):
            raise ValueError(f"unpaired bracket at {end} in {source!r}")
        self._parts = parts
        self.slots = frozenset(_slots(parts))

    def write(self, draws: Draws, slots: Mapping[str, str], out: list[str]) -> None:
        """Append one expansion's pieces to `out`. KeyError for a slot that was not given."""
        _write(self._parts, draws, slots, out)

    def say(self, draws: Draws, slots: Mapping[str, str], raw: bool = False) -> str:
        """One expansion, tidied unless it is raw material for a longer text."""
        out: list[str] = []
        _write(self._parts, draws, slots, out)
        text = "".join(out)
        return text if raw else tidy(text)


def _write(parts: list[Any], draws: Draws, slots: Mapping[str, str], out: list[str]) -> None:
    for part in parts:
        kind = type(part)
        if kind is str:
            out.append(part)
        elif kind is tuple:
            out.append(slots[part[0]])
        else:
            branch = part[int(draws.uniform() * len(part))]
            if type(branch) is str:
                out.append(branch)
            else:
                _write(branch, draws, slots, out)


def _compile(source: str, start: int, nested: bool) -> tuple[list[Any], int]:
    """Parts up to the end (or, nested, up to `|` or `]`)."""
    parts: list[Any] = []
    text: list[str] = []
    at = start

    def flush() -> None:
        if text:
            parts.append("".join(text))
            text.clear()

    while at < len(source):
        char = source[at]
        if nested and char in "|]":
            break
        if char == "{":
            close = source.index("}", at)
            flush()
            parts.append((source[at + 1 : close],))
            at = close + 1
        elif char == "[":
            flush()
            branches: list[Any] = []
            while True:
                branch, at = _compile(source, at + 1, nested=True)
                if at >= len(source):
                    raise ValueError(f"unclosed bracket in {source!r}")
                plain = len(branch) <= 1 and all(type(p) is str for p in branch)
                branches.append("".join(branch) if plain else branch)
                if source[at] == "]":
                    break
            parts.append(branches)
            at += 1
        elif char in "]}":
            raise ValueError(f"unpaired {char!r} at {at} in {source!r}")
        else:
            text.append(char)
            at += 1
    flush()
    return parts, at


def _slots(parts: Sequence[Any]) -> set[str]:
    found: set[str] = set()
    for part in parts:
        if isinstance(part, tuple):
            found.add(part[0])
        elif isinstance(part, list):
            for branch in part:
                if isinstance(branch, list):
                    found |= _slots(branch)
    return found


_BEFORE_MARK = re.compile(r" +([,.?!;:])")
_SMALL_START = re.compile(r"[.?!] [a-z]")


def tidy(text: str) -> str:
    """Single spaces, none before a comma or stop, a capital at the start of every sentence."""
    if "  " in text or text[:1] == " " or text[-1:] == " ":
        text = " ".join(text.split())
    if not text:
        return text
    if _BEFORE_MARK.search(text) is not None:
        text = _BEFORE_MARK.sub(r"\1", text)
    if text[0].islower():
        text = text[0].upper() + text[1:]
    if _SMALL_START.search(text) is not None:
        text = _SMALL_START.sub(lambda found: found[0].upper(), text)
    return text


class Bank:
    """The phrases of one file."""

    def __init__(self, leaves: Mapping[str, tuple[Phrase, ...]]) -> None:
        self.leaves = leaves

    def __contains__(self, path: str) -> bool:
        return path in self.leaves

    def pick(self, draws: Draws, path: str, spent: set[Phrase] | None = None) -> Phrase:
        """A phrase of a leaf, one not in `spent` while there are any; it is added to `spent`.

        UnknownName for a leaf that the bank has not.
        """
        try:
            leaf = self.leaves[path]
        except KeyError:
            raise UnknownName("phrase", path, self.leaves) from None
        phrase = leaf[int(draws.uniform() * len(leaf))]
        if spent is not None:
            if phrase in spent:
                fresh = [p for p in leaf if p not in spent]
                if fresh:
                    phrase = fresh[int(draws.uniform() * len(fresh))]
            spent.add(phrase)
        return phrase


@cache
def load_bank(package: str, name: str) -> Bank:
    """The bank `name`.yaml that is shipped inside a package.

    BrokenFile where a leaf is no list of templates, or where a template does not compile.
    """
    source = resources.files(package) / f"{name}.yaml"
    text = source.read_text(encoding="utf-8")
    return bank_of(yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)), name)


def bank_of(raw: Any, name: str) -> Bank:
    """A bank from nested mappings with lists of templates. BrokenFile for other leaves."""
    leaves: dict[str, tuple[Phrase, ...]] = {}

    def walk(node: Any, path: str) -> None:
        if isinstance(node, list):
            try:
                leaves[path] = tuple(Phrase(str(t)) for t in node)
            except ValueError as error:
                raise BrokenFile(f"{name}.yaml", str(error), field=path) from None
        elif isinstance(node, dict):
            for key, child in node.items():
                walk(child, f"{path}.{key}" if path else str(key))
        else:
            raise BrokenFile(f"{name}.yaml", "expected a list of templates", field=path)

    walk(raw, "")
    return Bank(leaves)
