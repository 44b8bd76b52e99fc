"""One round after the other: weigh what could be said, learn from it, begin again from there."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import arrears
from arrears.bench.plan import digest_of
from arrears.bench.run import Progress, silent
from arrears.bench.sources import sources_of
from arrears.debtors.record import Debtor
from arrears.errors import ArrearsError, UsageError
from arrears.models.backends import LOCAL, Settings
from arrears.prompts.library import prompts_digest
from arrears.runs.rules import DIALOGUES, REQUESTS, rules_digest
from arrears.training.cfpo.plan import RULES, Course
from arrears.training.cfpo.run import Choice, Made, weigh_all
from arrears.training.fit.base import digests_of
from arrears.training.fit.folder import PLAN
from arrears.training.fit.recipe import Recipe
from arrears.training.fit.run import Fitted, fit

_OTHERS = ("debtor_seat", "judge", "experience")
_MODEL: Final = "model"


class Round(NamedTuple):
    """What a round is to do, and where it lies."""

    course: Course
    people: Sequence[Debtor]
    choice: Choice
    recipe: Recipe
    """Of the learning; for `dpo`."""
    out: Path
    """Holds what was weighed; `out/model` is the policy that learnt from it."""


def course_of(policy: str, suite: str, people: Sequence[Debtor], **rest: Any) -> Course:
    """The plan of a round for these debtors; `rest` are fields of `Course`.

    UsageError where they do not go together.
    """
    provider, _, path = policy.partition("/")
    try:
        return Course(
            arrears=arrears.__version__,
            rules=rules_digest(*DIALOGUES, *RULES, *REQUESTS),
            policy=policy,
            weights_digest=digests_of(Path(path)).weights if provider == LOCAL else "",
            suite=suite,
            debtors=len(people),
            debtors_digest=digest_of(people),
            prompts=prompts_digest(rest.get("lang", "en")),
            sources=sources_of(rest[who] for who in _OTHERS if who in rest),
            **rest,
        )
    except ValueError as error:
        raise UsageError(f"this round cannot be held: {error}") from None


def weigh_round(
    one: Round, settings: Settings, progress: Progress = silent, *, retry_errors: bool = False
) -> Made:
    """Play, branch and weigh; the pairs. Errors as `weigh_all`.

    A round that was learned from stays as it is, `retry_errors` or not: its policy belongs to it.
    """
    retry_errors = retry_errors and not (one.out / _MODEL / PLAN).exists()
    return weigh_all(
        one.course, one.people, one.out,
        settings=settings, choice=one.choice, progress=progress, retry_errors=retry_errors,
    )  # fmt: skip


def learn_round(one: Round, made: Made, progress: Progress = silent) -> Fitted:
    """The policy of this round. ArrearsError where there is nothing to learn from."""
    if not made.pairs:
        lost = f" ({made.unweighed:,} candidates could not be weighed)" if made.unweighed else ""
        raise ArrearsError(
            f"{made.path} has no pairs: no two messages of one turn were {one.choice.margin:g} "
            f"apart{lost}. Lower --margin, or weigh more debtors or candidates"
        )
    provider, _, path = one.course.policy.partition("/")
    if provider != LOCAL:
        raise UsageError(f"{one.course.policy} cannot be trained here; use --pairs-only")
    return fit("dpo", Path(path), made.path, one.out / _MODEL, one.recipe, progress=progress)
