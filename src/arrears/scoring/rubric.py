"""The built-in rubric judge: US, ES, CA (1 … 10) and DS (1 … 5) from words, acts and persona.

It hears both sides through `dialogue.tone`, like everyone at the table, and never reads what a
seat thought or felt in private: a rubric that did would score itself. What it says is a rubric's
judgement and is labelled so; it is neither a model's nor a person's.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import yaml

from arrears.debtors.record import Debtor
from arrears.dialogue.record import Dialogue
from arrears.errors import BrokenFile
from arrears.scoring.conduct import Features, features
from arrears.scoring.unscored import Score, Unscored

_FILE = "rubric.yaml"
_CHINESE = re.compile(r"[\u4e00-\u9fff]{4}")


class Verdict(NamedTuple):
    """The four scores, in the order of a row."""

    us: Score
    es: Score
    ca: Score
    ds: Score


class _Scale(NamedTuple):
    base: float
    weights: tuple[tuple[int, float], ...]
    """(place of a feature, points for a whole one)."""
    least: float
    most: float


def judge(dialogue: Dialogue, debtor: Debtor) -> Verdict:
    """The scores of one dialogue, or the reason why there are none."""
    if dialogue.ending in ("error", "malformed"):
        return _nothing(f"the talk ended as {dialogue.ending}")
    spoke = {turn.seat for turn in dialogue.turns}
    for seat in ("collector", "debtor"):
        if seat not in spoke:
            return _nothing(f"the {seat} never spoke")
    opening = dialogue.turns[0].dialogue
    if not opening.isascii() and _CHINESE.search(opening):
        return _nothing("the built-in rubric hears English only; use arrears judge")
    seen = features(dialogue, debtor, upset_from=_upset_from())
    return Verdict(*[_points(scale, seen) for scale in _scales()])


def _points(scale: _Scale, seen: Features) -> float:
    total = scale.base
    for place, weight in scale.weights:
        total += weight * seen[place]
    return round(min(scale.most, max(scale.least, total)), 2)


def _nothing(reason: str) -> Verdict:
    missing = Unscored(reason)
    return Verdict(missing, missing, missing, missing)


@cache
def _raw() -> Mapping[str, Any]:
    text = (resources.files("arrears.scoring") / _FILE).read_text(encoding="utf-8")
    raw = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    if not isinstance(raw, dict):
        raise BrokenFile(_FILE, "not a rubric")
    return raw


@cache
def _upset_from() -> float:
    return float(_raw()["upset"])


@cache
def _scales() -> tuple[_Scale, ...]:
    raw, names = _raw(), Features._fields
    scales = []
    for score in Verdict._fields:
        body, (least, most) = raw[score], raw["scales"][score]
        unknown = sorted(set(body["weights"]) - set(names))
        if unknown:
            raise BrokenFile(
                _FILE, f"no feature {unknown[0]!r}; known: {', '.join(names)}", field=score
            )
        weights = tuple((names.index(name), float(w)) for name, w in body["weights"].items())
        scales.append(_Scale(float(body["base"]), weights, float(least), float(most)))
    return tuple(scales)
