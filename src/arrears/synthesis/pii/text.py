"""How a text is looked at: copies of the same length, so that a place in one is a place in all."""

import re
from functools import cache
from importlib import resources
from typing import Any, Final

import yaml

from arrears.synthesis.pii.spans import KINDS

HAN: Final = "\u3400-\u9fff"
_HAN: Final = re.compile(f"[{HAN}]")
_TAG: Final = re.compile(rf"\[(?:{'|'.join(KINDS)})\]")
# Full-width letters, digits and signs, the wide blank, and the dashes and quotes of typesetters.
_PLAIN: Final[dict[int, int | str]] = {
    **{0xFF01 + i: 0x21 + i for i in range(94)},
    0x3000: " ", 0xA0: " ", 0x2010: "-", 0x2011: "-", 0x2012: "-", 0x2013: "-", 0x2019: "'",
}  # fmt: skip
# Full-width commas and stops stay what they are: a comma between digits is part of an amount.
_STAY: Final = tuple(map(ord, "，！？：；（）"))
for _sign in _STAY:
    _PLAIN.pop(_sign, None)


def plain(text: str) -> str:
    """Full-width digits and letters made plain; tags of an earlier scrubbing blotted out."""
    return _TAG.sub(lambda tag: "。" * len(tag[0]), text.translate(_PLAIN))


def without_han(text: str) -> str:
    """Chinese signs made full stops: libraries take them for letters of the word beside them."""
    return _HAN.sub("。", text)


def has_han(text: str) -> bool:
    """Whether a text holds any Chinese sign."""
    return _HAN.search(text) is not None


@cache
def words(language: str, key: str) -> frozenset[str]:
    """A list of `rules.yaml`, as words."""
    return frozenset(str(_rules()[language][key]).split())


@cache
def signs(key: str) -> frozenset[str]:
    """A list of `rules.yaml`, as single Chinese signs."""
    return frozenset("".join(words("zh", key)))


@cache
def _rules() -> Any:
    source = resources.files("arrears.synthesis.pii") / "rules.yaml"
    return yaml.safe_load(source.read_text(encoding="utf-8"))
