"""A run from its plan to its report."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from arrears.bench.folder import CALLS, DEBTORS, DIALOGUES, PLAN, RunFolder
from arrears.bench.plan import Plan, Populations, cases_of
from arrears.bench.play import Played, Player
from arrears.bench.waiting import play_with_models
from arrears.bench.workers import play_here, play_in_workers, useful_workers
from arrears.errors import BrokenFile
from arrears.files import replace_file
from arrears.models.backends import Settings, check_model

if TYPE_CHECKING:
    from arrears.scoring.row import Row


class Progress(Protocol):
    """Is told how far a run has come."""

    def __call__(self, finished: int, total: int) -> None:
        """`finished` of `total` dialogues are stored."""


def silent(finished: int, total: int) -> None:
    """Tells no one."""


@dataclass(frozen=True, slots=True)
class Result:
    """A complete run."""

    path: Path
    plan: Plan
    rows: "list[Row]"
    """In case order."""
    played: int
    """Dialogues held now; the others were stored before."""


def run(
    plan: Plan,
    populations: Populations,
    path: Path,
    *,
    workers: int | None = None,
    settings: Settings | None = None,
    retry_errors: bool = False,
    progress: Progress = silent,
) -> Result:
    """Play what the plan still owes in this folder, put it in order and store the scores.

    With built-in seats the dialogues are the same bytes for any number of workers (None: as many
    as pay). `settings` says how models are called; `retry_errors` plays dialogues again that had
    ended as `error`. Errors: as `RunFolder` and `check_model`; BudgetSpent, and StorageError at any
    time, with everything that had finished kept.
    """
    settings = settings or Settings()
    for spec in plan.models():
        check_model(spec, settings)
    cases = list(cases_of(plan, populations))
    ids = [case.id for case in cases]
    player = Player(plan, populations)
    with RunFolder(path, plan) as folder:
        _keep_own_debtors(path, plan, populations)
        _refuse_strangers(folder, ids)
        if retry_errors:
            folder.forget("error")
        stored = {case.id for case in cases if case.id in folder.finished}
        owed = [case for case in cases if case.id not in stored]
        rows: dict[str, Row] = {}
        progress(len(stored), len(cases))

        def store(played: Played) -> None:
            folder.append(played.cases, played.lines, played.seconds)
            if played.rows:
                rows.update(zip(played.cases, played.rows, strict=True))
            progress(len(folder.finished), len(cases))

        if plan.waits():
            if owed:
                play_with_models(player, owed, settings, path / CALLS, store)
        else:
            count = useful_workers(len(owed), workers)
            for played in (
                play_here(player, owed) if count == 1 else play_in_workers(player, owed, count)
            ):
                store(played)
        folder.put_in_order(ids)
        before = [case for case in cases if case.id not in rows]
        for case, line in zip(before, folder.lines(c.id for c in before), strict=True):
            rows[case.id] = player.rescore(case, line)
        ordered = [rows[name] for name in ids]
        from arrears.bench.scores import write_scores

        write_scores(path, ordered)
    return Result(path, plan, ordered, len(owed))


def _keep_own_debtors(path: Path, plan: Plan, populations: Populations) -> None:
    """A folder tells its whole story: debtors that no suite ships are copied into it."""
    own = [suite.name for suite in plan.suites if suite.own]
    if own and not (path / DEBTORS).exists():
        lines = b"".join(
            debtor.model_dump_json().encode() + b"\n"
            for name in own
            for debtor in populations[name]
        )
        replace_file(path / DEBTORS, lambda out: out.write(lines))


def _refuse_strangers(folder: RunFolder, ids: list[str]) -> None:
    strangers = folder.finished.keys() - set(ids)
    if strangers:
        raise BrokenFile(
            folder.path / DIALOGUES, f"{sorted(strangers)[0]} is no case of this run's {PLAN}"
        )
