"""Asking a model about each of many conversations; each answer is stored as it comes.

The file goes on where a killed command stopped. An answer is found by the conversation, its words
and what it was asked by (model, prompt, language): what has changed is asked anew.
"""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import orjson

from arrears.bench.run import Progress
from arrears.bench.waiting import run_to_end, side_by_side
from arrears.errors import BrokenFile, ModelError
from arrears.files import CASE, LineFile
from arrears.models.backends import Backends, Settings, check_model
from arrears.models.chat import Message, Purpose, Sampling, Schema
from arrears.models.json_answers import ask_json
from arrears.prompts.library import Language, Prompt, prompt
from arrears.rng import rng_for

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
    failures: Mapping[str, str]
    """Why, by case."""


class Clerk(NamedTuple):
    """Who is asked, and how."""

    model: str
    language: Language
    settings: Settings
    seed: int = 1

    def check(self) -> None:
        """UnknownName or UsageError where the model cannot be called at all."""
        check_model(self.model, self.settings)

    def ask(self, name: str, values: Mapping[str, str]) -> Prompt:
        """A prompt of the language, filled."""
        return prompt(name, self.language).fill(values)


def ask_all(
    clerk: Clerk, role: str, questions: Sequence[Question[T]], store: Path, progress: Progress
) -> Asked[T]:
    """Ask what is not stored yet in `store` (jsonl); what failed before is asked again.

    BudgetSpent and StorageError with everything kept that was answered; ModelError where nothing
    at all could be answered.
    """
    clerk.check()
    file = LineFile(store)
    try:
        known = _stored(file, store)
        keys = {q.case: _key(clerk, q) for q in questions}
        answers: dict[str, T] = {}
        failures: dict[str, str] = {}
        owed: list[Question[T]] = []
        for question in questions:
            stored = known.get(keys[question.case])
            if stored is None:
                owed.append(question)
                continue
            try:
                answers[question.case] = question.read(stored)
            except (ValueError, KeyError, TypeError) as error:
                why = f"an answer that cannot be taken ({error}); remove the file to ask anew"
                raise BrokenFile(store, why) from None
        progress(len(answers), len(questions))

        def keep(question: Question[T], raw: Mapping[str, Any], value: T) -> None:
            line = {"case": keys[question.case], "about": question.case, "answer": raw}
            file.append([orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)])
            answers[question.case] = value
            progress(len(answers) + len(failures), len(questions))

        def fail(question: Question[T], why: str) -> None:
            failures[question.case] = why
            progress(len(answers) + len(failures), len(questions))

        if owed:
            log = store.with_name(f"{store.name.removesuffix('.jsonl')}.calls.jsonl")
            run_to_end(_ask(clerk, role, owed, log, keep, fail))
    finally:
        file.close()
    if questions and not answers:
        first = next(iter(failures.values()))
        raise ModelError(f"{clerk.model} answered none of {len(questions)} questions: {first}")
    return Asked(answers, failures)


async def _ask(
    clerk: Clerk,
    role: str,
    owed: Sequence[Question[T]],
    log: Path,
    keep: Callable[[Question[T], Mapping[str, Any], T], None],
    fail: Callable[[Question[T], str], None],
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
            except ModelError as error:
                fail(question, str(error))
                return
            keep(question, *answer.value)

        await side_by_side(owed, one, clerk.settings.concurrency)


def _key(clerk: Clerk, question: Question[Any]) -> str:
    """Where an answer is found: what it is about, and a digest of all that was said."""
    said = "\x1f".join((clerk.model.partition("@")[0], *question.filled[2:]))
    return f"{question.case}#{sha256(said.encode()).hexdigest()[:16]}"


def _stored(file: LineFile, store: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for key, span in file.index(CASE).items():
        answer = orjson.loads(file.read(span)).get("answer")
        if not isinstance(answer, dict):
            raise BrokenFile(store, f"{key} has no answer; remove the file to ask anew")
        found[key] = answer
    return found
