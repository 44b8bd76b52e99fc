"""What holds for every test and every process that a test starts; what several files of tests share.

What is shared is made once a session: no test writes to it. It is imported where it is made, so that a
test of something small loads nothing heavy.
"""

import fcntl
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings

from tests.extras import LACKS_AN_EXTRA, PACKAGES, extras_of, missing, only_the_base

if TYPE_CHECKING:
    from arrears.bench.stored import StoredRun
    from arrears.training.fit.recipe import Kind
    from arrears.training.report.study import Study

# Two processes of tests on two cores: threads of linear algebra would only wait for each other, by
# spinning (docs/experiments.md). Set before numpy or torch is loaded anywhere.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
# Nothing is downloaded.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# Hypothesis gives an example 200 ms, and complains of slow drawing: both measure the machine.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

# A shell that starts a job behind its back lets it ignore Ctrl-C, and so all that it starts; the
# commands that the tests interrupt must hear it as they do in a terminal.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what needs an extra or a browser, and skips it where that is missing."""
    why = {extra: missing(extra) for extra in PACKAGES}
    for item in items:
        if not isinstance(item, pytest.Function):
            continue
        asked = item._fixtureinfo.name2fixturedefs.values()
        needed = extras_of(item.obj, *(fixture.func for made in asked for fixture in made[-1:]))
        for extra in sorted(needed):
            item.add_marker(extra)
        for extra in PACKAGES:
            if item.get_closest_marker(extra) and why[extra]:
                item.add_marker(pytest.mark.skip(reason=why[extra]))


def is_base(item: pytest.Item) -> bool:
    """Whether a test claims to need no extra."""
    return not any(item.get_closest_marker(extra) for extra in PACKAGES)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """A test without the mark of an extra has none, nor have the commands that it calls."""
    if not is_base(item):
        return (yield)
    with only_the_base():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Says what a test lacks that fails for want of a mark."""
    report = yield
    told = str(report.longrepr) if report.failed and is_base(item) else ""
    if LACKS_AN_EXTRA.search(told):
        marks = ", ".join(f"@pytest.mark.{extra}" for extra in PACKAGES)
        why = f"It ran without optional packages. If it needs them, mark it with one of {marks}."
        report.sections.append(("base install", why))
    return report


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A file or folder that one process makes for all processes of this run of the tests."""
    own = factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    place = shared / "once" / name
    place.parent.mkdir(exist_ok=True)
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / f"{name}.done").exists():
            make(place)
            (shared / f"{name}.done").touch()
    return place


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `tests.tiny_model`."""

    def train(folder: Path) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "tests.tiny_model", str(folder)],
            capture_output=True, text=True,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    return made_once(tmp_path_factory, "qwen3-tiny", train)


@pytest.fixture(scope="session")
def listener(tmp_path_factory: pytest.TempPathFactory) -> None:
    """`scripted/reader` has learned before a stub answers with it: that takes many seconds, and no
    client waits for a server that stands still so long.
    """
    from arrears.synthesis.personas import reader

    learned = made_once(
        tmp_path_factory, "reader.pickle", lambda p: p.write_bytes(pickle.dumps(reader.Reader()))
    )
    ready = pickle.loads(learned.read_bytes())
    with patch.object(reader, "Reader", lambda: ready):
        reader.built_in()


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stored Qwen3 that nothing is wrong with."""
    from tests.small_qwen import model

    folder = tmp_path_factory.mktemp("plain") / "collector"
    model(folder)
    return folder


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model and one file of rows of each form."""
    from tests import small_model
    from tests.courses import ROWS, pair, write
    from tests.small_model import talk

    folder = tmp_path_factory.mktemp("shelf")
    small_model.build(folder / "model")
    write(folder / "sft.jsonl", [{"messages": talk(n), "about": {"n": n}} for n in range(ROWS)])
    write(folder / "dpo.jsonl", [pair(n) for n in range(ROWS)])
    write(
        folder / "one.jsonl",
        [{"prompt": talk(n)[:-1], "completion": talk(n)[-1:]} for n in range(ROWS)],
    )
    return folder


@pytest.fixture(scope="session", params=["sft", "dpo"])
def uninterrupted(
    request: pytest.FixtureRequest, shelf: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple["Kind", Path]:
    """A course that was never interrupted, and its folder."""
    from tests.courses import train

    kind: Kind = request.param
    out = tmp_path_factory.mktemp("whole") / kind
    train(kind, shelf, out, about={"collector_prompt": "short", "n": 1})
    return kind, out


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory) -> "StoredRun":
    """Two collectors on 40 debtors of DebtBench and 15 of DCN."""
    from arrears.bench.plan import make_plan
    from arrears.bench.run import run
    from arrears.bench.stored import open_run
    from arrears.debtors.suites import load_suite
    from tests.compared_runs import ADAPTIVE, LENIENT

    people = {"debtbench": load_suite("debtbench")[:40], "dcn": load_suite("dcn")[:15]}
    folder = tmp_path_factory.mktemp("train-report") / "run"
    run(make_plan(people, collectors=(LENIENT, ADAPTIVE)), people, folder, workers=1)
    return open_run(folder)


@pytest.fixture(scope="session")
def study(stored: "StoredRun") -> "Study":
    """Lenient before, adaptive after."""
    from arrears.training.report.lines import compared
    from arrears.training.report.study import study_of

    return study_of(compared([stored], None, ()))


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two models of random weights that differ a little: `first` and `later`."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from tests.small_model import build

    folder = tmp_path_factory.mktemp("models")
    build(folder / "first")
    model = AutoModelForCausalLM.from_pretrained(folder / "first")
    torch.manual_seed(2)
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(torch.randn_like(weights) * 0.05)
    model.save_pretrained(folder / "later")
    AutoTokenizer.from_pretrained(folder / "first").save_pretrained(folder / "later")
    return folder
