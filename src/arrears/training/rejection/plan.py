"""What a set of training data is made of; two equal plans give the same rows.

The plan is stored in `sample.json` before the first talk; a folder is taken up by exactly that plan
or not at all.
"""

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import Field

import arrears
from arrears.agents.briefing import WORDINGS, Wording
from arrears.agents.maden.team import line_of, method_of
from arrears.agents.registry import (
    COLLECTORS,
    check_debtor_seat,
    models_of,
    speaks_english_only,
)
from arrears.bench.plan import SuiteUse, digest_of
from arrears.bench.sources import sources_of
from arrears.debtors.record import Debtor, Record
from arrears.errors import UnknownName, UsageError
from arrears.models.backends import LOCAL, is_model
from arrears.models.providers import endpoint_of, providers
from arrears.models.trained import RECORD, told_of
from arrears.prompts.library import Language, prompts_digest
from arrears.runs.pinned import read_pinned, refuse, store_plan
from arrears.runs.rules import DIALOGUES, REQUESTS, rules_digest
from arrears.terms import Mandate
from arrears.training.rejection.filters import DEFAULT, parse_requirement
from arrears.training.rejection.styles import styles_named

SetName = Literal["sft-dg", "sft-mag", "dpo-dg", "dpo-mag"]
SETS: Final[tuple[SetName, ...]] = ("sft-dg", "sft-mag", "dpo-dg", "dpo-mag")
"""DCN's four: supervised or preferences, of talks that a model held alone or with MADeN."""
PLAN: Final = "sample.json"
_TOLD_ONLY: Final = ("arrears", "versions", "data")
_REMEDY: Final = "take it up with its own configuration, or choose another --out"
_RULES: Final = (
    "training.rejection.candidates", "training.rejection.negatives", "training.rejection.weak",
)  # fmt: skip
"""What talks and rejected answers are made by; all else is made again at every end."""
FORMAT: Final = 1
"""Of the folder. Raised when an older one can no longer be read as it was meant."""


class SamplePlan(Record):
    """A whole course of rejection sampling, as it is stored in `sample.json`."""

    format: int = FORMAT
    """Format version of the folder."""
    arrears: str
    """Version of the package."""
    rules: str
    """Digest of the code and data that talks and answers are made by (`arrears.runs.rules`)."""
    data: str = ""
    """Of folders that an earlier arrears began; the styles and defects are in `rules` now."""
    prompts: str
    """SHA-256 over the prompts."""
    versions: dict[str, str]
    """Of Python and numpy, for the record; they may differ when a folder is taken up."""
    set: SetName
    """Which of the four."""
    seed: int
    """The root of every random number's address."""
    suite: SuiteUse
    """The debtors."""
    generator: str
    """Who plays the candidates: a model, or `scripted/…` for each style's built-in seat."""
    debtor_seat: str
    """Who answers."""
    weak: str = ""
    """Who writes the rejected answers; "" for supervised sets."""
    styles: Annotated[tuple[str, ...], Field(min_length=1)]
    """In the order in which they are played."""
    per_style: Annotated[int, Field(ge=1)]
    """Talks of each debtor in each style."""
    require: tuple[str, ...]
    """Of filter 1."""
    keep: Annotated[float, Field(gt=0, le=1)]
    """Share that filter 2 keeps."""
    pairs: Annotated[int, Field(ge=1)]
    """Rows that are drawn at most."""
    lang: Language
    """Language of the prompts."""
    wording: Wording
    """How the collector of the rows is briefed."""
    wordings: dict[str, Wording] = Field(default_factory=dict)
    """How models that were trained here are briefed: as in their training. Other generators are
    briefed in full, another weak model as the rows are."""
    sources: dict[str, str] = Field(default_factory=dict)
    """Digest of what local models speak from, by name."""
    temperature: Annotated[float, Field(ge=0, le=2)]
    """Of every model's sampling."""
    mandate: Mandate
    """The creditor's limits."""
    max_turns: Annotated[int, Field(ge=1)]
    """Exchanges after which a talk ends without agreement."""

    @property
    def method(self) -> str:
        """How the generator works: `direct` (DG) or `maden` (MAG)."""
        return "direct" if self.set.endswith("-dg") else "maden"

    @property
    def preferences(self) -> bool:
        """Whether rows are pairs of answers."""
        return self.set.startswith("dpo-")

    def line(self, built_in: str) -> str:
        """The collector of a talk in a style with that built-in seat, by name."""
        seat = self.generator if is_model(self.generator) else built_in
        return line_of(seat, self.method)

    def models(self) -> tuple[str, ...]:
        """Every model that is called while candidates are played."""
        return models_of((self.line(self.generator),), (self.debtor_seat,), None, None)

    def weak_wording(self) -> Wording:
        """How the weak model is briefed."""
        return self.wordings.get(self.weak, self.wording)


