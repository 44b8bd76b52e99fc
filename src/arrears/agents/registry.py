"""Seats by name. An unknown name is an error that lists the known; nothing falls back."""

import numpy as np

from arrears.agents.maden.team import METHODS, method_of
from arrears.agents.own import OWN, check_own, is_own
from arrears.agents.replay import REPLAY, check_replay
from arrears.debtors.record import Background, Debtor
from arrears.dialogue.loop import Agent
from arrears.errors import UnknownName, UsageError
from arrears.models.providers import LOCAL, endpoint_of, is_model, providers
from arrears.terms import Mandate

COLLECTORS = ("scripted/lenient", "scripted/typical", "scripted/firm", "scripted/adaptive")
DEBTOR_SEATS = ("scripted/debtor",)
PLANNER, JUDGE = "scripted/planner", "scripted/judge"
_SCRIPTED = "scripted/"


def check_collector(line: str) -> None:
    """UnknownName or UsageError unless a collector of that name can be seated."""
    model, method = method_of(line)
    if model.startswith(f"{REPLAY}/"):
        if method != "direct":
            raise UsageError(f"{model} repeats what was said; it takes no --method {method}")
        check_replay(model, "collector")
    elif is_own(model):
        check_own(model, "collector", ("reply",) if method == "direct" else ("draft", "revise"))
    elif not _check_model_name(model) and model not in COLLECTORS:
        raise UnknownName("collector", line, _known(COLLECTORS))


def check_debtor_seat(spec: str) -> None:
    """UnknownName or UsageError unless a debtor's seat of that name can be seated."""
    if spec.startswith(f"{REPLAY}/"):
        check_replay(spec, "debtor")
    elif is_own(spec):
        check_own(spec, "debtor")
    elif not _check_model_name(spec) and spec not in DEBTOR_SEATS:
        raise UnknownName("debtor seat", spec, _known(DEBTOR_SEATS))


def check_helper(spec: str, scripted: str, role: str) -> None:
    """The same for MADeN's planner and judge."""
    if not _check_model_name(spec) and spec != scripted:
        raise UnknownName(role, spec, _known((scripted,)))


def check_method(method: str) -> None:
    """UnknownName unless it is one."""
    if method not in METHODS:
        raise UnknownName("method", method, METHODS)


def helpers_of(line: str, planner: str | None, judge: str | None) -> tuple[str | None, str | None]:
    """Which planner and judge sit beside a collector: as named, else the speaker's own kind."""
    model, method = method_of(line)
    scripted = model.startswith(_SCRIPTED)
    plans, judges = method in ("planning", "maden"), method in ("judging", "maden")
    return (
        (planner or (PLANNER if scripted else model)) if plans else None,
        (judge or (JUDGE if scripted else model)) if judges else None,
    )


def models_of(
    collectors: tuple[str, ...],
    debtor_seats: tuple[str, ...],
    planner: str | None,
    judge: str | None,
) -> tuple[str, ...]:
    """Every model that a run has to call, each once."""
    named: list[str] = []
    for line in collectors:
        named += [method_of(line)[0], *filter(None, helpers_of(line, planner, judge))]
    return tuple(dict.fromkeys(spec for spec in (*named, *debtor_seats) if is_model(spec)))


def own_of(collectors: tuple[str, ...], debtor_seats: tuple[str, ...]) -> tuple[str, ...]:
    """Every seat of the user's own, each once."""
    named = (*(method_of(line)[0] for line in collectors), *debtor_seats)
    return tuple(dict.fromkeys(spec for spec in named if is_own(spec)))


def speaks_english_only(spec: str) -> bool:
    """Whether a seat is built in; these neither speak nor hear Chinese."""
    return method_of(spec)[0].startswith(_SCRIPTED)


def _check_model_name(spec: str) -> bool:
    """Whether a name means a model; UsageError where it begins like one and is none."""
    if not is_model(spec):
        return False
    if spec.partition("/")[0] != LOCAL:
        endpoint_of(spec, {})
    return True


def _known(built_in: tuple[str, ...]) -> tuple[str, ...]:
    return (*built_in, *(f"{p}/NAME" for p in providers()), f"{LOCAL}/PATH", f"{REPLAY}/RUN",
            f"{OWN}/FILE.py:NAME")  # fmt: skip


def make_collector(
    spec: str, rng: np.random.Generator, account: Background, mandate: Mandate
) -> Agent:
    """A built-in collector's seat for one talk."""
    from arrears.agents.collector import ScriptedCollector

    if spec not in COLLECTORS:
        raise UnknownName("collector", spec, COLLECTORS)
    return ScriptedCollector(spec.removeprefix(_SCRIPTED), rng, account, mandate)


def make_debtor_seat(
    spec: str, rng: np.random.Generator, debtor: Debtor, later: np.random.Generator | None = None
) -> Agent:
    """The built-in debtor's seat for one talk; `later`: its luck after what it remembers."""
    from arrears.agents.debtor import ScriptedDebtor

    if spec not in DEBTOR_SEATS:
        raise UnknownName("debtor seat", spec, DEBTOR_SEATS)
    return ScriptedDebtor(debtor, rng, later=later)
