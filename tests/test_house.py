"""The house: a room imports only from rooms above it, and importing the package is light."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "arrears"

# Import order of docs/architecture.md: each line may import only from the lines above it (and from
# its own room).
ROOMS = [
    {
        "errors",
        "rng",
        "terms",
        "terms_text",
        "strategies",
        "phrases",
        "files",
        "machine",
        "characters",
        "tables",
    },
    {"runs"},
    {"debtors"},
    {"economy"},
    {"models"},
    {"prompts"},
    {"dialogue"},
    {"agents"},
    {"scoring"},
    {"bench"},
    {"synthesis", "training"},
    {"cli"},
]
LEVEL = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}


def imported_rooms(path: Path) -> set[str]:
    """The rooms of arrears that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module]
            if node.module == "arrears":
                names = [f"arrears.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "arrears" and len(parts) > 1 and not parts[1].startswith("__"):
                found.add(parts[1])
    return found


def test_the_page_shows_this_order() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    shown = [set(re.split(r" {2,}", line)[0].split()) for line in block.splitlines()]
    assert shown == ROOMS


def test_the_page_on_the_code_has_the_same_order() -> None:
    page = (SOURCE.parent.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    block = page.split("```text\n")[1].split("```")[0]
    named = [set(line.split("  ")[0].split()) for line in block.splitlines()]
    assert named == ROOMS


FILES = sorted(p for p in SOURCE.rglob("*.py") if p.parent != SOURCE or p.stem != "__init__")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_a_room_imports_only_from_rooms_above_it(path: Path) -> None:
    room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    assert room in LEVEL, f"{room} has no place in the import order"
    upward = {other for other in imported_rooms(path) if LEVEL[other] > LEVEL[room]}
    assert not upward, f"{path.name} in room {room} imports upward: {sorted(upward)}"


def test_importing_arrears_loads_nothing_heavy() -> None:
    code = (
        "import arrears, sys; print([m for m in ('numpy', 'numba', 'torch', 'pydantic', "
        "'matplotlib', 'pyarrow', 'rich', 'scipy', 'sklearn') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


# What draws from, or seeds, a generator that all of a process shares. A generator of one's own is
# made by these, and by nothing else.
OWN_GENERATORS = {"Generator", "default_rng", "SeedSequence", "PCG64", "Philox", "BitGenerator"}
SEEDS_ALL = {
    "manual_seed",
    "seed",
    "set_seed",
    "manual_seed_all",
    "initial_seed",
    "enable_full_determinism",
}
DRAWS_FROM_ALL = {
    "rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like", "normal",
    "bernoulli", "multinomial", "poisson",
}  # fmt: skip


def dotted(node: ast.AST) -> str:
    """`a.b.c` of an expression; "" where it is something else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    return ".".join([node.id, *parts]) if isinstance(node, ast.Name) else ""


def shared_randomness(source: str) -> list[str]:
    """Where a module imports, draws from or seeds a generator that it shares with all others.

    `with torch.random.fork_rng(…)` gives torch's generator back as it was: what is seeded and drawn
    in there is its own.
    """
    tree = ast.parse(source)
    found: list[str] = []
    forked = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.With)
        and any(
            isinstance(item.context_expr, ast.Call)
            and dotted(item.context_expr.func).endswith("fork_rng")
            for item in node.items
        )
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [
                a.name
                for a in node.names
                if a.name.split(".")[0] == "random" or a.name == "numpy.random"
            ]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = {alias.name for alias in node.names}
            if node.module == "random" or (node.module == "numpy" and "random" in names):
                found.append(f"from {node.module}")
            elif node.module == "numpy.random" and names - OWN_GENERATORS:
                found.append("from numpy.random")
            elif node.module in ("torch", "transformers", "torch.random") and names & (
                SEEDS_ALL | DRAWS_FROM_ALL
            ):
                found.append(f"from {node.module}")
        elif isinstance(node, ast.Attribute):
            name = dotted(node)
            module, _, last = name.rpartition(".")
            if module in ("np.random", "numpy.random") and last not in OWN_GENERATORS:
                found.append(name)
        if isinstance(node, ast.Call) and id(node) not in forked:
            module, _, last = dotted(node.func).rpartition(".")
            of_torch = module.split(".")[0] in ("torch", "transformers", "accelerate")
            drawn = of_torch and last in DRAWS_FROM_ALL
            own = any(word.arg == "generator" for word in node.keywords)
            if (of_torch and last in SEEDS_ALL) or (drawn and not own):
                found.append(f"{module}.{last}")
    return found


@pytest.mark.parametrize(
    ("source", "shares"),
    [
        ("import random", True),
        ("import random as r", True),
        ("from random import choice", True),
        ("from numpy import random", True),
        ("from numpy.random import rand", True),
        ("import numpy.random", True),
        ("np.random.seed(1)", True),
        ("x = np.random.rand(3)", True),
        ("draw = np.random.normal", True),
        ("torch.manual_seed(1)", True),
        ("torch.cuda.manual_seed_all(1)", True),
        ("from transformers import set_seed", True),
        ("transformers.set_seed(1)", True),
        ("torch.rand(3)", True),
        ("with torch.random.fork_rng():\n    pass\ntorch.manual_seed(1)", True),
        ("with torch.random.fork_rng(devices=[]):\n    torch.manual_seed(1)\n    torch.rand(3)", False),
        ("torch.rand(3, generator=g)", False),
        ("generator = torch.Generator()\ngenerator.manual_seed(1)", False),
        ("rng = np.random.default_rng(1)\nrng.random(3)", False),
        ("def f(rng: np.random.Generator) -> float: return rng.normal()", False),
        ("from numpy.random import Generator", False),
        ("from arrears import random_words", False),
    ],
)  # fmt: skip
def test_a_shared_generator_is_recognised(source: str, shares: bool) -> None:
    assert bool(shared_randomness(source)) is shares


def test_no_module_uses_the_global_generator() -> None:
    shared = {str(p.relative_to(SOURCE)): shared_randomness(p.read_text("utf-8")) for p in FILES}
    assert {path: names for path, names in shared.items() if names} == {}
