"""`python/FILE.py:NAME` with ordinary files: they behave as they do when Python runs them."""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from arrears.agents import own
from arrears.agents.own import own_digest
from arrears.agents.registry import check_collector, check_debtor_seat
from arrears.agents.seating import Place, Seating
from arrears.debtors.suites import load_suite
from arrears.dialogue.record import Dialogue
from arrears.errors import UsageError
from arrears.terms import Mandate
from tests.commands import arrears, dialogues

HEAD = """
from __future__ import annotations
from arrears.dialogue.acts import NON, act
from arrears.dialogue.record import Turn
"""
SEAT = """
class Seat:
    def __init__(self, account, mandate, rng):
        self.rng = rng

    async def reply(self, view):
        return Turn("collector", {words}, (NON,))
"""


@pytest.fixture(autouse=True)
def _nothing_is_loaded_from_before() -> Iterator[None]:
    """Each test's folders are forgotten after it; a run has its own process."""
    yield
    for file in list(own._loaded):
        own._forget(file.parent)


def write(path: Path, text: str) -> Path:
    """A file, its text freed of its indentation."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text), encoding="utf-8")
    return path


def seat_file(path: Path, before: str = "", words: str = '"Hello."', name: str = "Seat") -> str:
    """A collector in a file; its spec."""
    write(path, HEAD + dedent(before) + SEAT.format(words=words))
    return f"python/{path}:{name}"


async def talk(spec: str, seat: str = "scripted/debtor", max_turns: int = 1) -> Dialogue:
    """One dialogue with it, in this process."""
    debtor = load_suite("dcn", "test")[0]
    place = Place("c", "dcn", debtor.id, 1)
    return await Seating(1, Mandate(), max_turns).talk(place, debtor, spec, seat)


def said(spec: str) -> str:
    """What it says first."""
    check_collector(spec)
    dialogue = asyncio.run(talk(spec))
    assert dialogue.turns, dialogue.detail
    return dialogue.turns[0].dialogue


@pytest.mark.parametrize(
    "name",
    ["patient.py", "random.py", "types.py", "arrears.py", "my seat.py", "v1.2 (new).py", "客服.py",
     "50%.py", "deep/er/patient.py", "a.b/c d/patient.py"],
)  # fmt: skip
def test_a_file_may_be_called_anything(name: str, tmp_path: Path) -> None:
    spec = seat_file(
        tmp_path / name, "import random, types, arrears.terms\nfrom pathlib import Path\n",
        'f"{random.random() < 1} {Path(__file__).name}"',
    )  # fmt: skip
    assert said(spec) == f"True {Path(name).name}"


def test_dataclasses_with_postponed_annotations(tmp_path: Path) -> None:
    before = """
    import dataclasses, typing
    @dataclasses.dataclass
    class Step:
        share: float = .25
        months: typing.ClassVar[int] = 6
    """
    assert said(seat_file(tmp_path / "a.py", before, "str(Step())")) == "Step(share=0.25)"


def test_what_lies_beside_it_can_be_imported_at_once_or_later(tmp_path: Path) -> None:
    write(tmp_path / "helper.py", "import tools.inner\nWORDS = tools.inner.WORDS\n")
    write(tmp_path / "tools" / "__init__.py", "from . import inner\nfrom .inner import WORDS")
    write(tmp_path / "tools" / "inner.py", "WORDS = 'from tools'")
    write(tmp_path / "later.py", "def words(): import helper; return helper.WORDS")
    write(tmp_path / "prompt.txt", "read")
    before = """
    from pathlib import Path
    import tools.inner as inner, helper
    from tools import WORDS
    from . import helper as same
    from importlib import import_module
    assert same is helper and import_module("helper") is helper
    assert import_module("tools.inner") is inner
    READ = Path(__file__).with_name("prompt.txt").read_text()
    def words():
        import later
        return f"{later.words()}, {WORDS}, {READ}"
    """
    assert said(seat_file(tmp_path / "a.py", before, "words()")) == "from tools, from tools, read"


def test_two_folders_never_get_each_others_files(tmp_path: Path) -> None:
    specs = []
    for folder in ("one", "two"):
        write(tmp_path / folder / "helper.py", f"WORDS = {folder!r}")
        before = "def words():\n    import helper\n    return helper.WORDS\n"
        specs.append(seat_file(tmp_path / folder / "seat.py", before, "words()"))
    for _ in range(2):
        assert [said(spec) for spec in specs] == ["one", "two"]
    assert "helper" not in sys.modules


def test_a_plain_name_from_outside_is_refused_where_two_folders_have_it(tmp_path: Path) -> None:
    specs = []
    for folder in ("one", "two"):
        write(tmp_path / folder / "shared_name.py", f"WORDS = {folder!r}")
        before = "from importlib import import_module\n"
        specs.append(seat_file(tmp_path / folder / "s.py", before,
                               'import_module("shared_name").WORDS'))  # fmt: skip
    assert said(specs[0]) == "one"
    check_collector(specs[1])
    for spec in specs:
        dialogue = asyncio.run(talk(spec))
        assert "its plain name does not tell which one" in dialogue.detail
        assert dialogue.failure is not None
        assert dialogue.failure.where.startswith("s.py:")


def test_neither_pythons_library_nor_arrears_nor_its_own_name_is_shadowed(tmp_path: Path) -> None:
    write(tmp_path / "json.py", "raise RuntimeError('this is not json')")
    write(tmp_path / "arrears.py", "raise RuntimeError('this is not arrears')")
    before = "import json, numpy\nimport arrears.rng\nassert json.dumps([1]) and numpy.array\n"
    assert said(seat_file(tmp_path / "numpy.py", before)) == "Hello."


def test_a_folder_of_data_does_not_hide_an_installed_package(tmp_path: Path) -> None:
    (tmp_path / "yaml").mkdir()
    (tmp_path / "notes").mkdir()
    before = "import yaml, notes\nassert yaml.safe_load('1') == 1\n"
    assert said(seat_file(tmp_path / "a.py", before)) == "Hello."


def test_its_classes_can_be_pickled(tmp_path: Path) -> None:
    write(tmp_path / "helper.py", "class Net:\n    weight = 3\n")
    before = """
    import pickle, helper
    class Memory:
        pass
    KEPT = pickle.loads(pickle.dumps([Memory(), helper.Net()]))
    assert type(KEPT[0]) is Memory and type(KEPT[1]) is helper.Net
    # As if it had been written by the user's own training script, where it was plain `helper`.
    assert type(pickle.loads(b"chelper\\nNet\\n)\\x81.")) is helper.Net
    """
    assert said(seat_file(tmp_path / "a.py", before)) == "Hello."


def test_its_functions_run_in_processes_that_are_started_fresh(tmp_path: Path) -> None:
    write(tmp_path / "helper.py", "def double(n): return 2 * n")
    before = """
    from multiprocessing import get_context
    import helper
    def work(n):
        import helper
        return helper.double(n) + 1
    def words():
        with get_context("spawn").Pool(1) as pool:
            return str(pool.map(helper.double, [4]) + pool.map(work, [4]))
    """
    spec = seat_file(tmp_path / "patient.py", before, "words()")
    done = arrears("bench", "--suite", "dcn", "--limit", "1", "--max-turns", "1", "--no-report",
                   "--collector", spec, "--out", str(tmp_path / "run"),
                   env={"PYTHONDONTWRITEBYTECODE": ""})  # fmt: skip
    assert done.returncode == 0, done.stderr
    (dialogue,) = dialogues(tmp_path / "run")
    assert dialogue.turns[0].dialogue == "[8, 9]", dialogue.detail
    assert not list(tmp_path.glob("__pycache__")), "nothing is left beside the user's files"


def test_what_it_prints_leaves_stdout_to_the_command(tmp_path: Path) -> None:
    before = "import sys\nprint('while loading')\nsys.stdout.write('in another way')\n"
    spec = seat_file(tmp_path / "a.py", before, 'print("in a dialogue") or "Hello."')
    done = arrears("bench", "--suite", "dcn", "--limit", "1", "--max-turns", "1", "--json",
                   "--no-report", "--collector", spec, "--out", str(tmp_path / "run"))  # fmt: skip
    assert "dcn" in json.loads(done.stdout)["suites"]
    for text in ("while loading", "in another way", "in a dialogue"):
        assert text in done.stderr


# What belongs to a seat, and so to its digest.


@pytest.mark.parametrize(
    ("how", "belongs"),
    [
        ("import helper", True),
        ("from helper import WORDS", True),
        ("from . import helper", True),
        ("from .helper import WORDS", True),
        ("def later():\n    import helper", True),
        ("def later():\n    from helper import WORDS", True),
        ("import between", True),
        ("from tools import part", True),
        ("import importlib\nimportlib.import_module('helper')", True),
        ("import json", False),
        ("'import helper'", False),
    ],
)
def test_a_change_in_what_it_imports_is_a_change_of_the_seat(
    how: str, belongs: bool, tmp_path: Path
) -> None:
    helper = write(tmp_path / "helper.py", "WORDS = 1")
    write(tmp_path / "between.py", "def later():\n    import helper")
    write(tmp_path / "tools" / "__init__.py", "")
    write(tmp_path / "tools" / "part.py", "import helper")
    write(tmp_path / "json.py", "import helper")
    spec = seat_file(tmp_path / "a.py", how + "\n")
    before = own_digest(spec)
    assert own_digest(spec) == before
    write(tmp_path / "stranger.py", "import helper")
    assert own_digest(spec) == before
    helper.write_text("WORDS = 2")
    assert (own_digest(spec) != before) == belongs
    helper.write_text("WORDS = 1")
    assert own_digest(spec) == before, "the digest is of the contents, nothing else"


def test_an_edited_file_is_played_as_it_is_now(tmp_path: Path) -> None:
    write(tmp_path / "helper.py", "WORDS = 'one'")
    spec = seat_file(tmp_path / "a.py", "import helper\n", "helper.WORDS")
    assert said(spec) == "one"
    write(tmp_path / "helper.py", "WORDS = 'two'")  # Same size, same second.
    assert said(spec) == "two"


def test_a_run_is_not_resumed_with_a_changed_helper(tmp_path: Path) -> None:
    helper = write(tmp_path / "helper.py", "WORDS = 'one'")
    spec = seat_file(tmp_path / "a.py", "def words():\n    import helper\n    return helper.WORDS\n",
                     "words()")  # fmt: skip
    words = ("bench", "--suite", "dcn", "--limit", "1", "--max-turns", "1", "--no-report",
             "--collector", spec, "--out", str(tmp_path / "run"))  # fmt: skip
    assert arrears(*words).returncode == 0
    assert arrears(*words).returncode == 0
    helper.write_text("WORDS = 'two'")
    done = arrears(*words)
    assert done.returncode == 2
    assert "it differs in code" in done.stderr


# What would fail in every dialogue is refused before the first.


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def oops(:\n", "a.py, line 1: invalid syntax"),
        ("\nimport helper\n", "helper.py, line 2: invalid syntax"),
        ("import reqeusts_or_so\n", "a.py, line 1: ModuleNotFoundError: No module named "
         "'reqeusts_or_so'. Install it for "),
        ("from helper2 import nothing\n", "a.py, line 1: ImportError: cannot import name 'nothing' from 'helper2'"),
        ("\n\n1 / 0\n", "a.py, line 3: ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit(3)\n", "a.py, line 2: it ends the program while it is loaded (SystemExit: 3)"),
        ("class Stop(BaseException): pass\nraise Stop('x')\n", "a.py, line 2: Stop: x"),
        ("class Bad(Exception):\n    def __str__(self): raise KeyError\nraise Bad\n",
         "a.py, line 3: Bad: (its text cannot be read: KeyError)"),
        ("x = '\x00'\n", "a.py"),
        ("Seat = 3\n", "has no 'Seat'; its classes and functions: none"),
        ("from pathlib import Path\nclass Other: pass\ndef make(): pass\n", "its classes and functions: Other, make"),
        ("class Seat:\n    def __init__(self): pass\n", "cannot be called with (account, mandate, rng), as a collector's seat is; it takes ()"),
        ("class Seat:\n    def __init__(self, account, mandate): pass\n", "it takes (account, mandate)"),
        ("def Seat(account, mandate, rng, more): pass\n", "it takes (account, mandate, rng, more)"),
        ("class Seat:\n    def __init__(self, *all): pass\n    def answer(self, view): pass\n",
         "has no reply(view), which a seat like this needs"),
        ("class Seat:\n    def __init__(self, *all): pass\n    async def reply(self): pass\n",
         "its reply(self) cannot be called as reply(view)"),
        ("from abc import ABC, abstractmethod\nclass Seat(ABC):\n    def __init__(self, *all): pass\n"
         "    @abstractmethod\n    def reply(self, view): ...\n", "is abstract; it does not define reply"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_a_seat_is_refused_with_its_line(
    text: str, told: str, tmp_path: Path
) -> None:
    write(tmp_path / "helper.py", "\ndef oops(:\n")
    write(tmp_path / "helper2.py", "")
    (tmp_path / "a.py").write_text(text)
    with pytest.raises(UsageError) as found:
        check_collector(f"python/{tmp_path / 'a.py'}:Seat")
    assert told in str(found.value)
    assert "own_files" not in str(found.value)


@pytest.mark.parametrize(
    ("place", "told"),
    [("none.py:Seat", "cannot read"), (":Seat", "no Python file"), ("a.txt:Seat", "no Python file"),
     ("a.py", "write python/FILE.py:NAME"), ("a.py:Outer.Seat", "write python/FILE.py:NAME"),
     ("folder.py:Seat", "cannot read")],
)  # fmt: skip
def test_a_place_without_a_seat_is_refused(place: str, told: str, tmp_path: Path) -> None:
    seat_file(tmp_path / "a.py")
    (tmp_path / "a.txt").write_text("")
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(UsageError, match=told):
        check_collector(f"python/{tmp_path}/{place}")


def test_nothing_is_played_with_a_seat_that_cannot_be_made(tmp_path: Path) -> None:
    write(tmp_path / "a.py", "import sys\nsys.exit(0)\n")
    done = arrears("bench", "--suite", "dcn", "--limit", "1", "--collector",
                   f"python/{tmp_path / 'a.py'}:Seat", "--out", str(tmp_path / "run"))  # fmt: skip
    assert done.returncode == 2
    assert "a.py, line 2: it ends the program" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_debtors_seat_is_called_with_two(tmp_path: Path) -> None:
    spec = seat_file(tmp_path / "a.py")
    with pytest.raises(UsageError, match=r"with \(debtor, rng\), as a debtor's seat is"):
        check_debtor_seat(spec)


def test_a_mended_file_can_be_loaded_in_the_same_process(tmp_path: Path) -> None:
    write(tmp_path / "helper.py", "WORDS = ")
    spec = seat_file(tmp_path / "a.py", "import helper\n", "helper.WORDS")
    with pytest.raises(UsageError):
        check_collector(spec)
    write(tmp_path / "helper.py", "WORDS = 'mended'")
    assert said(spec) == "mended"
