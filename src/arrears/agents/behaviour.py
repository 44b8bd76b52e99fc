"""The behavioural constants, typed. Their values and meanings stand in `behaviour.yaml`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar, get_type_hints

import yaml

from arrears.errors import BrokenFile

C = TypeVar("C")
STRATEGIES = (
    "honest_disclosure",
    "vague_response",
    "false_compliance",
    "shift_responsibility",
    "dilemma_rendering",
    "emotional_confrontation",
    "complaint",
    "repayment_negotiation",
)
"""The debtor's, in the order in which they are drawn."""
DRIVERS = (
    "bias", "anger", "fear", "sadness", "disgust", "trust", "distrust", "impatience",
    "responsibility", "irresponsibility", "legal", "willingness", "on_table", "told", "asked",
    "warmth", "pressed",
)  # fmt: skip
"""What may weigh on the choice of a strategy; each 0 … 1, `bias` is 1."""


@dataclass(frozen=True, slots=True)
class TemperConstants:
    """How a temper is drawn for a record that has no personality."""

    drawn_emotion_mean: Mapping[str, float]
    drawn_emotion_sd: float
    drawn_trait_mean: float
    drawn_trait_sd: float


@dataclass(frozen=True, slots=True)
class FeelingConstants:
    """How one heard message moves the six emotions."""

    legal_fear: float
    legal_fear_aware: float
    legal_anger: float
    pressure_anger: float
    pressure_fear: float
    challenge_anger: float
    abuse_anger: float
    abuse_fear: float
    resilience_damps: float
    appease_anger: float
    appease_resilience: float
    appease_fear: float
    appease_sadness: float
    assess_anger: float
    assess_fear: float
    concession_anger: float
    concession_joy: float
    refusal_anger: float
    repeat_anger: float
    facts_surprise: float
    surprise_fades: float
    settle: float


@dataclass(frozen=True, slots=True)
class TrustConstants:
    """Trust in the collector."""

    base: float
    of_responsibility: float
    of_disgust: float
    of_anger: float
    warmth: float
    respect: float
    clarity: float
    introduction: float
    concession: float
    pressure: float
    legal: float
    abuse: float
    repeat: float


@dataclass(frozen=True, slots=True)
class PatienceConstants:
    """Patience with the talk."""

    base: float
    of_resilience: float
    of_anger: float
    a_message: float
    repeat: float
    pressure: float
    warmth: float


@dataclass(frozen=True, slots=True)
class SeverityConstants:
    """Belief in the consequences of not paying."""

    base: float
    of_legal: float
    of_credit: float
    legal: float
    facts: float
    disbelief: float


@dataclass(frozen=True, slots=True)
class WillingnessConstants:
    """Willingness to pay."""

    bias: float
    of_responsibility: float
    of_credit: float
    of_trust: float
    of_severity: float
    of_anger: float
    of_disgust: float
    of_despair: float
    person_sd: float


@dataclass(frozen=True, slots=True)
class StrategyConstants:
    """Scores of the softmax over the debtor's strategies."""

    sharpness: float
    honest_disclosure: Mapping[str, float]
    vague_response: Mapping[str, float]
    false_compliance: Mapping[str, float]
    shift_responsibility: Mapping[str, float]
    dilemma_rendering: Mapping[str, float]
    emotional_confrontation: Mapping[str, float]
    complaint: Mapping[str, float]
    repayment_negotiation: Mapping[str, float]
    same_again: float
    before_offer: float
    scores: tuple[tuple[str, tuple[tuple[int, float], ...]], ...] = field(init=False, repr=False)
    """By strategy in the order of `STRATEGIES`: (place in `DRIVERS`, weight)."""

    def __post_init__(self) -> None:
        scores = []
        for name in STRATEGIES:
            of: Mapping[str, float] = getattr(self, name)
            unknown = sorted(set(of) - set(DRIVERS))
            if unknown:
                where = f"debtor.strategies.{name}"
                raise BrokenFile("behaviour.yaml", f"no driver {unknown[0]!r}", field=where)
            scores.append((name, tuple((DRIVERS.index(d), w) for d, w in of.items())))
        object.__setattr__(self, "scores", tuple(scores))


