"""What a run is to play: suites, seats and seeds, and the cases that follow from them.

Two equal plans give the same dialogues. The plan is stored in `run.json` before the first word is
spoken; a run is resumed by exactly that plan or not at all.
"""

import platform
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from pydantic import Field

import arrears
from arrears.agents.briefing import WORDINGS, DebtorPrompt, Wording
from arrears.agents.maden.team import method_of
from arrears.agents.own import own_digest
from arrears.agents.registry import (
    JUDGE,
    PLANNER,
    check_collector,
    check_debtor_seat,
    check_helper,
    models_of,
    own_of,
    speaks_english_only,
)
from arrears.bench.sources import sources_of
from arrears.debtors.record import Debtor, Record
from arrears.errors import UnknownName, UsageError
from arrears.models.backends import is_model
from arrears.models.trained import RECORD, told_of
from arrears.prompts.library import Language, prompts_digest
from arrears.runs.rules import dialogue_rules
from arrears.strategies import Taxonomy, for_seats
from arrears.terms import Mandate

FORMAT_VERSION = 2
"""Of the run folder. Raised when an older folder can no longer be read as it was meant."""
Populations = Mapping[str, tuple[Debtor, ...]]


class SuiteUse(Record):
    """The debtors that a run takes from one suite."""

    name: str
    """The suite, or the stem of an own file of debtors."""
    debtors: Annotated[int, Field(ge=1)]
    """How many of its debtors play, from the first on."""
    digest: str
    """SHA-256 over their records, one line of JSON each."""
    own: bool = False
    """Whether they come from a file; then the folder keeps a copy of it."""


class Plan(Record):
    """A whole run, as it is stored in `run.json`."""

    format: int = FORMAT_VERSION
    """Format version of the folder."""
    arrears: str
    """Version of the package that began it, for the record: `rules` decides."""
    rules: str
    """Digest of the code and data that decide what is said (`arrears.runs.rules`)."""
    versions: dict[str, str]
    """Of Python and numpy, for the record; they may differ when a run is resumed."""
    seed: int
    """The root of every random number's address."""
    suites: Annotated[tuple[SuiteUse, ...], Field(min_length=1)]
    """The debtors, suite by suite."""
    collectors: Annotated[tuple[str, ...], Field(min_length=1)]
    """Names of the collectors: a model, or a model and a method (`scripted/typical+maden`)."""
    debtor_seats: Annotated[tuple[str, ...], Field(min_length=1)]
    """Specs of the debtors' seats; every collector meets each of them."""
    planner: str | None = None
    """MADeN's planner where it is not the speaker's own kind."""
    judge: str | None = None
    """MADeN's judge, likewise."""
    lang: Language = "en"
    """Language of the prompts."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Of every model's sampling; DCN Table 10 has 0."""
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """Of one answer; None: 1,024, and 4,096 for models that reason first."""
    debtor_prompt: DebtorPrompt = "both"
    """What a debtor's model is told of the person; "both" in folders that do not say."""
    wordings: dict[str, Wording] = Field(default_factory=dict)
    """How models in the collector's seat are briefed, where that is not "full"."""
    strategies: str = ""
    """The taxonomy that models are given, as YAML; "" is the shipped one."""
    prompts: str = ""
    """SHA-256 over the prompts, where a model is asked anything."""
    code: dict[str, str] = Field(default_factory=dict)
    """SHA-256 of the files of seats that the user wrote, by name."""
    sources: dict[str, str] = Field(default_factory=dict)
    """Digest of what seats speak from that are local models or replay a run, by name."""
    repeats: Annotated[int, Field(ge=1)]
    """How often each pair of seats meets."""
    mandate: Mandate
    """The creditor's limits."""
    max_turns: Annotated[int, Field(ge=1)]
    """Exchanges after which a talk ends without agreement."""

    def models(self) -> tuple[str, ...]:
        """Every model that the run calls; none where all seats are built in or replayed."""
        return models_of(self.collectors, self.debtor_seats, self.planner, self.judge)

    def taxonomy(self) -> Taxonomy | None:
        """The strategies that models are given; None: the shipped ones. BrokenFile."""
        return for_seats(self.strategies, Path("run.json")) if self.strategies else None

    def waits(self) -> bool:
        """Whether a seat may have to be waited for: a model, or one that the user wrote."""
        return bool(self.models() or self.code)

    def differences(self, other: "Plan") -> list[str]:
        """Names of the fields in which the two would not play the same run."""
        fields = [f for f in type(self).model_fields if f not in ("arrears", "versions")]
        return [f for f in fields if getattr(self, f) != getattr(other, f)]


class Case(NamedTuple):
    """One negotiation to be held."""

    suite: str
    collector: str
    debtor_seat: str
    position: int
    """Of the debtor within the suite's debtors that play."""
    debtor_id: str
    repeat: int
    """From 1."""

    @property
    def id(self) -> str:
        """`suite/collector/debtor seat/debtor/repeat`, unique within a run."""
        return f"{self.suite}/{self.collector}/{self.debtor_seat}/{self.debtor_id}/{self.repeat}"


