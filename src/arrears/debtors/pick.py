"""Debtors as a person names them: an id of a suite, `FILE` or `FILE:N`, a suite's name."""

from pathlib import Path

from arrears.debtors.record import Debtor
from arrears.debtors.store import FORMATS, read_debtors
from arrears.debtors.suites import SUITES, find_debtor, load_suite
from arrears.errors import UnknownName, UsageError


def pick_debtor(name: str) -> Debtor:
    """One debtor: an id such as `debtbench-test-0017`, or `people.csv:3` for a file's third.

    A file with one debtor needs no number. UnknownName or UsageError say what there is.
    """
    path, colon, number = name.rpartition(":")
    if not colon or _is_file(name):
        path, number = name, ""
    if not _is_file(path):
        return find_debtor(name)
    people = read_debtors(Path(path))
    if not number and len(people) == 1:
        return people[0]
    if not number.isdecimal() or not 1 <= int(number) <= len(people):
        raise UsageError(f"{path} has debtors 1 to {len(people)}; say which, as {path}:1")
    return people[int(number) - 1]


def pick_debtors(name: str, split: str = "test") -> tuple[Debtor, ...]:
    """Many debtors: a suite's split, or a whole file."""
    if _is_file(name):
        return read_debtors(Path(name))
    if name in SUITES:
        return load_suite(name, split)
    raise UnknownName("suite or debtors file", name, (*SUITES, *(f"FILE.{f}" for f in FORMATS)))


def _is_file(name: str) -> bool:
    return Path(name).suffix.lstrip(".").lower() in FORMATS
