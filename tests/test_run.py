"""A run: the same bytes at any concurrency and after any number of kills; refused where it must be."""

import random
import resource
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from arrears.bench.plan import make_plan
from arrears.bench.run import run
from arrears.bench.scores import read_scores
from arrears.bench.stored import open_run
from arrears.debtors.store import write_debtors
from arrears.debtors.suites import load_suite
from arrears.errors import BrokenFile, RunMismatch, UnwritablePlace, UsageError
from arrears.terms import Mandate
from tests.commands import ARREARS, arrears, bench
from tests.halting import halted, kill

WHAT = (
    "bench", "--suite", "dcn", "--suite", "debtbench", "--collector", "scripted/typical",
    "--collector", "scripted/lenient", "--limit", "150", "--seed", "5", "--no-report",
)  # fmt: skip
CASES = 600


def command(out: Path, *more: str) -> list[str]:
    """The command of a small run."""
    return [*ARREARS, *WHAT, "--out", str(out), *more]


def words(out: Path, workers: str) -> tuple[str, ...]:
    """The same in so many processes, as its words."""
    return (*WHAT, "--out", str(out), "--workers", workers)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run as it comes out when nothing goes wrong."""
    out = tmp_path_factory.mktemp("clean") / "run"
    subprocess.run(command(out, "--workers", "1"), check=True, capture_output=True)
    return out


def stored(out: Path) -> bytes:
    """The dialogues of a run folder."""
    return (out / "dialogues.jsonl").read_bytes()


def test_a_run_leaves_what_the_design_says(clean: Path) -> None:
    names = {p.name for p in clean.iterdir() if not p.name.startswith(".")}
    assert names == {"run.json", "dialogues.jsonl", "timing.jsonl", "scores.parquet"}
    cases = [orjson.loads(line)["case"] for line in stored(clean).splitlines()]
    assert len(set(cases)) == CASES
    assert cases[0] == "dcn/scripted/typical/scripted/debtor/dcn-test-0001/1"
    plan = orjson.loads((clean / "run.json").read_bytes())
    assert (plan["format"], plan["seed"], plan["repeats"]) == (2, 5, 1)
    assert [row.case for row in read_scores(clean)] == cases


def test_the_same_bytes_at_any_concurrency(clean: Path, tmp_path: Path) -> None:
    subprocess.run(command(tmp_path / "run", "--workers", "3"), check=True, capture_output=True)
    assert stored(tmp_path / "run") == stored(clean)


def test_ten_kills_lose_nothing_and_double_nothing(clean: Path, tmp_path: Path) -> None:
    """SIGKILL in a write that has come to a random byte; then the same command again."""
    rng = random.Random(11)
    total = len(stored(clean))
    out = tmp_path / "run"
    for share in sorted(rng.uniform(0.0, 0.98) for _ in range(10)):
        kill(halted(out / "dialogues.jsonl", round(share * total), *words(out, rng.choice("12"))))
    subprocess.run(command(out), check=True, capture_output=True)
    assert stored(out) == stored(clean)
    assert read_scores(out) == read_scores(clean)


def test_a_torn_last_line_is_owed_again(clean: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    out.mkdir()
    (out / "run.json").write_bytes((clean / "run.json").read_bytes())
    (out / "dialogues.jsonl").write_bytes(stored(clean)[:-700])
    subprocess.run(command(out), check=True, capture_output=True)
    assert stored(out) == stored(clean)


def test_a_broken_line_in_the_middle_is_named(clean: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    out.mkdir()
    (out / "run.json").write_bytes((clean / "run.json").read_bytes())
    lines = stored(clean).splitlines(keepends=True)
    lines[3] = lines[3][:50] + b"\n"
    (out / "dialogues.jsonl").write_bytes(b"".join(lines))
    done = subprocess.run(command(out), capture_output=True, text=True)
    assert done.returncode == 2
    assert "dialogues.jsonl, line 4" in done.stderr
    assert "remove this line" in done.stderr


def test_a_full_disk_keeps_what_was_finished(clean: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk."""
    out = tmp_path / "run"
    room = len(stored(clean)) // 3

    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    done = subprocess.run(
        command(out, "--workers", "1"), capture_output=True, text=True, preexec_fn=small_disk
    )
    assert done.returncode == 1
    assert "cannot write" in done.stderr
    assert "resume with the same command" in done.stderr
    kept = stored(out)
    assert kept.endswith(b"\n")
    assert 0.8 * room < len(kept) <= room
    subprocess.run(command(out), check=True, capture_output=True)
    assert stored(out) == stored(clean)


PEOPLE = {"dcn": load_suite("dcn")[:3]}


