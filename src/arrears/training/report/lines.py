"""What is compared: one collector before, others after, on exactly the same talks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from os.path import commonpath
from pathlib import Path
from typing import Any, Final, NamedTuple

from arrears.agents.maden.team import method_of
from arrears.bench.plan import Plan, SuiteUse
from arrears.bench.stored import StoredRun
from arrears.errors import RunMismatch, UnknownName, UsageError
from arrears.models.backends import LOCAL
from arrears.scoring.row import Row

# Fields of a plan in which two runs must be the same, as they are called in a sentence.
_ALIKE: Final[Mapping[str, str]] = {
    "seed": "the seed",
    "repeats": "the number of repeats",
    "debtor_seats": "the debtors' seat",
    "debtor_prompt": "the debtors' prompt",
    "rules": "the digest of the rules",
    "mandate": "the mandate",
    "max_turns": "the number of turns",
    "lang": "the language",
    "strategies": "the taxonomy of strategies",
}
# These say how models were asked; a run without a model has nothing to say of them.
_ASKED: Final[Mapping[str, str]] = {
    "temperature": "the temperature",
    "max_tokens": "the most tokens of an answer",
    "prompts": "the digest of the prompts",
}
_LONG: Final = 60
_SHOWN: Final = 3


class Key(NamedTuple):
    """What two talks of different collectors have in common."""

    suite: str
    seat: str
    """Who answered for the debtor."""
    debtor: str
    repeat: str


@dataclass(frozen=True)
class Line:
    """One collector of a run and its talks."""

    name: str
    """As it is shown."""
    spec: str
    """As the run has it."""
    run: StoredRun
    rows: Mapping[Key, Row]
    """In the order of the run."""

    @property
    def method(self) -> str:
        """How it works: `direct`, or with a planner or a judge beside it."""
        return method_of(self.spec)[1]

    @property
    def folder(self) -> Path | None:
        """Where its weights are, as the run was told; None where it is no local model."""
        provider, _, path = method_of(self.spec)[0].partition("/")
        return Path(path) if provider == LOCAL and path else None


class Compared(NamedTuple):
    """One collector before and at least one after, all with the same keys."""

    before: Line
    after: tuple[Line, ...]

    @property
    def lines(self) -> tuple[Line, ...]:
        """All of them, the first one first."""
        return (self.before, *self.after)

    def keys(self) -> dict[tuple[str, str], list[Key]]:
        """The talks by suite and debtors' seat."""
        found: dict[tuple[str, str], list[Key]] = {}
        for key in self.before.rows:
            found.setdefault(key[:2], []).append(key)
        return found


def lines_in(runs: Sequence[StoredRun]) -> list[Line]:
    """Every collector of the runs, in their order. UsageError where a run is named twice."""
    places = [run.path.resolve() for run in runs]
    for run, place in zip(runs, places, strict=True):
        if places.count(place) > 1:
            raise UsageError(f"{run.path} is named twice")
    specs = [spec for run in runs for spec in run.plan.collectors]
    short = _short(specs)
    folders = [run.path.name for run in runs]
    lines = []
    for run in runs:
        folder = run.path.name if folders.count(run.path.name) == 1 else str(run.path)
        rows: dict[str, dict[Key, Row]] = {spec: {} for spec in run.plan.collectors}
        for row in run.rows:
            rows[row.collector][_key(row)] = row
        for spec, found in rows.items():
            name = short[spec] if specs.count(spec) == 1 else f"{short[spec]} ({folder})"
            lines.append(Line(name, spec, run, found))
    return lines


def compared(runs: Sequence[StoredRun], before: str | None, after: Sequence[str]) -> Compared:
    """Who is compared: by default the first collector with all others, in their order.

    A collector is named as it is shown, as the run has it, or by the end of its path. UnknownName
    or UsageError for a name that does not say which one, or where there is only one collector;
    RunMismatch where the talks were not with the same debtors or not played alike.
    """
    lines = lines_in(runs)
    if len(lines) < 2:
        raise UsageError(
            f"{runs[0].path} holds one collector only ({lines[0].spec}); before and after are two: "
            "name another run with the same debtors"
        )
    first = _named(lines, before) if before is not None else lines[0]
    others = [_named(lines, name) for name in after] or [one for one in lines if one is not first]
    if any(one is first for one in others):
        raise UsageError(f"{first.name} is named both before and after")
    for one, other in combinations(others, 2):
        if one is other:
            raise UsageError(f"{one.name} is named twice after")
    for other in others:
        _check_alike(first, other)
        _check_talks(first, other)
    return Compared(first, tuple(others))


