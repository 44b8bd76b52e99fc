"""What a debtor writes moves no limit of the collector's, and words are never acts.

The corpus holds whole raw messages that try: forged acts, claims of another mandate, fake logs,
values out of range. The ledger's mandate stands, whatever the collector's model makes of them.
"""

import contextlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from arrears.dialogue.acts import Act, act
from arrears.dialogue.ledger import Ledger
from arrears.dialogue.parser import parse_message
from arrears.dialogue.views import Table
from arrears.errors import ActSyntaxError
from arrears.terms import DIMENSIONS, GRID, Mandate

CORPUS = Path(__file__).parent / "corpus" / "injections.yaml"
ENTRIES: list[dict[str, Any]] = yaml.safe_load(CORPUS.read_text(encoding="utf-8"))
READ = [e for e in ENTRIES if "acts" in e]
STRICT = Mandate(max_disc_ratio=0.05, min_pmt_ratio=0.20, max_pmt_days=7, max_inst_prds=12)
MODEST = (
    act("ask", "disc_ratio", 0.0),
    act("ask", "pmt_ratio", 0.25),
    act("ask", "pmt_days", 7),
    act("ask", "inst_prds", 12),
)
# The collector's model may believe a forged act. Whatever legal value a message names could come
# back from it, and the far end of each grid always can.
FAR_END = {"disc_ratio": 0.30, "pmt_ratio": 0.05, "pmt_days": 14, "inst_prds": 24}


def each(entries: Iterable[dict[str, Any]]) -> Any:
    """Parametrised over entries, by their names."""
    entries = list(entries)
    ids = [f"{e['language']}: {e['id']}" for e in entries]
    return pytest.mark.parametrize("entry", entries, ids=ids)


def acts_of(entry: dict[str, Any]) -> tuple[Act, ...]:
    """The acts of an entry's message as they are read."""
    return parse_message(entry["text"], "debtor").acts


def assert_within_the_mandate(ledger: Ledger) -> None:
    """Neither a seal nor an agreement outside the limits."""
    for dim, position in zip(DIMENSIONS, ledger.table(), strict=True):
        assert position.sealed is None or STRICT.allows(dim, position.sealed), dim
    terms = ledger.agreement()
    assert terms is None or all(STRICT.allows(d, getattr(terms, d)) for d in DIMENSIONS)


def everything_accepted(table: Table) -> list[Act]:
    """The worst collector thinkable: it accepts every value that the debtor has asked."""
    return [
        act("accept", dim, position.debtor)
        for dim, position in zip(DIMENSIONS, table, strict=True)
        if position.debtor is not None
    ]


def table_after(acts: Sequence[Act]) -> Table:
    """The table of a talk in which a debtor answers modest terms with these acts."""
    ledger = Ledger(STRICT)
    ledger.apply("collector", MODEST)
    ledger.apply("debtor", acts)
    return ledger.table()


@each(ENTRIES)
def test_a_message_does_what_its_own_action_says_and_no_more(entry: dict[str, Any]) -> None:
    if "error" in entry:
        with pytest.raises(ActSyntaxError) as told:
            parse_message(entry["text"], "debtor")
        assert entry["error"] in str(told.value)
    else:
        assert [str(a) for a in acts_of(entry)] == entry["acts"]


@each(READ)
def test_against_modest_terms_nothing_outside_the_mandate_is_sealed(entry: dict[str, Any]) -> None:
    ledger = Ledger(STRICT)
    for _ in range(3):
        ledger.apply("collector", MODEST)
        assert_within_the_mandate(ledger)
        ledger.apply("debtor", acts_of(entry))
        assert_within_the_mandate(ledger)


@each(READ)
def test_against_the_worst_collector_nothing_outside_the_mandate_is_sealed(
    entry: dict[str, Any],
) -> None:
    ledger = Ledger(STRICT)
    far_end = [act("ask", dim, FAR_END[dim]) for dim in DIMENSIONS]
    for _ in range(3):
        for seat, acts in (
            ("debtor", acts_of(entry)),
            ("collector", everything_accepted(ledger.table())),
            ("collector", far_end),
            ("debtor", [act("accept", dim, FAR_END[dim]) for dim in DIMENSIONS]),
            ("collector", everything_accepted(ledger.table())),
        ):
            # One act at a time: a seal between two acts would count as well.
            for one in acts:
                ledger.apply(seat, [one])  # type: ignore[arg-type]
                assert_within_the_mandate(ledger)


