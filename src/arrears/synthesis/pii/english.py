"""English names: by what stands around them, and by lists of names."""

import re
from collections.abc import Collection, Iterator
from functools import cache
from importlib import import_module
from typing import Final

from arrears.synthesis.pii.spans import Hit
from arrears.synthesis.pii.text import words

_LISTS: Final = ("en_US", "en_GB", "en_IE", "en_NZ", "en_IN", "en_NG", "en_KE", "en_PK")
_CHINESE_SPELLED: Final = "zh_CN"
_FIELDS: Final = ("first_names", "first_names_male", "first_names_female", "last_names")
_ROMAN: Final = ("first_romanized_names", "last_romanized_names")

_WORD: Final = r"(?:(?:O'|D'|Mc|Mac)?[A-Z][a-z]+(?:[-'][A-Z][a-z]+)*|[A-Z]{3,})"
_TOKEN: Final = re.compile(rf"(?<![\w@.'-]){_WORD}(?![\w@])(?!'(?:m|re|ll|ve|d|t)\b)")
_JOIN: Final = re.compile(r"(?: [A-Z]\.)? (?:(?:de|van|der|von|la|bin|al|del|di) )?")
_NAME: Final = (
    rf"{_WORD}(?:(?: [A-Z]\.)? (?:(?:de|van|der|von|la|bin|al|del|di) ){{0,2}}{_WORD}){{0,3}}"
)
_LOWER: Final = r"[A-Za-z][A-Za-z'-]*(?: [A-Za-z][A-Za-z'-]*){0,3}"
_LEAST_NAME: Final = 4
# Of languages and peoples; English capitalises them too.
_ADJECTIVES: Final = ("ese", "ish", "ian", "ean")
_END: Final = r"(?=\s*(?:[,.!?;:。，]|-|—|$))"
# Plain words that are a name after "my name is", whatever their capitals.
_FREE: Final = frozenset({"will", "may", "mark", "hope", "april", "june", "august"})
_ROLES: Final = "|".join(sorted(words("en", "roles")))

# After these a name follows, whatever its capitals.
_SAID: Final = re.compile(
    r"\b(?:my name(?:'s| is)|(?:his|her|their|your|full|first|last|middle|maiden|the) name(?:'s"
    r"| is| was)"
    r"|surname(?:'s| is)|name (?:on|for|in) (?:the|this|my|your|that) \w+ (?:is|was)"
    r"|in the name of|under the name(?: of)?|goes by|name[:：]|who is named|named after"
    rf"|mr\.?|mrs\.?|ms\.?|dr\.?|miss) ({_LOWER})",
    re.I,
)
# After these a name of the lists follows although it is written small.
_SMALL: Final = re.compile(
    rf"\b(?:{_ROLES}|this is|it'?s|i'?m|i am|is this|hi|hello|hey|dear|sorry|thanks|thank you"
    rf"|ask for|call me"
    r"|speak(?:ing)? (?:to|with)|spoke (?:to|with)|talk(?:ing|ed)? (?:to|with)),? ([a-z]{4,})"
    r"(?: ([a-z]{3,}))?\b",
    re.I,
)
# After these a name follows if it is written like one.
_BEFORE: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?i:\b(?:mr|mrs|ms|miss|mx|dr|prof|professor|sir|madam|officer|agent))\.? ({_NAME})",
        rf"(?i:\b(?:call me|speak(?:ing)? (?:to|with)|sp[ao]ke (?:to|with)|spoken (?:to|with)"
        rf"|talk(?:ing|ed)? (?:to|with)"
        rf"|ask(?:ed)?(?: for)?|i am called|known as|on behalf of|looking for|trying to reach|reach"
        rf"|hear from"
        rf"|heard from|meet"
        rf"|account of|belongs? to|loan of|calling for|called|email|told|tell|contact)) ({_NAME})",
        rf"(?i:\b(?:i'm|i am|it's|it is|that's|is this|is that|this is|are you|you are|you're"
        rf"|here is)) ({_NAME})"
        r"(?=\s*(?:[,.!?;:]|-|—|$)|(?i: (?:here|from|calling|speaking|with|at|and|on|again|in|of"
        r"|your|again)\b))",
        rf"(?i:\b(?:hello|hi|hey|dear|good (?:morning|afternoon|evening)|thanks|thank you|sorry"
        rf"|bye|goodbye|okay|ok"
        rf"|yes|no|listen|look|please|well|morning|evening|welcome|cheers|regards"
        rf"|sincerely))[,!.]? ({_NAME}){_END}",
        rf"(?i:\b(?:{_ROLES}))(?i:,? (?:is|called|named|is called|'s name is))?,? ({_NAME})",
        rf"(?<=[a-z]), ({_NAME})(?=[.!?]|$)",
        rf"(?:^|(?<=[.!?] ))({_NAME})(?i: here\b| speaking\b|, this is\b|, i'm calling\b"
        rf"|, we are calling\b)",
        rf"({_NAME})(?='s (?i:account|loan|debt|phone|husband|wife|mother|father|case|file)\b)",
    )
)  # fmt: skip


@cache
def gazetteer() -> frozenset[str]:
    """Lower-case first and last names of Faker's lists, without those that are plain words."""
    plain = words("en", "plain") | words("en", "common") | words("en", "roles")
    # Two letters are syllables and abbreviations sooner than names.
    return frozenset(name for name in _lists() if len(name) > 2) - plain - _usual()


@cache
def _usual() -> frozenset[str]:
    return frozenset(import_module("faker.providers.lorem.en_US").Provider.word_list)


