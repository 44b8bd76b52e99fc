"""Asking a model about each of many conversations; each answer is stored as it comes.

The file goes on where a killed command stopped. An answer is found by the conversation, its words
and what it was asked by (model, prompt, language): what has changed is asked again. A question that
failed is stored too, with who failed, and is never taken for an answer; `Clerk.retry_errors` asks
it again.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import orjson

from arrears.bench.run import Progress
from arrears.bench.sources import sources_of
from arrears.bench.waiting import run_to_end, side_by_side
from arrears.errors import BrokenFile, ModelError
from arrears.files import CASE, LineFile, replace_file
from arrears.models.backends import Backends, Settings, check_model
from arrears.models.chat import Message, Purpose, Sampling, Schema
from arrears.models.json_answers import ask_json
from arrears.models.unanswered import Unanswered, causes_text, counted, unanswered_of
from arrears.prompts.library import Language, Prompt, prompt
from arrears.rng import rng_for
from arrears.runs.lock import lock_file

T = TypeVar("T")
_MOST_TOKENS = 4096


class Question(NamedTuple, Generic[T]):
    """One thing that is asked."""

    case: str
    """What it is about; unique."""
    filled: Prompt
    schema: Schema
    read: Callable[[dict[str, Any]], T]
    """Refuses by ValueError, KeyError or TypeError what cannot be taken."""


class Asked(NamedTuple, Generic[T]):
    """What came of all questions."""

    answers: Mapping[str, T]
    """By case; what failed is missing."""
    failures: Mapping[str, Unanswered]
    """Who failed, and why, by case."""


class Clerk(NamedTuple):
    """Who is asked, and how."""

    model: str
    language: Language
    settings: Settings
    seed: int = 1
    retry_errors: bool = False
    """Ask again what failed before."""

    def check(self) -> None:
        """UnknownName or UsageError where the model cannot be called at all."""
        check_model(self.model, self.settings)

    def ask(self, name: str, values: Mapping[str, str]) -> Prompt:
        """A prompt of the language, filled."""
        return prompt(name, self.language).fill(values)


def ask_all(
    clerk: Clerk, role: str, questions: Sequence[Question[T]], store: Path, progress: Progress
) -> Asked[T]:
    """Ask what is not stored yet in `store` (jsonl).

    RunMismatch where another process asks for `store`; RunStopped and StorageError with everything
    kept that was answered; ModelError where nothing at all could be answered.
    """
    clerk.check()
    with ExitStack() as opened:
        opened.enter_context(lock_file(store))
        if clerk.retry_errors:
            _forget_failures(store)
        file = opened.enter_context(LineFile(store))
        known = _stored(file, store)
        keys = {q.case: _key(clerk, q) for q in questions}
        answers: dict[str, T] = {}
        failures: dict[str, Unanswered] = {}
        owed: list[Question[T]] = []
        for question in questions:
            stored = known.get(keys[question.case])
            if stored is None:
                owed.append(question)
                continue
            if isinstance(stored, Unanswered):
                failures[question.case] = stored
                continue
            try:
                answers[question.case] = question.read(stored)
            except (ValueError, KeyError, TypeError) as error:
                why = f"an answer that cannot be taken ({error}); remove the file to ask again"
                raise BrokenFile(store, why) from None
        progress(len(answers) + len(failures), len(questions))

        def put(question: Question[T], found: Mapping[str, Any]) -> None:
            line = {"case": keys[question.case], "about": question.case, **found}
            file.append([orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)])

        def keep(question: Question[T], raw: Mapping[str, Any], value: T) -> None:
            put(question, {"answer": raw})
            answers[question.case] = value
            progress(len(answers) + len(failures), len(questions))

        def fail(question: Question[T], why: Unanswered) -> None:
            put(question, {"failed": why.stored()})
            failures[question.case] = why
            progress(len(answers) + len(failures), len(questions))

        if owed:
            log = store.with_name(f"{store.name.removesuffix('.jsonl')}.calls.jsonl")
            run_to_end(_ask(clerk, role, owed, log, keep, fail))
    if questions and not answers:
        first = next(iter(failures.values()))
        raise ModelError(
            f"{clerk.model} answered none of {len(questions):,} questions "
            f"({causes_text(counted(failures.values()))}): {first.reason}\n"
            "Nothing can be made of that. To ask again, give the same command with --retry-errors"
        )
    return Asked(answers, failures)


async def _ask(
    clerk: Clerk,
    role: str,
    owed: Sequence[Question[T]],
    log: Path,
    keep: Callable[[Question[T], Mapping[str, Any], T], None],
    fail: Callable[[Question[T], Unanswered], None],
) -> None:
    async with Backends(clerk.settings, log) as models:

        async def one(question: Question[T]) -> None:
            filled = question.filled
            model = models.model(clerk.model, Purpose(question.case, "synthesis", role))
            # Two conversations with the same words are asked about twice.
            rng = rng_for(clerk.seed, "asked", role, question.case)
            seed = int(rng.integers(1 << 31))
            try:
                answer = await ask_json(
                    model,
                    [
                        Message(role="system", content=filled.system),
                        Message(role="user", content=filled.ask),
                    ],
                    Sampling(0.0, seed, _MOST_TOKENS, question.schema),
                    lambda raw: (raw, question.read(raw)),
                )
            except Exception as error:
                # Whatever went wrong about this one question is no reason to lose the others.
                fail(question, unanswered_of(error, "model"))
                return
            keep(question, *answer.value)

        await side_by_side(owed, one, clerk.settings.concurrency)


def _key(clerk: Clerk, question: Question[Any]) -> str:
    """Where an answer is found: what it is about, and a digest of all that was said."""
    model = _source(clerk.model) or clerk.model.partition("@")[0]
    said = "\x1f".join((model, *question.filled[2:]))
    return f"{question.case}#{sha256(said.encode()).hexdigest()[:16]}"


@cache
def _source(model: str) -> str:
    """A local model is what lies in its folder, and not the folder; "" for all others."""
    return sources_of((model,)).get(model, "")


def _stored(file: LineFile, store: Path) -> dict[str, dict[str, Any] | Unanswered]:
    found: dict[str, dict[str, Any] | Unanswered] = {}
    for key, span in file.index(CASE).items():
        line = orjson.loads(file.read(span))
        answer, failed = line.get("answer"), line.get("failed")
        if failed is not None:
            try:
                found[key] = Unanswered.model_validate(failed)
            except ValueError as error:
                raise BrokenFile(store, f"{key}: failed cannot be read ({error})") from None
        elif isinstance(answer, dict):
            found[key] = answer
        else:
            raise BrokenFile(store, f"{key} has no answer; remove the file to ask again")
    return found


def _forget_failures(store: Path) -> None:
    """Drop the lines of questions that failed, atomically, so that they are asked again."""
    if not store.exists():
        return
    lines = store.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if not (line.endswith(b"\n") and _is_failure(line))]
    if len(kept) < len(lines):
        replace_file(store, lambda out: out.writelines(kept))


def _is_failure(line: bytes) -> bool:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False  # Who reads it next says in which line it breaks.
    return isinstance(found, dict) and "failed" in found
