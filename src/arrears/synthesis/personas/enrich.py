"""Who is to be enriched: drafts, or records as drafts, with the accounts that they get."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from arrears.debtors.pick import pick_debtors
from arrears.debtors.store import read_debtors
from arrears.errors import BrokenFile, UsageError
from arrears.models.unanswered import Unanswered
from arrears.synthesis.personas.draft import Draft, draft_of, holds_drafts, read_drafts

POPULATION: Final = "scripted/population"


def drafts_of(many: str, split: str) -> tuple[Draft, ...]:
    """The drafts of a file of drafts, of a file of debtors, or of a suite. BrokenFile, UnknownName.

    A record's reason is known, with the rest of its money.
    """
    path = Path(many)
    drafts = (
        read_drafts(path)
        if holds_drafts(path)
        else tuple(draft_of(debtor) for debtor in pick_debtors(many, split))
    )
    seen: set[str] = set()
    for draft in drafts:
        if draft.id in seen:
            raise BrokenFile(path, f"{draft.id!r} occurs twice", field="id")
        seen.add(draft.id)
    return drafts


def incomplete(drafts: Sequence[Draft]) -> Mapping[str, Unanswered]:
    """The first failure of each draft about which asking failed from outside, by id.

    Nothing is filled in for such a draft: what a model was never heard about is not the same as
    what a conversation does not show.
    """
    found = {}
    for draft in drafts:
        if names := draft.incomplete:
            why = draft.failures[names[0]]
            told = (
                f"{len(names)} of its questions failed in extract, first {names[0]}: {why.reason}"
            )
            found[draft.id] = why.model_copy(update={"reason": told})
    return found


def with_accounts(drafts: Sequence[Draft], records: Path) -> tuple[Draft, ...]:
    """Drafts without an account get a record's: that of the same id, else the next one in order.

    UsageError where there are too few records. Money comes with the account; the reason that a
    conversation told stays.
    """
    people = read_debtors(records)
    by_id = {debtor.id: debtor for debtor in people}
    wanted = {draft.id for draft in drafts if draft.background is None}
    others = iter([debtor for debtor in people if debtor.id not in wanted])
    found = []
    for draft in drafts:
        if draft.background is not None:
            found.append(draft)
            continue
        debtor = by_id.get(draft.id) or next(others, None)
        if debtor is None:
            raise UsageError(
                f"{records} has {len(people)} debtors, too few for the drafts without an account"
            )
        found.append(
            draft.model_copy(update={"background": debtor.background, "finances": debtor.finances})
        )
    return tuple(found)