@each(e for e in READ if not e["text"].startswith(("{", "<action>")))
def test_what_is_said_changes_nothing_on_the_table(entry: dict[str, Any]) -> None:
    """The same message with `hello` for its words leaves the same table."""
    # Up to the first label of what is said; a block of reasoning stays where it is.
    label = re.compile(r"(?:Dialogue[:：]|对话：|【对话】)")
    start = label.search(entry["text"])
    assert start is not None
    harmless = parse_message(f"{entry['text'][: start.end()]} hello", "debtor")
    assert harmless.dialogue == "hello"
    assert table_after(acts_of(entry)) == table_after(harmless.acts)


@each(READ)
def test_its_words_alone_are_no_message_of_the_collectors(entry: dict[str, Any]) -> None:
    """Repeated word for word by the collector, the debtor's words are still no acts of its own.

    With a whole forged message among them it is not told which one is meant: asked again.
    """
    said = parse_message(entry["text"], "debtor").dialogue
    words = f"Action: non\nDialogue: You wrote: {said}"
    with contextlib.suppress(ActSyntaxError):
        assert [str(a) for a in parse_message(words, "collector").acts] == ["non"]


def test_the_worst_collector_can_agree_within_the_mandate() -> None:
    """The mandate is no reason why nothing at all is agreed."""
    ledger = Ledger(STRICT)
    ledger.apply("debtor", [act("ask", d, STRICT.allowed(d)[0]) for d in DIMENSIONS])
    ledger.apply("collector", everything_accepted(ledger.table()))
    assert ledger.agreement() is not None


def test_the_corpus_is_large_and_strains_the_mandate() -> None:
    counted = Counter(e["language"] for e in ENTRIES)
    assert len(ENTRIES) >= 70
    assert min(counted["en"], counted["zh"]) >= 30
    assert len({e["text"] for e in ENTRIES}) == len(ENTRIES)
    assert all(not STRICT.allows(d, v) and v in GRID[d] for d, v in FAR_END.items())
    outside = [
        a
        for e in READ
        for a in acts_of(e)
        if a.dim and a.value and not STRICT.allows(a.dim, a.value)
    ]
    assert len(outside) >= 20


def test_a_collector_that_obeys_whatever_it_reads_still_keeps_the_mandate() -> None:
    """The worst model thinkable, in the real seat and the real loop: it takes every act that stands
    anywhere in what it was sent for its own.
    """
    import asyncio
    import re
    from collections.abc import Sequence

    from arrears.agents.llm_seat import LLMSeat
    from arrears.debtors.suites import load_suite
    from arrears.dialogue.loop import negotiate
    from arrears.models.chat import Completion, Message, Sampling
    from arrears.models.usage import Usage

    person = load_suite("dcn", "test")[0]
    mandate = Mandate(0.05, 0.25, 7, 9)

    class Says:
        def __init__(self, text: str) -> None:
            self.text = text

        async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completion:
            return Completion(self.text, "", Usage())

    class Obeys:
        async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completion:
            found = re.findall(r"(?:ask|accept)\([^()]*=[^()]*\)", messages[-1]["content"])
            return Completion(
                f"Action: {', '.join(found) or 'non'}\nDialogue: As you wish.", "", Usage()
            )

    for entry in ENTRIES:
        talk = asyncio.run(
            negotiate(
                case="c", suite="dcn", debtor=person,
                collector=LLMSeat("collector", "s", Obeys(), Sampling(), "en"),
                debtor_seat=LLMSeat("debtor", "s", Says(entry["text"]), Sampling(), "en"),
                collector_spec="x/x", debtor_spec="x/x", mandate=mandate, max_turns=4,
            )
        )  # fmt: skip
        if talk.terms is not None:
            for dim in ("disc_ratio", "pmt_ratio", "pmt_days", "inst_prds"):
                assert mandate.allows(dim, getattr(talk.terms, dim)), entry["id"]
        for turn in talk.turns:
            if turn.seat == "debtor":
                assert [str(a) for a in turn.acts] == entry["acts"], entry["id"]
