"""What decides what is said has one digest: nothing that a dialogue touches is missing in it."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
import yaml

from arrears.bench.folder import RunFolder, read_plan
from arrears.bench.plan import Plan, make_plan
from arrears.bench.run import run
from arrears.bench.sources import sources_of
from arrears.bench.stored import open_run
from arrears.debtors.suites import load_suite
from arrears.errors import BrokenFile, RunMismatch
from arrears.runs import rules
from arrears.runs.rules import APART, DIALOGUES, REQUESTS, SCHEME, files_of

ONE = load_suite("dcn")[:1]
PEOPLE = {"dcn": ONE}

# Dialogues between built-in seats, in a process of its own, with debtors from a file and with
# nothing loaded but what they need. It prints every file of the package that was loaded or read.
TOUCHED = """
import sys
from pathlib import Path
import arrears
root, read = Path(arrears.__file__).parent, set()
sys.addaudithook(lambda event, args: read.add(args[0]) if event == "open" else None)
import asyncio
from arrears.agents.seating import Place, Seating
from arrears.debtors.record import Debtor
from arrears.terms import Mandate
for line in Path(sys.argv[1]).read_text().splitlines():
    debtor = Debtor.model_validate_json(line)
    for name in ("lenient", "typical", "firm", "adaptive", "typical+maden"):
        place = Place("case", "suite", debtor.id, 1)
        talk = Seating(1, Mandate(), 12).talk(place, debtor, f"scripted/{name}", "scripted/debtor")
        assert asyncio.run(talk).turns
loaded = {m.__file__ for name, m in sys.modules.items() if name.split(".")[0] == "arrears"}
for file in {f for f in read | loaded if isinstance(f, str) and "__pycache__" not in f}:
    if Path(file).is_relative_to(root):
        print(Path(file).relative_to(root).as_posix())
