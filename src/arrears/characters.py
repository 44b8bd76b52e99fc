"""Characters that do harm: half ones that cannot be stored, and those that steer a terminal.

Text from models, files and people passes through here on its way into a file or onto a screen.
"""

import re
from typing import Final

REPLACED: Final = "\N{REPLACEMENT CHARACTER}"
_HALF: Final = re.compile("[\ud800-\udfff]")
# Controls (tab and line feed are plain text), line and paragraph separators, and the marks that
# make a terminal show text in another order than it is written in.
_STEERING: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]"
)


def whole(text: str) -> str:
    """The text without half characters: pairs are joined, single ones become U+FFFD."""
    if not _HALF.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def visible(text: str) -> str:
    """The text for a screen: what would steer the terminal is written out (`\\x1b`)."""
    return _STEERING.sub(_escaped, whole(text).replace("\r\n", "\n"))


def _escaped(found: "re.Match[str]") -> str:
    return found.group().encode("unicode_escape").decode()
