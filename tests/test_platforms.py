"""Linux and macOS: runs with spawned processes, an import without fcntl; Windows is refused."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from arrears.bench import workers
from arrears.bench.plan import make_plan
from arrears.bench.run import run
from arrears.debtors.suites import load_suite

COLLECTORS = ("scripted/typical", "scripted/lenient")


def test_spawned_workers_play_the_same_bytes_as_forked_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """macOS has no safe fork; there, workers are started from nothing."""
    people = {"dcn": load_suite("dcn")[:30]}
    plan = make_plan(people, collectors=COLLECTORS, seed=3)
    for forks in (True, False):
        monkeypatch.setattr(workers, "FORKS", forks)
        assert run(plan, people, tmp_path / f"{forks}", workers=2).played == 60
    for name in ("dialogues.jsonl", "scores.parquet"):
        assert (tmp_path / "True" / name).read_bytes() == (tmp_path / "False" / name).read_bytes()


# Every module of arrears, in a Python without fcntl; what an extra would bring may lack too.
WITHOUT_FCNTL = """
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

sys.modules["fcntl"] = None  # An import of it is an ImportError from here on.
import arrears
names = ["arrears", *(m.name for m in walk_packages(arrears.__path__, "arrears."))]
for name in names:
    try:
        import_module(name)
    except ModuleNotFoundError as error:
        assert not (error.name or "").startswith("arrears"), name
print(len(names))
from arrears.bench.plan import make_plan
from arrears.bench.run import run
from arrears.debtors.suites import load_suite
people = {"dcn": load_suite("dcn")[:1]}
try:
    run(make_plan(people, collectors=("scripted/typical",)), people, Path(sys.argv[1]))
except arrears.errors.UnwritablePlace as error:
    print(error)
"""


def test_every_module_is_imported_without_fcntl_and_a_folder_says_what_lacks(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_FCNTL, str(tmp_path / "run")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    count, told = done.stdout.splitlines()
    assert int(count) > 300
    assert told.endswith("this Python has no fcntl; arrears writes runs on Linux and macOS")
    assert told.startswith(str(tmp_path / "run"))


@pytest.mark.parametrize("words", [(), ("--help",), ("bench", "--suite", "dcn")])
def test_windows_is_refused_in_one_sentence(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text('import sys\nsys.platform = "win32"\n')
    done = subprocess.run(
        [sys.executable, "-m", "arrears.cli.main", *words], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("arrears runs on Linux and macOS, and not on Windows")


def test_the_package_itself_is_imported_on_windows(tmp_path: Path) -> None:
    code = "import sys; sys.platform = 'win32'; import arrears; print(arrears.__version__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
