"""What reaches a terminal: text as text, in any encoding and width, to any reader."""

import fcntl
import io
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table as Grid

from arrears.bench.screen import Screen, writable
from arrears.bench.tables import Cell, Column, Table, TableRow
from arrears.bench.terminal import print_table
from arrears.characters import visible, whole
from arrears.debtors.store import as_text
from arrears.debtors.suites import load_suite
from arrears.synthesis.taxonomy import by_hand
from arrears.synthesis.taxonomy.file import Entry
from tests.commands import ARREARS, arrears
from tests.stub_server import Stub

# Markup, emoji codes, and what clears a screen, goes back in a line or turns the order around.
FOREIGN = "K[/2024]/17 [bold red]x[/] [/INST] :smile: \x1b[2J\x1b]0;title\x07 a\rb \u202eevil\u2066 \x9b1m"
SHOWN = r"K[/2024]/17 [bold red]x[/] [/INST] :smile: \x1b[2J\x1b]0;title\x07 a\rb \u202eevil\u2066 \x9b1m"


def flat(text: str) -> str:
    """A page without its line breaks and borders."""
    return " ".join(" ".join(text.translate(dict.fromkeys(map(ord, "│┃|"), " ")).split()).split())


def harmless(text: str) -> bool:
    """Whether nothing in it steers a terminal."""
    return visible(text) == text


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Debtors whose words are not ours, in a file whose name is not either."""
    rows = [
        json.loads(line)
        for line in as_text(load_suite("debtbench", "test")[:2], "jsonl").splitlines()
    ]
    rows[0]["id"] = FOREIGN
    rows[0]["background"]["name"] = FOREIGN
    rows[0]["finances"]["overdue_reason"]["text"] = FOREIGN
    rows[0]["personality"]["character"] = [FOREIGN]
    rows[0]["scenario"]["story"] = FOREIGN
    path = tmp_path / "pe[b]ple[end].jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize(
    ("words", "times"),
    [
        (("debtors", "show", "{}:1"), 5),
        (("debtors", "stats", "{}"), 1),
        (("project", "{}:1"), 1),
        (("chat", "--as", "collector", "--debtor", "{}:1"), 1),
        (("chat", "--as", "debtor", "--debtor", "{}:1"), 5),
    ],
)  # fmt: skip
def test_what_is_not_ours_is_shown_as_it_stands(
    words: tuple[str, ...], times: int, people: Path
) -> None:
    done = arrears(*(word.format(people.name) for word in words), cwd=people.parent,
                   env={"COLUMNS": "1000"})  # fmt: skip
    assert done.returncode == 0, done.stderr
    out = flat(done.stdout + done.stderr)
    assert out.count(flat(SHOWN)) == times
    assert harmless(done.stdout.replace("\n", "")), "no control character is left"
    if "stats" in words:
        assert out.startswith(people.name)


def test_a_models_words_are_shown_as_they_stand() -> None:
    with Stub(lambda request: f"Dialogue: {FOREIGN} [/INST]\nAction: non") as stub:
        done = arrears("chat", "--as", "debtor", "--against", stub.spec("a[b]c"), "--max-turns", "1",
                       env={"COLUMNS": "1000"})  # fmt: skip
    assert "Traceback" not in done.stderr
    assert "[bold red]x[/] [/INST] :smile:" in flat(done.stderr)
    assert harmless(done.stderr)


def test_a_collectors_name_and_its_runs_path_are_shown_as_they_stand(tmp_path: Path) -> None:
    with Stub(lambda request: "Dialogue: Hello.\nAction: non") as stub:
        done = arrears("bench", "--suite", "dcn", "--limit", "1", "--max-turns", "1", "--collector",
                       stub.spec("[red]m[/]"), "--out", "r[b]un", cwd=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "compat/[red]m[/]" in done.stdout
    assert "r[b]un/report.html" in done.stdout


def test_an_error_is_shown_as_it_stands(tmp_path: Path) -> None:
    done = arrears("debtors", "show", FOREIGN)
    assert done.returncode == 2
    assert harmless(done.stderr)


def test_a_reviewer_sees_what_customers_wrote_as_it_stands(
    capsys: pytest.CaptureFixture[str],
) -> None:
    entry = Entry(seat="debtor", key="k", name="n", meaning=FOREIGN, examples=(FOREIGN,), size=1)
    by_hand.show(entry, [entry])
    out = capsys.readouterr().out
    assert harmless(out)
    assert out.count("[bold red]x[/]") == 2


@given(st.text(st.characters(categories=None)))
def test_what_is_visible_can_be_written_and_steers_nothing(text: str) -> None:
    shown = visible(text)
    assert visible(shown) == shown
    assert not {c for c in shown if c != "\n" and c != "\t" and c < " "}
    for encoding in ("utf-8", "cp1252", "latin-1", "ascii", "gb18030"):
        writable(shown, encoding).encode(encoding)


def test_plain_text_stays_as_it_is() -> None:
    for text in ("Zoë owes 3 €", "王小明\t1\n2", "👩‍👩‍👧 نص"):
        assert visible(text) == whole(text) == text
        assert writable(text, "utf-8") == text


# Encodings.


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run with both suites."""
    out = tmp_path_factory.mktemp("terminal") / "run"
    done = arrears("bench", "--suite", "dcn", "--suite", "debtbench", "--limit", "3", "--collector",
                   "scripted/firm", "--collector", "scripted/lenient", "--out", str(out))  # fmt: skip
    assert done.returncode == 0, done.stderr
    return out


