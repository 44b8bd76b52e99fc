"""Scoring a stored run again with models as judges, without playing it again.

Each judgement is stored as it is given (`sheets.py`); the same command goes on where a killed one
stopped. A judgement that failed leaves its reason and who failed, and no score. A dialogue that
failed is no dialogue: no judge is asked about it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

import arrears
from arrears.bench.folder import CALLS
from arrears.bench.run import Progress, silent
from arrears.bench.sheets import (
    JUDGEMENTS,
    NOT_PLAYED,
    PAIRWISE,
    Sheet,
    agree_on_header,
    failed_in,
    forget_failures,
    sheets_of,
    slug,
)
from arrears.bench.sources import sources_of
from arrears.bench.stored import StoredRun
from arrears.bench.waiting import run_to_end, side_by_side
from arrears.dialogue.record import Dialogue
from arrears.errors import UnknownName, UsageError
from arrears.files import CASE, LineFile, storage
from arrears.models.backends import Backends, Settings, check_model
from arrears.models.chat import Purpose, Sampling
from arrears.models.unanswered import Unanswered, unanswered_of
from arrears.models.usage import Usage
from arrears.prompts.library import Language, prompts_digest
from arrears.rng import rng_for
from arrears.runs.lock import lock_folder
from arrears.runs.rules import REQUESTS, rules_digest
from arrears.scoring.judges import (
    KINDS,
    Judgement,
    Kind,
    judge_dialogue,
    judge_pair,
    scales,
)
from arrears.scoring.row import Row
from arrears.scoring.rubric import judge as rubric_judge
from arrears.scoring.unscored import Unscored

RUBRIC = "scripted/rubric"
_BY_RUBRIC = ("scoring.rubric",)
_BY_MODEL = ("scoring.judges", *REQUESTS)
_RUBRIC_KINDS: Mapping[Kind, tuple[str, ...]] = {
    "experience": ("US", "ES", "CA"),
    "soundness": ("DS",),
}


def judge_run(
    run: StoredRun,
    judge: str,
    kinds: Sequence[Kind],
    settings: Settings,
    *,
    language: Language = "en",
    temperature: float = 0.0,
    limit: int | None = None,
    against: StoredRun | None = None,
    retry_errors: bool = False,
    progress: Progress = silent,
) -> list[Sheet]:
    """Judge what is not judged yet; the sheets of these kinds by this judge.

    `against` adds pairwise judgements: this run's dialogues against those of another run with the
    same debtors. `retry_errors` asks again for what failed before. UnknownName, UsageError and
    RunMismatch before anything is asked; RunStopped (the money is spent, the endpoint is down) and
    StorageError later, with everything that was judged kept.
    """
    jobs: list[tuple[str, StoredRun | None]] = [(kind, None) for kind in kinds]
    if against is not None:
        _comparable(run, against)
        jobs.append((PAIRWISE, against))
    if judge != RUBRIC:
        check_model(judge, settings)
    else:
        unknown = [kind for kind, _ in jobs if kind not in _RUBRIC_KINDS]
        if unknown:
            raise UnknownName(f"kind for {RUBRIC}", unknown[0], _RUBRIC_KINDS)
    twins = _twins(run, against) if against is not None else {}
    folder = run.path / JUDGEMENTS
    with storage(folder):
        folder.mkdir(exist_ok=True)
        held = lock_folder(run.path)
    files: dict[str, LineFile] = {}
    try:
        cases = [row.case for row in run.rows][:limit]
        owed: list[tuple[str, str, StoredRun | None]] = []
        for kind, other in jobs:
            stem = "--".join(map(slug, (kind, judge, *([other.path.name] if other else ()))))
            head, lines = folder / f"{stem}.json", folder / f"{stem}.jsonl"
            agree_on_header(head, _header(kind, judge, language, temperature, other))
            broken = {case for case in cases if other is not None and _failed(twins.get(case))}
            forget_failures(lines, retry_errors, failed_in(run) | broken)
            files[kind] = LineFile(lines)
            done = files[kind].index(CASE)
            owed += [(kind, case, other) for case in cases if case not in done]
        total = len(jobs) * len(cases)
        progress(total - len(owed), total)
        work = _Work(
            run, judge, language, temperature, settings, twins, files, total - len(owed), total
        )
        if judge == RUBRIC:
            for kind, case, _ in owed:
                work.store(kind, case, _by_rubric(run, kind, case))
                work.tell(progress)
        elif owed:
            run_to_end(work.ask(owed, progress))
    finally:
        for file in files.values():
            file.close()
        held.close()
    names = {kind for kind, _ in jobs}
    return [s for s in sheets_of(run) if s.judge == judge and s.kind in names]


class _Work:
    """The judging of one command."""

    def __init__(
        self,
        run: StoredRun,
        judge: str,
        language: Language,
        temperature: float,
        settings: Settings,
        twins: Mapping[str, Row],
        files: Mapping[str, LineFile],
        done: int,
        total: int,
    ) -> None:
        self._run, self._judge, self._language = run, judge, language
        self._temperature, self._settings = temperature, settings
        self._twins = twins
        self._files, self._done, self._total = files, done, total

    async def ask(
        self, owed: Sequence[tuple[str, str, StoredRun | None]], progress: Progress
    ) -> None:
        """Ask for everything that is owed, so many at a time."""
        async with Backends(self._settings, self._run.path / CALLS) as models:

            async def one(job: tuple[str, str, StoredRun | None]) -> None:
                kind, case, other = job
                try:
                    found = await self._one(models, kind, case, other)
                except Exception as error:
                    # Whatever went wrong about this one judgement is no reason to lose the others.
                    found = unanswered_of(error, "judge")
                self.store(kind, case, found)
                self.tell(progress)

            await side_by_side(owed, one, self._settings.concurrency)

    async def _one(
        self, models: Backends, kind: str, case: str, other: StoredRun | None
    ) -> Judgement | Unanswered:
        """One judgement. ModelError and what else can go wrong in asking for it."""
        run = self._run
        dialogue = run.dialogue(case)
        if (nothing := _nothing_in(dialogue)) is not None:
            return nothing
        rng = rng_for(run.plan.seed, "judge", case, kind)
        sampling = Sampling(self._temperature, int(rng.integers(1 << 31)))
        model = models.model(self._judge, Purpose(case, "judge", kind))
        if other is not None:
            row = self._twins.get(case)
            twin = other.dialogue(row.case) if row is not None else None
            if twin is None or _nothing_in(twin) is not None:
                return _not_asked(f"{other.path.name} has no dialogue to compare")
            return await judge_pair(model, sampling, dialogue, twin, self._language)
        debtor = run.debtor(dialogue.suite, dialogue.debtor_id)
        assert kind in KINDS, kind
        return await judge_dialogue(kind, model, sampling, dialogue, debtor, self._language)

    def store(self, kind: str, case: str, found: Judgement | Unanswered) -> None:
        """One line."""
        line: dict[str, Any] = {"case": case}
        usage = Usage()
        if isinstance(found, Unanswered):
            line |= {"unscored": found.reason, "failure": found.stored()}
        else:
            line |= {"scores": dict(found.scores), "reason": found.reason}
            usage = found.usage
        line |= {"in": usage.tokens_in, "out": usage.tokens_out}
        self._files[kind].append([orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)])

    def tell(self, progress: Progress) -> None:
        """One more is done."""
        self._done += 1
        progress(self._done, self._total)


def _nothing_in(dialogue: Dialogue) -> Unanswered | None:
    """Why a dialogue is not shown to a judge; None where there is something to judge."""
    if dialogue.failed is not None:
        return NOT_PLAYED
    if not dialogue.turns:
        return _not_asked(f"nothing was said ({dialogue.ending})")
    return None


def _not_asked(reason: str) -> Unanswered:
    return Unanswered(cause="not_asked", seat="judge", reason=reason)


def _by_rubric(run: StoredRun, kind: str, case: str) -> Judgement | Unanswered:
    dialogue = run.dialogue(case)
    if dialogue.failed is not None:
        return NOT_PLAYED
    verdict = rubric_judge(dialogue, run.debtor(dialogue.suite, dialogue.debtor_id))
    given = dict(zip(("US", "ES", "CA", "DS"), verdict, strict=True))
    scores: dict[str, float] = {}
    for name in scales("experience" if kind == "experience" else "soundness"):
        value = given[name]
        if isinstance(value, Unscored):
            return _not_asked(value.reason)
        scores[name] = value
    return Judgement(scores, "", Usage())


def _comparable(run: StoredRun, other: StoredRun) -> None:
    """UsageError unless each of this run's dialogues has one to be compared with at most."""
    if len(_lines(other)) > 1 and _lines(run) - _lines(other):
        raise UsageError(
            f"{other.path} has several collectors or debtors' seats, and not those of {run.path}; "
            "compare with a run that has one of each, or the same"
        )


