"""The command as a user calls it: instant help, clear errors with exit 2, JSON and nothing else."""

import signal
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from arrears.debtors.store import write_debtors
from arrears.debtors.suites import load_suite
from tests.commands import ARREARS, arrears
from tests.halting import halted


def typed(*words: str, stdin: str) -> subprocess.CompletedProcess[str]:
    """One call of the command by a person who types."""
    return subprocess.run([*ARREARS, *words], capture_output=True, text=True, input=stdin)


BENCH = ("bench", "--suite", "dcn", "--collector", "scripted/typical", "--limit", "2")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("bench", "--suite", "dcn", "--collector", "scripted/nice", "--out", "r"),
         "unknown collector 'scripted/nice'; known: scripted/lenient, scripted/typical, "
         "scripted/firm, scripted/adaptive"),
        (("bench", "--suite", "dnc", "--collector", "scripted/firm", "--out", "r"),
         "unknown suite 'dnc'; known: dcn, debtbench"),
        (("bench", "--collector", "scripted/firm", "--out", "r"), "name a --suite (dcn, debtbench)"),
        ((*BENCH, "--out", "r", "--debtor-seat", "human"), "unknown debtor seat 'human'"),
        ((*BENCH, "--out", "r", "--mandate", "max_discount=5"), "is no limit; the limits are"),
        ((*BENCH, "--out", "r", "--mandate", "max_disc_ratio=7%"), "legal values: 0%, 5%, 10%"),
        ((*BENCH, "--out", "r", "--debtors", "broken.jsonl"), "broken.jsonl, line 2: background.age"),
        ((*BENCH, "--out", "r", "--debtors", "none.jsonl"), "none.jsonl: cannot be read"),
        ((*BENCH, "--out", "file/r"), "cannot write"),
        ((*BENCH,), "Missing option '--out'"),
        (("project", "dcn-test-0001", "--terms", "discount=0"), "unknown term 'discount'; the terms"),
        (("project", "dcn-test-0001", "--terms", "disc_ratio=0"), "terms without pmt_ratio"),
        (("project", "dcn-test-0001", "--terms",
          "disc_ratio=7%,pmt_ratio=25%,pmt_days=7,inst_prds=6"), "disc_ratio=7% is not legal"),
        (("project", "dcn-test-9999"), "unknown debtor 'dcn-test-9999'"),
        (("project", "broken.jsonl:1"), "line 2: background.age"),
        (("debtors", "show", "nobody"), "unknown debtor"),
        (("report", "nowhere"), "is not a run folder"),
        (("chat", "--against", "scripted/nice"), "unknown debtor seat"),
        (("bnech",), "no command 'bnech'; known: bench, chat, debtors, export, judge, project, prompts, report"),
    ],
)  # fmt: skip
def test_bad_input_gets_a_clear_message_and_exit_2(
    words: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    people = tmp_path / "broken.jsonl"
    write_debtors(people, load_suite("dcn")[:3])
    lines = people.read_text().splitlines()
    lines[1] = lines[1].replace('"age":', '"age":-')
    people.write_text("\n".join(lines))
    done = arrears(*words, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert told in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_json_is_one_document_and_nothing_else(tmp_path: Path) -> None:
    done = arrears(*BENCH, "--collector", "scripted/firm", "--out", "r", "--json", cwd=tmp_path)
    document = orjson.loads(done.stdout)
    assert set(document["suites"]["dcn"]) == {"scripted/typical", "scripted/firm"}
    assert "dialogues" in done.stderr
    terms = "disc_ratio=0,pmt_ratio=25%,pmt_days=7,inst_prds=6"
    document = orjson.loads(arrears("project", "dcn-test-0001", "--terms", terms, "--json").stdout)
    assert document["debtor"] == "dcn-test-0001"
    assert {"agreements", "best", "money"} <= set(document)


def test_the_projection_is_printed_with_plan_best_terms_regret_and_picture(tmp_path: Path) -> None:
    terms = "disc_ratio=0,pmt_ratio=25%,pmt_days=7,inst_prds=6"
    done = arrears(
        "project", "dcn-test-0001", "--terms", terms, "--figure", "plan.png", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    for word in ("day", "principal", "fee", "best", "regret"):
        assert word in done.stdout.lower(), word
    assert (tmp_path / "plan.png").read_bytes().startswith(b"\x89PNG")


def test_a_person_can_sit_on_either_side(tmp_path: Path) -> None:
    said = (
        "Hello?\n\nTake this\nask(disc_ratio=0, pmt_ratio=10%, pmt_days=14, inst_prds=24)\n/quit\n"
    )
    done = typed("chat", "--debtor", "debtbench-test-0003", stdin=said)
    assert done.returncode == 0
    assert "You call" in done.stderr
    assert "You have left the table" in done.stderr
    said = "Who is this?\n\n" + "No.\nreject(disc_ratio)\n" * 3
    done = typed("chat", "--as", "debtor", "--against", "scripted/firm", "--max-turns", "2",
                 "--json", "--save", str(tmp_path / "talk.jsonl"), stdin=said)  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = orjson.loads(done.stdout)
    assert (document["ending"], document["debtor_seat"]) == ("max_turns", "human")
    assert orjson.loads((tmp_path / "talk.jsonl").read_bytes()) == document


def test_what_a_person_writes_wrongly_is_asked_for_again() -> None:
    said = "Hello?\nask(discount)\nHello?\nnon\n/quit\n"
    done = typed("chat", stdin=said)
    assert "has no value. Write key=value" in " ".join(done.stderr.split())


def test_an_interrupted_run_says_how_to_go_on(tmp_path: Path) -> None:
    words = ("bench", "--suite", "debtbench", "--collector", "scripted/typical", "--workers", "1",
             "--out", "r")  # fmt: skip
    file = tmp_path / "r" / "dialogues.jsonl"
    process = halted(file, 800_000, *words, cwd=tmp_path)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate()
    assert process.returncode == 130
    assert "resume with the same command" in stderr
    kept = file.read_bytes()
    assert kept.endswith(b"\n"), "what the signal met half way is taken back whole"
    assert 400_000 < len(kept) < 800_000, "what had been written before is kept"


def loaded_by(code: str) -> set[str]:
    """The modules that a new interpreter holds after that code, beyond those that it starts with."""
    told = (
        "import sys\nbefore = set(sys.modules)\n"
        f"{code}\n"
        "print('', *sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_help_and_import_load_little() -> None:
    """What they take is what they load; `python -m benchmarks.startup` has the seconds."""
    assert loaded_by("import arrears") <= {"arrears"}
    shown = loaded_by(
        "from arrears.cli.commands import cli\ntry: cli(['--help'])\nexcept SystemExit: pass"
    )
    packages = {name.partition(".")[0] for name in shown} - sys.stdlib_module_names
    assert packages == {"arrears", "click"}
    ours = {name for name in shown if name.startswith("arrears")}
    assert len(ours) < 10, "a command is imported when it is called"
    assert len(shown) < 150


def test_the_base_install_asks_for_no_torch() -> None:
    import tomllib

    text = (Path(__file__).parent.parent / "pyproject.toml").read_text()
    needed = " ".join(tomllib.loads(text)["project"]["dependencies"]).lower()
    assert "torch" not in needed
    assert "transformers" not in needed
