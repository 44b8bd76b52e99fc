"""The three indices of DCN (appendix F.5, equations 8 to 10).

Two of them differ in print from the paper's own Table 2. `published` (the default) is the reading
that reproduces the table; `as_printed` takes the print at its word: w6 = 1.5 instead of 1.2 and
the numerator 2θ² instead of 1 + θ². The formulas take plain numbers or arrays of one shape.
"""

from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

Reading = Literal["published", "as_printed"]
Number = TypeVar("Number", float, NDArray[np.float64])

_W6 = {"published": 1.2, "as_printed": 1.5}


def creditor_recovery_index(
    SR: Number,
    RR: Number,
    QRD: Number,
    HRD: Number,
    CD: Number,
    *,
    reading: Reading = "published",
) -> Number:
    """CRI, at most 1: how much of the debt comes back, and how soon (equation 8).

    SR and RR are fractions, QRD, HRD and CD days. Both readings agree on it.
    """
    return 0.25 * SR + 0.25 * RR + recovery_speed(QRD, HRD, CD)


def recovery_speed(QRD: Number, HRD: Number, CD: Number) -> Number:
    """The part of CRI that speaks of time alone, at most 0.5; negative for very slow plans."""
    return 0.2 * (180 - QRD) / 180 + 0.15 * (360 - HRD) / 360 + 0.15 * (720 - CD) / 720


def debtor_health_index(
    L1D: Number, L2D: Number, ATV: Number, *, reading: Reading = "published"
) -> Number:
    """DHI, at most 2 (2.3 `as_printed`) and unbounded below (equation 9).

    L1D and L2D are days. `published` wants ATV over 730 days, `as_printed` over 365.
    """
    return _W6[reading] * (30 - L1D) / 30 + 0.8 * (250 - L2D) / 250 - 1.0 * ATV


def comprehensive_collection_index(
    CRI: Number, DHI: Number, theta: float = 2, *, reading: Reading = "published"
) -> Number:
    """CCI, the F-measure of both; θ > 1 gives the creditor's side, CRI, the greater weight
    (equation 10): at CRI .71 and DHI .99, θ = 2, .01 more of CRI is .009 more of CCI and .01 more
    of DHI is .001 more. θ < 1 gives it to DHI.

    0 where CRI or DHI is not positive: the formula alone is singular at CRI + θ²·DHI = 0 and would
    rank ruin above any plan beyond that.
    """
    square = theta * theta
    factor = 1 + square if reading == "published" else 2 * square
    if isinstance(CRI, np.ndarray):
        both = np.asarray((CRI > 0) & (DHI > 0))
        below = np.where(both, CRI + square * DHI, 1.0)
        return np.where(both, factor * CRI * DHI / below, 0.0)
    if not (CRI > 0 and DHI > 0):
        return 0.0
    return factor * CRI * DHI / (CRI + square * DHI)
