"""Drawing: small svg pieces that take their colours from the page's style sheet.

Nothing here knows what is drawn. Text and fills are classes and custom properties, so that one
picture serves light mode, dark mode and print.
"""

from collections.abc import Callable, Sequence
from html import escape

Scale = Callable[[float], float]
Point = tuple[float, float]


def linear(low: float, high: float, start: float, end: float) -> Scale:
    """The scale that maps low … high onto start … end."""
    slope = (end - start) / (high - low) if high > low else 0.0
    return lambda value: start + (value - low) * slope


class Drawing:
    """An svg picture of a fixed inner size that scales with the page."""

    def __init__(self, width: float, height: float, label: str) -> None:
        self._open = (
            f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(label)}" '
            'xmlns="http://www.w3.org/2000/svg">'
        )
        self._parts: list[str] = []

    def text(
        self, x: float, y: float, words: str, kind: str = "tick", anchor: str = "start"
    ) -> None:
        """Words at a baseline; `anchor` is start, middle or end."""
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">'
            f"{escape(words)}</text>"
        )

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: str,
        *,
        tip: str = "",
        opacity: float = 1.0,
        round_by: float = 0.0,
    ) -> None:
        """A filled rectangle; `fill` is the name of a custom property."""
        if width <= 0 or height <= 0:
            return
        faint = f' fill-opacity="{opacity:.3g}"' if opacity < 1 else ""
        corner = f' rx="{round_by:g}"' if round_by else ""
        self._add(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.2f}" height="{height:.2f}"'
            f'{corner} fill="var(--{fill})"{faint}',
            "rect",
            tip,
        )

    def dot(self, x: float, y: float, radius: float, fill: str, *, tip: str = "") -> None:
        """A translucent disc."""
        self._add(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.2f}" fill="var(--{fill})" '
            'fill-opacity="0.55"',
            "circle",
            tip,
        )

    def line(
        self, points: Sequence[Point], stroke: str, width: float = 1.0, dash: str = ""
    ) -> None:
        """An open line through points."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self._parts.append(
            f'<polyline points="{path}" fill="none" stroke="var(--{stroke})" '
            f'stroke-width="{width:g}" stroke-linejoin="round"{dashed}/>'
        )

    def area(self, points: Sequence[Point], fill: str, opacity: float) -> None:
        """A filled, closed shape."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._parts.append(
            f'<polygon points="{path}" fill="var(--{fill})" fill-opacity="{opacity:g}"/>'
        )

    def _add(self, opening: str, tag: str, tip: str) -> None:
        shown = f"><title>{escape(tip)}</title></{tag}>" if tip else "/>"
        self._parts.append(opening + shown)

    def __str__(self) -> str:
        return self._open + "".join(self._parts) + "</svg>"
