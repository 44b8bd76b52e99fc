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
from math import prod
from typing import Any, NamedTuple

import yaml

from arrears.errors import BrokenFile, UnknownName
from arrears.rng import Draws


class Phrase:
    """One compiled template. Every combination of its choices is as likely as the next."""

    __slots__ = ("_made", "_parts", "combinations", "slots", "source")

    def __init__(self, source: str) -> None:
        """ValueError where brackets or braces do not pair."""
        self.source = source
        parts, end = _compile(source, 0, nested=False)
        if end != len(source):
            raise ValueError(f"unpaired bracket at {end} in {source!r}")
        self._parts = parts
        self.slots = frozenset(_slots(parts))
        self.combinations = _count(parts)
        self._made: dict[int, str] = {}

    def say(self, draws: Draws, slots: Mapping[str, str], raw: bool = False) -> str:
        """One expansion, tidied unless it is raw material for a longer text.

        KeyError for a slot that was not given. A combination without slots is made once: the same
        words come again in other talks, and to make them anew costs more than to remember them.
        """
        which = int(draws.uniform() * self.combinations)
        if self.slots:
            out: list[str] = []
            _write(self._parts, which, slots, out)
            text = "".join(out)
        else:
            made = self._made.get(which)
            if made is None:
                out = []
                _write(self._parts, which, slots, out)
                made = "".join(out)
                if len(self._made) < _REMEMBERED:
                    self._made[which] = made
            text = made
        return text if raw else tidy(text)


_REMEMBERED = 2000  # combinations of one template that are kept, at most


class _Choice(NamedTuple):
    """A choice: its branches, text or parts, and in how many ways each can be written."""

    branches: tuple[str | list[Any], ...]
    ways: tuple[int, ...]
    total: int


def _count(parts: Sequence[Any]) -> int:
    """In how many ways the parts can be written."""
    return prod(part.total for part in parts if type(part) is _Choice)


def _write(parts: Sequence[Any], which: int, slots: Mapping[str, str], out: list[str]) -> None:
    """Append combination `which` of the parts, counted as in a number of mixed radix."""
    for part in parts:
        kind = type(part)
        if kind is str:
            out.append(part)
        elif kind is _Choice:
            which, rest = divmod(which, part.total)
            at = 0
            while rest >= part.ways[at]:
                rest -= part.ways[at]
                at += 1
            branch = part.branches[at]
            if type(branch) is str:
                out.append(branch)
            else:
                _write(branch, rest, slots, out)
        else:
            out.append(slots[part[0]])


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
            ways = tuple(1 if type(b) is str else _count(b) for b in branches)
            parts.append(_Choice(tuple(branches), ways, sum(ways)))
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
        if type(part) is _Choice:
            for branch in part.branches:
                if type(branch) is not str:
                    found |= _slots(branch)
        elif type(part) is tuple:
            found.add(part[0])
    return found


_LOOSE_MARKS = (" ,", " .", " ?", " !", " ;", " :")
_SMALL_START = re.compile(r"[.?!] [a-z]")


def tidy(text: str) -> str:
    """Single spaces, none before a comma or stop, a capital at the start of every sentence."""
    if "  " in text or text[:1] == " " or text[-1:] == " ":
        text = " ".join(text.split())
    if not text:
        return text
    for mark in _LOOSE_MARKS:
        if mark in text:
            text = text.replace(mark, mark[1])
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
        at = int(draws.uniform() * len(leaf))
        phrase = leaf[at]
        if spent is not None:
            if phrase in spent:
                phrase = next((p for p in leaf[at:] + leaf[:at] if p not in spent), phrase)
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