@cache
def _lists() -> frozenset[str]:
    found: set[str] = set()
    for place in (*_LISTS, _CHINESE_SPELLED):
        provider = import_module(f"faker.providers.person.{place}").Provider
        for field in _ROMAN if place == _CHINESE_SPELLED else _FIELDS:
            found.update(str(name).lower() for name in getattr(provider, field, ()))
    return frozenset(found)


def english_names(text: str, said: Collection[str] = ()) -> Iterator[Hit]:
    """Names in a text made plain; `said` are words that its conversation has in small letters."""
    for match in _SAID.finditer(text):
        yield from _said(text, *match.span(1))
    for match in _SMALL.finditer(text):
        if match[1].lower() in gazetteer():
            both = match[2] and match[2].lower() not in words("en", "common") | _usual()
            yield Hit(match.start(1), match.end(2 if both else 1), "NAME", cued=True)
    for pattern in _BEFORE:
        for match in pattern.finditer(text):
            yield from _written(match[1], match.start(1))
    yield from _listed(text, said)


def _said(text: str, start: int, end: int) -> Iterator[Hit]:
    """The words up to the first that is none of a name."""
    stop = words("en", "common")
    last, capital = start, text[start].isupper()
    for word in re.finditer(r"[A-Za-z][A-Za-z'-]*", text[start:end]):
        token = word[0].removesuffix("'s")
        free = words("en", "plain") if token[0].isupper() else _FREE
        if token.lower() in stop - free or (token.endswith("ing") and token.islower()):
            break
        if capital and last > start and token.islower() and len(token) > 3:
            break
        last = start + word.start() + len(token)
    if last > start:
        yield Hit(start, last, "NAME", cued=True)


def _written(name: str, at: int) -> Iterator[Hit]:
    """A run of capitalised words, without plain words at its ends."""
    stop = words("en", "common")
    tokens = [(m.start(), m.end()) for m in re.finditer(r"[\w'-]+", name)]
    while tokens and _plain(name[slice(*tokens[0])], stop):
        tokens.pop(0)
    while tokens and _plain(name[slice(*tokens[-1])], stop):
        tokens.pop()
    inner = [name[slice(*token)].lower() for token in tokens]
    if tokens and not any(word in stop for word in inner):
        yield Hit(at + tokens[0][0], at + tokens[-1][1], "NAME", cued=True)


def _plain(token: str, stop: frozenset[str]) -> bool:
    lower = token.lower()
    if lower in stop or lower.partition("'")[0] in stop:
        return True
    return lower.endswith("ly") and lower not in gazetteer()


def _listed(text: str, said: Collection[str]) -> Iterator[Hit]:
    """Names of the lists, with what is capitalised beside them."""
    known, stop = gazetteer(), words("en", "common")
    run: list[tuple[int, int, str]] = []
    for match in (*_TOKEN.finditer(text), None):
        if match and run and _JOIN.fullmatch(text, run[-1][1], match.start()):
            run.append((*match.span(), match[0]))
            continue
        # A plain word may start a sentence or a run, yet be no part of the name.
        while run and _not_name(run[0][2], stop, known):
            run.pop(0)
        while run and _not_name(run[-1][2], stop, known):
            run.pop()
        if _named([token for _, _, token in run], known) and all(
            token.lower() not in stop for _, _, token in run
        ):
            while run and _opens(text, run[0][0]) and not _in(run[0][2], known) and len(run) == 1:
                run.pop()
            if run:
                yield Hit(run[0][0], run[-1][1], "NAME")
        elif _two_unknown(text, run) or _lone(text, run, said):
            yield Hit(run[0][0], run[-1][1], "NAME")
        run = [(*match.span(), match[0])] if match else []


def _not_name(token: str, stop: frozenset[str], known: frozenset[str]) -> bool:
    return token.lower().removesuffix("'s") in stop or (token.isupper() and not _in(token, known))


def _in(token: str, known: frozenset[str]) -> bool:
    lower = token.lower()
    return lower in known or any(part in known for part in lower.split("-") if part != lower)


def _named(run: list[str], known: frozenset[str]) -> bool:
    """Whether a word is in the lists, or one that is a plain word too stands by another."""
    plain = words("en", "plain")
    return any(_in(token, known) for token in run) or (
        len(run) > 1
        and any(token.lower() in plain & _lists() for token in run)
        and any(token.lower() not in plain for token in run)
    )


def _two_unknown(text: str, run: list[tuple[int, int, str]]) -> bool:
    """Two capitalised words that nobody knows, in the middle of a sentence in small letters."""
    stop = words("en", "common") | words("en", "plain") | _usual()
    if len(run) != 2 or any(token.lower() in stop or token.isupper() for _, _, token in run):
        return False
    begins = re.findall(r"\b[A-Za-z]", text)
    return not _opens(text, run[0][0]) and sum(map(str.isupper, begins)) * 2 <= len(begins)


def _lone(text: str, run: list[tuple[int, int, str]], said: Collection[str]) -> bool:
    """One capitalised word that nobody knows, in the middle of a sentence in small letters: a rare
    name more often than a town or a brand, and those may go.
    """
    if len(run) != 1 or len(run[0][2]) < _LEAST_NAME or run[0][2].isupper():
        return False
    stem = run[0][2].lower().removesuffix("'s")
    known = words("en", "common") | words("en", "plain") | words("en", "capitals") | _usual()
    if stem in known or stem in said or stem.endswith(_ADJECTIVES):
        return False
    begins = re.findall(r"\b[A-Za-z]", text)
    return not _opens(text, run[0][0]) and sum(map(str.isupper, begins)) * 3 <= len(begins)


def _opens(text: str, at: int) -> bool:
    """Whether a sentence begins there: its first word is capitalised whatever it is."""
    return not text[:at].strip() or text[:at].rstrip()[-1] in ".!?:;。！？：；\"'"
