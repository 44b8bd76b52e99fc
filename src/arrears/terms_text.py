"""Terms as a person writes them on the command line: `disc_ratio=0,pmt_ratio=25%,pmt_days=7,…`.

A person who types an agreement means that one, so nothing is snapped here: a value that is not
legal is an error which lists the legal ones. What models write is read by the dialogue's parser.
"""

from collections.abc import Mapping
from dataclasses import replace

from arrears.errors import TermsError
from arrears.terms import (
    DIMENSIONS,
    GRID,
    RATIOS,
    Dimension,
    Mandate,
    Terms,
    Value,
    dimension_named,
    written,
)

_SHAPE = "disc_ratio=0,pmt_ratio=25%,pmt_days=7,inst_prds=6"


def parse_terms(text: str) -> Terms:
    """A complete agreement from `key=value` pairs with commas between them.

    A ratio is written `25%`, `0.25` or `25`: a bare number below 1 is a fraction, from 1 on it is
    percent. TermsError where a name is unknown, missing or given twice, or a value is not legal.
    """
    found: dict[Dimension, Value] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, equals, value = (p.strip() for p in part.partition("="))
        if not equals:
            raise TermsError(f"{part!r} is no key=value; write terms like {_SHAPE}")
        dimension = dimension_named(name)
        if dimension in found:
            raise TermsError(f"{dimension} is given twice")
        found[dimension] = _legal_value(dimension, value)
    missing = [d for d in DIMENSIONS if d not in found]
    if missing:
        raise TermsError(f"terms without {', '.join(missing)}; write terms like {_SHAPE}")
    disc, pmt, days, months = (found[d] for d in DIMENSIONS)
    return Terms(float(disc), float(pmt), int(days), int(months))


_LIMITS: Mapping[str, Dimension] = {
    "max_disc_ratio": "disc_ratio",
    "min_pmt_ratio": "pmt_ratio",
    "max_pmt_days": "pmt_days",
    "max_inst_prds": "inst_prds",
}


def parse_mandate(text: str) -> Mandate:
    """The creditor's limits from `max_disc_ratio=10%,max_inst_prds=12`; those not named are open.

    Values as for `parse_terms`. TermsError where a name is unknown or given twice, or a value is
    not legal.
    """
    found: dict[str, Value] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, equals, value = (p.strip() for p in part.partition("="))
        if not equals or name not in _LIMITS:
            raise TermsError(f"{part!r} is no limit; the limits are {', '.join(_LIMITS)}")
        if name in found:
            raise TermsError(f"{name} is given twice")
        found[name] = _legal_value(_LIMITS[name], value)
    return replace(Mandate(), **found)  # type: ignore[arg-type]


def _legal_value(dimension: Dimension, text: str) -> Value:
    bare = text.removesuffix("%").strip() if dimension in RATIOS else text
    try:
        number = float(bare)
    except ValueError:
        raise TermsError(f"{dimension}={text!r} is not a number") from None
    if dimension in RATIOS and (bare != text or number >= 1):
        number /= 100
    for value in GRID[dimension]:
        if abs(value - number) < 1e-9:
            return value
    legal = ", ".join(written(dimension, v) for v in GRID[dimension])
    raise TermsError(f"{dimension}={text} is not legal; legal values: {legal}")
