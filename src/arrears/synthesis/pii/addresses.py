"""Addresses and e-mails that are written out. A bare town or province is no address."""

import re
from collections.abc import Iterator
from typing import Final

from arrears.synthesis.pii.spans import Hit
from arrears.synthesis.pii.text import HAN, words

_STREET: Final = (
    r"(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Place|Pl|Way|Close"
    r"|Crescent|Terrace|Gardens|Square|Sq|Parkway|Pkwy|Highway|Hwy|Grove|Mews|Row|Hill|Circle|Cir"
    r"|Trail|Walk|Park|Quay|Broadway)"
)
_PLAIN_STREET: Final = (
    "(?:street|road|avenue|lane|drive|boulevard|crescent|terrace|close|court|place|ave|rd|st|blvd)"
)
_STATE: Final = (
    "(?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]"
    "|T[NX]|UT|V[AT]|W[AIVY])"
)
_CODE: Final = r"[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}"
_UNIT: Final = (
    r"(?:(?:[Aa]pt|[Aa]partment|[Uu]nit|[Ss]uite|[Ff]lat|[Rr]oom"
    r"|[Ff]loor)\.? ?#?[A-Za-z]?\d*[A-Za-z]?|#\d+[A-Z]?)"
)
_TOWN: Final = r"[A-Z][a-z']+(?:[ -](?:[A-Z][a-z']+|upon|on|under|le|St\.)){0,2}"
_TAIL: Final = (
    rf"(?:,? {_UNIT}(?!\w))?(?:,? {_TOWN}(?=,? (?:{_STATE}\b|{_CODE}\b)|,? \d{{5}}\b))?"
    rf"(?:, {_TOWN}(?=[.,;]|$)(?! \w+ing))?(?:,? {_STATE}\b)?(?:,? (?:\d{{5}}(?:-\d{{4}})?"
    rf"|{_CODE})(?!\w))?"
)
_ENGLISH: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?:{_UNIT},? )?(?<![\d.,])\b\d{{1,5}}[A-Za-z]? (?:[NSEW]\.? )?"
        rf"(?:(?:[A-Z][\w'.-]*|\d+(?:st|nd|rd|th)) ){{1,4}}{_STREET}\b\.?{_TAIL}",
        rf"(?i:\bP\.? ?O\.? ?Box \d+){_TAIL}",
        rf"\b{_TOWN},? {_STATE},? \d{{5}}(?:-\d{{4}})?\b",
        rf"\b{_CODE}\b",
        rf"\b(?:The )?[A-Z][a-z]+(?: [A-Z][a-z]+)?, [A-Z][a-z]+ (?:Lane|Road|Street|Close"
        rf"|Green){_TAIL}",
        r"(?i:\b(?:zip|postal|post) ?code(?: is| was|:)? )(\d{5,6})\b",
        rf"(?:\b[Ll]iv(?:e|ing)|[Rr]esid(?:e|ing)|[Ss]taying|[Mm]oved) (?:at|to) ((?:{_UNIT},? )?"
        r"(?:[Tt]he )?(?:Number )?(?:\d+[A-Z]?,? )?[A-Z][a-z']+(?: (?:[A-Z][a-z']+|of|the)){0,4}"
        r" (?:House|Cottage|Mill|Elms|Farm|Lodge|Court|Towers?|Estate|Apartments|Manor|Barn"
        r"|Rectory)\b"
        rf"{_TAIL})",
        rf"(?i:address (?:is|was|:) ?)({_UNIT},? [A-Z][\w' -]+?)(?=[.,;]|$)",
    )
)  # fmt: skip
_LOWER: Final = re.compile(
    rf"(?<![\d.,$£€¥])\b\d{{1,5}} ((?:[a-z']+ ){{1,2}}){_PLAIN_STREET}\b(?:,? (?:apt|unit"
    rf"|flat) ?\w+)?",
    re.I,
)

