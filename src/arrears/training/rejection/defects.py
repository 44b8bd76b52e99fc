"""Defective prompts: an instruction taken out, turned around, or a bad one added (DCN Table 11)."""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import yaml

from arrears.agents.briefing import Style, Wording
from arrears.errors import UsageError
from arrears.prompts.library import Language
from arrears.rng import Draws

Kind = Literal["deletion", "replacement", "addition"]
KINDS: Final[tuple[Kind, ...]] = ("deletion", "replacement", "addition")


class Defect(NamedTuple):
    """One way in which a prompt is wrong."""

    kind: Kind
    key: str
    find: str
    """What is taken out of the prompt; "" for an addition."""
    put: str
    """What stands there instead, or is added at the end; "" for a deletion."""

    @property
    def name(self) -> str:
        """As it is stored beside an answer: `deletion/ask_first`."""
        return f"{self.kind}/{self.key}"


@cache
def defects(style: Style, wording: Wording, language: Language) -> tuple[Defect, ...]:
    """Every defect that fits a collector's prompt; for a short one the additions only."""
    data = _shipped()
    own = () if wording == "short" else _own(data, f"collector_{style}", language)
    added = (Defect("addition", key, "", e[language]) for key, e in data["addition"].items())
    return (*own, *added)


def choose_defect(
    style: Style, wording: Wording, language: Language, rng: np.random.Generator
) -> Defect:
    """One of them, each as likely as the next."""
    return Draws(rng).choice(defects(style, wording, language))


def defective_system(defect: Defect, system: str) -> str:
    """A collector's first message, made wrong. UsageError where the defect does not fit it."""
    if defect.kind == "addition":
        return f"{system}\n\n{defect.put}"
    if system.count(defect.find) != 1:
        raise UsageError(
            f"the defect {defect.name} does not fit this prompt: {defect.find!r} stands in it "
            f"{system.count(defect.find)} times, not once"
        )
    return system.replace(defect.find, defect.put)


def _own(data: Mapping[str, Any], prompt: str, language: Language) -> Iterator[Defect]:
    for key, entry in data["deletion"][prompt].items():
        yield Defect("deletion", key, entry[language], "")
    for key, entry in data["replacement"][prompt].items():
        yield Defect("replacement", key, entry[language]["find"], entry[language]["put"])


@cache
def _shipped() -> Mapping[str, Any]:
    source = resources.files("arrears.training.rejection") / "defects.yaml"
    found: Mapping[str, Any] = yaml.safe_load(source.read_text(encoding="utf-8"))
    return found
