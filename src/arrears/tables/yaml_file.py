"""YAML that people write, in which no key may stand twice: one of the two would be lost."""

from pathlib import Path
from typing import Any

import yaml

from arrears.errors import BrokenFile


class _OnceLoader(yaml.SafeLoader):
    """Refuses a key that stands twice in the same mapping."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for name, _ in node.value:
            key = (name.tag, name.value) if isinstance(name, yaml.ScalarNode) else None
            if key is not None and key in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"{name.value!r} stands twice", problem_mark=name.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_yaml(text: str, path: Path) -> Any:
    """What a YAML text holds; `path` is where it comes from. BrokenFile, with the line."""
    try:
        return yaml.load(text, Loader=_OnceLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = mark.line + 1 if mark is not None else None
        raise BrokenFile(path, f"is not the YAML it should be: {error.problem}", line) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BrokenFile(path, f"is not YAML: {error}") from None
