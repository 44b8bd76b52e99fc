"""Prompts of the debtor's seat against each other (DebtBench Table 4), over a real loopback server."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from arrears.agents.briefing import DEBTOR_PROMPTS, DebtorPrompt, debtor_system
from arrears.bench.folder import CALLS, read_plan
from arrears.bench.plan import make_plan
from arrears.bench.run import run
from arrears.bench.sheets import Judged, Sheet
from arrears.debtors.suites import load_suite
from arrears.dialogue.parser import parse_message
from arrears.errors import UsageError
from arrears.models.backends import Settings
from arrears.models.unanswered import Unanswered
from arrears.prompts.library import LANGUAGES, Language, prompt
from arrears.strategies import strategies
from arrears.synthesis.realism.ablation import _left, ablation_table, sign_test, tally
from tests.commands import ARREARS, arrears, bench
from tests.halting import wait_until
from tests.stub_minds import canned, seat_of
from tests.stub_server import Stub
from tests.test_prompts import PERSON, RECORD, sentinel

PEOPLE = 6
# What only one of the parts says.
PROFILE = "What you understand of such matters"
STRATEGIES = "What people like you do in such talks"


def system(variant: DebtorPrompt, language: Language = "en") -> str:
    """What a debtor's model is told."""
    return debtor_system(sentinel(), 12, language, variant)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_four_prompts_differ_in_the_profile_and_the_strategies_alone(
    language: Language,
) -> None:
    naive, strategic, profile, both = (
        [line for line in prompt(f"debtor_{name}", language).system.splitlines() if line]
        for name in ("naive", "strategies", "profile", "debtbench")
    )
    # The line with name, age and sex goes on with work and household where there is a profile.
    who = next(line for line in naive if "{name}" in line)
    longer = next(line for line in both if "{name}" in line)
    assert longer.startswith(who)
    assert [line for line in profile if line in naive or line == longer] == [
        longer if line == who else line for line in naive
    ]
    added = [line for line in strategic if line not in naive]
    assert any("{strategies}" in line for line in added)
    assert len(added) == 3, "a heading, the list, and the Strategy line of the message"
    assert [line for line in both if line not in profile] == added
    assert set(both) == (set(strategic) | set(profile)) - {who}
    assert "{strategies}" not in "\n".join(profile)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_prompt_has_what_it_should_of_a_person(language: Language) -> None:
    names = [s.zh if language == "zh" else s.name for s in strategies("debtor").values()]
    private = ("SENTINEL-CHARACTER", "SENTINEL-STYLE", "SENTINEL-STORY", "SENTINEL-WORK",
               "SENTINEL-HOUSEHOLD")  # fmt: skip
    for variant in DEBTOR_PROMPTS:
        text = system(variant, language)
        for fact in (
            "SENTINEL-REASON",
            "987,654.32",
            "4,321.77",
            "3,210.66",
            PERSON.background.name,
        ):
            assert fact in text, "nobody negotiates without knowing the debt and the money"
        for term in ("disc_ratio", "pmt_ratio", "pmt_days", "inst_prds", "leave()"):
            assert term in text
        assert [p in text for p in private] == [variant in ("profile", "both")] * len(private)
        assert all(name in text for name in names) == (variant in ("strategies", "both"))
    assert system("both", language) == debtor_system(sentinel(), 12, language)


@pytest.mark.parametrize(
    "message",
    [
        "Thoughts: hm\nAction: ask(inst_prds=12)\nDialogue: A year, please.",
        "思考：嗯\n动作：ask(inst_prds=12)\n对话：分一年吧。",
    ],
)
def test_a_message_without_a_strategy_is_read(message: str) -> None:
    read = parse_message(message, "debtor")
    assert (read.strategy, len(read.acts), read.repairs) == (None, 1, ())


def test_a_record_without_persona_has_one_prompt() -> None:
    assert debtor_system(RECORD, 12, "en")
    with pytest.raises(UsageError, match="has no persona"):
        debtor_system(RECORD, 12, "en", "naive")


