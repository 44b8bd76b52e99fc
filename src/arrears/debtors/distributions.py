"""The distributions in `data/population.yaml`, read once and typed."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

from arrears.debtors.record import CATEGORIES, Category
from arrears.errors import BrokenFile, UnknownName

_FILE = "population.yaml"


@dataclass(frozen=True)
class SuiteShape:
    """One shipped suite: how many people, how many of them to test, from which seed."""

    people: int
    test: int
    seed: int
    persona: bool


@dataclass(frozen=True)
class Word:
    """A word of character or a way of speaking."""

    text: str
    on: tuple[tuple[int, float], ...]
    """(place of a latent, log-odds for each standard deviation of it)."""
    family: str = ""
    """Voice family, for a way of speaking."""


@dataclass(frozen=True)
class Distributions:
    """All of `population.yaml`. Plain sections stay mappings, read where they are used."""

    suites: Mapping[str, SuiteShape]
    money: Mapping[str, Any]
    account: Mapping[str, Any]
    shares: tuple[tuple[Category, float], ...]
    latents: tuple[str, ...]
    means: Mapping[Category, tuple[float, ...]]
    correlation: tuple[tuple[float, ...], ...]
    """Full matrix, ones on the diagonal."""
    root: tuple[tuple[float, ...], ...]
    """Its lower Cholesky factor."""
    emotions: Mapping[str, Mapping[str, float]]
    levels: Mapping[str, tuple[float, ...]]
    mbti: tuple[tuple[str, str, float, tuple[tuple[int, float], ...]], ...]
    """(first letter, other letter, constant, weights on latents)."""
    characters: tuple[Word, ...]
    character_count: tuple[int, ...]
    excluded: Mapping[str, frozenset[str]]
    styles: tuple[Word, ...]
    style_count: tuple[int, ...]
    together: Mapping[str, frozenset[str]]
    begin: tuple[str, ...]
    end: Mapping[str, tuple[str, ...]]


@cache
def distributions() -> Distributions:
    """The shipped distributions. BrokenFile where the file is not what it should be."""
    source = resources.files("arrears.debtors") / "data" / _FILE
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _read(yaml.load(source.read_text(encoding="utf-8"), Loader=loader))
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise BrokenFile(_FILE, f"not a file of distributions: {error!r}") from error


def suite_shape(suite: str) -> SuiteShape:
    """Sizes and seed of a shipped suite. UnknownName lists the suites."""
    known = distributions().suites
    if suite not in known:
        raise UnknownName("suite", suite, known)
    return known[suite]


def cholesky(matrix: tuple[tuple[float, ...], ...]) -> tuple[tuple[float, ...], ...]:
    """Lower factor. ValueError where the matrix is not positive definite.

    In plain arithmetic: a library's factor may differ in the last bit from machine to machine, and
    the same seed has to give the same people everywhere.
    """
    rows: list[tuple[float, ...]] = []
    for i, target in enumerate(matrix):
        row: list[float] = []
        for j in range(i + 1):
            other = row if j == i else rows[j]
            rest = target[j] - sum(row[k] * other[k] for k in range(j))
            if j < i:
                row.append(rest / rows[j][j])
            elif rest <= 0:
                raise ValueError("the correlation is not positive definite")
            else:
                row.append(rest**0.5)
        rows.append(tuple(row))
    return tuple(rows)


def _read(raw: Mapping[str, Any]) -> Distributions:
    latents = tuple(raw["latent"]["order"])
    correlation = _matrix(latents, raw["latent"]["correlation"])
    words = raw["character"]["words"]
    shares = tuple((category, float(raw["categories"][category])) for category in CATEGORIES)
    if abs(sum(share for _, share in shares) - 1) > 1e-9:
        raise ValueError("the category shares do not add up to 1")
    return Distributions(
        suites={name: SuiteShape(**shape) for name, shape in raw["suites"].items()},
        money=raw["money"],
        account=raw["account"],
        shares=shares,
        latents=latents,
        means={c: tuple(map(float, raw["latent"]["means"][c])) for c in CATEGORIES},
        correlation=correlation,
        root=cholesky(correlation),
        emotions=raw["emotions"],
        levels={name: tuple(map(float, cuts)) for name, cuts in raw["levels"].items()},
        mbti=tuple(
            (letter, p["other"], float(p["constant"]), _weights(latents, p["pull"]))
            for letter, p in raw["mbti"].items()
        ),
        characters=tuple(Word(text, _weights(latents, on)) for text, on in words.items()),
        character_count=tuple(raw["character"]["count"]),
        excluded=_excluded(frozenset(words), raw["character"]["exclude"]),
        styles=tuple(
            Word(text, _weights(latents, body["pull"]), body["family"])
            for text, body in raw["styles"]["words"].items()
        ),
        style_count=tuple(raw["styles"]["count"]),
        together={first: frozenset(rest) for first, rest in raw["styles"]["together"].items()},
        begin=tuple(raw["pseudonyms"]["begin"]),
        end={sex: tuple(names) for sex, names in raw["pseudonyms"]["end"].items()},
    )


def _weights(latents: tuple[str, ...], on: Mapping[str, float]) -> tuple[tuple[int, float], ...]:
    return tuple((latents.index(name), float(weight)) for name, weight in on.items())


def _matrix(latents: tuple[str, ...], pairs: Mapping[str, float]) -> tuple[tuple[float, ...], ...]:
    full = [[float(a == b) for b in latents] for a in latents]
    for pair, value in pairs.items():
        i, j = (latents.index(name) for name in pair.split("~"))
        full[i][j] = full[j][i] = float(value)
    return tuple(tuple(row) for row in full)


def _excluded(known: frozenset[str], groups: list[list[str]]) -> Mapping[str, frozenset[str]]:
    """Who excludes whom: the first word of a group and each of the others, both ways."""
    pairs: dict[str, set[str]] = {word: set() for word in known}
    for first, *others in groups:
        for other in others:
            pairs[first].add(other)
            pairs[other].add(first)
    return {word: frozenset(others) for word, others in pairs.items()}