"""


@pytest.fixture(scope="module")
def touched(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Every file of the package that built-in dialogues load or read."""
    people = tmp_path_factory.mktemp("touched") / "people.jsonl"
    both = (*load_suite("dcn")[:2], *load_suite("debtbench")[:2])
    people.write_text("".join(debtor.model_dump_json() + "\n" for debtor in both))
    done = subprocess.run(
        [sys.executable, "-c", TOUCHED, str(people)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return sorted(done.stdout.split())


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package, to be changed."""
    copied = tmp_path / "changed" / "arrears"
    shutil.copytree(rules.ROOT, copied, ignore=shutil.ignore_patterns("__pycache__"))
    return copied


def forget() -> None:
    """What this process has read of the package."""
    for known in (rules.rules_digest, rules._files, rules._module):
        known.cache_clear()


def otherwise(path: Path) -> None:
    """Change what a file means."""
    text = path.read_text(encoding="utf-8")
    path.write_text(text + ("\nedited = 1\n" if path.suffix == ".py" else "\n_edited: 1\n"))
    if path.suffix == ".yaml":
        assert yaml.safe_load(path.read_text())["_edited"] == 1


def remark(path: Path) -> None:
    """Change what a file says to its readers and not what it means."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        text = re.sub('"""', '"""Once more: ', text, count=1)
        text = re.sub(r"\n\n\n", "\n\n\n# Another comment.\n\n", text)
    path.write_text(f"# A comment.\n{text}\n\n", encoding="utf-8")


def test_every_file_that_a_built_in_dialogue_touches_has_a_say(
    touched: list[str], package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is edited in a copy of the package, and each edit gives another digest."""
    assert {"phrases.py", "debtors/persona.py", "agents/words/debtor.yaml", "rng.py"} <= {*touched}
    forget()
    monkeypatch.setattr(rules, "ROOT", package)
    before, unseen = rules.dialogue_rules(), []
    for name in touched:
        whole = (package / name).read_bytes()
        otherwise(package / name)
        forget()
        if rules.dialogue_rules() == before:
            unseen.append(name)
        (package / name).write_bytes(whole)
    forget()
    assert rules.dialogue_rules() == before
    monkeypatch.undo()
    forget()
    assert not unseen
    assert rules.dialogue_rules() == before


def test_comments_docstrings_and_layout_do_not_count(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rules.dialogue_rules(with_models=True)
    for name in files_of((*DIALOGUES, *REQUESTS)):
        remark(package / name)
    version = package / "__init__.py"
    version.write_text(re.sub('__version__ = ".*"', "__version__ = '99.1'", version.read_text()))
    forget()
    monkeypatch.setattr(rules, "ROOT", package)
    after = rules.dialogue_rules(with_models=True)
    monkeypatch.undo()
    forget()
    assert after == before


BEGIN = """
import sys
from pathlib import Path
from arrears.bench.folder import RunFolder
from arrears.bench.plan import make_plan
from arrears.debtors.suites import load_suite
from arrears.errors import ArrearsError
people = {"dcn": load_suite("dcn")[:1]}
try:
    with RunFolder(Path(sys.argv[1]), make_plan(people, collectors=("scripted/typical",))):
        pass
except ArrearsError as error:
    sys.exit(str(error))
"""


def begun(package: Path, out: Path) -> str:
    """Begin or resume a run with that package; why it is refused, "" where it is not."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN, str(out)], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(package.parent)},
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done.stderr


def test_a_run_is_not_resumed_with_another_engine(package: Path, tmp_path: Path) -> None:
    """The engine of the templates was changed once, and a run went on with both."""
    assert begun(package, tmp_path / "run") == ""
    phrases = package / "phrases.py"
    remark(phrases)
    assert begun(package, tmp_path / "run") == ""
    phrases.write_text(phrases.read_text().replace("def say(", "def say(", 1) + "\nTWICE = 2\n")
    refused = begun(package, tmp_path / "run")
    assert "holds another run; it differs in rules:" in refused
    assert "have changed since the code that began it" in refused
    assert "choose another --out" in refused


def test_what_is_apart_is_there_and_no_built_in_dialogue_touches_it(touched: list[str]) -> None:
    for pattern, reason in APART.items():
        assert list(rules.ROOT.glob(pattern)), f"{pattern} is no file of the package"
        assert reason
    mine = set(files_of(DIALOGUES))
    assert set(touched) <= mine
    assert not any(rules._apart(name) for name in mine)


def test_models_add_what_writes_requests_and_reads_answers() -> None:
    more = set(files_of((*DIALOGUES, *REQUESTS))) - set(files_of(DIALOGUES))
    assert {
        "models/openai_chat.py",
        "models/remote.py",
        "models/hf.py",
        "models/decoding.py",
    } <= more
    assert rules.dialogue_rules() != rules.dialogue_rules(with_models=True)


SOURCE = '''
"""A docstring."""
from __future__ import annotations
import math as m
class A(dict[str, int], metaclass=type):
    x: int = 3
    """What it is."""
    async def f(self, /, a: "int", *b: int, c=None, **d) -> float:
        # A comment.
        if (n := len(b)) > 1_000 and not a: return -1.50e3
        return f"{a!r:>{n}}x{'z'}{m.pi=} {{}}" "tail" f"" + rf"\\d{n:02}"
'''


def test_the_digest_does_not_depend_on_the_version_of_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The constant was the same in 3.11, 3.12 and 3.13, which cut an f-string into other parts."""
    (tmp_path / "one.py").write_text(SOURCE)
    monkeypatch.setattr(rules, "ROOT", tmp_path)
    forget()
    said = rules._module("one.py").said.hex()
    monkeypatch.undo()
    forget()
    assert said == "67699ce0d4ba0f544779692e2dcda31734f0b95f61c100e6bf75e645ae2bdbcb"


def small(**changes: object) -> Plan:
    """A plan of one dialogue."""
    return make_plan(PEOPLE, **{"collectors": ("scripted/typical",), **changes})  # type: ignore[arg-type]


def edit(out: Path, **changes: object) -> None:
    """Rewrite fields of a stored plan."""
    path = out / "run.json"
    path.write_bytes(orjson.dumps({**orjson.loads(path.read_bytes()), **changes}))


def test_another_version_with_the_same_rules_resumes(tmp_path: Path) -> None:
    run(small(), PEOPLE, tmp_path / "run")
    edit(tmp_path / "run", arrears="0.0.9")
    assert run(small(), PEOPLE, tmp_path / "run").played == 0
    assert read_plan(tmp_path / "run").arrears == "0.0.9"


def test_a_folder_whose_rules_were_noted_in_another_way_is_read_and_not_resumed(
    tmp_path: Path,
) -> None:
    run(small(), PEOPLE, tmp_path / "run")
    edit(tmp_path / "run", arrears="0.0.9", rules="5" * 64)
    assert len(open_run(tmp_path / "run").rows) == 1
    with pytest.raises(RunMismatch, match=r"arrears 0\.0\.9 noted them in another way") as caught:
        run(small(), PEOPLE, tmp_path / "run")
    assert "finish it with arrears 0.0.9; else choose another --out" in str(caught.value)
    assert not rules.comparable("5" * 64)
    assert small().rules.endswith(f":{SCHEME}")


def test_a_folder_of_a_newer_arrears_is_said_to_be_one(tmp_path: Path) -> None:
    run(small(), PEOPLE, tmp_path / "run")
    edit(tmp_path / "run", arrears="99.0", new_field=3)
    with pytest.raises(RunMismatch) as caught:
        run(small(), PEOPLE, tmp_path / "run")
    assert re.search(r"was written by a newer arrears \(99\.0\).* new_field", str(caught.value))
    assert "use that version, or choose another --out" in str(caught.value)
    with pytest.raises(RunMismatch, match="newer arrears"):
        open_run(tmp_path / "run")
    edit(tmp_path / "run", arrears=small().arrears)
    with pytest.raises(BrokenFile, match="new_field: Extra inputs"):
        open_run(tmp_path / "run")


def model(folder: Path, weights: bytes) -> str:
    """Something that lies where a model would."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(weights)
    return f"hf/{folder}"


@pytest.mark.parametrize("size", [1000, 5 << 20], ids=["small", "large"])
def test_another_model_in_the_same_folder_is_another_seat(size: int, tmp_path: Path) -> None:
    spec = model(tmp_path / "m", bytes(size))
    with RunFolder(tmp_path / "run", small(collectors=(spec,))):
        pass
    model(tmp_path / "m", bytes(n % 251 for n in range(size)))
    with (
        pytest.raises(RunMismatch, match="it differs in sources"),
        RunFolder(tmp_path / "run", small(collectors=(spec,))),
    ):
        pass
    (tmp_path / "m" / "trainer.log").write_text("no part of the model")
    assert sources_of((spec,)) == small(debtor_seats=(spec,)).sources


def test_another_run_in_the_same_folder_is_replayed_as_another(tmp_path: Path) -> None:
    run(small(), PEOPLE, tmp_path / "first")
    plan = small(collectors=(f"replay/{tmp_path / 'first'}",))
    run(plan, PEOPLE, tmp_path / "again")
    file = tmp_path / "first" / "dialogues.jsonl"
    dialogue = json.loads(file.read_bytes())
    dialogue["turns"][0]["text"] = "Something else."
    file.write_text(json.dumps(dialogue) + "\n")
    with pytest.raises(RunMismatch, match="it differs in sources"):
        run(small(collectors=plan.collectors), PEOPLE, tmp_path / "again")


# The same for all that is written over time

OTHER = f"{'0' * 64}:{SCHEME}"


def judged(folder: Path) -> None:
    from arrears.bench.judging import judge_run
    from arrears.models.backends import Settings

    if not (folder / "run.json").exists():
        run(small(), PEOPLE, folder)
    judge_run(open_run(folder), "scripted/rubric", ("soundness",), Settings())


def sampled(folder: Path) -> None:
    from arrears.training.rejection.plan import make_sample_plan
    from arrears.training.rejection.sets import Sample

    plan = make_sample_plan("sft-dg", "dcn", ONE, generator="scripted/adaptive")
    with Sample(plan, ONE, folder):
        pass


def weighed(folder: Path) -> None:
    from arrears.training.cfpo.rounds import course_of
    from arrears.training.cfpo.run import _begin

    folder.mkdir(exist_ok=True)
    _begin(course_of("compat/m@http://127.0.0.1:9/v1", "dcn", ONE, seed=1), folder)


def refined(folder: Path) -> None:
    from arrears.models.backends import Settings
    from arrears.synthesis.personas.judges import judge_named
    from arrears.synthesis.personas.refine import refine
    from arrears.synthesis.personas.setup import Setup

    spec = "scripted/typical", "scripted/debtor", "scripted/reader"
    setup = Setup(*spec, max_rounds=1, seed=1, language="en", max_turns=12, temperature=0.0)
    refine((), setup, Settings(), judge_named("scripted/reader"), folder / "r.rounds.jsonl")


def trained(folder: Path) -> None:
    from arrears.training.fit.folder import RULES, FitFolder, FitPlan
    from arrears.training.fit.recipe import read_recipe

    plan = FitPlan(
        arrears="0.0.1", rules=rules.rules_digest(*RULES), kind="sft",
        recipe=read_recipe("nano-sft", ()), model="m", weights="w", tokenizer="t", data="d",
        rows="r", processes=1, merge=False,
    )  # fmt: skip
    with FitFolder(folder, plan):
        pass


@pytest.mark.parametrize(
    ("begin", "plan"),
    [
        (judged, "judgements/soundness--scripted_rubric.json"),
        (sampled, "sample.json"),
        (weighed, "cfpo.json"),
        (refined, "r.rounds.json"),
        (trained, "fit.json"),
    ],
)
def test_whatever_is_written_over_time_knows_by_which_code(
    begin: Callable[[Path], None], plan: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    begin(out)
    begin(out)
    stored = orjson.loads((out / plan).read_bytes())
    assert rules.comparable(stored["rules"])
    (out / plan).write_bytes(orjson.dumps({**stored, "arrears": "0.0.9"}))
    begin(out)
    (out / plan).write_bytes(orjson.dumps({**stored, "rules": OTHER, "arrears": "0.0.9"}))
    with pytest.raises(
        RunMismatch, match=r"differs in rules:\n.* have changed since arrears 0.0.9"
    ):
        begin(out)
    (out / plan).write_bytes(orjson.dumps({**stored, "rules": "1" * 64}))
    with pytest.raises(RunMismatch, match="noted them in another way"):
        begin(out)


def test_a_finished_training_is_left_as_it_is_by_other_code_too(tmp_path: Path) -> None:
    trained(tmp_path / "out")
    (tmp_path / "out" / "training.json").write_text("{}")
    path = tmp_path / "out" / "fit.json"
    path.write_bytes(orjson.dumps({**orjson.loads(path.read_bytes()), "rules": OTHER}))
    trained(tmp_path / "out")
