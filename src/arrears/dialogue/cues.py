"""The lexicon of the ear: cues read from data and compiled for one pass over a message."""

from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from importlib import resources
from typing import Any, Final, NamedTuple

import yaml

from arrears.errors import BrokenFile
from arrears.strategies import Seat, strategies

_FILE = "tone.yaml"


class Mark(IntEnum):
    """What a cue does beyond its weight on tones."""

    NONE = 0
    TOPIC = 1
    """Something that a collector may ask about: income, savings, what happened."""
    ASKING = 2
    """A request for an answer that needs no question mark."""
    NEGATION = 3
    """Takes the weight from what follows."""
    OR = 4
    """Carries a negation on."""
    CLAUSE = 5
    """Ends the reach of a negation."""
    SENTENCE = 6
    """Ends the sentence."""
    QUESTION = 7
    """Ends a sentence that is a question."""


class Cue(NamedTuple):
    """What one word or phrase tells: (index of a tone, weight) pairs."""

    mark: int
    weighed: tuple[tuple[int, float], ...]


# Children by the next word, and the cue that ends here.
Node = tuple[dict[str, "Node"], Cue | None]


class Rule(NamedTuple):
    """How a seat's strategy is read from the tones: the largest weighted sum above the floor."""

    scores: tuple[tuple[str, tuple[tuple[int, float], ...]], ...]
    default: str
    floor: float


class Lexicon(NamedTuple):
    """Everything in `tone.yaml`, compiled."""

    roots: Mapping[str, Node]
    chinese: tuple[tuple[str, Cue], ...]
    rules: Mapping[Seat, Rule]


_TO_SPACE: Final = '"()[]{}<>*_/-–—“”#~|'
_PLAIN: Final = str.maketrans(
    dict.fromkeys(_TO_SPACE, " ") | {"!": ".", ";": ".", "\n": ".", ":": ",", "’": "'"}
)


def plain_text(text: str) -> str:
    """Lower case, with plain marks and single spaces; any script."""
    return " ".join(text.lower().translate(_PLAIN).split())


def plain_words(text: str) -> list[str]:
    """Lower-cased words, and the marks `.` `?` `,` as words of their own."""
    spaced = plain_text(text)
    return spaced.replace(".", " . ").replace(",", " , ").replace("?", " ? ").split()


# A cue is written in full and heard in short as well.
_SHORT: Final = (
    ("i am", "i'm"), ("i will", "i'll"), ("i have", "i've"), ("i would", "i'd"),
    ("we are", "we're"), ("we will", "we'll"), ("we have", "we've"), ("we would", "we'd"),
    ("you are", "you're"), ("you will", "you'll"), ("you have", "you've"),
    ("they are", "they're"), ("it is", "it's"), ("that is", "that's"), ("there is", "there's"),
    ("what is", "what's"), ("let us", "let's"), ("do not", "don't"), ("does not", "doesn't"),
    ("did not", "didn't"), ("will not", "won't"), ("would not", "wouldn't"),
    ("cannot", "can't"), ("could not", "couldn't"), ("should not", "shouldn't"),
    ("is not", "isn't"), ("are not", "aren't"), ("was not", "wasn't"), ("have not", "haven't"),
    ("has not", "hasn't"),
)  # fmt: skip


def _spellings(cue: str) -> Iterator[str]:
    yield cue
    padded = f" {cue} "
    for full, short in _SHORT:
        if f" {full} " in padded:
            yield padded.replace(f" {full} ", f" {short} ").strip()
    if "cannot" in cue:
        yield cue.replace("cannot", "can not")


def _listed(text: Any, field: str) -> list[str]:
    """The cues of one weight: text with `/` between them."""
    if not isinstance(text, str):
        raise BrokenFile(_FILE, f"expected cues with / between them, found {text!r}", field=field)
    return [" ".join(cue.split()) for cue in text.split("/") if cue.strip()]


_MARK_NAMES: Final = {
    "topic": Mark.TOPIC,
    "asking": Mark.ASKING,
    "negation": Mark.NEGATION,
    "or": Mark.OR,
    "clause": Mark.CLAUSE,
    "nothing": Mark.NONE,
}


def _gathered(section: Mapping[str, Any], tones: Sequence[str]) -> dict[str, Cue]:
    """Cues by their text; one text may weigh on several tones."""
    marks: dict[str, int] = {}
    weights: dict[str, list[tuple[int, float]]] = {}
    for name, body in section.items():
        if name in _MARK_NAMES:
            for cue in _listed(body, name):
                marks[cue] = _MARK_NAMES[name]
        elif name in tones:
            for weight, listed in body.items():
                for cue in _listed(listed, f"{name}.{weight}"):
                    weights.setdefault(cue, []).append((tones.index(name), float(weight)))
        else:
            raise BrokenFile(_FILE, f"no tone; the tones are {', '.join(tones)}", field=name)
    return {
        cue: Cue(int(marks.get(cue, Mark.NONE)), tuple(weights.get(cue, ())))
        for cue in {**marks, **weights}
    }


def _grown(cues: Mapping[str, Cue]) -> Mapping[str, Node]:
    """The cues as a tree by words, spelled out in full and in short."""
    flat: dict[tuple[str, ...], Cue] = {
        (".",): Cue(int(Mark.SENTENCE), ()),
        ("?",): Cue(int(Mark.QUESTION), ()),
        (",",): Cue(int(Mark.CLAUSE), ()),
    }
    for text, cue in cues.items():
        for spelling in _spellings(text):
            flat.setdefault(tuple(plain_words(spelling)), cue)
    roots: dict[str, Node] = {}
    for words, cue in flat.items():
        children = roots
        for word in words[:-1]:
            children = children.setdefault(word, ({}, None))[0]
        below = children[words[-1]][0] if words[-1] in children else {}
        children[words[-1]] = (below, cue)
    return roots


def _rule(seat: Seat, raw: Mapping[str, Any], tones: Sequence[str]) -> Rule:
    scores = tuple(
        (key, tuple((tones.index(tone), float(weight)) for tone, weight in weights.items()))
        for key, weights in raw["strategies"].items()
    )
    wrong = {key for key, _ in scores} ^ set(strategies(seat))
    if wrong or raw["default"] not in strategies(seat):
        raise BrokenFile(_FILE, f"not the {seat}'s strategies: {sorted(wrong)}", field="recognise")
    return Rule(scores, raw["default"], float(raw["floor"]))


def load_lexicon(tones: Sequence[str]) -> Lexicon:
    """The shipped lexicon, with tones by their place in `tones`. BrokenFile where it is not one."""
    source = resources.files("arrears.dialogue") / _FILE
    try:
        raw = yaml.load(
            source.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        )
        chinese = _gathered(raw["chinese"], tones)
        rules: dict[Seat, Rule] = {
            "collector": _rule("collector", raw["recognise"]["collector"], tones),
            "debtor": _rule("debtor", raw["recognise"]["debtor"], tones),
        }
        return Lexicon(
            _grown(_gathered(raw["english"], tones)),
            tuple(chinese.items()),
            rules,
        )
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise BrokenFile(_FILE, f"not a lexicon of tones: {error!r}") from error
