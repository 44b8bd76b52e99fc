"""What of a round failed from outside the negotiation: counted beside the figures, in none of them.

Endpoints, a user's own code and judges fail; a message that cannot be read is the policy's own
failing and stays in.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, Literal, NamedTuple

from arrears.files import CASE, LineFile, LineReader, replace_file
from arrears.training.cfpo.stored import from_line
from arrears.training.cfpo.weigh import Weighed

Part = Literal["dialogues", "candidates", "playouts", "judgements"]
PARTS: Final[Mapping[Part, str]] = {
    "dialogues": "dialogues, one a debtor",
    "candidates": "messages that the policy was asked for",
    "playouts": "playouts of candidates",
    "judgements": "judgements, of a turn's candidates or of a playout",
}


class Tried(NamedTuple):
    """How often one part of a round was tried, and why it failed where it did."""

    total: int
    failed: Mapping[str, int]
    """By who failed: `failures.CAUSES`, or `judge`."""
    reason: str
    """The most frequent words of whoever failed; "" where nobody did."""


class _Try(NamedTuple):
    part: Part
    cause: str = ""
    why: str = ""


def tried(round_: Iterable[Weighed], candidates: int) -> dict[Part, Tried]:
    """Every part of a round with its failures; `candidates` are asked for at a turn."""
    totals = Counter[Part]()
    causes: dict[Part, Counter[str]] = {part: Counter() for part in PARTS}
    reasons: dict[Part, Counter[str]] = {part: Counter() for part in PARTS}
    for one in round_:
        # Two that read alike are stored as one.
        totals["candidates"] += candidates * len(one.moments)
        for found in _tries(one):
            totals[found.part] += found.part != "candidates"
            if found.cause:
                causes[found.part][found.cause] += 1
                reasons[found.part][found.why] += 1
    return {
        part: Tried(
            totals[part],
            dict(causes[part].most_common()),
            next((why for why, _ in reasons[part].most_common(1)), ""),
        )
        for part in PARTS
    }


def forget_failed(path: Path) -> int:
    """Drop the lines of debtors with any failure, so that they are weighed again; how many.

    BrokenFile, StorageError.
    """
    if not path.exists():
        return 0
    with LineReader(path) as file:
        spans = file.index(CASE)
        whole = [
            span
            for span in spans.values()
            if not any(found.cause for found in _tries(from_line(file.read(span), path)))
        ]
    if len(whole) < len(spans):
        lines = LineFile(path)
        try:
            replace_file(path, lambda out: lines.copy(whole, out))
        finally:
            lines.close()
    return len(spans) - len(whole)


def _tries(weighed: Weighed) -> Iterator[_Try]:
    failure = weighed.dialogue.failed
    yield _Try("dialogues", failure.cause if failure else "", weighed.dialogue.detail)
    for moment in weighed.moments:
        for why in moment.failed:
            yield _Try("candidates", "provider", why)
        if moment.why:
            yield _Try("judgements", "judge", moment.why)
        elif any(candidate.mark is not None for candidate in moment.candidates):
            yield _Try("judgements")
        for candidate in moment.candidates:
            for playout in candidate.playouts:
                cause = playout.failed
                judge = cause == "judge"
                yield _Try("playouts", "" if judge else cause, playout.why)
                if not cause or judge:
                    yield _Try("judgements", cause, playout.why)