# Signs that stand before an address and belong to none, apart from places called "X's home".
_PLACE: Final = (
    "(?:[张石李王赵刘陈杨]家"
    f"|(?![我你您他她们住在是的了到寄搬从往给把和去来址为现家于户籍说]|送达)[{HAN}])"
)
_COUNT: Final = r"[\dA-Za-z一二三四五六七八九十百〇零]"
# Parts are possessive: without it a long row of such signs takes for ever.
_COARSE: Final = (
    rf"(?>{_PLACE}{{2,7}}?(?:省|自治区|特别行政区) ?)?+(?>{_PLACE}{{2,6}}?(?:市|自治州|盟) ?)?+"
    rf"(?>{_PLACE}{{1,6}}?(?:开发区|新区|(?<!小)区|县|旗|市) ?)?+"
    rf"(?>{_PLACE}{{1,6}}?(?:街道|镇|乡) ?)?+"
)
_INSIDE: Final = (
    rf"(?: ?(?:{_PLACE}{{2,8}}?(?:小区|花园|公寓|大厦|广场|家园|新村|苑|园|城|府|宿舍|家属院"
    rf"|中心))?"
    rf"(?:[东西南北]区|[一二三四五\d]期)?(?: ?{_COUNT}{{1,4}}(?:-\d+)*(?:号楼|号院|栋|幢|座|单元|室"
    rf"|层|楼|号|户|组)"
    rf"|之{_COUNT}| ?\d{{3,4}}(?![\d元块万千百天]))*)"
)
_CHINESE: Final = tuple(
    re.compile(pattern)
    for pattern in (
        # A road with its number, and what is in the house.
        rf"{_COARSE}(?>{_PLACE}{{1,8}}?村 ?)?+{_PLACE}{{1,8}}?(?:路|街|大道|道|巷|弄|胡同|里)"
        rf"(?:[东西南北中]段?|[一二三四五]段)? ?{_COUNT}{{1,5}}(?:-\d+)? ?(?:号|弄){_INSIDE}",
        # An estate with a house or a door.
        rf"{_COARSE}(?>{_PLACE}{{1,8}}?(?:路|街|大道|道|巷) ?)?+{_PLACE}{{2,8}}?"
        r"(?:小区|花园|公寓|大厦|广场|家园|新村|苑|园|城|府|宿舍|家属院|中心)(?:[东西南北]区"
        r"|[一二三四五\d]期)?"
        rf"(?: ?{_COUNT}{{1,4}}(?:-\d+)*(?:号楼|号院|栋|幢|座|单元|室|房|层|楼|号"
        rf"|户))+(?:\d{{3,4}}(?!\d))?",
        # A village, with its county or its group.
        rf"{_PLACE}{{2,7}}?(?:省|市|县|区|旗|镇|乡) ?"
        rf"(?>{_PLACE}{{1,6}}?(?:市|县|区|镇|乡|街道) ?){{0,4}}+"
        rf"{_PLACE}{{1,6}}?村(?!民|委|里|镇)(?: ?{_COUNT}{{1,4}}(?:组|号|社|队|屯))*",
        rf"{_PLACE}{{1,6}}?村(?: ?{_COUNT}{{1,4}}(?:组|号|社|队|屯))+",
        rf"{_PLACE}{{2,7}}?(?:省|市|县|区) ?(?>{_PLACE}{{1,6}}?(?:市|县|区) ?){{0,3}}+"
        rf"{_PLACE}{{1,6}}?(?:街道|镇|乡)(?!下|亲|里)",
        rf"{_PLACE}{{2,7}}?(?:市|县|区) ?"
        rf"{_PLACE}{{2,6}}?(?:路|街|大道|巷|胡同|小区|花园|家园|新村)"
        rf"(?:{_PLACE}{{0,14}}?\d{{1,4}}(?:房|室|号|楼|层|座|栋))?",
        rf"(?<![{HAN}\d])\d{{1,3}}(?:栋|幢|号楼)(?:\d+单元)?\d{{2,4}}(?:室|号)?",
        r"邮编[:：是为]?\s*(\d{6})(?!\d)",
    )
)  # fmt: skip

_TOP: Final = r"(?:com|net|org|edu|gov|cn|co|uk|us|io|info|me|hk|tw|example|test|invalid)"
_MAIL: Final = tuple(
    re.compile(pattern, re.I)
    for pattern in (
        r"[\w.!#$%&'*+/=?^`{|}~-]+ ?@ ?[\w-]+(?:\.[\w-]+)+",
        r"(?<![a-z0-9])[a-z0-9_-]+(?:(?: dot |\.| (?:dash|underscore) )[a-z0-9_-]+)*"
        r" ?(?: at | \(at\) | ?\[at\] ?|@|艾特|\(at\)) ?"
        rf"[a-z0-9-]+(?:(?: dot | ?\(dot\) ?| ?\[dot\] ?|\.|点)[a-z0-9-]+)*"
        rf"(?: dot | ?\(dot\) ?| ?\[dot\] ?|\.| ?点 ?){_TOP}\b",
    )
)  # fmt: skip


def mail_hits(text: str) -> Iterator[Hit]:
    """E-mails of any domain, also those that are spelled out."""
    for pattern in _MAIL:
        for match in pattern.finditer(text):
            yield Hit(match.start(), match.end(), "EMAIL")


def english_addresses(text: str) -> Iterator[Hit]:
    """House, street and town; a lower-case street only where no plain word stands for its name."""
    for pattern in _ENGLISH:
        for match in pattern.finditer(text):
            start, end = match.span(match.lastindex or 0)
            while text[end - 1] in " ,":
                end -= 1
            yield Hit(start, end, "ADDRESS")
    common = words("en", "common")
    for match in _LOWER.finditer(text):
        if not any(word in common for word in match[1].lower().split()):
            yield Hit(match.start(), match.end(), "ADDRESS")


def chinese_addresses(text: str) -> Iterator[Hit]:
    """From the province, where it is told, down to the door."""
    for pattern in _CHINESE:
        for match in pattern.finditer(text):
            yield Hit(*match.span(match.lastindex or 0), "ADDRESS")
