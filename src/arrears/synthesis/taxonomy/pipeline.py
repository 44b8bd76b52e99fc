"""The whole way from conversations to a taxonomy file: scrub, ask, group, name, write."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from arrears.bench.run import Progress
from arrears.errors import ModelError, UsageError
from arrears.models.unanswered import Unanswered
from arrears.strategies import Seat
from arrears.synthesis.asking import Clerk
from arrears.synthesis.conversations import Conversation
from arrears.synthesis.taxonomy.clusters import Settings, least_size
from arrears.synthesis.taxonomy.embeddings import Embedder
from arrears.synthesis.taxonomy.file import Entry, read_entries, write_entries
from arrears.synthesis.taxonomy.mining import Groups, by_words, find_groups, taxonomy_of
from arrears.synthesis.taxonomy.naming import names_by_model
from arrears.synthesis.taxonomy.pairs import extract_pairs, failed_text
from arrears.synthesis.taxonomy.talking import scrubbed, units_of


class Mined(NamedTuple):
    """What was found."""

    entries: tuple[Entry, ...]
    groups: Mapping[Seat, Groups]
    scrubbed: Mapping[str, int]
    """Personal data taken out, by kind."""
    failures: Mapping[str, Unanswered]
    """Conversations that the model could not read, and why."""


def check_place(out: Path) -> None:
    """UsageError where a taxonomy there has been reviewed; BrokenFile where it is none."""
    if out.exists() and any(e.status == "accepted" for e in read_entries(out)):
        raise UsageError(f"{out} has been reviewed; choose another --out, or remove it")


def mine(
    conversations: Sequence[Conversation],
    out: Path,
    seats: Sequence[Seat],
    embed: Embedder,
    settings: Settings,
    seed: int,
    clerk: Clerk | None,
    progress: Callable[[str], Progress],
) -> Mined:
    """Mine and write `out`; a model's answers lie beside it, `OUT.pairs.jsonl`, `OUT.names.jsonl`.

    Neither a model nor the file sees anything unscrubbed. UsageError where a seat said too little,
    ModelError where that is because conversations failed; otherwise errors as `ask_all`.
    """
    check_place(out)
    if clerk is not None:
        clerk.check()
    talks, counts = scrubbed(conversations)
    failures: Mapping[str, Unanswered] = {}
    said: dict[Seat, list[str]]
    if clerk is None:
        said = {seat: [u.text for u in units_of(talks) if u.seat == seat] for seat in seats}
    else:
        store = beside(out, "pairs")
        pairs = extract_pairs(clerk, talks, store, progress("conversations"))
        failures = pairs.failures
        said = {seat: [p.text for p in pairs.found if p.seat == seat] for seat in seats}
    try:
        groups = {seat: find_groups(said[seat], embed, settings, seed, seat) for seat in seats}
    except UsageError as error:
        if failures:
            # Too few are left because others failed: the request itself may be sound.
            raise ModelError(f"{error}. {len(talks) - len(failures):,} conversations were "
                             f"answered, and {failed_text(failures)}") from None  # fmt: skip
        raise
    if clerk is None:
        named = by_words(groups)
    else:
        shown = {
            seat: [(len(g.members(k)), [g.texts[i] for i in rows]) for k, rows in
                   enumerate(g.shown)]
            for seat, g in groups.items()
        }  # fmt: skip
        named = names_by_model(clerk, shown, beside(out, "names"), progress("drafts"))
    least = settings.min_cluster or min(least_size(len(g.texts)) for g in groups.values())
    entries = taxonomy_of(groups, named, seed, least)
    write_entries(out, entries)
    return Mined(entries, groups, counts, failures)


def beside(out: Path, what: str) -> Path:
    """Where a model's answers for a file lie."""
    return out.with_name(f"{out.name}.{what}.jsonl")
