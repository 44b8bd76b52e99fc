"""Every command that asks models, against a server that is dead, refuses, mumbles, or dies in the middle
and comes back: what failed is stored with who failed, counted, in no figure, and can be asked again.
"""

import json
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from arrears.bench.sheets import read_sheets
from arrears.debtors.store import write_debtors
from arrears.debtors.suites import load_suite
from tests import stub_readers, test_labelling, test_mining
from tests.commands import arrears, bench
from tests.stub_minds import verdict
from tests.stub_server import Faults, Stub
from tests.test_ablation import judge as plays_and_compares
from tests.test_ablation import likes

MODEL = "vllm/m"
QUICK = ("--retries", "0", "--retry-wait", "0", "--concurrency", "1")
NOWHERE = "http://127.0.0.1:9/v1"
FITS = {"emotion": 5, "cognition": 5, "style": 5, "changes": [], "reason": "fits"}


class Asking(NamedTuple):
    """One command and what it leaves behind."""

    words: Callable[[Path, Path], tuple[str, ...]]
    """Its words, by the folder with what it reads and the one that it writes."""
    mind: Callable[[Mapping[str, Any]], str]
    """A model that does what it is asked."""
    survives: int
    """How many answers there are before the server dies in the middle."""
    result: Callable[[Path], Any]
    """What it is for, to be compared."""
    stores: str
    """Where the answers lie, below the folder that it writes."""
    outage: int = 1_000
    """How many calls fail when the server has died."""


def knows_nothing(request: Mapping[str, Any]) -> str:
    """A model that finds a category in a conversation and nothing else."""
    body = request["response_format"]["json_schema"]["schema"]["properties"]
    if "category" in body and "text" not in body:
        return json.dumps({"category": "avoidant", "evidence": "I will think about it"})
    return json.dumps({**dict.fromkeys(body, "unknown"), "evidence": ""})


def fits(request: Mapping[str, Any]) -> str:
    """A judge of behaviour that finds nothing wrong."""
    del request
    return json.dumps(FITS)


def _file(name: str) -> Callable[[Path], bytes]:
    return lambda out: (out / name).read_bytes()


def _rounds(out: Path) -> Any:
    rows = map(json.loads, (out / "o.rounds.jsonl").read_text().splitlines())
    return sorted((row["id"], row["settled"], row["rounds"], row["end"]) for row in rows)


def _sheets(out: Path) -> Any:
    return {(s.kind, c): j for s in read_sheets(out / "run") for c, j in s.judged.items()}


def _played(out: Path) -> Any:
    names = ("naive", "strategies", "profile", "both")
    lines = [(out / "o" / name / "dialogues.jsonl").read_bytes() for name in names]
    return lines, [{c: j.scores for s in read_sheets(out / "o" / n) for c, j in s.judged.items()}
                   for n in names]  # fmt: skip