def small(**changes: object) -> object:
    """A plan of three talks, with changes."""
    return make_plan(PEOPLE, **{"collectors": ("scripted/typical",), **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"seed": 2}, "seed: 1 there, 2 asked"),
        ({"collectors": ("scripted/firm",)}, "collectors"),
        ({"repeats": 2}, "repeats"),
        ({"max_turns": 5}, "max_turns"),
        ({"mandate": Mandate(max_disc_ratio=0.1)}, "mandate"),
    ],
)
def test_another_configuration_is_refused_field_by_field(
    changes: dict[str, object], field: str, tmp_path: Path
) -> None:
    run(small(), PEOPLE, tmp_path / "run")  # type: ignore[arg-type]
    with pytest.raises(RunMismatch, match=field) as caught:
        run(small(**changes), PEOPLE, tmp_path / "run")  # type: ignore[arg-type]
    assert caught.value.exit_code == 2


def test_an_unknown_format_version_is_refused(tmp_path: Path) -> None:
    run(small(), PEOPLE, tmp_path / "run")  # type: ignore[arg-type]
    file = tmp_path / "run" / "run.json"
    file.write_bytes(file.read_bytes().replace(b'"format": 2', b'"format": 9'))
    with pytest.raises(RunMismatch, match="format version 9, this arrears reads 2"):
        run(small(), PEOPLE, tmp_path / "run")  # type: ignore[arg-type]
    with pytest.raises(RunMismatch, match="format version 9"):
        open_run(tmp_path / "run")


def test_dialogues_of_nobody_knows_what_are_refused(tmp_path: Path) -> None:
    (tmp_path / "dialogues.jsonl").write_text("{}\n")
    with pytest.raises(RunMismatch, match=r"holds dialogues but no run\.json"):
        run(small(), PEOPLE, tmp_path)  # type: ignore[arg-type]
    with pytest.raises(RunMismatch, match="is not a run folder"):
        open_run(tmp_path)


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UnwritablePlace, match="cannot write") as caught:
        run(small(), PEOPLE, tmp_path / "file" / "run")  # type: ignore[arg-type]
    assert caught.value.exit_code == 2


def test_two_processes_do_not_write_one_folder(tmp_path: Path) -> None:
    """The second is refused while the first holds the lock; a record lock ends with its process."""
    run(small(), PEOPLE, tmp_path / "run")  # type: ignore[arg-type]
    lock = tmp_path / "run" / ".lock"
    held = (
        "import fcntl,os,sys\n"
        f"fd=os.open({str(lock)!r},os.O_RDWR)\nfcntl.lockf(fd,fcntl.LOCK_EX)\n"
        "print('held',flush=True)\nsys.stdin.read()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", held], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout is not None
    assert other.stdout.readline() == b"held\n"
    with pytest.raises(RunMismatch, match="written by another process"):
        run(small(), PEOPLE, tmp_path / "run")  # type: ignore[arg-type]
    other.communicate()
    run(small(), PEOPLE, tmp_path / "run")  # type: ignore[arg-type]


def test_a_debtor_meets_every_collector_with_the_same_luck(tmp_path: Path) -> None:
    """Until the collectors say something different the debtor answers the same."""
    plan = make_plan(PEOPLE, collectors=("scripted/typical", "scripted/firm"))
    run(plan, PEOPLE, tmp_path / "run")
    found = open_run(tmp_path / "run")
    first = {}
    for row in found.rows:
        dialogue = found.dialogue(row.case)
        first.setdefault(row.debtor_id, []).append(dialogue.turns[1].private)
    assert all(a["patience"] == b["patience"] for a, b in first.values())


def test_own_debtors_are_kept_with_the_run(tmp_path: Path) -> None:
    people = tmp_path / "mine.csv"
    write_debtors(people, load_suite("debtbench")[:4])
    bench(tmp_path / "run", "--debtors", str(people), "--collector", "scripted/typical")
    people.unlink()
    found = open_run(tmp_path / "run")
    assert [row.suite for row in found.rows] == ["mine"] * 4
    done = arrears("report", str(tmp_path / "run"), "--json")
    assert orjson.loads(done.stdout)["suites"]["mine"]["scripted/typical"]["dialogues"] == 4


def test_scores_that_are_gone_are_made_again_from_the_dialogues(
    clean: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    out.mkdir()
    for name in ("run.json", "dialogues.jsonl"):
        (out / name).write_bytes((clean / name).read_bytes())
    assert open_run(out).rows == read_scores(clean)
    (out / "scores.parquet").write_bytes(b"nonsense")
    with pytest.raises(BrokenFile, match="not the scores of a run"):
        open_run(out)


def test_a_plan_without_sense_is_refused() -> None:
    with pytest.raises(UsageError, match="named once"):
        small(collectors=("scripted/firm", "scripted/firm"))
    with pytest.raises(UsageError, match="no debtors"):
        make_plan({"dcn": ()}, collectors=("scripted/firm",))
    with pytest.raises(UsageError, match="--repeats must be at least 1"):
        small(repeats=0)