def make_sample_plan(
    name: str,
    suite: str,
    people: Sequence[Debtor],
    *,
    generator: str,
    debtor_seat: str = "scripted/debtor",
    weak: str = "",
    styles: Sequence[str] = (),
    per_style: int = 1,
    require: Sequence[str] = (),
    keep: float = 0.6,
    pairs: int = 437,
    lang: Language = "en",
    wording: Wording = "full",
    seed: int = 1,
    temperature: float = 0.7,
    own: bool = False,
) -> SamplePlan:
    """The plan for these debtors; `own` where they come from a file.

    No `styles` are all of them, no `require` is `filters.DEFAULT`. UnknownName for a set, a style,
    a seat or a metric that there is not; UsageError for what does not go together or is too small.
    """
    if name not in SETS:
        raise UnknownName("set", name, SETS)
    for option, number in (("per-style", per_style), ("pairs", pairs)):
        if number < 1:
            raise UsageError(f"--{option} must be at least 1, not {number}")
    if not 0 < keep <= 1:
        raise UsageError(f"--keep is a share above 0 and at most 1, not {keep:g}")
    if not people:
        raise UsageError(f"{suite} has no debtors")
    _check_seats(name, generator, debtor_seat, weak, lang)
    chosen = styles_named(tuple(styles))
    called = any(map(is_model, (generator, debtor_seat, weak)))
    required = tuple(map(parse_requirement, require)) or DEFAULT
    return SamplePlan(
        arrears=arrears.__version__,
        rules=rules_digest(*DIALOGUES, *_RULES, *(REQUESTS if called else ())),
        prompts=prompts_digest(lang),
        versions={"python": platform.python_version(), "numpy": np.__version__},
        set=name,
        seed=seed,
        suite=SuiteUse(name=suite, debtors=len(people), digest=digest_of(people), own=own),
        generator=generator,
        debtor_seat=debtor_seat,
        weak=weak,
        styles=tuple(style.name for style in chosen),
        per_style=per_style,
        require=tuple(map(str, required)),
        keep=keep,
        pairs=pairs,
        lang=lang,
        wording=wording,
        wordings=_wordings(generator, weak),
        sources=sources_of((generator, debtor_seat, weak)),
        temperature=temperature,
        mandate=Mandate(),
        max_turns=12,
    )


def agree(folder: Path, plan: SamplePlan) -> None:
    """Store the plan, or see that the stored one is the same. RunMismatch, BrokenFile."""
    path = folder / PLAN
    if not path.exists():
        store_plan(path, plan.model_dump(mode="json"))
        return
    stored = read_pinned(path, SamplePlan)
    there, asked = dict(stored), dict(plan)
    differing = [name for name in asked if name not in _TOLD_ONLY and there[name] != asked[name]]
    refuse(folder, "sample", there, asked, differing, remedy=_REMEDY)


def _check_seats(name: str, generator: str, debtor_seat: str, weak: str, lang: Language) -> None:
    _check_speaker(generator, "generator")
    check_debtor_seat(debtor_seat)
    if name.startswith("dpo-"):
        if not weak:
            raise UsageError(
                f"{name} needs --weak: who writes the rejected answers, a model or scripted/lenient"
            )
        _check_speaker(weak, "weak model")
    elif weak:
        raise UsageError(f"{name} has no rejected answers; --weak is for dpo-dg and dpo-mag")
    if lang != "en":
        built_in = [s for s in (generator, debtor_seat, weak) if s and speaks_english_only(s)]
        if built_in:
            raise UsageError(
                f"{built_in[0]} speaks and hears English only; --lang {lang} needs models in "
                "every seat (--debtor-seat too)"
            )


def _check_speaker(spec: str, kind: str) -> None:
    """UnknownName or UsageError unless it is a model or a built-in collector, without a method."""
    if method_of(spec)[1] != "direct":
        raise UsageError(f"{spec}: name the {kind} alone; a set's name says whether MADeN plays")
    if is_model(spec):
        if spec.partition("/")[0] != LOCAL:
            endpoint_of(spec, {})
    elif spec not in COLLECTORS:
        known = (*COLLECTORS, *(f"{p}/NAME" for p in providers()), f"{LOCAL}/PATH")
        raise UnknownName(kind, spec, known)


def _wordings(*specs: str) -> dict[str, Wording]:
    found: dict[str, Wording] = {}
    for spec in specs:
        told = told_of(spec, "collector_prompt")
        if told and told not in WORDINGS:
            raise UnknownName(f"collector_prompt in the {RECORD} of", told, WORDINGS)
        if told:
            found[spec] = told
    return found
