"""How uniform and how polite the built-in seats are, beside people who negotiate something else.

    python -m benchmarks.diversity

Plays 300 talks with debtbench for each of two built-in collectors and measures both seats. Beside
them CaSiNo (Chawla et al. 2021), from `$ARREARS_DATA/casino/casino_{train,valid,test}.json`: 1,030
talks of people who divide camping supplies in writing. Another domain, so only what tells of
uniformity compares, not lengths or words. Their two sides play the same part; here the first stands
under "collector" and the second under "debtor". Without the data only ours are shown. The last
table is of messages of 10 to 30 tokens alone, since short ones are alike everywhere.
"""

import argparse
import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import orjson

from arrears.bench.plan import make_plan
from arrears.bench.run import run
from arrears.bench.terminal import print_table
from arrears.debtors.suites import load_suite
from arrears.strategies import Seat
from arrears.synthesis.conversations import Conversation, Utterance
from arrears.synthesis.realism.diversity import diversity, diversity_tables, with_intervals
from arrears.synthesis.realism.talks import Talk, from_conversation, read_talks
from arrears.synthesis.realism.words import tokens

COLLECTORS = ("scripted/adaptive", "scripted/typical")
LENGTHS = range(10, 31)
PARTS = ("train", "valid", "test")
# What the two do to a deal stands among what they say.
_DEEDS = ("Submit-Deal", "Accept-Deal", "Reject-Deal", "Walk-Away")
_SEATS: dict[str, Seat] = {"mturk_agent_1": "collector", "mturk_agent_2": "debtor"}


def casino(folder: Path) -> list[Conversation]:
    """CaSiNo's talks as conversations: words only."""
    talks = []
    for part in PARTS:
        for raw in orjson.loads((folder / f"casino_{part}.json").read_bytes()):
            said = tuple(
                Utterance(_SEATS[line["id"]], line["text"].strip())
                for line in raw["chat_logs"]
                if line["text"].strip() and line["text"] not in _DEEDS
            )
            talks.append(Conversation(f"{part}-{raw['dialogue_id']}", said))
    return [talk for talk in talks if talk.utterances]


def ours(collector: str, debtors: int, seed: int) -> tuple[Talk, ...]:
    """Talks of a built-in collector with the built-in debtor."""
    people = {"debtbench": load_suite("debtbench", "test")[:debtors]}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run"
        run(make_plan(people, collectors=(collector,), seed=seed), people, path)
        return read_talks(path)


def of_a_length(talks: Sequence[Talk]) -> list[Talk]:
    """The same with messages of `LENGTHS` only; talks that have none are left out."""
    kept = [
        replace(t, said=tuple(s for s in t.said if len(tokens(s.text)) in LENGTHS)) for t in talks
    ]
    return [talk for talk in kept if talk.said]


def main() -> None:
    """Print the tables."""
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--debtors", type=int, default=300)
    args.add_argument("--seed", type=int, default=1)
    options = args.parse_args()
    sets = {name: ours(name, options.debtors, options.seed) for name in COLLECTORS}
    angry = {d.id for d in load_suite("debtbench", "test") if d.category == "confrontational"}
    # A case is `suite/collector/debtor seat/debtor/repeat`.
    theirs = tuple(t for t in sets[COLLECTORS[-1]] if t.id.split("/")[-2] in angry)
    sets[f"{COLLECTORS[-1]}, confrontational"] = theirs
    data = os.environ.get("ARREARS_DATA")
    if data:
        found = casino(Path(data) / "casino")
        sets["CaSiNo (people)"] = tuple(from_conversation(talk) for talk in found)
    else:
        print("ARREARS_DATA is not set: no people to hold ours against")
    for table in diversity_tables(sets, diversity(sets, options.seed)):
        print_table(with_intervals(table))
    cut = {name: of_a_length(talks) for name, talks in sets.items()}
    _, uniformity, *_ = diversity_tables(cut, diversity(cut, options.seed))
    title = f"{uniformity.title}, messages of {LENGTHS[0]} to {LENGTHS[-1]} tokens alone"
    print_table(with_intervals(uniformity._replace(caption=title)))


if __name__ == "__main__":
    main()