COMMANDS: Mapping[str, tuple[str, ...]] = {
    "report": ("report", "{}"),
    "report --json": ("report", "{}", "--json"),
    "stats": ("debtors", "stats", "debtbench"),
    "show": ("debtors", "show", "debtbench-test-0001"),
    "export": ("debtors", "export", "dcn"),
    "project": ("project", "dcn-test-0001"),
    "prompts": ("prompts", "show", "collector_dcn"),
    "help": ("bench", "--help"),
    "error": ("debtors", "show", "–κ王"),
}  # fmt: skip


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_prints_in_every_encoding(name: str, encoding: str, run: Path) -> None:
    words = [word.format(run) for word in COMMANDS[name]]
    done = subprocess.run([*ARREARS, *words], capture_output=True,
                          env={**os.environ, "PYTHONIOENCODING": encoding})  # fmt: skip
    usual = arrears(*words)
    assert done.returncode == usual.returncode
    assert b"Traceback" not in done.stderr
    if name == "export":
        assert done.stdout.decode("utf-8") == usual.stdout, "data is UTF-8 everywhere"
    elif name == "report --json":
        assert json.loads(done.stdout.decode(encoding)) == json.loads(usual.stdout)
    elif encoding == "ascii" and name != "help":
        assert "?" not in done.stdout.decode("ascii").replace("?", "", usual.stdout.count("?"))
        assert "\\u" not in done.stdout.decode("ascii")
    if name == "report" and encoding == "ascii":
        assert "SR % ^" in done.stdout.decode("ascii")
        assert "AT v" in done.stdout.decode("ascii")


def test_a_locale_without_utf8_is_like_any_other(run: Path) -> None:
    env = {"LC_ALL": "en_US.ISO-8859-1", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = arrears("report", str(run), env=env)
    assert done.returncode == 0, done.stderr
    assert done.stdout


# What is typed.


@pytest.mark.parametrize("seat", ["collector", "debtor"])
def test_bytes_that_are_no_text_are_replaced_and_the_dialogue_is_kept(
    seat: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [*ARREARS, "chat", "--as", seat, "--debtor", "dcn-test-0001", "--max-turns", "1", "--json",
         "--save", "talk.jsonl"],
        input=b"caf\xe9 \xed\xa0\xbd\nnon\xff\ncaf\xe9 \xed\xa0\xbd\nnon\n", capture_output=True,
        cwd=tmp_path, env={**os.environ, "PYTHONIOENCODING": "utf-8:surrogateescape"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    mine = [t["dialogue"] for t in json.loads(done.stdout)["turns"] if t["seat"] == seat]
    assert mine[0].startswith("caf�")
    assert json.loads((tmp_path / "talk.jsonl").read_text()) == json.loads(done.stdout)


@pytest.mark.parametrize("given", [b"", b"Hello?\n", b"Hello?", b"Hello?\nnon\nAnd", b"\xe9"])
def test_an_input_that_ends_is_a_person_who_leaves(given: bytes) -> None:
    done = subprocess.run([*ARREARS, "chat", "--max-turns", "3"], input=given, capture_output=True)
    assert done.returncode == 0
    assert b"You have left the table" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_dialogue_that_breaks_off_is_no_result(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(
        "class Seat:\n    def __init__(self, *a): pass\n    def reply(self, view): 1 / 0\n"
    )
    done = arrears("chat", "--as", "debtor", "--against", "python/s.py:Seat", "--save", "t.jsonl",
                   cwd=tmp_path)  # fmt: skip
    assert done.returncode == 1
    assert "which is no result: a seat's own code failed" in done.stderr
    assert "No agreement" not in done.stderr
    assert json.loads((tmp_path / "t.jsonl").read_text())["failure"]["where"] == "s.py:3"


@pytest.mark.parametrize(
    "words",
    [("bench", "--suite", "dcn", "--collector", "scripted/firm", "--out", "caf\udce9"),
     ("bench", "--debtors", "caf\udce9.jsonl", "--collector", "scripted/firm", "--out", "r"),
     ("bench", "--suite", "dcn", "--collector", "compat/caf\udce9@http://127.0.0.1:9/v1", "--out", "r"),
     ("debtors", "show", "caf\udce9"), ("report", "caf\udce9")],
)  # fmt: skip
def test_bytes_on_the_command_line_that_are_no_text_are_refused(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    done = subprocess.run([*ARREARS, *words], capture_output=True, cwd=tmp_path)
    assert done.returncode == 2
    assert "on the command line is not valid utf-8; if it names a file" in done.stderr.decode()
    assert not list(tmp_path.iterdir())


# Readers that leave, and disks that are full.


@pytest.mark.parametrize("name", ["report", "stats", "export", "project", "help", "top help"])
def test_a_full_disk_is_told_and_a_reader_that_left_is_not(name: str, run: Path) -> None:
    words = [word.format(run) for word in {**COMMANDS, "top help": ("--help",)}[name]]
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*ARREARS, *words], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.stderr == "arrears: cannot write the output: No space left on device\n"
    assert done.returncode == 1
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*ARREARS, *words], stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def test_nobody_to_tell_is_no_reason_to_fail(tmp_path: Path) -> None:
    words = ("bench", "--suite", "dcn", "--limit", "2", "--collector", "scripted/firm", "--json",
             "--no-report", "--out")  # fmt: skip
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*ARREARS, *words, str(tmp_path / "a")], stderr=full,
                              stdout=subprocess.PIPE)  # fmt: skip
    assert done.returncode == 0
    assert json.loads(done.stdout)
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*ARREARS, *words, str(tmp_path / "b")], stderr=write,
                          stdout=subprocess.PIPE)  # fmt: skip
    os.close(write)
    assert done.returncode == 0
    assert json.loads(done.stdout)
    closed = subprocess.run(
        ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *ARREARS, *words, str(tmp_path / "c")]
    )
    assert closed.returncode == 0
    assert len((tmp_path / "c" / "dialogues.jsonl").read_bytes().splitlines()) == 2


