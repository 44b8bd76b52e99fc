"""How each model learnt: the lines that its training wrote beside its weights, if any."""

from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from arrears.bench.svg import Drawing, linear
from arrears.training.fit.folder import METRICS
from arrears.training.report.lines import Compared

SHOWN: Final[Mapping[str, str]] = {
    "loss": "loss",
    "rewards/margins": "margin of the rewards (DPO)",
    "rewards/accuracies": "pairs in the right order (DPO)",
    "mean_token_accuracy": "share of tokens foretold (SFT)",
}
"""Names in the file, and as they are shown; in this order."""
_WIDTH, _GAP, _LEFT = 960.0, 46.0, 40.0
_HEIGHT, _TOP, _BOTTOM = 168.0, 34.0, 136.0


class Curve(NamedTuple):
    """One measure over the steps of one training."""

    steps: list[int]
    values: list[float]


def curves_of(compared: Compared) -> dict[str, dict[str, Curve]]:
    """By the name of the line, by the name in the file; models without a record are left out."""
    found = {}
    for line in compared.lines:
        curves = read_curves(line.folder) if line.folder is not None else {}
        if curves:
            found[line.name] = curves
    return found


def read_curves(folder: Path) -> dict[str, Curve]:
    """What a model's folder has of `SHOWN`; lines that cannot be read are passed over."""
    try:
        lines = (folder / METRICS).read_bytes().splitlines()
    except OSError:
        return {}
    curves: dict[str, Curve] = {}
    for line in lines:
        try:
            raw = orjson.loads(line)
            step = int(raw["step"])
            values = {name: float(raw[name]) for name in SHOWN if name in raw}
        except (ValueError, KeyError, TypeError):
            continue
        for name, value in values.items():
            if isfinite(value):
                curve = curves.setdefault(name, Curve([], []))
                curve.steps.append(step)
                curve.values.append(value)
    return {name: curves[name] for name in SHOWN if name in curves}


def draw_curves(name: str, curves: Mapping[str, Curve]) -> str:
    """One panel a measure, each with its own scale; the ends of the scale stand beside it."""
    picture = Drawing(_WIDTH, _HEIGHT, f"Learning curves of {name}")
    each = (_WIDTH - _LEFT - _GAP * (len(curves) - 1)) / max(len(curves), 1)
    for at, (key, curve) in enumerate(curves.items()):
        _panel(picture, _LEFT + at * (each + _GAP), each, SHOWN[key], curve, f"c{at}")
    return str(picture)


def _panel(
    picture: Drawing, left: float, width: float, title: str, curve: Curve, colour: str
) -> None:
    low, high = min(curve.values), max(curve.values)
    x = linear(0, max(curve.steps), left, left + width)
    y = linear(low, high, _BOTTOM, _TOP) if high > low else lambda value: (_TOP + _BOTTOM) / 2
    picture.text(left, 16, title, "head")
    for value in dict.fromkeys((low, high)):
        picture.line([(left, y(value)), (left + width, y(value))], "rule", 0.8)
        picture.text(left - 5, y(value) + 3.5, f"{value:.3g}", "tick", "end")
    points = [(x(s), y(v)) for s, v in zip(curve.steps, curve.values, strict=True)]
    picture.line(points, colour, 1.8)
    if len(points) == 1:
        picture.dot(*points[0], 3, colour)
    picture.text(left, _BOTTOM + 16, "step 0", "tick")
    picture.text(left + width, _BOTTOM + 16, f"{max(curve.steps):,}", "tick", "end")


def plain(
    curves: Mapping[str, Mapping[str, Curve]],
) -> dict[str, dict[str, dict[str, Sequence[float]]]]:
    """The same for readers that are programs."""
    return {
        name: {key: {"steps": c.steps, "values": c.values} for key, c in found.items()}
        for name, found in curves.items()
    }
