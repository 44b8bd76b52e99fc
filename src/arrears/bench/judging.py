"""Scoring a stored run again with models as judges, without playing it again.

`judgements/KIND--JUDGE.jsonl` in the run's folder holds one line a dialogue, appended as it is
judged; the `.json` beside it says by whom and with which prompts. The same command goes on where a
killed one stopped. A judge that failed leaves its reason, and no score.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from arrears.bench.folder import CALLS, LineFile, LineReader, lock, replace_file, storage
from arrears.bench.run import Progress, silent
from arrears.bench.stored import StoredRun
from arrears.bench.waiting import run_to_end, side_by_side
from arrears.dialogue.record import Dialogue
from arrears.errors import BrokenFile, ModelError, RunMismatch, RunStopped, UnknownName
from arrears.models.backends import Backends, Settings, check_model
from arrears.models.chat import Purpose, Sampling
from arrears.models.usage import Usage
from arrears.prompts.library import Language, prompts_digest
from arrears.rng import rng_for
from arrears.scoring.judges import KINDS, Kind, judge_dialogue, judge_pair, scales
from arrears.scoring.rubric import judge as rubric_judge
from arrears.scoring.unscored import Unscored

JUDGEMENTS = "judgements"
RUBRIC = "scripted/rubric"
PAIRWISE = "pairwise"
_RUBRIC_KINDS: Mapping[Kind, tuple[str, ...]] = {
    "experience": ("US", "ES", "CA"),
    "soundness": ("DS",),
}


class Judged(NamedTuple):
    """One stored judgement."""

    case: str
    scores: Mapping[str, float]
    """Empty where there is none."""
    unscored: str
    """Why there is none; "" where there are scores."""
    reason: str
    """What the judge gave for a reason."""


class Sheet(NamedTuple):
    """All judgements of one kind by one judge."""

    kind: str
    judge: str
    against: str
    """The run that was compared with, for `pairwise`."""
    judged: Mapping[str, Judged]
    """By case."""

    def column(self, score: str) -> dict[str, float]:
        """One score by case, where it was given."""
        return {c: j.scores[score] for c, j in self.judged.items() if score in j.scores}


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
        held = lock(run.path)
    files: dict[str, LineFile] = {}
    try:
        cases = [row.case for row in run.rows][:limit]
        owed: list[tuple[str, str, StoredRun | None]] = []
        for kind, other in jobs:
            stem = "--".join(map(_slug, (kind, judge, *([other.path.name] if other else ()))))
            head, lines = folder / f"{stem}.json", folder / f"{stem}.jsonl"
            _agree(head, _header(kind, judge, language, temperature, other))
            if retry_errors:
                _forget_failures(lines)
            files[kind] = LineFile(lines)
            done = files[kind].index("case")
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
        os.close(held)
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
        self, owed: Iterable[tuple[str, str, StoredRun | None]], progress: Progress
    ) -> None:
        """Ask for everything that is owed, so many at a time."""
        jobs = iter(owed)
        stopped: list[RunStopped] = []
        async with Backends(self._settings, self._run.path / CALLS) as models:

            async def one_after_another() -> None:
                for kind, case, other in jobs:
                    try:
                        found = await self._one(models, kind, case, other)
                    except RunStopped as stop:
                        stopped.append(stop)
                        return
                    self.store(kind, case, *found)
                    self.tell(progress)
                    if stopped:
                        return

            await side_by_side(one_after_another, self._settings.concurrency)
        if stopped:
            raise stopped[0]

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


def read_sheets(folder: Path) -> list[Sheet]:
    """All judgements that lie in a run's folder, by kind and judge. BrokenFile."""
    sheets = []
    for head in sorted((folder / JUDGEMENTS).glob("*.json")):
        try:
            header = orjson.loads(head.read_bytes())
            lines = head.with_suffix(".jsonl")
            judged = _judged(lines) if lines.exists() else {}
            sheets.append(Sheet(header["kind"], header["judge"], header["against"], judged))
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise BrokenFile(head, f"not a judge's header ({error!r})") from None
    order = [*KINDS, PAIRWISE]
    return sorted(sheets, key=lambda s: (order.index(s.kind), s.judge, s.against))


def _judged(path: Path) -> dict[str, Judged]:
    with LineReader(path) as file:
        rows = [orjson.loads(file.read(span)) for span in file.index("case").values()]
    return {
        r["case"]: Judged(
            r["case"], r.get("scores", {}), r.get("unscored", ""), r.get("reason", "")
        )
        for r in rows
    }


def _forget_failures(path: Path) -> None:
    """Drop the lines of judgements that failed, atomically."""
    if not path.exists():
        return
    lines = [
        line
        for line in path.read_bytes().splitlines(keepends=True)
        if line.endswith(b"\n") and "scores" in orjson.loads(line)
    ]
    replace_file(path, lambda out: out.writelines(lines))


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


def _twin(other: StoredRun, dialogue: Dialogue) -> Dialogue | None:
    """The dialogue of another run with the same debtor and repeat; the first collector's."""
    repeat = dialogue.case.rpartition("/")[2]
    for row in other.rows:
        same = (row.suite, row.debtor_id) == (dialogue.suite, dialogue.debtor_id)
        if same and row.case.rpartition("/")[2] == repeat:
            return other.dialogue(row.case)
    return None


def _header(
    kind: str, judge: str, language: Language, temperature: float, other: StoredRun | None
) -> dict[str, Any]:
    return {
        "kind": kind,
        "judge": judge,
        "lang": language,
        "temperature": temperature,
        "prompts": "" if judge == RUBRIC else prompts_digest(language),
        "against": str(other.path) if other else "",
    }


def _agree(path: Path, header: Mapping[str, Any]) -> None:
    """Store what judges here, or see that it is the same as before."""
    if path.exists():
        stored = orjson.loads(path.read_bytes())
        differing = [k for k in header if stored.get(k) != header[k]]
        if differing:
            raise RunMismatch(
                f"{path} holds judgements made otherwise ({', '.join(differing)} differ); remove "
                "it and its .jsonl to judge anew"
            )
        return
    text = orjson.dumps(header, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    replace_file(path, lambda out: out.write(text))


def _slug(name: str) -> str:
    """A name as part of a file's name."""
    return "".join(c if c.isalnum() or c in "-." else "_" for c in name.partition("@")[0])
