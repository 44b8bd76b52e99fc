"""The talks in which before and after differ most, laid out beside each other."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from arrears.bench.stored import StoredRun
from arrears.bench.transcripts import Candidate, Talk, lay_out
from arrears.dialogue.record import Dialogue
from arrears.scoring.unscored import Unscored
from arrears.training.report.lines import Key, Line
from arrears.training.report.scores import Seen
from arrears.training.report.study import Study
from arrears.training.reward import Reward

EACH_WAY: Final = 6
"""So many of the largest gains, and so many of the largest losses."""
_AGREED: Final = "Agreement"


class Gap(NamedTuple):
    """One debtor whom both have met."""

    key: Key
    before: float
    after: float
    """Rewards, 0 … 1."""

    @property
    def gain(self) -> float:
        """After less before."""
        return self.after - self.before


class Side(NamedTuple):
    """One of the two talks."""

    who: str
    reward: str
    """In words, with its parts."""
    agreement: str
    talk: Talk


class Pair(NamedTuple):
    """Both talks with one debtor."""

    title: str
    subtitle: str
    story: str
    facts: list[tuple[str, str]]
    sides: tuple[Side, Side]


def widest(study: Study, line: Line) -> list[Gap]:
    """The largest gains and the largest losses in reward, gains first, the largest first in each.

    Talks that one side has no reward of or that failed are left out, and so are those of equal
    reward; among equals the order of the run decides.
    """
    first, second = study.seen[study.compared.before.name], study.seen[line.name]
    gaps = []
    for key in study.compared.before.rows:
        if first[key].row.failure or second[key].row.failure:
            continue
        before, after = first[key].reward.total, second[key].reward.total
        if isinstance(before, int | float) and isinstance(after, int | float) and before != after:
            gaps.append(Gap(key, float(before), float(after)))
    ranked = sorted(gaps, key=lambda gap: -abs(gap.gain))
    gains = [gap for gap in ranked if gap.gain > 0][:EACH_WAY]
    losses = [gap for gap in ranked if gap.gain < 0][:EACH_WAY]
    return [*gains, *losses]


def lay_beside(study: Study, line: Line, gaps: Sequence[Gap]) -> list[Pair]:
    """The talks of both, ready for the page."""
    before = study.compared.before
    return [_pair(study, before, line, gap) for gap in gaps]


def _pair(study: Study, before: Line, after: Line, gap: Gap) -> Pair:
    sides = tuple(_side(line, study.seen[line.name][gap.key], gap.key) for line in (before, after))
    common = sides[0].talk
    person = before.run.debtor(gap.key.suite, gap.key.debtor)
    kind = f", {person.category}" if person.category else ""
    repeat = f", repeat {gap.key.repeat}" if before.run.plan.repeats > 1 else ""
    return Pair(
        title=f"Reward {gap.before:.2f} → {gap.after:.2f} ({gap.gain:+.2f})",
        subtitle=f"{person.background.name} ({gap.key.suite}: {gap.key.debtor}{kind}{repeat})",
        story=common.story,
        facts=[fact for fact in common.facts if fact[0] != _AGREED],
        sides=(sides[0], sides[1]),
    )


def _side(line: Line, seen: Seen, key: Key) -> Side:
    run: StoredRun = line.run
    dialogue = run.dialogue(seen.row.case)
    candidate = Candidate(seen.row, None, _empty_promise(dialogue))
    talk = lay_out("", candidate, dialogue, run.debtor(key.suite, key.debtor))
    return Side(
        who=line.name,
        reward=_in_words(seen.reward),
        agreement=dict(talk.facts).get(_AGREED, "no agreement"),
        talk=talk,
    )


def _in_words(reward: Reward) -> str:
    """A reward with its parts."""
    total, felt = (
        "unscored" if isinstance(mark, Unscored) else f"{mark:.2f}"
        for mark in (reward.total, reward.experience)
    )
    return f"reward {total}: f(α) {reward.agreement:.2f}, experience {felt}"


def _empty_promise(dialogue: Dialogue) -> bool:
    """The debtor agreed without meaning to pay."""
    return dialogue.terms is not None and any(
        turn.private.get("in_earnest") is False for turn in dialogue.turns
    )