# Widths.


@given(
    st.lists(st.lists(st.text("abc 0123.,%–", min_size=1, max_size=12), min_size=1, max_size=9),
             min_size=1, max_size=4),
    st.integers(5, 120),
    st.booleans(),
)  # fmt: skip
def test_no_word_of_a_table_is_ever_cut(rows: list[list[str]], width: int, terminal: bool) -> None:
    columns = max(map(len, rows))
    grid = Grid("name", *(f"column {n}" for n in range(columns - 1)))
    for row in rows:
        grid.add_row(*row, *[""] * (columns - len(row)))
    file = io.StringIO()
    screen = Screen()
    screen.file, screen.width, screen._force_terminal = file, width, terminal
    screen._color_system = None
    screen.print_grid(grid)
    shown = file.getvalue().split()
    for word in {word for row in rows for cell in row for word in cell.split()}:
        assert word in shown
    assert "…" not in file.getvalue()
    if not terminal:
        assert len(file.getvalue().splitlines()) == len(rows) + 4, "a line a row, however long"


def on_a_terminal(width: int, *words: str, env: Mapping[str, str]) -> tuple[int, str]:
    """A command on a terminal of its own: its exit code, and what is on the terminal."""
    pid, terminal = pty.fork()
    if pid == 0:  # pragma: no cover
        os.environ.update(env)
        os.execv(sys.executable, [*ARREARS, *words])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    shown = b""
    while True:
        try:
            more = os.read(terminal, 65536)
        except OSError:
            break
        if not more:
            break
        shown += more
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()


@pytest.mark.parametrize(
    "env", [{"TERM": "xterm"}, {"TERM": "dumb"}, {"NO_COLOR": "1"}, {"COLUMNS": "40"}]
)
@pytest.mark.parametrize("name", ["report", "stats", "show", "project"])
def test_a_narrow_terminal_loses_nothing(name: str, env: Mapping[str, str], run: Path) -> None:
    words = [word.format(run) for word in COMMANDS[name]]
    code, shown = on_a_terminal(40, *words, env={"LC_ALL": "C.UTF-8", **env})
    assert code == 0
    assert "…" not in shown
    if env.get("TERM") == "dumb":
        assert "\x1b" not in shown.removesuffix("\x1b[0m"), "that one is a library's, at the end"
    if name == "report":
        for title in ("DC", "SR", "CRI", "DHI", "CCI", "AT", "US", "agreed", "scripted/lenient"):
            assert title in shown


def test_a_tables_notes_and_groups_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [TableRow(FOREIGN, [Cell(FOREIGN, "best")], group=FOREIGN)]
    print_table(Table(FOREIGN, FOREIGN, FOREIGN, [Column(FOREIGN)], rows, note=FOREIGN))
    out = capsys.readouterr().out
    assert out.count("[bold red]x[/] [/INST] :smile:") >= 6
    assert harmless(out)


def test_every_table_goes_through_the_one_screen() -> None:
    source = Path(__file__).parent.parent / "src" / "arrears"
    for path in source.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if path.name != "screen.py":
            assert "rich.console" not in text, f"{path.name}: use arrears.bench.screen.Screen"
        assert "from_markup" not in text
        assert "[/" not in text or "rich" not in text, path