COMMANDS: Mapping[str, Asking] = {
    "judge": Asking(
        lambda read, out: ("judge", str(out / "run"), "--judge", MODEL, "--kind", "soundness"),
        verdict, 3, _sheets, "run/judgements/*.jsonl",
    ),
    "extract": Asking(
        lambda read, out: ("debtors", "extract", str(read / "one.jsonl"), "--model", MODEL,
                           "--out", str(out / "o.jsonl")),
        knows_nothing, 5, _file("o.jsonl"), "o.answers.jsonl",
    ),
    "enrich": Asking(
        lambda read, out: ("debtors", "enrich", "dcn", "--limit", "3", "--model", MODEL,
                           "--out", str(out / "o.jsonl")),
        stub_readers.inventor, 4, _file("o.jsonl"), "o.answers.jsonl",
    ),
    "refine": Asking(
        lambda read, out: ("debtors", "refine", str(read / "three.jsonl"), "--judge", MODEL,
                           "--max-turns", "2", "--out", str(out / "o.jsonl")),
        fits, 1, _rounds, "o.rounds.jsonl",
    ),
    "mine": Asking(
        lambda read, out: ("strategies", "mine", str(read / "talks.jsonl"), "--embed", "tfidf",
                           "--seat", "debtor", "--min-cluster", "4", "--model", MODEL,
                           "--out", str(out / "o.yaml")),
        test_mining.mind, 10, _file("o.yaml"), "o.yaml.pairs.jsonl", 2,
    ),
    "label": Asking(
        lambda read, out: ("strategies", "label", str(read / "t.yaml"), str(read / "few.jsonl"),
                           "--model", MODEL, "--out", str(out / "o.jsonl")),
        test_labelling.mind, 2, _file("o.jsonl"), "o.jsonl.answers.jsonl",
    ),
    "ablate": Asking(
        lambda read, out: ("debtors", "ablate", "--debtor-seat", MODEL, "--judge", MODEL,
                           "--limit", "2", "--out", str(out / "o")),
        plays_and_compares(likes("Profiled.")), 12, _played, "o/*/judgements/*.jsonl",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the commands read."""
    folder = tmp_path_factory.mktemp("read")
    bench(folder / "run", "--suite", "debtbench", "--limit", "6", "--collector", "scripted/typical")
    write_debtors(folder / "three.jsonl", load_suite("debtbench")[:3])
    talks = test_mining.planted(12)
    test_mining.write(folder / "talks.jsonl", talks)
    test_mining.write(folder / "few.jsonl", talks[:4])
    said = {"seat": "debtor", "text": "I will think about it."}
    test_mining.write(folder / "one.jsonl", [{"id": "talk", "turns": [said]}])
    rows = {
        seat: {key: {"name": key, "meaning": f"About {key}."} for key in moves}
        for seat, moves in test_mining.MOVES.items()
    }
    (folder / "t.yaml").write_text(yaml.safe_dump(rows))
    return folder


@pytest.fixture
def out(read: Path, tmp_path: Path) -> Path:
    """Where a command writes; a run of its own to be judged lies there."""
    return prepared(read, tmp_path / "out")


def prepared(read: Path, out: Path) -> Path:
    """An empty folder with a copy of the run."""
    (out / "run").mkdir(parents=True)
    for file in (read / "run").iterdir():
        if file.is_file():
            (out / "run" / file.name).write_bytes(file.read_bytes())
    return out


def dying(asking: Asking) -> Faults:
    """Answers, then an outage."""
    arrived = count()
    gone = range(asking.survives, asking.survives + asking.outage)
    return Faults(doomed=lambda body: next(arrived) in gone)


def failed_in(out: Path, stores: str) -> list[dict[str, Any]]:
    """The failures that are stored, whatever the store calls them."""
    lines = [
        json.loads(line) for file in out.glob(stores) for line in file.read_text().splitlines()
        if not file.name.endswith("calls.jsonl")
    ]  # fmt: skip
    found = [line.get("failed") or line.get("failure") for line in lines]
    return [one for one in found if isinstance(one, dict)]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("mode", "cause", "words"),
    [
        ("dead", "provider", "cannot connect"),
        ("refuses", "provider", "blocked by the content filter"),
        ("mumbles", "malformed", "no JSON object"),
    ],
)
def test_a_command_to_which_nothing_was_answered_ends_with_1_and_stores_who_failed(
    command: str, mode: str, cause: str, words: str, read: Path, out: Path
) -> None:
    asking = COMMANDS[command]
    with Stub(lambda request: "Hm.", Faults(doomed=lambda body: mode == "refuses")) as stub:
        env = {"VLLM_BASE_URL": NOWHERE if mode == "dead" else stub.base}
        done = arrears(*asking.words(read, out), *QUICK, env=env)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "--retry-errors" in done.stderr
    assert words in done.stderr
    found = failed_in(out, asking.stores)
    assert found
    if command == "ablate" and mode != "mumbles":
        # Its dialogues failed, and so there was nothing to ask a judge about.
        assert "naive, vllm/m: 2 of 2 dialogues" in done.stderr
        assert {one["cause"] for one in found} == {"not_asked"}
        return
    assert f" {cause})" in done.stderr, "how many, by who failed"
    assert {one["cause"] for one in found} == {cause}
    assert all(one["reason"] and one["error"] for one in found)
    made = [out / "o.jsonl", out / "o.yaml"]
    assert command == "refine" or not any(map(Path.exists, made)), "nothing is made of nothing"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_server_that_dies_in_the_middle_and_comes_back(
    command: str, read: Path, out: Path, tmp_path: Path
) -> None:
    asking = COMMANDS[command]
    quiet = prepared(read, tmp_path / "quiet")
    with Stub(asking.mind) as stub:
        env = {"VLLM_BASE_URL": stub.base}
        done = arrears(*asking.words(read, quiet), *QUICK, env=env)
        assert done.returncode == 0, done.stderr
        needed = len(stub.requests)

    with Stub(asking.mind, dying(asking)) as stub:
        env = {"VLLM_BASE_URL": stub.base}
        line = (*asking.words(read, out), *QUICK)
        died = arrears(*line, env=env)
        assert died.returncode == 1, died.stderr
        assert "Traceback" not in died.stderr
        assert "more failed than --fail-on-error 0 allows" in died.stderr
        assert "--retry-errors" in died.stderr
        assert stub.answered >= asking.survives
        stub.faults = Faults()
        done = arrears(*line, "--retry-errors", env=env)
        assert done.returncode == 0, done.stderr
        # Of a comparison in two orders whose second failed, the first is asked again.
        assert needed <= stub.answered <= needed + 2, "what was answered is not asked again"
    assert asking.result(out) == asking.result(quiet), "as on a quiet night"
    assert not [f for f in failed_in(out, asking.stores) if f["cause"] != "not_asked"]


def test_what_failed_stays_failed_until_it_is_asked_again_and_may_be_allowed(
    read: Path, out: Path
) -> None:
    asking = COMMANDS["judge"]
    with Stub(asking.mind, dying(asking)) as stub:
        env = {"VLLM_BASE_URL": stub.base}
        line = (*asking.words(read, out), *QUICK)
        for share, code in (("0.4", 1), ("0.5", 0), ("1", 0)):
            done = arrears(*line, "--fail-on-error", share, env=env)
            assert done.returncode == code, done.stderr
            assert "3 / 3 (3 provider)" in done.stdout, "counted beside the mean"
            assert len(stub.requests) == 6, "nothing is asked again unasked"
