"""A stored run read back: its plan, its debtors, its scores and any of its dialogues."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from weakref import finalize

from pydantic import ValidationError

from arrears.bench.folder import DEBTORS, DIALOGUES, read_plan
from arrears.bench.plan import Plan, Populations, cases_of, digest_of
from arrears.bench.play import Player
from arrears.bench.scores import read_scores
from arrears.debtors.record import Debtor
from arrears.debtors.store import read_debtors
from arrears.debtors.suites import load_suite
from arrears.dialogue.record import DIALOGUE_ADAPTER, Dialogue
from arrears.errors import BrokenFile, RunMismatch
from arrears.files import CASE, LineReader, Span
from arrears.scoring.row import Row


@dataclass(frozen=True)
class StoredRun:
    """A run folder as it is now, complete or not. Nothing is written."""

    path: Path
    plan: Plan
    populations: Populations
    rows: list[Row]
    """In case order."""
    planned: int
    """Dialogues of the whole plan."""
    spans: Mapping[str, Span]
    """Where each dialogue lies in the file of dialogues."""
    file: LineReader
    """The file as it was when it was opened: a run that is being written may put another in its
    place, in another order."""

    def __post_init__(self) -> None:
        finalize(self, self.file.close)

    @property
    def complete(self) -> bool:
        """Whether every case of the plan has been played."""
        return len(self.rows) == self.planned

    def dialogue(self, case: str) -> Dialogue:
        """One dialogue, read now. BrokenFile where it cannot be read."""
        try:
            return DIALOGUE_ADAPTER.validate_json(self.line(case))
        except ValidationError as error:
            why = f"{case}: {error.errors()[0]['msg']}"
            raise BrokenFile(self.path / DIALOGUES, why) from None

    def line(self, case: str) -> bytes:
        """The same as it is stored."""
        return self.file.read(self.spans[case])

    def debtor(self, suite: str, debtor_id: str) -> Debtor:
        """One debtor of the run."""
        return self._by_id[suite, debtor_id]

    @cached_property
    def _by_id(self) -> Mapping[tuple[str, str], Debtor]:
        return {(suite, d.id): d for suite, people in self.populations.items() for d in people}


def open_run(path: Path) -> StoredRun:
    """Read a run back.

    Scores come from the folder where they cover what is stored, and are made from the dialogues
    where they do not. RunMismatch for a folder that is no run, or whose debtors are not those that
    this version ships; BrokenFile where something cannot be read.
    """
    plan = read_plan(path)
    populations = {use.name: _debtors(path, plan, use.name) for use in plan.suites}
    cases = list(cases_of(plan, populations))
    if not (path / DIALOGUES).exists():
        raise RunMismatch(f"{path} holds no dialogues yet")
    file = LineReader(path / DIALOGUES)
    try:
        spans = file.index(CASE)
        there = [case for case in cases if case.id in spans]
        if not there:
            raise RunMismatch(f"{path} holds no dialogues yet")
        rows = read_scores(path)
        if [row.case for row in rows] != [case.id for case in there]:
            player = Player(plan, populations)
            rows = [player.rescore(case, file.read(spans[case.id])) for case in there]
    except BaseException:
        file.close()
        raise
    return StoredRun(path, plan, populations, rows, len(cases), spans, file)


def _debtors(path: Path, plan: Plan, name: str) -> tuple[Debtor, ...]:
    use = next(use for use in plan.suites if use.name == name)
    everyone = tuple(read_debtors(path / DEBTORS)) if use.own else load_suite(name, "test")
    debtors = everyone[: use.debtors]
    if digest_of(debtors) != use.digest:
        raise RunMismatch(
            f"the debtors of {name} are not those that {path} was played with; "
            "read it with the arrears that wrote it"
        )
    return debtors