def make_plan(
    populations: Populations,
    *,
    collectors: Sequence[str],
    debtor_seats: Sequence[str] = ("scripted/debtor",),
    planner: str | None = None,
    judge: str | None = None,
    lang: Language = "en",
    temperature: float = 0.0,
    max_tokens: int | None = None,
    debtor_prompt: DebtorPrompt = "both",
    wording: Wording | None = None,
    strategies: str = "",
    seed: int = 1,
    repeats: int = 1,
    mandate: Mandate | None = None,
    max_turns: int = 12,
    own: frozenset[str] = frozenset(),
) -> Plan:
    """The plan for these debtors and seats.

    `own` names the populations that come from files; `wording` is how models in the collector's
    seat are briefed, None for what they were trained with, else in full. UnknownName for a seat
    that does not exist, UsageError for a collector or a debtor named twice, an empty population, a
    number below 1, or a `debtor_prompt` where a debtor's seat has no prompt or a debtor no persona.
    """
    _check_seats(collectors, debtor_seats, planner, judge, lang)
    if debtor_prompt != "both":
        _check_prompt(debtor_prompt, debtor_seats, populations)
    for name, number in (("repeats", repeats), ("max-turns", max_turns)):
        if number < 1:
            raise UsageError(f"--{name} must be at least 1, not {number}")
    called = models_of(tuple(collectors), tuple(debtor_seats), planner, judge)
    if strategies and not called:
        raise UsageError("built-in seats have strategies of their own; --strategies is for models")
    return Plan(
        arrears=arrears.__version__,
        rules=dialogue_rules(with_models=bool(called)),
        versions={"python": platform.python_version(), "numpy": np.__version__},
        seed=seed,
        suites=tuple(_use(name, debtors, name in own) for name, debtors in populations.items()),
        collectors=tuple(collectors),
        debtor_seats=tuple(debtor_seats),
        planner=planner,
        judge=judge,
        lang=lang,
        temperature=temperature,
        max_tokens=max_tokens,
        debtor_prompt=debtor_prompt,
        wordings=_wordings(collectors, wording),
        strategies=strategies,
        prompts=prompts_digest(lang) if called else "",
        code={spec: own_digest(spec) for spec in own_of(tuple(collectors), tuple(debtor_seats))},
        sources=sources_of((*called, *map(_seat, collectors), *debtor_seats)),
        repeats=repeats,
        mandate=mandate or Mandate(),
        max_turns=max_turns,
    )


def _seat(line: str) -> str:
    return method_of(line)[0]


def _check_seats(
    collectors: Sequence[str],
    debtor_seats: Sequence[str],
    planner: str | None,
    judge: str | None,
    lang: Language,
) -> None:
    for line in collectors:
        check_collector(line)
    for spec in debtor_seats:
        check_debtor_seat(spec)
    for option, named in (("collector", collectors), ("debtor-seat", debtor_seats)):
        if len(set(named)) < len(named):
            raise UsageError(f"each --{option} may be named once; use --repeats to play it again")
    if planner is not None:
        check_helper(planner, PLANNER, "planner")
    if judge is not None:
        check_helper(judge, JUDGE, "judge")
    if lang != "en":
        built_in = [s for s in (*collectors, *debtor_seats) if speaks_english_only(s)]
        if built_in:
            raise UsageError(
                f"{built_in[0]} speaks and hears English only; --lang {lang} needs a model in "
                "both seats"
            )


def _wordings(collectors: Sequence[str], wanted: Wording | None) -> dict[str, Wording]:
    """How each collector that is a model is briefed, where not in full."""
    found: dict[str, Wording] = {}
    for line in collectors:
        model = method_of(line)[0]
        if is_model(model):
            told = wanted or told_of(model, "collector_prompt") or "full"
            if told not in WORDINGS:
                raise UnknownName(f"collector_prompt in the {RECORD} of", told, WORDINGS)
            if told != "full":
                found[model] = told
    return found


def _check_prompt(
    variant: DebtorPrompt, debtor_seats: Sequence[str], populations: Populations
) -> None:
    for spec in debtor_seats:
        if not is_model(spec):
            raise UsageError(f"{spec} has no prompt; --debtor-prompt {variant} is for a model")
    for name, debtors in populations.items():
        if any(debtor.personality is None for debtor in debtors):
            raise UsageError(
                f"{name} has debtors without a persona; --debtor-prompt {variant} needs debtors "
                "with one, such as debtbench"
            )


def _use(name: str, debtors: Sequence[Debtor], own: bool) -> SuiteUse:
    if not debtors:
        raise UsageError(f"{name} has no debtors")
    seen: set[str] = set()
    for debtor in debtors:
        if debtor.id in seen:
            raise UsageError(f"{name}: debtor id {debtor.id!r} occurs twice")
        seen.add(debtor.id)
    return SuiteUse(name=name, debtors=len(debtors), digest=digest_of(debtors), own=own)


def digest_of(debtors: Sequence[Debtor]) -> str:
    """SHA-256 over records, one line of JSON each."""
    digest = sha256()
    for debtor in debtors:
        digest.update(debtor.model_dump_json().encode() + b"\n")
    return digest.hexdigest()


def cases_of(plan: Plan, populations: Populations) -> Iterator[Case]:
    """Every case of a plan in the order in which a complete run stores them."""
    for suite in plan.suites:
        for collector in plan.collectors:
            for seat in plan.debtor_seats:
                for repeat in range(1, plan.repeats + 1):
                    for position, debtor in enumerate(populations[suite.name]):
                        yield Case(suite.name, collector, seat, position, debtor.id, repeat)
