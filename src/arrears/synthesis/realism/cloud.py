"""Word clouds as svg: laid out by the `wordcloud` package, set in the page's own font."""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from arrears.synthesis.extras import extra

_WIDTH, _HEIGHT = 470, 260
_MOST_WORDS: Final = 60
_LARGEST: Final = 54
_FAINT: Final = 0.45


class _Word(NamedTuple):
    """One word in its place; pixels, `y` at the baseline."""

    text: str
    x: float
    y: float
    width: float
    size: float


def word_cloud(counts: Mapping[str, int], colour: str, label: str, rng: np.random.Generator) -> str:
    """An svg picture: the more frequent, the larger. The same counts and seed, the same picture.

    Needs wordcloud. `colour` is a custom property of the page. Each word is spaced to the room
    that was laid out for it, so that any font of the reader's fits.
    """
    parts = [
        f'<text x="{w.x:.1f}" y="{w.y:.1f}" font-size="{w.size:.0f}" textLength="{w.width:.1f}" '
        f'lengthAdjust="spacing" style="fill:var(--{colour})" '
        f'fill-opacity="{_FAINT + (1 - _FAINT) * w.size / _LARGEST:.2f}">'
        f"{escape(w.text)}<title>{escape(w.text)}: {counts[w.text]:,}</title></text>"
        for w in _laid_out(counts, rng)
    ]
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(label)}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


def _laid_out(counts: Mapping[str, int], rng: np.random.Generator) -> list[_Word]:
    import matplotlib

    wordcloud, fonts = extra("wordcloud"), extra("PIL.ImageFont")
    # Wider than most fonts of a page, so that nothing is squeezed, and there wherever this runs.
    font = str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")
    ordered = sorted(counts, key=lambda word: (-counts[word], word))[:_MOST_WORDS]
    stands_for = {_stand_in(word, at): word for at, word in enumerate(ordered)}
    cloud = wordcloud.WordCloud(
        width=_WIDTH, height=_HEIGHT, prefer_horizontal=1.0, font_path=font, margin=4,
        max_font_size=_LARGEST, relative_scaling=0.4, random_state=int(rng.integers(1 << 31)),
    )  # fmt: skip
    cloud.generate_from_frequencies({name: counts[word] for name, word in stands_for.items()})
    placed = []
    for (name, _), size, (y, x), _, _ in cloud.layout_:
        left, top, right, _ = fonts.truetype(font, size).getbbox(name, anchor="ls")
        word, width = stands_for[name], right - left
        # Characters are taller than the digits that stood for them.
        smaller = 1.0 if word == name else 0.8
        x += (1.0 - smaller) * width / 2
        placed.append(_Word(word, x, y - top, smaller * width, smaller * size))
    return placed


def _stand_in(word: str, at: int) -> str:
    """What the layout measures: its font has no Chinese, so two digits stand for a character."""
    if word.isascii():
        return word
    width = sum(2 if char >= "\u2e80" else 1 for char in word)
    return f"{at:0{width}d}"
