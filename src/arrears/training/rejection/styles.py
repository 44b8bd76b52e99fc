"""Styles in which candidates are played: a paragraph for a model, a built-in seat in its place."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import NamedTuple

import yaml

from arrears.errors import UnknownName, UsageError
from arrears.prompts.library import Language


class CollectorStyle(NamedTuple):
    """One style."""

    name: str
    guidance: Mapping[Language, str]
    """One more paragraph of a model's first message."""
    built_in: str
    """The built-in collector that plays where no model does."""
    twins: int
    """How many styles before it have the same built-in collector: it plays with luck of its own."""


@cache
def collector_styles() -> Mapping[str, CollectorStyle]:
    """The shipped styles by name, in the order in which they are played."""
    source = resources.files("arrears.training.rejection") / "styles.yaml"
    found: dict[str, CollectorStyle] = {}
    for name, entry in yaml.safe_load(source.read_text(encoding="utf-8")).items():
        seat = entry["built_in"]
        twins = sum(style.built_in == seat for style in found.values())
        found[name] = CollectorStyle(name, {"en": entry["en"], "zh": entry["zh"]}, seat, twins)
    return found


def styles_named(names: Sequence[str]) -> tuple[CollectorStyle, ...]:
    """The styles of these names; all of them for none. UnknownName; UsageError for one twice."""
    known = collector_styles()
    for name in names:
        if name not in known:
            raise UnknownName("style", name, known)
        if names.count(name) > 1:
            raise UsageError(f"the style {name} is named twice; --per-style plays it again")
    return tuple(known[name] for name in names or known)
