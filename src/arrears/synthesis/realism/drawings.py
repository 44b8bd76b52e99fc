"""The pictures of a population: panels beside each other, the same axes in all."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from arrears.bench.figures import WIDTH
from arrears.bench.svg import Drawing, linear

_GAP = 26.0
_DRAWN: Final = 1000


class Panel(NamedTuple):
    """One distribution: shares by label, for each population."""

    title: str
    shares: Mapping[str, Mapping[str, float]]
    """By population, by label; every population has the same labels."""


def scatter(points: Mapping[str, np.ndarray], axes: tuple[str, str]) -> str:
    """People on a plane, a panel for each population; `points` have shape (people, 2).

    At most a thousand of each are drawn, evenly spread over the file; the cross is the mean of all.
    """
    size = 420.0 if len(points) > 1 else 520.0
    height = size + 68
    picture = Drawing(WIDTH, height, "People by background and finances")
    everybody = np.concatenate(list(points.values()))
    low, high = everybody.min(axis=0), everybody.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    low, high = low - 0.04 * span, high + 0.04 * span
    wide = (WIDTH - 30 - _GAP * (len(points) - 1)) / len(points)
    for at, (name, found) in enumerate(points.items()):
        left = 24 + at * (wide + _GAP)
        top, bottom = 26.0, 26.0 + size
        x, y = linear(low[0], high[0], left, left + wide), linear(low[1], high[1], bottom, top)
        picture.text(left, 15, f"{name} ({len(found):,})", "head")
        frame = [(left, top), (left + wide, top), (left + wide, bottom), (left, bottom)]
        picture.line([*frame, frame[0]], "rule")
        picture.line([(x(0), top), (x(0), bottom)], "rule", 0.8, "3 3")
        picture.line([(left, y(0)), (left + wide, y(0))], "rule", 0.8, "3 3")
        for px, py in found[:: max(1, -(-len(found) // _DRAWN))]:
            picture.dot(x(px), y(py), 2.0, f"c{at}")
        mx, my = (scale(float(m)) for scale, m in zip((x, y), found.mean(axis=0), strict=True))
        picture.line([(mx - 8, my), (mx + 8, my)], "ink", 2.2)
        picture.line([(mx, my - 8), (mx, my + 8)], "ink", 2.2)
    for line, (way, axis) in enumerate(zip(("to the right", "upwards"), axes, strict=True)):
        picture.text(24, size + 46 + 16 * line, f"{way}: {axis}", "axis")
    return str(picture)


def columns(panels: Sequence[Panel], names: Sequence[str], label: str, across: int) -> str:
    """Upright bars, `across` panels in a row, populations side by side within a label.

    `names` are all populations of the page, whose places give the colours.
    """
    row, top = 168.0, 24.0
    rows = -(-len(panels) // across)
    picture = Drawing(WIDTH, rows * row, label)
    wide = (WIDTH - _GAP * (across - 1)) / across
    most = max(s for p in panels for shares in p.shares.values() for s in shares.values())
    for place, panel in enumerate(panels):
        left, over = place % across * (wide + _GAP), place // across * row
        base = over + row - 26
        tall = linear(0, most or 1.0, 0, base - over - top - 12)
        picture.text(left, over + 14, panel.title, "head")
        picture.line([(left, base), (left + wide, base)], "rule")
        labels = list(next(iter(panel.shares.values())))
        step = wide / len(labels)
        bar = (step - 4) / len(panel.shares)
        for k, name in enumerate(labels):
            for at, (population, shares) in enumerate(panel.shares.items()):
                tip = f"{population}: {panel.title} {name}: {shares[name]:.1%}"
                h = tall(shares[name])
                x = left + k * step + 2 + at * bar
                colour = f"c{names.index(population)}"
                picture.box(x, base - h, bar - 0.6, h, colour, tip=tip)
                if bar > 26:
                    picture.text(x + bar / 2, base - h - 3, f"{shares[name]:.0%}", "tick", "middle")
            picture.text(left + (k + 0.5) * step, base + 14, name, "tick", "middle")
    return str(picture)


def bars(panel: Panel, names: Sequence[str], label: str) -> str:
    """Lying bars, for labels that need room; populations below each other within a label."""
    labels = list(next(iter(panel.shares.values())))
    lead, bar = 190.0, 13.0 if len(labels) < 12 else 11.5
    step = bar * len(panel.shares) + 8
    picture = Drawing(WIDTH, step * len(labels) + 10, label)
    most = max(s for shares in panel.shares.values() for s in shares.values())
    wide = linear(0, most or 1.0, 0, WIDTH - lead - 60)
    for k, name in enumerate(labels):
        y = 6 + k * step
        picture.text(lead - 10, y + (step - 8) / 2 + 3.5, name, "tick", "end")
        for at, (population, shares) in enumerate(panel.shares.items()):
            width = wide(shares[name])
            tip = f"{population}: {name} {shares[name]:.1%}"
            colour = f"c{names.index(population)}"
            picture.box(lead, y + at * bar, width, bar - 2, colour, tip=tip)
            picture.text(lead + width + 6, y + at * bar + 9, f"{shares[name]:.1%}", "tick")
    return str(picture)
