"""The person: feelings, traits, words of character and ways of speaking that hang together.

A persona is one draw of eleven correlated normals whose means depend on the category (a Gaussian
copula; means and correlation are written down in `data/population.yaml`). Emotions, levels, MBTI
type, character and style are all read off that one draw.
"""

from collections.abc import Sequence
from functools import cache
from math import exp

from arrears.debtors.distributions import Distributions, Word, distributions
from arrears.debtors.record import (
    EMOTIONS,
    RESILIENCE_LEVELS,
    Category,
    Emotions,
    Personality,
)
from arrears.errors import UnknownName
from arrears.rng import Draws

COGNITION = ("legal_awareness", "financial_literacy", "responsibility", "credit_awareness")


def draw_latents(draws: Draws, category: Category, d: Distributions) -> tuple[float, ...]:
    """Eleven standard normals with the written correlation, shifted by the category's means."""
    raw = [draws.normal() for _ in d.latents]
    return tuple(
        mean + sum(weight * z for weight, z in zip(row, raw, strict=False))
        for mean, row in zip(d.means[category], d.root, strict=True)
    )


def draw_personality(draws: Draws, latents: Sequence[float], d: Distributions) -> Personality:
    """Everything about how the person feels and speaks, for one draw of the latents."""
    by_name = dict(zip(d.latents, latents, strict=True))
    feelings = {
        name: min(
            10, max(0, round(d.emotions[name]["mean"] + d.emotions[name]["sd"] * by_name[name]))
        )
        for name in EMOTIONS
    }
    return Personality(
        character=_character(draws, latents, d),
        mbti=_mbti(draws, latents, d),
        emotions=Emotions(**feelings),
        emotional_resilience=RESILIENCE_LEVELS[_level("resilience", by_name["resilience"], d) - 1],
        style=_style(draws, latents, d),
    )


def cognition_levels(latents: Sequence[float], d: Distributions) -> dict[str, int]:
    """Levels 1 … 5 of the four cognitive attributes."""
    by_name = dict(zip(d.latents, latents, strict=True))
    return {name: _level(name, by_name[name], d) for name in COGNITION}


def voice_family(styles: Sequence[str]) -> str:
    """The voice family of a person's ways of speaking; the first one decides.

    UnknownName for a way of speaking that is not in the vocabulary.
    """
    families = _families()
    if styles[0] not in families:
        raise UnknownName("way of speaking", styles[0], families)
    return families[styles[0]]


@cache
def _families() -> dict[str, str]:
    return {word.text: word.family for word in distributions().styles}


def _level(name: str, z: float, d: Distributions) -> int:
    return 1 + sum(z >= cut for cut in d.levels[name])


def _mbti(draws: Draws, latents: Sequence[float], d: Distributions) -> str:
    letters = []
    for letter, other, constant, weights in d.mbti:
        odds = constant + sum(weight * latents[i] for i, weight in weights)
        letters.append(letter if draws.chance(1 / (1 + exp(-odds))) else other)
    return "".join(letters)


def _pull(word: Word, latents: Sequence[float]) -> float:
    return exp(sum(weight * latents[i] for i, weight in word.on))


def _character(draws: Draws, latents: Sequence[float], d: Distributions) -> tuple[str, ...]:
    left = [(word.text, _pull(word, latents)) for word in d.characters]
    chosen: list[str] = []
    for _ in range(draws.choice(d.character_count)):
        text = draws.weighted([name for name, _ in left], [pull for _, pull in left])
        chosen.append(text)
        barred = d.excluded[text] | {text}
        left = [(name, pull) for name, pull in left if name not in barred]
    return tuple(chosen)


def _style(draws: Draws, latents: Sequence[float], d: Distributions) -> tuple[str, ...]:
    left = [(word, _pull(word, latents)) for word in d.styles]
    chosen: list[Word] = []
    for _ in range(draws.choice(d.style_count)):
        word = draws.weighted([word for word, _ in left], [pull for _, pull in left])
        chosen.append(word)
        fits = d.together[chosen[0].family]
        left = [(w, pull) for w, pull in left if w not in chosen and w.family in fits]
    return tuple(word.text for word in chosen)
