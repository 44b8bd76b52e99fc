"""Reward against distance, as a picture: each model a point."""

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, floor, log10
from typing import NamedTuple

from arrears.bench.svg import Drawing, linear

_WIDTH, _HEIGHT = 960.0, 300.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 62.0, 930.0, 20.0, 248.0
_STEPS = 7


class Point(NamedTuple):
    """One model."""

    name: str
    kl: float
    """Nats a message; 0 for the first."""
    reward: float
    low: float
    high: float
    """Ends of the interval of its KL."""


def reward_against_distance(points: Sequence[Point]) -> str:
    """Reward over KL from the first model; a thin line is the interval of the KL."""
    picture = Drawing(_WIDTH, _HEIGHT, "Reward against KL from the model before")
    widest = max(point.high for point in points) * 1.08 or 1.0
    rewards = [point.reward for point in points]
    room = max((max(rewards) - min(rewards)) * 0.25, 0.01)
    low, high = max(0.0, min(rewards) - room), min(1.0, max(rewards) + room)
    x, y = linear(0, widest, _LEFT, _RIGHT), linear(low, high, _BOTTOM, _TOP)
    for reward in round_numbers(low, high):
        picture.line([(_LEFT, y(reward)), (_RIGHT, y(reward))], "rule", 0.8)
        picture.text(_LEFT - 7, y(reward) + 3.5, f"{reward:g}", "tick", "end")
    for kl in round_numbers(0.0, widest):
        picture.text(x(kl), _BOTTOM + 17, f"{kl:g}", "tick", "middle")
    picture.line([(x(p.kl), y(p.reward)) for p in points], "faint", 1, "3 4")
    for at, point in enumerate(points):
        here = x(point.kl), y(point.reward)
        if point.high > point.low:
            picture.line([(x(point.low), here[1]), (x(point.high), here[1])], f"c{at % 8}", 1.4)
        tip = f"{point.name}: reward {point.reward:.3f}, KL {point.kl:.3f} nats a message"
        picture.dot(*here, 6, f"c{at % 8}", tip=tip)
        # Words beside a point stay inside the picture.
        right = here[0] > (_LEFT + _RIGHT) / 2
        picture.text(
            here[0] + (-11 if right else 11), here[1] - 10, point.name, "head",
            "end" if right else "start",
        )  # fmt: skip
    words = "KL from the model before, nats a message, at the states of the later model"
    picture.text((_LEFT + _RIGHT) / 2, _HEIGHT - 8, words, "axis", "middle")
    picture.text(_LEFT, 11, "mean foresight reward", "axis")
    return str(picture)


def round_numbers(low: float, high: float) -> list[float]:
    """At most eight steps of 1, 2 or 5 times a power of ten within low … high, low < high."""
    power = floor(log10((high - low) / _STEPS))
    step = next(
        Fraction(n) * Fraction(10) ** power
        for n in (1, 2, 5, 10)
        if (high - low) / _STEPS <= n * 10.0**power
    )
    first, last = ceil(low / float(step)), floor(high / float(step))
    return [float(n * step) for n in range(first, last + 1)]
