"""What a reviewer can do with a taxonomy: pure functions from entries to entries.

An entry is named by its key, or by `seat/key` where both seats have that key.
"""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from arrears.errors import UnknownName, UsageError
from arrears.synthesis.taxonomy.clusters import SHOWN
from arrears.synthesis.taxonomy.file import Entry, key_of

Entries = tuple[Entry, ...]
USES: Final = (
    "accept KEY", "merge KEY INTO", "split KEY", "rename KEY 'NAME'", "meaning KEY 'TEXT'",
    "drop KEY",
)  # fmt: skip


def decide(entries: Entries, text: str) -> Entries:
    """The entries after one decision, written as in `USES`. UsageError, UnknownName."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{text!r} cannot be read: {error}") from None
    action, found = words[0] if words else "", words[1:]
    if action not in _ACTIONS:
        raise UsageError(f"{text!r} is no decision; known: {', '.join(USES)}")
    act, wanted = _ACTIONS[action]
    if action in ("rename", "meaning") and len(found) > 1:
        found = [found[0], " ".join(found[1:])]
    if len(found) != wanted:
        use = next(u for u in USES if u.startswith(action))
        raise UsageError(f"{text!r}: write it as {use}")
    return act(entries, find(entries, found[0]), *found[1:])


def find(entries: Entries, name: str) -> Entry:
    """The entry of a key or `seat/key`. UnknownName; UsageError where two have the key."""
    named = [e for e in entries if name in (e.key, f"{e.seat}/{e.key}")]
    if not named:
        raise UnknownName("strategy", name, (e.key for e in entries))
    if len(named) > 1:
        both = " or ".join(f"{e.seat}/{e.key}" for e in named)
        raise UsageError(f"{name!r} is a strategy of both seats; write {both}")
    return named[0]


def first_open(entries: Entries, skipped: Sequence[Entry] = ()) -> Entry | None:
    """The first entry that is still proposed; None where the review is done."""
    passed = {(e.seat, e.key) for e in skipped}
    owed = (e for e in entries if e.status == "proposed" and (e.seat, e.key) not in passed)
    return next(owed, None)


def _accept(entries: Entries, entry: Entry) -> Entries:
    # What was proposed for it is answered: it stays as it is.
    kept = replace(entry, status="accepted", merge_with="", split_into=(), drop="")
    return _put(entries, entry, kept)


def _merge(entries: Entries, entry: Entry, into: str) -> Entries:
    same = tuple(e for e in entries if e.seat == entry.seat)
    if into == entry.key:
        raise UsageError(f"{entry.key!r} cannot be merged into itself")
    target = find(same, into)
    if target is entry:
        raise UsageError(f"{entry.key!r} cannot be merged into itself")
    # Most of what shows the larger one, and some of what was added to it.
    most = SHOWN - min(len(entry.examples), SHOWN // 3)
    both = dict.fromkeys((*target.examples[:most], *entry.examples, *target.examples))
    grown = replace(
        target,
        size=target.size + entry.size,
        examples=tuple(both)[:SHOWN],
        merge_with="" if target.merge_with == entry.key else target.merge_with,
    )
    rest = tuple(e for e in _put(entries, target, grown) if e is not entry)
    return _renamed(rest, entry, target.key)


def _split(entries: Entries, entry: Entry) -> Entries:
    if not entry.split_into:
        raise UsageError(f"no split is proposed for {entry.key!r}")
    taken = {e.key for e in entries if e.seat == entry.seat and e is not entry}
    parts: list[Entry] = []
    for part in entry.split_into:
        key = free_key(part.key, taken)
        taken.add(key)
        parts.append(Entry(entry.seat, key, part.name, part.meaning, size=part.size,
                           examples=part.examples))  # fmt: skip
    return _renamed(_put(entries, entry, *parts), entry, parts[0].key)


def _rename(entries: Entries, entry: Entry, name: str) -> Entries:
    key = key_of(name)
    if not key:
        raise UsageError(f"{name!r} has no word to make a key of")
    if any(e.key == key and e.seat == entry.seat and e is not entry for e in entries):
        raise UsageError(f"{key!r} is there already; merge {entry.key} {key}?")
    changed = replace(entry, key=key, name=" ".join(name.split()))
    return _renamed(_put(entries, entry, changed), entry, key)


def _meaning(entries: Entries, entry: Entry, text: str) -> Entries:
    return _put(entries, entry, replace(entry, meaning=" ".join(text.split())))


def _drop(entries: Entries, entry: Entry) -> Entries:
    return _renamed(tuple(e for e in entries if e is not entry), entry, "")


def _put(entries: Entries, old: Entry, *new: Entry) -> Entries:
    return tuple(e for each in entries for e in (new if each is old else (each,)))


def _renamed(entries: Entries, gone: Entry, key: str) -> Entries:
    """Proposals to merge with an entry that has gone now mean its heir, "" for none."""
    return tuple(
        replace(e, merge_with="" if e.key == key else key)
        if e.seat == gone.seat and e.merge_with == gone.key
        else e
        for e in entries
    )


def free_key(key: str, taken: set[str]) -> str:
    """The key, numbered where it is taken."""
    number = 2
    free = key
    while free in taken:
        free, number = f"{key}_{number}", number + 1
    return free


_ACTIONS: Final[Mapping[str, tuple[Callable[..., Entries], int]]] = {
    "accept": (_accept, 1),
    "merge": (_merge, 2),
    "split": (_split, 1),
    "rename": (_rename, 2),
    "meaning": (_meaning, 2),
    "drop": (_drop, 1),
}
