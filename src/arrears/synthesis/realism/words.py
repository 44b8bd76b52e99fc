"""Words of a text, as the measures count them."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Final

import yaml

# A Chinese character is a token of its own; elsewhere a token is a number or a run of letters.
_TOKEN: Final = re.compile(
    r"[\u3400-\u9fff\uf900-\ufaff]"
    r"|\d+(?:[.,]\d+)*"
    r"|[^\W\d_\u3400-\u9fff\uf900-\ufaff]+(?:'[^\W\d_\u3400-\u9fff\uf900-\ufaff]+)*"
)


def tokens(text: str) -> list[str]:
    """Lower-case tokens without punctuation: words and numbers, and single Chinese characters."""
    return _TOKEN.findall(text.replace("’", "'").lower())


def ngrams(words: Sequence[str], n: int) -> list[tuple[str, ...]]:
    """All runs of n tokens, in order; none where there are fewer."""
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


@cache
def manners() -> Mapping[str, re.Pattern[str]]:
    """What a polite and a coarse word is, by kind (`manners.yaml`): patterns over lower case."""
    text = (resources.files("arrears.synthesis.realism") / "manners.yaml").read_text("utf-8")
    kinds: Mapping[str, Mapping[str, str]] = yaml.safe_load(text)
    return {kind: _pattern(cues["en"], cues["zh"]) for kind, cues in kinds.items()}


def _pattern(english: str, chinese: str) -> re.Pattern[str]:
    words = "|".join(map(re.escape, english.split(" / ")))
    signs = "|".join(map(re.escape, chinese.split(" / ")))
    return re.compile(rf"\b(?:{words})\b|{signs}")


def count(kind: str, text: str) -> int:
    """How often a kind of word stands in a text."""
    return len(manners()[kind].findall(text.replace("’", "'").lower()))