def marked(request: Mapping[str, Any]) -> str:
    """A talk in which the debtor's words tell which parts its prompt had."""
    told = request["messages"][0]["content"]
    text = canned(request)
    if seat_of(request) == "collector":
        return text
    return text + " Profiled." * (PROFILE in told) + " Strategic." * (STRATEGIES in told)


def judge(pick: Callable[[str, str], str]) -> Callable[[Mapping[str, Any]], str]:
    """A mind that plays `marked` talks, and compares two by `pick`."""

    def mind(request: Mapping[str, Any]) -> str:
        if "human_likeness" not in request["messages"][0]["content"]:
            return marked(request)
        a, b = request["messages"][1]["content"].split("Conversation B:\n")
        vote = pick(a, b)
        return json.dumps({"human_likeness": vote, "realism": "tie", "reason": "r"})

    return mind


def always_a(a: str, b: str) -> str:
    """The first place."""
    del a, b
    return "A"


def likes(word: str) -> Callable[[str, str], str]:
    """Whichever has the word; a tie where both or none has it."""
    return lambda a, b: "tie" if (word in a) == (word in b) else "A" if word in a else "B"


def ablate(stub: Stub, out: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    """The command over the stub."""
    return arrears("debtors", "ablate", *asked(stub, out), *more)


def asked(stub: Stub, out: Path) -> tuple[str, ...]:
    """Its usual arguments."""
    return ("--debtor-seat", stub.spec("d"), "--judge", stub.spec("j"), "--limit", str(PEOPLE),
            "--out", str(out))  # fmt: skip


def counts(done: "subprocess.CompletedProcess[str]") -> dict[str, tuple[int, int, int]]:
    """Win, tie, loss of human-likeness by prompt."""
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["prompts"]
    return {
        name: tuple(by["human_likeness"][k] for k in ("win", "tie", "loss"))  # type: ignore[misc]
        for name, by in found.items()
    }


def test_a_judge_that_prefers_a_part_gives_it_the_wins(tmp_path: Path) -> None:
    with Stub(judge(likes("Profiled."))) as stub:
        done = ablate(stub, tmp_path / "a", "--json")
        assert counts(done) == {"strategies": (0, 6, 0), "profile": (6, 0, 0), "both": (6, 0, 0)}
        found = json.loads(done.stdout)["prompts"]["profile"]["human_likeness"]
        assert found["p"] == pytest.approx(2 / 2**6)
        assert found["preference"]["value"] == found["preference"]["high"] == 1
        assert found["preference"]["low"] == pytest.approx(6 / (6 + 1.96**2), abs=1e-3), (
            "six of six are no certainty"
        )
        judged = sum("human_likeness" in r["messages"][0]["content"] for r in stub.requests)
        assert judged == 3 * PEOPLE * 2, "three prompts, both orders"
        before = len(stub.requests)
        again = ablate(stub, tmp_path / "a")
        assert len(stub.requests) == before, "nothing is asked twice"
    assert re.search(r"with profile *\| *6 *\| *0 *\| *0 *\| *1.00", again.stdout), again.stdout
    plans = [read_plan(tmp_path / "a" / name) for name in DEBTOR_PROMPTS]
    assert [plan.debtor_prompt for plan in plans] == list(DEBTOR_PROMPTS)
    for name, plan in zip(DEBTOR_PROMPTS, plans, strict=True):
        assert plan.differences(plans[0]) == ([] if name == "both" else ["debtor_prompt"])


def test_other_judges_of_the_same_talks(tmp_path: Path) -> None:
    """One that always says A has said nothing; one that prefers what lacks a part makes losses; a
    vote and a tie are a leaning, which counts.
    """
    out = tmp_path / "a"
    with Stub(judge(always_a)) as stub:
        assert set(counts(ablate(stub, out, "--json")).values()) == {(0, PEOPLE, 0)}
        played = {n: (out / n / "dialogues.jsonl").read_bytes() for n in DEBTOR_PROMPTS}

        def against(word: str) -> Callable[[str, str], str]:
            swap = {"A": "B", "B": "A", "tie": "tie"}
            return lambda a, b: swap[likes(word)(a, b)]

        stub.mind = judge(against("Strategic."))
        line = [w.replace("/j@", "/other@") for w in asked(stub, out)]
        line = [*line[:3], stub.spec("other"), *line[4:]]
        done = arrears("debtors", "ablate", *line, "--json")
        assert counts(done) == {"strategies": (0, 0, 6), "profile": (0, 6, 0), "both": (0, 0, 6)}

        stub.mind = judge(
            lambda a, b: "A" if "Strategic." in a and "Strategic." not in b else "tie"
        )
        line[3] = stub.spec("leaning")
        done = arrears("debtors", "ablate", *line, "--json")
        assert counts(done) == {"strategies": (6, 0, 0), "profile": (0, 6, 0), "both": (6, 0, 0)}
        found = json.loads(done.stdout)["prompts"]["both"]["human_likeness"]
        assert found["preference"]["value"] == 0.75
    for name, lines in played.items():
        assert (out / name / "dialogues.jsonl").read_bytes() == lines, "judged, not played again"


def test_in_chinese_every_seat_and_the_judge_are_asked_in_chinese(tmp_path: Path) -> None:
    def mind(request: Mapping[str, Any]) -> str:
        asks = request["messages"][0]["content"]
        if "human_likeness" in asks:
            return json.dumps({"human_likeness": "tie", "realism": "B", "reason": "r"})
        return canned(request)

    with Stub(mind) as stub:
        done = ablate(stub, tmp_path / "a", "--lang", "zh", "--limit", "1", "--json",
                      "--collector", stub.spec("c"))  # fmt: skip
        assert set(counts(done).values()) == {(0, 1, 0)}
        told = {r["messages"][0]["content"] for r in stub.requests}
        assert all(max(text) >= "\u4e00" for text in told)
        assert len(told) == 4 + 1 + 1, "four debtors, a collector, a judge"


def test_it_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    out, whole = tmp_path / "killed", tmp_path / "whole"
    with Stub(judge(likes("Profiled."))) as stub:
        line = [*ARREARS, "debtors", "ablate", *asked(stub, out), "--concurrency", "1"]
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        growing = out / "strategies" / "dialogues.jsonl"
        wait_until(lambda: growing.exists() and growing.read_bytes() != b"", process)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        stored = (out / "naive" / "dialogues.jsonl").read_bytes()
        assert not (out / "both").exists()
        first = counts(ablate(stub, out, "--json"))
        assert (out / "naive" / "dialogues.jsonl").read_bytes() == stored
        assert counts(ablate(stub, whole, "--json")) == first
    for name in DEBTOR_PROMPTS:
        ours, theirs = (folder / name / "dialogues.jsonl" for folder in (out, whole))
        assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--debtor-seat", "scripted/debtor"), "scripted/debtor has no prompt"),
        (("--judge", "scripted/rubric"), "cannot compare"),
        (("--suite", "dcn"), "without a persona"),
        (("--suite", "nosuch"), "unknown suite"),
        (("--collector", "nosuch"), "unknown collector"),
        (("--lang", "zh"), "English only"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_asked(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    with Stub(judge(always_a)) as stub:
        done = ablate(stub, tmp_path / "a", *words)
        assert done.returncode == 2, done.stderr
        assert said in done.stderr
        assert not stub.requests
    assert not (tmp_path / "a").exists()


def test_a_run_of_another_prompt_is_not_taken_up(tmp_path: Path) -> None:
    with Stub(marked) as stub:
        line = ("--suite", "debtbench", "--limit", "2", "--collector", "scripted/typical",
                "--debtor-seat", stub.spec("d"))  # fmt: skip
        bench(tmp_path, *line, "--debtor-prompt", "naive")
        assert not any(PROFILE in r["messages"][0]["content"] for r in stub.requests)
        done = arrears("bench", *line, "--out", str(tmp_path))
        assert done.returncode == 2
        assert "debtor_prompt: naive there, both asked" in done.stderr
    done = arrears("bench", *line[:6], "--debtor-prompt", "profile", "--out", str(tmp_path / "x"))
    assert done.returncode == 2
    assert "scripted/debtor has no prompt; --debtor-prompt profile" in done.stderr


def test_a_folder_that_does_not_know_of_prompts_is_read_and_means_the_usual_one(
    tmp_path: Path,
) -> None:
    people = {"debtbench": load_suite("debtbench")[:2]}
    plan = make_plan(people, collectors=("scripted/typical",))
    run(plan, people, tmp_path, workers=1)
    file = tmp_path / "run.json"
    stored = json.loads(file.read_text())
    assert stored.pop("debtor_prompt") == "both"
    file.write_text(json.dumps(stored))
    assert read_plan(tmp_path) == plan
    assert run(plan, people, tmp_path, workers=1).played == 0, "taken up, and nothing is owed"


def test_the_sign_test_by_hand() -> None:
    assert sign_test(0, 0) == sign_test(5, 5) == 1
    assert sign_test(10, 0) == sign_test(0, 10) == pytest.approx(2 / 1024)
    assert sign_test(8, 2) == pytest.approx(2 * (45 + 10 + 1) / 1024)


def test_a_tally_by_hand_and_its_table() -> None:
    scores = (1.0, 0.75, 0.5, 0.25, 0.0, 1.0)
    judged = {
        str(i): Judged(str(i), {"human_likeness": s, "realism": 0.5}, "", "r")
        for i, s in enumerate(scores)
    }
    why = Unanswered(cause="provider", seat="judge", reason="the judge failed")
    judged["x"] = Judged("x", {}, "the judge failed", "", why)
    sheet = Sheet("pairwise", "j", "naive", judged)
    found = {name: tally(sheet, name, {}) for name in ("human_likeness", "realism")}
    human = found["human_likeness"]
    assert (human.win, human.tie, human.loss, human.unscored) == (3, 1, 2, 1)
    assert human.preference is not None
    assert human.preference.value == pytest.approx(3.5 / 6)
    assert human.preference.low < 0.5 < human.preference.high
    table = ablation_table({"profile": found}, "j")
    assert [cell.text for cell in table.rows[1].cells[:3]] == ["3", "1", "2"]
    assert [cell.text for cell in table.rows[1].cells[5:8]] == ["0", "6", "0"]
    assert table.rows[1].cells[-1].text == "1 (1 provider)"
    nothing = tally(sheet._replace(judged={"x": judged["x"]}), "realism", {})
    assert (nothing.preference, nothing.p, nothing.unscored) == (None, None, 1)


def test_the_money_is_that_of_all_folders_together(tmp_path: Path) -> None:
    folders: dict[DebtorPrompt, Path] = {name: tmp_path / name for name in DEBTOR_PROMPTS}
    for name, cost in (("naive", 0.7), ("both", 0.2)):
        (tmp_path / name).mkdir()
        call = {"case": "c", "seat": "debtor", "role": "speaker", "model": "m", "in": 1, "out": 1,
                "cached": 0, "cost": cost, "tries": 1, "seconds": 1.0, "from_cache": False}  # fmt: skip
        (tmp_path / name / CALLS).write_bytes(orjson.dumps(call) + b"\n")
    left = {n: _left(Settings(max_cost=1.0), f, folders).max_cost for n, f in folders.items()}
    assert left["naive"] == pytest.approx(0.8), "a folder counts its own"
    assert left["both"] == pytest.approx(0.3)
    assert left["profile"] == pytest.approx(0.1)
    assert _left(Settings(), folders["naive"], folders).max_cost is None
