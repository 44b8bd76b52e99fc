"""Seats by name. An unknown name is an error that lists the known; nothing falls back."""

import numpy as np

from arrears.debtors.record import Background, Debtor
from arrears.dialogue.loop import Agent
from arrears.errors import UnknownName
from arrears.terms import Mandate

COLLECTORS = ("scripted/lenient", "scripted/typical", "scripted/firm", "scripted/adaptive")
DEBTOR_SEATS = ("scripted/debtor",)


def check_collector(spec: str) -> None:
    """UnknownName unless a collector of that name exists."""
    if spec not in COLLECTORS:
        raise UnknownName("collector", spec, COLLECTORS)


def check_debtor_seat(spec: str) -> None:
    """UnknownName unless a debtor's seat of that name exists."""
    if spec not in DEBTOR_SEATS:
        raise UnknownName("debtor seat", spec, DEBTOR_SEATS)


def make_collector(
    spec: str, rng: np.random.Generator, account: Background, mandate: Mandate
) -> Agent:
    """The collector's seat for one talk."""
    from arrears.agents.collector import ScriptedCollector

    check_collector(spec)
    return ScriptedCollector(spec.removeprefix("scripted/"), rng, account, mandate)


def make_debtor_seat(spec: str, rng: np.random.Generator, debtor: Debtor) -> Agent:
    """The debtor's seat for one talk."""
    from arrears.agents.debtor import ScriptedDebtor

    check_debtor_seat(spec)
    return ScriptedDebtor(debtor, rng)
