"""What of the true persons comes back from their conversations, and whether refinement helps.

    python -m benchmarks.personas [--talks 50] [--more 1000]

The built-in seats talk, the built-in reader sits behind a server on loopback, and `arrears debtors
extract` asks it as it would any model. Beside each figure stands what always answering the most
frequent value, or the mean, would give. Then personas that are the other way round are refined
while the true person speaks.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from arrears.debtors.record import EMOTIONS, RESILIENCE_LEVELS, Debtor
from arrears.debtors.store import read_debtors, write_debtors
from arrears.debtors.suites import load_suite
from arrears.scoring.agreement import spearman
from arrears.synthesis.conversations import read_conversations
from arrears.synthesis.personas.changes import value_of
from arrears.synthesis.personas.draft import COGNITION, Draft, read_drafts
from arrears.synthesis.personas.extract import ask_reader
from arrears.synthesis.pii.scrub import Scrubber
from tests import stub_readers
from tests.stub_server import Faults, Stub

STRONG = ("anger", "fear", "sadness", "disgust")
"""The feelings that can be told from talks."""


def recovered(drafts: Sequence[Draft], true: Sequence[Debtor]) -> dict[str, float]:
    """Accuracy of category and reason, mean rank correlation of the emotions that are known,
    shares within one level; over what is known.
    """
    orders, resilience, levels, reasons = [], [], [], []
    for draft, person in zip(drafts, true, strict=True):
        known = [name for name in EMOTIONS if name in draft.emotions]
        if len(known) > 2:
            marks = np.array([float(str(value_of(person, name))) for name in known])
            orders.append(spearman(np.array([float(draft.emotions[n]) for n in known]), marks))
        if draft.emotional_resilience:
            places = [RESILIENCE_LEVELS.index(r) for r in (  # type: ignore[arg-type]
                draft.emotional_resilience, str(value_of(person, "resilience")))]  # fmt: skip
            resilience.append(abs(places[0] - places[1]) <= 1)
        levels += [abs(trait.level - int(str(value_of(person, name)))) <= 1
                   for name, trait in draft.cognition.items()]  # fmt: skip
        if draft.overdue_reason:
            kind = person.finances.overdue_reason.category
            reasons.append(draft.overdue_reason.category == kind)
    same = [d.category == p.category for d, p in zip(drafts, true, strict=True) if d.category]
    return {
        "category": float(np.mean(same)),
        "order of emotions": float(np.nanmean(orders)),
        "resilience within one": float(np.mean(resilience)),
        "cognition within one": float(np.mean(levels)),
        "reason, where told": float(np.mean(reasons)),
        "reason told": len(reasons) / len(drafts),
    }


def most_frequent(drafts: Sequence[Draft], true: Sequence[Debtor]) -> dict[str, float]:
    """The same where every draft says what most people are, in the fields that it knows."""
    everybody = load_suite("debtbench")
    means = {n: float(np.mean([int(str(value_of(p, n))) for p in everybody])) for n in EMOTIONS}
    usual = {name: Counter(value_of(p, name) for p in everybody).most_common(1)[0][0]
             for name in ("resilience", *COGNITION)}  # fmt: skip
    reason = Counter(p.finances.overdue_reason.category for p in everybody).most_common(1)[0][0]
    same = [
        d.model_copy(
            update={
                "category": "confrontational",
                "emotions": {n: means[n] for n in d.emotions},
                "emotional_resilience": usual["resilience"],
                "cognition": {
                    n: t.model_copy(update={"level": usual[n]}) for n, t in d.cognition.items()
                },
                "overdue_reason": d.overdue_reason
                and d.overdue_reason.model_copy(update={"category": reason}),
            }
        )
        for d in drafts
    ]
    return recovered(same, true)


def off(one: Debtor, other: Debtor, names: Sequence[str] = STRONG) -> int:
    """How far two persons are apart, in steps of each scale."""
    return sum(abs(int(str(value_of(one, n))) - int(str(value_of(other, n)))) for n in names)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--talks", type=int, default=50)
    parser.add_argument("--more", type=int, default=1000)
    chosen = parser.parse_args()
    people = {debtor.id: debtor for debtor in load_suite("debtbench")}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _arrears("bench", "--suite", "debtbench", "--collector", "scripted/typical", "--no-report",
                 "--limit", str(chosen.more), "--out", str(folder / "run"))  # fmt: skip
        began = perf_counter()
        quick = ("--retry-wait", "0", "--timeout", "5")
        faults = Faults(0.3, ("429", "500", "dropped", "truncated", "garbage"))
        with Stub(stub_readers.reader, faults) as stub:
            words = ("--model", stub.spec("reader"), "--limit", str(chosen.talks), *quick)
            _arrears("debtors", "extract", str(folder / "run"), "--out", str(folder / "d.jsonl"),
                     *words)  # fmt: skip
            print(f"{stub.answered} answers, {sum(faults.seen.values())} faults, "
                  f"{perf_counter() - began:.0f} s")  # fmt: skip
        drafts = read_drafts(folder / "d.jsonl")
        true = [people[d.id] for d in drafts]
        scrubber = Scrubber()
        many = ask_reader([scrubber.scrub(t) for t in read_conversations(folder / "run")])
        all_true = [people[d.id] for d in many]
        columns = (
            recovered(drafts, true), most_frequent(drafts, true),
            recovered(many, all_true), most_frequent(many, all_true),
        )  # fmt: skip
        heads = (f"{len(drafts)} talks", "the usual", f"{len(many)} talks", "the usual")
        print(f"{'':24}" + "".join(f"{head:>12}" for head in heads))
        for row in columns[0]:
            print(f"{row:24}" + "".join(f"{column[row]:12.3f}" for column in columns))
        _refinement(folder, list(people.values())[: chosen.talks])


def _refinement(folder: Path, true: Sequence[Debtor]) -> None:
    wrong = [stub_readers.opposite(person) for person in true]
    write_debtors(folder / "wrong.jsonl", wrong)
    himself = stub_readers.Himself(true, seed=1)

    def mind(request: Mapping[str, Any]) -> str:
        if stub_readers.schema_of(request) == "refine":
            return stub_readers.reader(request)
        return himself({**request, "model": "scripted/debtor"})

    with Stub(mind) as stub:
        told = _arrears("debtors", "refine", str(folder / "wrong.jsonl"), "--json",
                        "--judge", stub.spec("judge"), "--debtor-seat", stub.spec("person"),
                        "--out", str(folder / "r.jsonl"))  # fmt: skip
    found = read_debtors(folder / "r.jsonl")
    facts = json.loads(told)
    print(f"\nrefined: {facts['settled']} of {facts['debtors']} settled, rounds {facts['rounds']}")
    for label, names in (("strong feelings", STRONG), ("cognition", COGNITION)):
        before, after = (
            np.mean([off(a, b, names) for a, b in zip(some, true, strict=True)])
            for some in (wrong, found)
        )
        print(f"{label:24}{before:12.1f} steps from the true person before,{after:6.1f} after")


def _arrears(*words: str) -> str:
    line = [sys.executable, "-m", "arrears.cli.main", *words]
    return subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
