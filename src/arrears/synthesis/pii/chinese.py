"""Chinese names: a surname with a title, after a word that introduces it, or among plain words."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from arrears.synthesis.pii.spans import Hit
from arrears.synthesis.pii.text import HAN, has_han, signs, words


def _any(options: frozenset[str]) -> str:
    return "|".join(sorted(options, key=lambda word: (-len(word), word)))


_DOUBLE: Final = _any(words("zh", "double"))
_SURNAME: Final = f"(?:{_DOUBLE}|[{''.join(sorted(signs('surnames')))}])"
_NOT: Final = "".join(sorted(signs("function")))
_SIGN: Final = f"(?:(?![{_NOT}])[{HAN}])"
_GIVEN: Final = f"[{''.join(sorted(signs('given')))}]"
_STRICT: Final = f"[{''.join(sorted(signs('surnames') - signs('doubtful')))}]"
_TITLE: Final = (
    f"(?:{_any(words('zh', 'titles') - {'总', '工', '哥', '姐', '叔', '姨', '伯', '婶', '嫂'})}"
    r"|总(?![共是算额之部数会体结量有得要])|[哥姐叔姨伯婶嫂](?![哥姐叔姨伯妹弟])|工(?![作资行程人"
    r"伤地厂商会号龄]))"
)
_STOP: Final = rf"(?=[^{HAN}]|$)"
# What may follow a name in a sentence.
_AFTER: Final = (
    rf"(?=[^{HAN}]|$|本人|先生|女士|小姐|[一接了带骗买办跟帮问提寄收用欠打答承发提联不催签收拿跑失"
    rf"离说在的和是吗已昨今帮替欠没"
    rf"他她也都就给打去来让会要找呢吧啊呀跟同与及被从借把签垫担知现明前刚才曾还不住有家这那您你])"
)
_FRONT: Final = frozenset(
    "我你您跟和给找叫让是请问由向对把被与的到有位替帮为说劝同下上了着过像他她们就等"
)

# Group 1 is the name; what follows these words is taken for one although no list knows it.
_CUED: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?:我叫|名叫|我名字叫|名字叫|名字[是为]|全名[是叫]?|真名[是叫]?|姓名[是为:：]?"
        rf"|名字[:：]|户名[是为:：]?|本名叫?|[他她]叫)\s*({_SIGN}{{2,4}}(?=[^{HAN}]|$)"
        rf"|{_SIGN}{{2,4}}?(?:{_AFTER}))",
        rf"(?:免贵姓|贵姓|我姓|[她他您]姓|姓)({_SURNAME})(?![氏])",
        rf"(?:{_any(words('zh', 'roles'))})(?:叫做?|名叫|是|为"
        rf"|[:：])?\s*({_SURNAME}{_SIGN}{{1,2}}(?=[^{HAN}]|$)"
        rf"|{_SURNAME}{_SIGN}{{1,2}}?(?:{_AFTER}))",
        rf"(?:我是|我就是|这里是|您是|你是|是不是|请问是|请问|您好[,，]?是?|你好[,，]?是?|就是"
        rf"|本人|确认是|这边是|联系|认识|委托|转告|麻烦|找|叫)\s*({_SURNAME}{_SIGN}{{1,2}})(?=[^"
        rf"{HAN}]|$|吗|本人|先生|女士|小姐|的|么|吧|啊|呀|呢|对)",
        rf"(?:^|[，。！？,.!? ])({_SURNAME}{_SIGN}{{1,2}})(?=[，,]?(?:您好|你好|女士|先生))",
        rf"(?:收款人|借款人|持卡人|户名|联系人|担保人|署名|姓名)[:：]\s*({_SIGN}{{2,4}})(?=[^"
        rf"{HAN}]|$)",
        rf"({_SURNAME}{_SIGN}{{1,2}})(?=本人)",
        rf"({_SURNAME}氏{_SIGN}{{1,2}}?){_AFTER}",
        rf"(?:让|别找|去找|转告|麻烦|联系|通知)({_STRICT}{_SIGN}{{1,2}}?){_AFTER}",
        r"(?:我叫|名叫|我是|名字是|姓名|客服|专员|经理|请问是|您是|找)[:：]?\s*([A-Z][a-z]+(?: [A"
        r"-Z][a-z]+)*)",
        rf"({_SIGN}{{2,4}}·{_SIGN}{{2,6}})(?=[^{HAN}]|$|先生|女士|的|是|说)",
    )
)  # fmt: skip
# A surname with one or two more signs and a title; the title stays.
_TITLED: Final = tuple(
    re.compile(rf"(?=({_SURNAME}{_SIGN}{{{size}}}){_TITLE})") for size in (2, 1, 0)
)
_FAMILIAR: Final = re.compile(
    rf"(?<![{HAN}])(?<!\d)([老小阿](?!时|康|金|于|车|钱|计|方|米|成|安|白"
    rf"|高)[{''.join(sorted(signs('surnames')))}]){_AFTER}"
    rf"|(?<=[我你您跟和给找叫让是请问由向对把被与的替帮])([老小](?!时|康|金|于|车|钱|计|方|米|成"
    rf"|师|高){_STRICT}){_AFTER}"
)  # fmt: skip
_BARE: Final = (
    # Three signs, of which the last two are such as given names have.
    re.compile(rf"({_SURNAME}{_GIVEN}{{2}})"),
    re.compile(rf"({_STRICT}{_GIVEN}){_AFTER}"),
)


def chinese_names(text: str) -> Iterator[Hit]:
    """Names in a text made plain."""
    taken = _ordinary(text)
    for pattern in _CUED:
        for match in pattern.finditer(text):
            if not _covered(taken, *match.span(1)):
                yield Hit(*match.span(1), "NAME", cued=True)
    ends: set[int] = set()
    for pattern in _TITLED:
        for match in pattern.finditer(text):
            start, end = match.span(1)
            # "白小姐" is a miss, not an elder sister.
            if end - start > 1 and text[end - 1 : end + 1] in words("zh", "titles"):
                continue
            if end not in ends and not taken & set(range(start, end)):
                ends.add(end)
                yield Hit(start, end, "NAME", cued=True)
    for match in _FAMILIAR.finditer(text):
        start, end = match.span()
        if not taken & {start, end - 1}:
            yield Hit(start, end, "NAME", cued=True)
    for long, pattern in zip((True, False), _BARE, strict=True):
        for match in pattern.finditer(text):
            if taken & set(range(*match.span(1))):
                continue
            # A surname that is an everyday word, such as "towards", wants a word's beginning.
            sure = long and text[match.start()] not in signs("doubtful")
            if sure or _fronted(text, match.start(), taken):
                yield Hit(*match.span(1), "NAME")


def _fronted(text: str, start: int, taken: set[int]) -> bool:
    """Whether a word may begin there."""
    before = text[:start]
    return (
        not before
        or not has_han(before[-1])
        or before[-1] in _FRONT
        or start - 1 in taken
        or before.endswith((*words("zh", "roles"), *words("zh", "titles")))
    )


@cache
def _ordinary_words() -> re.Pattern[str]:
    # Looked at from every place: words overlap.
    plain = frozenset(word for word in words("zh", "words") if len(word) > 1)
    return re.compile(f"(?=({_any(plain)}))")


def _ordinary(text: str) -> set[int]:
    """The places that a plain word covers."""
    covered: set[int] = set()
    for match in _ordinary_words().finditer(text):
        covered.update(range(*match.span(1)))
    return covered


def _covered(taken: set[int], start: int, end: int) -> bool:
    """Whether the first sign, or every sign, belongs to a plain word."""
    return start in taken or set(range(start, end)) <= taken


def given_name(name: str) -> str:
    """The part after the surname, "" where it is one sign or a plain word."""
    match = re.match(rf"(?:{_DOUBLE}|[{HAN}])", name)
    rest = name[match.end() :] if match else ""
    return rest if len(rest) > 1 and not _ordinary(rest) else ""
