"""Numbers that point to a person: ids, bank cards, phones, accounts. Amounts are none of them."""

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from arrears.synthesis.pii.spans import Hit, Kind

_MONEY_AFTER: Final = re.compile(
    r"\s*(?:[,.]\d|%|％|元|块|万|千|百|天|日|月|年|期|次|笔|个|分钟|小时"
    r"|(?:yuan|rmb|cny|usd|dollars?|pounds?|euros?|bucks|percent|days?|months?|weeks?|years?"
    r"|instal?lments?|a month|per month)\b)",
    re.I,
)
_MONEY_BEFORE: Final = re.compile(
    r"(?:[$¥￥£€]|\b(?:rmb|cny|usd|yuan|eur|gbp)|[\d][,.]|人民币)\s*$", re.I
)
_PHONE_CUE: Final = re.compile(
    r"phone|call|number|cell|mobile|reach|text|landline|tel\b|ring|fax|dial|whatsapp"
    r"|电话|手机|座机|号码|打|联系|致电|拨|固话|传真|热线",
    re.I,
)
_CARD_CUE: Final = re.compile(r"card|visa|master|amex|卡|账户|账号", re.I)
_ID_CUE: Final = re.compile(r"身份证|证件|(?<![a-z])ID(?![a-z])|identity", re.I)
_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_DIGIT: Final = "零〇一幺二两三四五六七八九壹贰叁肆伍陆柒捌玖"
_SAID: Final = r"(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|(?:double|triple)\s+\w+)"


class _Rule(NamedTuple):
    kind: Kind
    pattern: re.Pattern[str]
    """What group 1 holds is the hit; the whole match without one."""
    check: Callable[[str], bool] = lambda digits: True
    """Of the hit without blanks and dashes."""
    cue: re.Pattern[str] | None = None
    """Has to stand in the 40 characters before."""


def id_checks(number: str) -> bool:
    """Whether the last sign of an 18-digit resident id is the one that the others ask for."""
    total = sum(int(digit) * weight for digit, weight in zip(number[:17], _WEIGHTS, strict=True))
    return number[17].upper() == "10X98765432"[total % 11]


def luhn(number: str) -> bool:
    """Whether the digits of a bank card add up."""
    digits = [int(d) for d in reversed(number)]
    return sum(d if i % 2 == 0 else sum(divmod(2 * d, 10)) for i, d in enumerate(digits)) % 10 == 0


def _born(text: str) -> bool:
    """YYYYMMDD of somebody who may be alive."""
    year, month, day = int(text[:4]), int(text[4:6]), int(text[6:])
    return 1900 <= year <= 2035 and 1 <= month <= 12 and 1 <= day <= 31


def _id18(number: str) -> bool:
    return _born(number[6:14])


def _ten(number: str) -> bool:
    return len(number) == 10


def _card(number: str) -> bool:
    # Four round sums in a row look like a card in groups.
    groups = [number[i : i + 4] for i in range(0, len(number), 4)]
    return not all(group.endswith("00") for group in groups)


def _rule(
    kind: Kind,
    pattern: str,
    check: Callable[[str], bool] = lambda digits: True,
    cue: re.Pattern[str] | None = None,
) -> _Rule:
    return _Rule(kind, re.compile(pattern, re.I), check, cue)