@dataclass(frozen=True, slots=True)
class BargainingConstants:
    """Reservation values, first asks and concession of the debtor."""

    keep_days: float
    floor: float
    misjudges_sd: float
    monthly_share: float
    monthly_share_least: float
    upfront_least: float
    demand_bias: float
    demand_anger: float
    demand_responsibility: float
    demand_hardship: float
    demand_sd: float
    first_discount: float
    first_goodness: float
    days_wanted: float
    beta_bias: float
    beta_anger: float
    beta_fear: float
    beta_responsibility: float
    horizon: float
    slack: float
    asks_at_once: int


@dataclass(frozen=True, slots=True)
class WordConstants:
    """What shows in a debtor's words, and when it leaves."""

    gap_chance: float
    exaggerates: float
    leave_patience: float
    leave_chance: float


@dataclass(frozen=True, slots=True)
class DebtorConstants:
    """Everything of the built-in debtor."""

    temper: TemperConstants
    feelings: FeelingConstants
    trust: TrustConstants
    patience: PatienceConstants
    severity: SeverityConstants
    willingness: WillingnessConstants
    strategies: StrategyConstants
    bargaining: BargainingConstants
    words: WordConstants


@dataclass(frozen=True, slots=True)
class CollectorConstants:
    """One built-in collector."""

    register: Mapping[str, float]
    opening: Mapping[str, float]
    limit: Mapping[str, float]
    beta: float
    rounds: float
    yields: float
    asks_before_offer: int
    appease: float
    press: float
    refuses: float


@dataclass(frozen=True, slots=True)
class BeliefConstants:
    """The prior of `scripted/adaptive`."""

    assets_slope: float
    assets_intercept: float
    assets_sd: float
    surplus_slope: float
    surplus_intercept: float
    surplus_sd: float
    claim_factor: float
    claim_sd: float
    wary_first: float
    wary_last: float


@dataclass(frozen=True, slots=True)
class Behaviour:
    """All constants of all built-in seats."""

    debtor: DebtorConstants
    collectors: Mapping[str, CollectorConstants]
    belief: BeliefConstants


def _build(cls: type[C], raw: Any, path: str) -> C:
    """A dataclass of constants from a mapping that names each of its fields and no other."""
    hints = get_type_hints(cls)
    names = {f.name for f in fields(cls) if f.init}  # type: ignore[arg-type]
    if not isinstance(raw, dict) or set(raw) != names:
        wrong = sorted(names ^ set(raw if isinstance(raw, dict) else ()))
        raise BrokenFile("behaviour.yaml", f"missing or unknown: {', '.join(wrong)}", field=path)
    values: dict[str, Any] = {}
    for name, value in raw.items():
        kind = hints[name]
        if isinstance(kind, type) and hasattr(kind, "__dataclass_fields__"):
            values[name] = _build(kind, value, f"{path}.{name}")
        elif isinstance(value, dict):
            values[name] = MappingProxyType({k: float(v) for k, v in value.items()})
        else:
            values[name] = kind(value)
    return cls(**values)


def behaviour_from(raw: Mapping[str, Any]) -> Behaviour:
    """Typed constants from the parsed file. BrokenFile names a missing or unknown constant."""
    return Behaviour(
        debtor=_build(DebtorConstants, raw["debtor"], "debtor"),
        collectors=MappingProxyType(
            {
                name: _build(CollectorConstants, values, f"collectors.{name}")
                for name, values in raw["collectors"].items()
            }
        ),
        belief=_build(BeliefConstants, raw["belief"], "belief"),
    )


@cache
def shipped_behaviour() -> Behaviour:
    """The constants that the built-in seats use."""
    path = Path(str(resources.files("arrears.agents") / "behaviour.yaml"))
    return behaviour_from(yaml.safe_load(path.read_text(encoding="utf-8")))
