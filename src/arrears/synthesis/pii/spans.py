"""What a rule finds: a stretch of a text and what kind of thing it is; and how hits are joined."""

from collections.abc import Iterable
from typing import Final, Literal, NamedTuple, get_args

Kind = Literal["NAME", "PHONE", "ID", "CARD", "EMAIL", "ADDRESS", "ACCOUNT", "URL"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
# Of two hits of the same length the one that says more stands: a checked id is also 18 digits.
_SPECIFIC: Final[tuple[Kind, ...]] = (
    "EMAIL", "ID", "CARD", "ACCOUNT", "PHONE", "ADDRESS", "URL", "NAME",
)  # fmt: skip


class Span(NamedTuple):
    """The characters `start` to `end` (exclusive) of a text."""

    start: int
    end: int
    kind: Kind


class Hit(NamedTuple):
    """What one rule found."""

    start: int
    end: int
    kind: Kind
    cued: bool = False
    """Whether the words around a name said that it is one."""


def merge(hits: Iterable[Hit]) -> tuple[Span, ...]:
    """Spans in order that do not overlap.

    Hits that share a character become one span over all of them, of the kind of the longest: what
    any rule took for personal goes.
    """
    spans: list[Span] = []
    longest = 0
    for hit in sorted(hits, key=lambda h: (h.start, -h.end, _SPECIFIC.index(h.kind))):
        size = hit.end - hit.start
        if not spans or hit.start >= spans[-1].end:
            spans.append(Span(hit.start, hit.end, hit.kind))
            longest = size
            continue
        old = spans[-1]
        beats = (size, -_SPECIFIC.index(hit.kind)) > (longest, -_SPECIFIC.index(old.kind))
        spans[-1] = Span(old.start, max(old.end, hit.end), hit.kind if beats else old.kind)
        longest = max(longest, size)
    return tuple(spans)


def replaced(text: str, spans: Iterable[Span]) -> str:
    """The text with each span's tag, such as `[NAME]`, in its place."""
    parts, at = [], 0
    for span in spans:
        parts += [text[at : span.start], f"[{span.kind}]"]
        at = span.end
    return "".join([*parts, text[at:]])