def _lines(run: StoredRun) -> set[tuple[str, str]]:
    return {(row.collector, row.debtor_seat) for row in run.rows}


def _twins(run: StoredRun, other: StoredRun) -> dict[str, Row]:
    """What each dialogue is compared with, by case: that of another run with the same debtor and
    repeat, and the same two seats where that run has several.
    """
    several = len(_lines(other)) > 1

    def key(row: Row) -> tuple[str, ...]:
        seats = (row.collector, row.debtor_seat) if several else ()
        return (row.suite, row.debtor_id, row.case.rpartition("/")[2], *seats)

    there: dict[tuple[str, ...], Row] = {}
    for row in other.rows:
        there.setdefault(key(row), row)
    return {row.case: there[key(row)] for row in run.rows if key(row) in there}


def _failed(row: Row | None) -> bool:
    return row is not None and row.failure is not None


def _header(
    kind: str, judge: str, language: Language, temperature: float, other: StoredRun | None
) -> dict[str, Any]:
    return {
        "arrears": arrears.__version__,
        "rules": rules_digest(*(_BY_RUBRIC if judge == RUBRIC else _BY_MODEL)),
        "kind": kind,
        "judge": judge,
        "lang": language,
        "temperature": temperature,
        "prompts": "" if judge == RUBRIC else prompts_digest(language),
        "against": str(other.path) if other else "",
        "sources": sources_of((judge,)),
    }
