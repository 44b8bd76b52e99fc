"""Scoring a stored run again with models as judges, without playing it again.

Each judgement is stored as it is given (`sheets.py`); the same command goes on where a killed one
stopped. A judge that failed leaves its reason, and no score.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

import arrears
from arrears.bench.folder import CALLS
from arrears.bench.run import Progress, silent
from arrears.bench.sheets import (
    JUDGEMENTS,
    PAIRWISE,
    Sheet,
    agree_on_header,
    forget_failures,
    read_sheets,
    slug,
)
from arrears.bench.sources import sources_of
from arrears.bench.stored import StoredRun
from arrears.bench.waiting import run_to_end, side_by_side
from arrears.dialogue.record import Dialogue
from arrears.errors import ModelError, UnknownName, UsageError
from arrears.files import CASE, LineFile, storage
from arrears.models.backends import Backends, Settings, check_model
from arrears.models.chat import Purpose, Sampling
from arrears.models.usage import Usage
from arrears.prompts.library import Language, prompts_digest
from arrears.rng import rng_for
from arrears.runs.lock import lock_folder
from arrears.runs.rules import REQUESTS, rules_digest
from arrears.scoring.judges import KINDS, Kind, judge_dialogue, judge_pair, scales
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
    same debtors. UnknownName, UsageError and RunMismatch before anything is asked; BudgetSpent and
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
            if retry_errors:
                forget_failures(lines)
            files[kind] = LineFile(lines)
            done = files[kind].index(CASE)
            owed += [(kind, case, other) for case in cases if case not in done]
        total = len(jobs) * len(cases)
        progress(total - len(owed), total)
        work = _Work(run, judge, language, temperature, settings, files, total - len(owed), total)
        if judge == RUBRIC:
            for kind, case, _ in owed:
                work.store(kind, case, *_by_rubric(run, kind, case))
                work.tell(progress)
        elif owed:
            run_to_end(work.ask(owed, progress))
    finally:
        for file in files.values():
            file.close()
        held.close()
    names = {kind for kind, _ in jobs}
    return [s for s in read_sheets(run.path) if s.judge == judge and s.kind in names]


class _Work:
    """The judging of one command."""

    def __init__(
        self,
        run: StoredRun,
        judge: str,
        language: Language,
        temperature: float,
        settings: Settings,
        files: Mapping[str, LineFile],
        done: int,
        total: int,
    ) -> None:
        self._run, self._judge, self._language = run, judge, language
        self._temperature, self._settings = temperature, settings
        self._files, self._done, self._total = files, done, total

    async def ask(
        self, owed: Sequence[tuple[str, str, StoredRun | None]], progress: Progress
    ) -> None:
        """Ask for everything that is owed, so many at a time."""
        async with Backends(self._settings, self._run.path / CALLS) as models:

            async def one(job: tuple[str, str, StoredRun | None]) -> None:
                kind, case, other = job
                self.store(kind, case, *await self._one(models, kind, case, other))
                self.tell(progress)

            await side_by_side(owed, one, self._settings.concurrency)

    async def _one(
        self, models: Backends, kind: str, case: str, other: StoredRun | None
    ) -> tuple[Mapping[str, float] | Unscored, str, Usage]:
        run = self._run
        dialogue = run.dialogue(case)
        if not dialogue.turns:
            return Unscored(f"nothing was said ({dialogue.ending})"), "", Usage()
        rng = rng_for(run.plan.seed, "judge", case, kind)
        sampling = Sampling(self._temperature, int(rng.integers(1 << 31)))
        model = models.model(self._judge, Purpose(case, "judge", kind))
        try:
            if other is not None:
                twin = _twin(other, dialogue)
                if twin is None or not twin.turns:
                    return Unscored(f"{other.path.name} has no talk to compare"), "", Usage()
                found = await judge_pair(model, sampling, dialogue, twin, self._language)
            else:
                debtor = run.debtor(dialogue.suite, dialogue.debtor_id)
                assert kind in KINDS, kind
                found = await judge_dialogue(
                    kind, model, sampling, dialogue, debtor, self._language
                )
        except ModelError as error:
            return Unscored(str(error)), "", Usage()
        return found.scores, found.reason, found.usage

    def store(
        self,
        kind: str,
        case: str,
        found: Mapping[str, float] | Unscored,
        reason: str,
        usage: Usage,
    ) -> None:
        """One line."""
        line: dict[str, Any] = {"case": case}
        if isinstance(found, Unscored):
            line["unscored"] = found.reason
        else:
            line |= {"scores": dict(found), "reason": reason}
        line |= {"in": usage.tokens_in, "out": usage.tokens_out}
        self._files[kind].append([orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)])

    def tell(self, progress: Progress) -> None:
        """One more is done."""
        self._done += 1
        progress(self._done, self._total)


def _by_rubric(
    run: StoredRun, kind: str, case: str
) -> tuple[Mapping[str, float] | Unscored, str, Usage]:
    dialogue = run.dialogue(case)
    verdict = rubric_judge(dialogue, run.debtor(dialogue.suite, dialogue.debtor_id))
    given = dict(zip(("US", "ES", "CA", "DS"), verdict, strict=True))
    scores: dict[str, float] = {}
    for name in scales("experience" if kind == "experience" else "soundness"):
        value = given[name]
        if isinstance(value, Unscored):
            return value, "", Usage()
        scores[name] = value
    return scores, "", Usage()


def _comparable(run: StoredRun, other: StoredRun) -> None:
    """UsageError unless each of this run's dialogues has one to be compared with at most."""
    if len(_lines(other)) > 1 and _lines(run) - _lines(other):
        raise UsageError(
            f"{other.path} has several collectors or debtors' seats, and not those of {run.path}; "
            "compare with a run that has one of each, or the same"
        )


def _lines(run: StoredRun) -> set[tuple[str, str]]:
    return {(row.collector, row.debtor_seat) for row in run.rows}


def _twin(other: StoredRun, dialogue: Dialogue) -> Dialogue | None:
    """The dialogue of another run with the same debtor and repeat, and the same two seats where
    that run has several.
    """
    repeat = dialogue.case.rpartition("/")[2]
    several = len(_lines(other)) > 1
    for row in other.rows:
        same = (row.suite, row.debtor_id) == (dialogue.suite, dialogue.debtor_id)
        seats = (row.collector, row.debtor_seat) == (dialogue.collector, dialogue.debtor_seat)
        if same and (seats or not several) and row.case.rpartition("/")[2] == repeat:
            return other.dialogue(row.case)
    return None


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