def _key(row: Row) -> Key:
    return Key(row.suite, row.debtor_seat, row.debtor_id, row.case.rpartition("/")[2])


def _short(specs: Sequence[str]) -> dict[str, str]:
    """Names by spec; paths of local models without the folders that all have in common."""
    local = {s: s.partition("/")[2] for s in specs if s.startswith(f"{LOCAL}/")}
    names = {spec: spec for spec in specs}
    if len(set(map(_rooted, local.values()))) == 1:
        base = commonpath([str(Path(path).parent) for path in local.values()])
        for spec, folder in local.items():
            end = Path(folder).relative_to(base)
            names[spec] = f"{LOCAL}/…/{end}" if base else spec
    return names if len(set(names.values())) == len(names) else {spec: spec for spec in specs}


def _rooted(path: str) -> bool:
    return Path(path).is_absolute()


def _named(lines: Sequence[Line], name: str) -> Line:
    """The line that a name means."""
    for found in (
        [line for line in lines if line.name == name],
        [line for line in lines if line.spec == name],
        [line for line in lines if line.spec.endswith(f"/{name}")],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            shown = ", ".join(line.name for line in found)
            raise UsageError(f"{name!r} may be {shown}; name it as it stands here")
    raise UnknownName("collector", name, [line.name for line in lines])


def _check_alike(one: Line, other: Line) -> None:
    """RunMismatch unless both runs were played alike."""
    a, b = one.run, other.run
    if a is b:
        return
    said = [*_suites(a, b), *_fields(a.plan, b.plan, _ALIKE)]
    if a.plan.models() and b.plan.models():
        said += _fields(a.plan, b.plan, _ASKED)
    if said:
        raise RunMismatch(
            f"{a.path} and {b.path} were not played alike: {'; '.join(said)}. Before and after "
            "are compared on the same debtors under the same rules only"
        )


def _fields(a: Plan, b: Plan, names: Mapping[str, str]) -> Iterator[str]:
    for field, words in names.items():
        if getattr(a, field) != getattr(b, field):
            yield f"{words} is {_told(getattr(a, field))} there and {_told(getattr(b, field))} here"


def _told(value: Any) -> str:
    text = str(value) or "(none)"
    return text if len(text) <= _LONG else f"{text[:12]}…"


def _suites(a: StoredRun, b: StoredRun) -> Iterator[str]:
    """What differs in the debtors."""
    ours, theirs = (_uses(run) for run in (a, b))
    if set(ours) != set(theirs):
        yield f"the suites are {', '.join(ours)} there and {', '.join(theirs)} here"
    for name in ours:
        if name not in theirs or ours[name].digest == theirs[name].digest:
            continue
        mine, others = ([d.id for d in run.populations[name]] for run in (a, b))
        gone = [*_missing(mine, others, name, "here"), *_missing(others, mine, name, "there")]
        yield from gone or [f"the debtors of {name} have the same ids and other records"]


def _uses(run: StoredRun) -> dict[str, SuiteUse]:
    return {use.name: use for use in run.plan.suites}


def _missing(those: Sequence[str], here: Sequence[str], suite: str, where: str) -> Iterator[str]:
    gone = sorted(set(those) - set(here))
    if gone:
        verb = "is" if len(gone) == 1 else "are"
        yield f"{len(gone):,} debtors of {suite} {verb} missing {where} ({_some(gone)})"


def _check_talks(one: Line, other: Line) -> None:
    """RunMismatch where either has talks that the other has not."""
    for mine, theirs in ((one, other), (other, one)):
        gone = [key for key in mine.rows if key not in theirs.rows]
        if gone:
            raise RunMismatch(
                f"{theirs.name} has not met {len(gone):,} of the debtors that {mine.name} has met "
                f"({_some([key.debtor for key in gone])}); finish the run with the command that "
                "began it"
            )
    if not one.rows:
        raise RunMismatch(f"{one.name} has not met anybody yet; finish its run")


def _some(names: Sequence[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest:,} more" if rest > 0 else "")
