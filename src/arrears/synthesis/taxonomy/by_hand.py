"""The review in a terminal: an entry, a question, a decision, saved at once."""

from pathlib import Path

import click

from arrears.characters import visible
from arrears.errors import UsageError
from arrears.synthesis.taxonomy.file import Entry, read_entries, write_entries
from arrears.synthesis.taxonomy.review import Entries, decide, first_open

_HELP = "accept, merge INTO, split, rename NAME, meaning TEXT, drop, next, quit"


def review_by_hand(path: Path) -> None:
    """Ask about every entry that is still proposed; the end of a piped input quits.

    What cannot be done is said, and asked again. BrokenFile, StorageError.
    """
    entries = read_entries(path)
    skipped: list[Entry] = []
    while entry := first_open(entries, skipped):
        show(entry, entries)
        # Both an input that has ended and Ctrl-C come as Abort; all that was decided is saved.
        try:
            answer: str = click.prompt(_HELP, prompt_suffix="\n> ").strip().removeprefix("/")
        except click.Abort:
            answer = "quit"
        if answer == "quit":
            break
        if answer == "next":
            skipped.append(entry)
            continue
        try:
            entries = decide(entries, _whole(answer, entry))
        except UsageError as error:
            _say(str(error))
            continue
        write_entries(path, entries)
    owed = sum(e.status == "proposed" for e in entries)
    click.echo(f"\n{path}: {len(entries)} strategies, {owed} still proposed; all is saved")


def show(entry: Entry, entries: Entries) -> None:
    """One entry as a reviewer sees it."""
    owed = sum(e.status == "proposed" for e in entries)
    _say(f"\n{entry.seat}/{entry.key} ({entry.size:,} texts; {owed} to review)")
    _say(f"  {entry.name}" + (f" · {entry.zh}" if entry.zh else ""))
    _say(f"  {entry.meaning}" + (f" {entry.zh_meaning}" if entry.zh_meaning else ""))
    for example in entry.examples:
        _say(f"    - {' '.join(example.split())}")
    if entry.merge_with:
        _say(f"  proposed: merge {entry.merge_with}")
    if entry.drop:
        _say(f"  proposed: drop ({entry.drop})")
    if entry.split_into:
        _say("  proposed: split, into")
        for part in entry.split_into:
            first = " ".join(part.examples[0].split()) if part.examples else ""
            _say(f"    {part.key} ({part.size:,}): {first}")


def _say(text: str) -> None:
    """A line that may hold what a model or a customer has written."""
    click.echo(visible(text))


def _whole(answer: str, entry: Entry) -> str:
    """The decision of `review.decide` that a short answer about one entry means."""
    action, _, rest = answer.partition(" ")
    text = rest.strip()
    if action in ("rename", "meaning") and text[:1] not in ("'", '"'):
        # Free text: an apostrophe in it opens no quotation.
        text = "'" + text.replace("'", "'\\''") + "'" if text else ""
    return f"{action} {entry.seat}/{entry.key} {text}"
