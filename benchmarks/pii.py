"""How much personal data is found in the planted corpus, and what else is taken for it.

    python -m benchmarks.pii [--misses]

Recall: the share of planted items of which every character is covered. Precision: the share of hits
that overlap a planted item. `dev` is the part that the rules were written with; `held_out` was
written after them.
"""

import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml

from arrears.synthesis.pii import Scrubber, Span
from arrears.synthesis.pii.spans import KINDS, Kind

CORPUS = Path(__file__).parent.parent / "tests" / "corpus" / "pii.yaml"
LONG = (
    "市县区路街道村镇" * 800, "1234 " * 1600, "a.b-c_d " * 1200, "Aaa Bbb " * 1200, "五六七" * 2000,
)  # fmt: skip
"""Texts in which much could be the beginning of something."""
_PLANTED = re.compile(rf"<({'|'.join(KINDS)}):([^>]+)>")


class Sentence(NamedTuple):
    """A message, and where what was planted stands in it."""

    text: str
    planted: tuple[Span, ...]


class Score(NamedTuple):
    """Counts over sentences."""

    planted: Counter[Kind]
    found: Counter[Kind]
    """Planted items that are wholly covered."""
    hits: Counter[Kind]
    right: Counter[Kind]
    """Hits that overlap a planted item."""

    @property
    def recall(self) -> float:
        """In 0..1."""
        return self.found.total() / self.planted.total()

    @property
    def precision(self) -> float:
        """In 0..1."""
        return self.right.total() / self.hits.total()


@cache
def corpus(part: str, language: str) -> tuple[Sentence, ...]:
    """The sentences of one part of the corpus; en or zh."""
    raw = yaml.safe_load(CORPUS.read_text(encoding="utf-8"))[part][language]
    return tuple(_sentence(line) for line in raw.splitlines() if line.strip())


def _sentence(line: str) -> Sentence:
    text, planted, at = "", [], 0
    for match in _PLANTED.finditer(line):
        text += line[at : match.start()]
        kind: Kind = next(k for k in KINDS if k == match[1])
        planted.append(Span(len(text), len(text) + len(match[2]), kind))
        text, at = text + match[2], match.end()
    return Sentence(text + line[at:], tuple(planted))


def score(scrubber: Scrubber, sentences: tuple[Sentence, ...]) -> Score:
    """What is found in sentences, each read alone."""
    result = Score(Counter(), Counter(), Counter(), Counter())
    for text, planted in sentences:
        spans = scrubber.spans(text)
        for item in planted:
            result.planted[item.kind] += 1
            result.found[item.kind] += not left(item, spans)
        for span in spans:
            result.hits[span.kind] += 1
            result.right[span.kind] += any(_meet(span, item) for item in planted)
    return result


def left(item: Span, spans: tuple[Span, ...]) -> bool:
    """Whether a character of a planted item stays."""
    covered = {at for span in spans for at in range(span.start, span.end)}
    return not covered.issuperset(range(item.start, item.end))


def _meet(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


def wrong(scrubber: Scrubber, sentences: tuple[Sentence, ...]) -> Iterator[str]:
    """What was missed, and what was hit without being planted."""
    for text, planted in sentences:
        spans = scrubber.spans(text)
        for item in planted:
            if left(item, spans):
                yield f"missed {item.kind} {text[item.start : item.end]!r} in {text!r}"
        for span in spans:
            if not any(_meet(span, item) for item in planted):
                yield f"false {span.kind} {text[span.start : span.end]!r} in {text!r}"


def main() -> None:
    """Measure and print."""
    began = time.perf_counter()
    scrubber = Scrubber()
    scrubber.spans("Hello, is this Sarah Whitlow, 202-555-0143? 您好，王先生。")
    print(f"ready in {time.perf_counter() - began:.1f} s")
    print(f"{'':20}{'planted':>9}{'found':>8}{'recall':>9}{'hits':>7}{'precision':>11}")
    for part in ("dev", "held_out", "fresh"):
        for language in ("en", "zh"):
            got = score(scrubber, corpus(part, language))
            for kind in KINDS:
                _line(f"{part} {language} {kind}", got, kind)
            _line(f"{part} {language} all", got)
    for part in ("clean", "held_out_clean", "fresh_clean"):
        for language in ("en", "zh"):
            lines = corpus(part, language)
            hits = score(scrubber, lines).hits.total()
            print(f"{part} {language}: {hits} hits in {len(lines)} sentences without any")
    for language in ("en", "zh"):
        texts = [s.text for part in ("dev", "clean") for s in corpus(part, language)]
        began = time.perf_counter()
        for text in texts:
            scrubber.spans(text)
        each = (time.perf_counter() - began) / len(texts)
        print(f"{language}: {1e3 * each:.2f} ms a message")
    for text in LONG:
        began = time.perf_counter()
        scrubber.spans(text)
        print(f"{text[:8]}…, {len(text):,} characters: {time.perf_counter() - began:.2f} s")
    if "--misses" in sys.argv:
        for part in ("dev", "held_out", "fresh", "clean", "held_out_clean", "fresh_clean"):
            for language in ("en", "zh"):
                for line in wrong(scrubber, corpus(part, language)):
                    print(f"{part} {language}: {line}")


def _line(label: str, got: Score, kind: Kind | None = None) -> None:
    planted, found, hits, right = (
        counts.total() if kind is None else counts[kind] for counts in got
    )
    recall = f"{found / planted:9.3f}" if planted else f"{'-':>9}"
    precision = f"{right / hits:11.3f}" if hits else f"{'-':>11}"
    print(f"{label:20}{planted:9}{found:8}{recall}{hits:7}{precision}")


if __name__ == "__main__":
    main()
