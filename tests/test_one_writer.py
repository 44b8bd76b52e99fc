"""What is written over time has one writer: two processes, no locks, a full disk, a kill."""

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from arrears.bench.plan import make_plan
from arrears.bench.run import run
from arrears.cli.commands import cli
from arrears.debtors.store import write_debtors
from arrears.debtors.suites import load_suite
from arrears.errors import RunMismatch, StorageError, UnwritablePlace, cannot_write
from arrears.files import CASE, LineFile, LineReader, replace_file
from arrears.runs import lock
from arrears.runs.lock import Lock, lock_file, lock_folder
from tests import accounts
from tests.commands import ARREARS, arrears
from tests.test_mining import MOVES, planted, write

NOBODY = "compat/m@http://127.0.0.1:9/v1"
"""A model that is never asked: the command is refused before."""


# Which commands write over time


def commands(command: click.Command = cli, *names: str) -> Iterator[str]:
    """Every command, by its words."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, *names, name)
    else:
        yield " ".join(names)


TAKES: dict[str, Callable[[Path], tuple[list[str], Path]]] = {
    "bench": lambda p: (
        ["--suite", "dcn", "--limit", "1", "--collector", "scripted/typical", "--out", f"{p}/o"],
        p / "o",
    ),
    "judge": lambda p: ([f"{p}/run", "--judge", "scripted/rubric"], p / "run"),
    "debtors ablate": lambda p: (
        ["--debtor-seat", NOBODY, "--judge", NOBODY, "--limit", "1", "--out", f"{p}/o"], p / "o",
    ),
    "debtors enrich": lambda p: (
        ["dcn", "--limit", "1", "--model", NOBODY, "--out", f"{p}/o.jsonl"], p / "o.jsonl",
    ),
    "debtors extract": lambda p: (
        [f"{p}/talks.jsonl", "--limit", "1", "--model", NOBODY, "--out", f"{p}/o.jsonl"],
        p / "o.jsonl",
    ),
    "debtors fit": lambda p: (
        [f"{p}/accounts.csv", "--map", f"{p}/mapping.toml", "--method", "gaussian",
         "--out", f"{p}/o"], p / "o",
    ),
    "debtors refine": lambda p: (
        ["debtbench", "--limit", "1", "--judge", NOBODY, "--out", f"{p}/o.jsonl"], p / "o.jsonl",
    ),
    "strategies label": lambda p: (
        [f"{p}/taxonomy.yaml", f"{p}/talks.jsonl", "--model", NOBODY, "--out", f"{p}/o.jsonl"],
        p / "o.jsonl",
    ),
    "strategies mine": lambda p: (
        [f"{p}/talks.jsonl", "--embed", "tfidf", "--out", f"{p}/o.yaml"], p / "o.yaml",
    ),
    "strategies review": lambda p: (
        [f"{p}/taxonomy.yaml", "--do", "accept income"], p / "taxonomy.yaml",
    ),
    "train cfpo": lambda p: (
        ["--model", NOBODY, "--suite", "dcn", "--limit", "1", "--pairs-only", "--out", f"{p}/o"],
        p / "o",
    ),
    "train dpo": lambda p: (
        ["--model", f"hf/{p}/model", "--data", f"{p}/dpo.jsonl", "--recipe", "nano-dpo",
         "--out", f"{p}/o"], p / "o",
    ),
    "train nano": lambda p: (["--out", f"{p}/o"], p / "o"),
    "train sample": lambda p: (
        ["sft-dg", "--suite", "dcn", "--limit", "1", "--generator", "scripted/adaptive",
         "--out", f"{p}/o"], p / "o",
    ),
    "train sft": lambda p: (
        ["--model", f"hf/{p}/model", "--data", f"{p}/sft.jsonl", "--recipe", "nano-sft",
         "--out", f"{p}/o"], p / "o",
    ),
}  # fmt: skip
"""By command: words that it accepts, given a folder of inputs, and what it writes over time."""
AT_ONCE = {
    "debtors analyse", "debtors export", "debtors make", "debtors sample", "export gguf", "project",
    "report", "train report",
}  # fmt: skip
"""These write a file in one step at their end: the last one's stands, whole."""
NOTHING = {"chat", "debtors show", "debtors stats", "prompts list", "prompts show"}
"""These only show something; `chat --save` adds one line in one step."""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory, shelf: Path) -> Path:
    """Something to read for every command."""
    folder = tmp_path_factory.mktemp("inputs")
    people = {"dcn": load_suite("dcn")[:1]}
    run(make_plan(people, collectors=("scripted/typical",)), people, folder / "run")
    write(folder / "talks.jsonl", planted(30))
    taxonomy = {
        seat: {
            key: {"name": key, "meaning": f"About {key}.", "examples": list(texts)}
            for key, texts in moves.items()
        }
        for seat, moves in MOVES.items()
    }
    (folder / "taxonomy.yaml").write_text(yaml.safe_dump(taxonomy))
    accounts.write(folder / "accounts.csv", accounts.rows())
    for name in ("model", "sft.jsonl", "dpo.jsonl"):
        (folder / name).symlink_to(shelf / name)
    return folder


