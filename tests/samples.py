"""Samples of rejection sampling: with built-in seats or models that a stub plays, and what they hold."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from arrears.debtors.record import Debtor
from arrears.debtors.suites import load_suite
from arrears.dialogue.record import Dialogue
from arrears.models.backends import Settings
from arrears.models.retries import Patience
from arrears.training.rejection.candidates import dialogue_of_line
from arrears.training.rejection.plan import make_sample_plan
from arrears.training.rejection.sets import Funnel, sample
from tests.stub_server import Stub

QUICK = Settings(patience=Patience(1, 0.0), concurrency=4)
STYLES = ("dcn", "debtbench")
TWO = ("strict", "gentle")
TERMS = "disc_ratio=0%, pmt_ratio=25%, pmt_days=7, inst_prds=6"
BUILT_IN = "scripted/typical"


def records(n: int) -> tuple[Debtor, ...]:
    """The first debtors of DCN's test suite: it ships, the other would have to be made."""
    return load_suite("dcn", "test")[:n]


def rows_in(out: Path) -> list[dict[str, Any]]:
    """The rows of a sample."""
    return [json.loads(line) for line in (out / "train.jsonl").read_text().splitlines()]


def dialogues_in(out: Path) -> list[tuple[str, Dialogue]]:
    """Its talks, each with its style."""
    lines = (out / "dialogues.jsonl").read_bytes().splitlines()
    return [(json.loads(line)["style"], dialogue_of_line(line)) for line in lines]


def negatives_in(out: Path) -> list[dict[str, Any]]:
    """What the weak side was asked."""
    return [json.loads(line) for line in (out / "negatives.jsonl").read_text().splitlines()]


def made(
    out: Path, name: str, people: Sequence[Debtor], generator: str = BUILT_IN, **more: Any
) -> Funnel:
    """A sample of these debtors."""
    weak = more.pop("weak", "scripted/lenient" if name.startswith("dpo") else "")
    plan = make_sample_plan(name, "own", people, generator=generator, weak=weak, **more)
    return sample(plan, people, out, QUICK)


def strong(request: Mapping[str, Any]) -> str:
    """A collector that greets, then puts one good package on the table."""
    said = sum(m["role"] == "assistant" for m in request["messages"])
    if not said:
        return "Thoughts: ask.\nStrategy: establish trust\nAction: non\nDialogue: What happened?"
    return (
        f"Thoughts: exchange {said + 1}.\nStrategy: repayment negotiation\nAction: ask({TERMS})\n"
        f"Dialogue: A quarter in a week, the rest in half a year ({said})."
    )


def takes(request: Mapping[str, Any]) -> str:
    """A debtor that takes it at the second offer."""
    said = sum(m["role"] == "assistant" for m in request["messages"])
    if said < 2:
        return "Action: non\nDialogue: I lost my job in spring."
    return f"Action: accept({TERMS})\nDialogue: Yes, I can do that."


def by_model(**minds: Callable[[Mapping[str, Any]], str]) -> Callable[[Mapping[str, Any]], str]:
    """Each model's own mind; strong and taking where none is given."""
    every = {"strong": strong, "debtor": takes, "weak": lambda r: weakly("5%"), **minds}
    return lambda request: every[request["model"]](request)


def weakly(share: str) -> str:
    """An answer that gives much away."""
    return f"Thoughts: fast.\nAction: ask(pmt_ratio={share}, inst_prds=24)\nDialogue: As you like."


def sampled(
    stub: Stub, out: Path, name: str, people: Sequence[Debtor], **more: Any
) -> tuple[Funnel, list[dict[str, Any]]]:
    """A sample in which every seat is a model, and its rows."""
    weak = {"weak": stub.spec("weak")} if name.startswith("dpo") else {}
    funnel = made(
        out, name, people, stub.spec("strong"), debtor_seat=stub.spec("debtor"),
        **{"styles": TWO, "keep": 1.0, **weak, **more},
    )  # fmt: skip
    return funnel, rows_in(out)


def asked(stub: Stub, model: str) -> list[dict[str, Any]]:
    """The requests to one model."""
    return [request for request in stub.requests if request["model"] == model]


def systems(requests: Sequence[Mapping[str, Any]]) -> Counter[str]:
    """Their first messages."""
    return Counter(request["messages"][0]["content"] for request in requests)
