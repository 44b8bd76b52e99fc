"""The base install works without the extras, and tests say which extra they need."""

import ast
import os
import sys
import tomllib
from pathlib import Path

import pytest

from tests.extras import ONLY_BASE, OPTIONAL, PACKAGES, ROOT, extras_of

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SOURCES = sorted((ROOT / "src" / "arrears").rglob("*.py"))
# As they are imported; the rest of the base install is imported by its own name.
IMPORTED_AS = {"pyyaml": "yaml"}
# These come with a package of the base install.
ALONG = {"markupsafe"}


def base() -> set[str]:
    """What the base install can import, beside Python and arrears."""
    names = [line.split(">")[0].lower() for line in PROJECT["project"]["dependencies"]]
    return {IMPORTED_AS.get(name, name) for name in names} | ALONG


def imports(path: Path, *, at_the_top: bool) -> set[str]:
    """Packages of others that a module imports."""
    found: set[str] = set()

    def read(tree: ast.AST) -> None:
        for node in ast.iter_child_nodes(tree):
            if isinstance(node, ast.Import):
                found.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
            inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            typing = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
            if not typing and not (at_the_top and inside):
                read(node)

    read(ast.parse(path.read_text(encoding="utf-8")))
    return found - sys.stdlib_module_names - {"arrears"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT / "src")))
def test_a_module_can_be_imported_on_the_base_install(path: Path) -> None:
    assert imports(path, at_the_top=True) <= base()


def test_what_is_imported_later_belongs_to_an_extra() -> None:
    later = set().union(*(imports(path, at_the_top=False) for path in SOURCES)) - base()
    assert later <= OPTIONAL | {"pandas"}, "pandas comes with ctgan"


def test_there_is_a_mark_for_every_extra_that_tests_need() -> None:
    marks = {m.partition(":")[0] for m in PROJECT["tool"]["pytest"]["ini_options"]["markers"]}
    assert marks == set(PACKAGES) <= set(PROJECT["project"]["optional-dependencies"])


@pytest.fixture
def of_a_helper() -> None:
    from tests import small_model

    assert small_model


def test_marks_are_read_from_what_is_imported() -> None:
    assert extras_of(in_a_function) == {"train", "hf"}
    assert extras_of(by_a_module_of_arrears) == {"hf"}
    assert extras_of(of_a_helper.__wrapped__) == {"hf"}  # type: ignore[attr-defined]
    assert extras_of(base) == set()


def in_a_function() -> None:
    import trl

    assert trl


def by_a_module_of_arrears() -> None:
    from arrears.models.hf import LocalModel

    assert LocalModel


def test_a_test_without_a_mark_has_no_extra(request: pytest.FixtureRequest) -> None:
    """As this one, on whatever is installed."""
    assert not any(request.node.get_closest_marker(extra) for extra in PACKAGES)
    assert ONLY_BASE in os.environ
    for package in sorted(OPTIONAL):
        with pytest.raises(ImportError):
            __import__(package)


@pytest.mark.hf
def test_a_test_with_a_mark_has_its_extra() -> None:
    import torch

    assert torch.ones(2).sum() == 2