def test_every_command_is_known_to_write_over_time_or_not() -> None:
    """A new command has to be put into one of the three."""
    assert {*TAKES} | AT_ONCE | NOTHING == {*commands()}


def locked(place: Path) -> Lock:
    """What a command locks that writes there."""
    return lock_file(place) if place.suffix else lock_folder(place)


def contents(folder: Path) -> dict[Path, bytes]:
    """All files but locks: a process that reads its own lock loses it."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != lock.NAME)
    return {path: path.read_bytes() for path in files if path.name != lock.NAME}


@pytest.mark.parametrize("name", TAKES)
def test_a_second_process_is_refused(name: str, inputs: Path) -> None:
    """This process holds the lock, as the first one would."""
    words, place = TAKES[name](inputs)
    with locked(place):
        before = contents(inputs)
        done = arrears(*name.split(), *words)
        after = contents(inputs)
    assert done.returncode == 2, done.stderr
    assert f"{place} is being written by another process ({os.getpid()})" in done.stderr
    assert after == before


@pytest.mark.parametrize("name", TAKES)
def test_a_file_system_without_locks_is_told(
    name: str, inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lockf(*given: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(lock.fcntl, "lockf", lockf)
    words, _ = TAKES[name](inputs)
    with pytest.raises(UnwritablePlace, match="this file system has no locks; put --out elsewhere"):
        cli([*name.split(), *words], standalone_mode=False)


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_no_locks_by_any_error_number(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lockf(*given: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(lock.fcntl, "lockf", lockf)
    with pytest.raises(UnwritablePlace, match="has no locks") as caught:
        lock_folder(tmp_path / "run")
    assert caught.value.exit_code == 2
    assert "make room" not in str(caught.value)


def test_a_place_that_never_can_be_written_is_not_said_to_lack_room() -> None:
    done = arrears("bench", *TAKES["bench"](Path("/proc"))[0])
    assert done.returncode == 2
    assert "cannot write /proc/o: No such file or directory" in done.stderr
    assert "choose a place that can be written" in done.stderr


# The lock


def test_a_lock_ends_with_its_process_and_leaves_nothing_to_clear_away(tmp_path: Path) -> None:
    hold = (
        "import sys\nfrom pathlib import Path\nfrom arrears.runs.lock import lock_file\n"
        f"held = lock_file(Path({str(tmp_path / 'x.jsonl')!r}))\nprint(1, flush=True)\n"
        "sys.stdin.read()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout is not None
    assert other.stdout.readline() == b"1\n"
    with pytest.raises(RunMismatch, match=rf"by another process \({other.pid}\)"):
        lock_file(tmp_path / "x.jsonl")
    other.kill()
    other.communicate()
    with lock_file(tmp_path / "x.jsonl"):
        assert [path.name for path in tmp_path.iterdir()] == [".x.jsonl.lock"]
    assert not list(tmp_path.iterdir())


def test_a_process_does_not_lock_what_it_has_locked(tmp_path: Path) -> None:
    with lock_folder(tmp_path):
        with pytest.raises(RunMismatch, match="by this process already"):
            lock_folder(tmp_path)
        # The refusal has not taken away the first one.
        done = subprocess.run(
            [sys.executable, "-c", "import sys\nfrom pathlib import Path\n"
             "from arrears.runs.lock import lock_folder\nlock_folder(Path(sys.argv[1]))",
             str(tmp_path)], capture_output=True, text=True,
        )  # fmt: skip
        assert "is being written by another process" in done.stderr
    with lock_folder(tmp_path):
        pass


# Lines


LINE = st.builds(lambda n: b'{"case": "%d"}\n' % n, st.integers(0, 10**30))


class Full(Exception):
    """Stands for whatever ends a write in its middle."""


@given(data=st.data())
def test_a_failed_append_takes_nothing_from_another_writer(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Two writers on one file, one of which fails in the middle of a line, at any byte, before or
    after the other one has written."""
    path = tmp_path_factory.mktemp("two") / "lines.jsonl"
    before, mine, theirs = (data.draw(st.lists(LINE, max_size=3)) for _ in range(3))
    torn = data.draw(LINE)
    cut, behind = data.draw(st.integers(0, len(torn) - 1)), data.draw(st.booleans())
    with LineFile(path) as first, LineFile(path) as second:
        first.append(before)
        if not behind:
            second.append(theirs)
        whole = os.write

        def write(fd: int, rest: bytes) -> int:
            # As a disk that is full after `cut` bytes: a short write, then an error.
            if len(rest) < len(torn) or not cut:
                if behind:
                    second.append(theirs)
                raise OSError(errno.ENOSPC, "No space left on device")
            return whole(fd, rest[:cut])

        patched = pytest.MonkeyPatch()
        patched.setattr(
            os, "write", lambda fd, rest: write(fd, rest) if fd == first._fd else whole(fd, rest)
        )
        with pytest.raises(StorageError, match="make room, then resume"):
            first.append([torn])
        patched.undo()
        spans = first.append(mine)
        assert [first.read(span) for span in spans] == mine
    lines = [line.strip() for line in path.read_bytes().splitlines()]
    assert [line + b"\n" for line in lines if line] == [*before, *theirs, *mine]