_ALONE: Final = r"(?<![\dA-Za-z.,])"
_END: Final = r"(?![\dA-Za-z]|[.,]\d)"
_IS: Final = r"\s*(?:numbers?|no\.?|#|id|号码|号|账号)?\s*(?:is|was|are|[:：,，=]|是|为)?\s*"
_RULES: Final[tuple[_Rule, ...]] = (
    # Resident ids: those whose check digit is right, and those that only have the shape.
    _rule("ID", rf"{_ALONE}([1-9](?:[ -]?\d){{16}}[ -]?[\dX]){_END}", id_checks),
    _rule("ID", rf"{_ALONE}([1-9](?:[ -]?\d){{16}}[ -]?[\dX]){_END}", _id18),
    _rule("ID", rf"{_ALONE}([1-9]\d{{14}}){_END}", lambda n: _born("19" + n[6:12]), _ID_CUE),
    _rule("ID", rf"{_ALONE}(\d{{3}}[- ]\d{{2}}[- ]\d{{4}}){_END}"),
    _rule("ID", rf"(?:\bssn|social security){_IS}(\d{{3}}[- ]?\d{{2}}[- ]?\d{{4}}){_END}"),
    _rule("ID", r"(?<![A-Z])([A-Z]{2} ?\d\d ?\d\d ?\d\d ?[A-D])(?![A-Z\d])"),
    _rule("ID", rf"(?:passport|护照){_IS}([A-Z]{{0,2}}[ -]?\d{{6,9}}){_END}"),
    _rule(
        "ID",
        r"(?:driv(?:er'?s?|ing) licen[cs]e|licen[cs]e|badge|employee|national id|identity card"
        rf"|(?<![a-z])id(?: card)?|身份证|证件|工号|驾驶证|社保卡?|社会保障|军官证|通行证){_IS}"
        rf"((?=[A-Z-]{{0,6}}\d)[A-Z0-9][A-Z0-9-]{{3,19}}){_END}",
        lambda n: sum(c.isdigit() for c in n) >= 4,
    ),
    _rule(
        "ID",
        r"([京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼]"
        rf"[A-Z][·\s]?[A-Z0-9]{{5,6}}){_END}",
    ),
    _rule("ID", r"licen[cs]e[^\d]{0,20}?\b([A-Z0-9]{4,5} \d{6} [A-Z0-9]{5})(?![A-Z0-9])"),
    _rule("CARD", rf"{_ALONE}(\d{{16,19}}){_END}"),
    _rule("CARD", rf"{_ALONE}(\d{{4}}(?:[ -]\d{{4}}){{3}}(?:[ -]?\d{{1,3}})?){_END}", _card),
    _rule("CARD", rf"{_ALONE}(3[47]\d{{2}}[ -]?\d{{6}}[ -]?\d{{5}}){_END}", luhn),
    _rule("CARD", rf"{_ALONE}(\d(?:[ -]?\d){{12,18}}){_END}", lambda n: True, _CARD_CUE),
    _rule("PHONE", rf"{_ALONE}((?:\(?(?:\+|00)?86\)?[ -]?)?1[3-9]\d(?:[ -]?\d){{8}}){_END}"),
    _rule(
        "PHONE",
        r"([1一幺壹][3-9三四五六七八九叁肆伍陆柒捌玖]"
        rf"(?:[、,，\s-]?[0-9{_DIGIT}]){{9}})(?![0-9{_DIGIT}])",
    ),
    _rule(
        "PHONE",
        rf"(?<!\d)(\(?0\d{{2,3}}\)?[ -]?\d{{7,8}}(?:\s?(?:-|转|ext\.?)\s?\d{{1,5}})?){_END}",
    ),
    _rule("PHONE", rf"{_ALONE}([48]00[ -]?\d{{3,4}}[ -]?\d{{3,4}}){_END}", _ten),
    _rule("PHONE", rf"{_ALONE}([2-8]\d{{2,3}}[ -]?\d{{4}}){_END}", lambda n: True, _PHONE_CUE),
    _rule(
        "PHONE",
        r"(?<![\d.,])((?:\+?1[ .-]?)?"
        rf"(?:\(\d{{3}}\)\s?|\d{{3}}[ .-])\d{{3}}[ .-]\d{{4}}){_END}",
    ),
    _rule("PHONE", rf"{_ALONE}(\d{{10,11}}){_END}", lambda n: True, _PHONE_CUE),
    _rule("PHONE", rf"{_ALONE}(555[-. ]?01\d\d){_END}"),
    _rule("PHONE", rf"((?:\+44[ ]?(?:\(0\))?|\b0)(?:[ -]?\d){{9,10}}){_END}"),
    _rule("PHONE", rf"(\+\d{{1,3}}(?:[ .()-]{{0,2}}\d){{7,12}}){_END}"),
    _rule("PHONE", rf"\b({_SAID}(?:[\s,-]+{_SAID}){{6,}})\b"),
    _rule("ACCOUNT", r"(?<![\w.])(@[A-Z_]\w{3,})\b(?!\.\w)"),
    _rule(
        "ACCOUNT",
        r"(?:微信|wechat|weixin|(?<![a-z])[wv]x|v信|加v|QQ|扣扣|企鹅|抖音|支付宝|alipay|telegram|whatsapp)"
        rf"{_IS}((?=[A-Z_-]*\d|[A-Z-]*_)[A-Z0-9][A-Z0-9_-]{{4,19}}){_END}",
    ),
    _rule(
        "ACCOUNT",
        r"(?:微信号|微信账号|wechat id|支付宝账号|QQ号)\s*(?:is|[:：]|是|为)?\s*"
        r"([A-Z][A-Z0-9_-]{5,19})(?![A-Z0-9_-])",
    ),
    _rule(
        "ACCOUNT",
        r"(?:(?:account|acct|reference|case|loan|contract|customer|sort code|routing)"
        r"(?: numbers?| no\.?| id|#)|sort code|(?:合同|借据|案件|客户|贷款|账户|户头"
        r"|借款)(?:编?号码?|账号)|账号)"
        rf"\s*(?:is|was|ends in|[:：#]|是|为)?\s*((?=[A-Z-]*\d)[A-Z0-9][A-Z0-9-]{{4,23}}){_END}",
        lambda n: sum(c.isdigit() for c in n) >= 5,
    ),
)  # fmt: skip


def number_hits(text: str) -> Iterator[Hit]:
    """Hits in a text made plain."""
    for kind, pattern, check, cue in _RULES:
        for match in pattern.finditer(text):
            start, end = match.span(1)
            if is_amount(text, start, end):
                continue
            if cue and not cue.search(text, max(0, start - 40), start):
                continue
            if check(re.sub(r"[ ()-]", "", match[1])):
                yield Hit(start, end, kind)


def is_amount(text: str, start: int, end: int) -> bool:
    """Whether money, a share or a time stands there: by its sign before or its unit after."""
    return bool(_MONEY_AFTER.match(text, end) or _MONEY_BEFORE.search(text[:start]))