TWO_WRITERS = """
import resource, sys
from pathlib import Path
from arrears.errors import StorageError
from arrears.files import LineFile
path = Path(sys.argv[1])
with LineFile(path) as file:
    file.append([b'{"case": "mine"}\\n'])
    print(1, flush=True)
    sys.stdin.readline()
    size = path.stat().st_size + 30
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        file.append([b'{"case": "long", "filler": "%b"}\\n' % (b"x" * 200)])
    except StorageError as error:
        print(error, flush=True)
"""


def test_a_process_without_room_leaves_what_another_process_has_finished(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    failing = subprocess.Popen(
        [sys.executable, "-c", TWO_WRITERS, str(path)], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert failing.stdout is not None
    assert failing.stdout.readline() == "1\n"
    with LineFile(path) as file:
        file.append([b'{"case": "theirs"}\n', b'{"case": "more"}\n'])
        told, _ = failing.communicate("now\n")
        assert "raise the limit on the size of a file" in told
        file.append([b'{"case": "last"}\n'])
    with LineReader(path) as stored:
        assert list(stored.index(CASE)) == ["mine", "theirs", "more", "last"]


# Whole files


def test_whole_files_of_two_writers_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "whole"

    def outer(out: object) -> None:
        replace_file(path, lambda file: file.write(b"inner"))
        out.write(b"outer")  # type: ignore[attr-defined]

    replace_file(path, outer)
    assert path.read_bytes() == b"outer"
    assert [p.name for p in tmp_path.iterdir()] == ["whole"]


KILLED = """
import os, signal, sys
from pathlib import Path
from arrears.files import replace_file
def write(out):
    out.write(b"half")
    out.flush()
    os.kill(os.getpid(), signal.SIGKILL)
replace_file(Path(sys.argv[1]), write)
"""


@pytest.mark.parametrize("name", ["whole", "w" * 250, "ß" * 120])
def test_what_a_killed_process_left_over_is_cleared_away(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"before")
    other = tmp_path / f".{name[:60]}.new"
    other.write_bytes(b"of somebody else")
    for _ in range(2):
        subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
        assert path.read_bytes() == b"before"
    assert len(list(tmp_path.iterdir())) == 3, "the second has cleared away after the first"
    replace_file(path, lambda out: out.write(b"after"))
    assert path.read_bytes() == b"after"
    assert {p.name for p in tmp_path.iterdir()} == {name, other.name}


def test_a_renamed_file_is_found_after_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is synced after the rename; a file system that cannot is no error."""
    synced: list[tuple[bool, bool]] = []

    def fsync(fd: int) -> None:
        folder = Path(f"/dev/fd/{fd}").is_dir()
        synced.append((folder, (tmp_path / "whole").exists()))
        if folder:
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", fsync)
    replace_file(tmp_path / "whole", lambda out: out.write(b"x"))
    assert synced == [(False, False), (True, True)]


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_debtors_without_room_leave_the_file_as_it_was(form: str, tmp_path: Path) -> None:
    path = tmp_path / f"people.{form}"
    write_debtors(path, load_suite("debtbench")[:2])
    before = path.read_bytes()

    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    done = subprocess.run(
        [*ARREARS, "debtors", "export", "debtbench", "--out", str(path)],
        capture_output=True, text=True, preexec_fn=small_disk,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "cannot write" in done.stderr
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


# What lacks


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("ENOSPC", 1, "Kept; make room, then resume with the same command"),
        ("EDQUOT", 1, "make room"),
        ("EFBIG", 1, "ulimit -f"),
        ("EMFILE", 1, "ulimit -n"),
        ("ENFILE", 1, "ulimit -n"),
        ("ENOMEM", 1, "free memory"),
        ("EIO", 1, "the disk, or the server behind it, works again, then resume"),
        ("ESTALE", 1, "works again"),
        ("ETIMEDOUT", 1, "works again"),
        ("EBUSY", 1, "Kept; once that is mended, resume"),
        ("EROFS", 2, "choose a place that can be written"),
        ("ENOENT", 2, "choose a place"),
        ("ENOTDIR", 2, "choose a place"),
        ("EACCES", 2, "choose a place"),
        ("EPERM", 2, "choose a place"),
        ("ENAMETOOLONG", 2, "choose a place"),
        ("ELOOP", 2, "choose a place"),
        ("EOPNOTSUPP", 2, "choose a place"),
    ],
)
def test_the_advice_is_about_what_lacks(name: str, code: int, said: str) -> None:
    number = getattr(errno, name)
    error = cannot_write(Path("runs/x"), OSError(number, os.strerror(number)), kept="Kept")
    assert str(error).startswith(f"cannot write runs/x: {os.strerror(number)}")
    assert said in str(error)
    assert ("make room" in str(error)) == (name in ("ENOSPC", "EDQUOT"))
    assert error.exit_code == code


@given(number=st.sampled_from(sorted(errno.errorcode)))
def test_every_error_is_told_with_something_to_do(number: int) -> None:
    told = str(cannot_write(Path("x"), OSError(number, os.strerror(number)), again="do it again"))
    assert told.endswith(("do it again", "; choose a place that can be written"))


def test_a_folder_that_cannot_be_read_lets_go_of_its_files(tmp_path: Path) -> None:
    people = {"dcn": load_suite("dcn")[:1]}
    plan = make_plan(people, collectors=("scripted/typical",))
    run(plan, people, tmp_path / "run")
    (tmp_path / "run" / "dialogues.jsonl").write_bytes(orjson.dumps({}) + b"\n")
    before = len(os.listdir("/dev/fd"))
    for _ in range(3):
        with pytest.raises(Exception, match="not a stored dialogue"):
            run(plan, people, tmp_path / "run")
    assert len(os.listdir("/dev/fd")) == before
