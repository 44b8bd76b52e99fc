"""Packages of the extra `synthesis`, loaded when they are needed and asked for where missing."""

from importlib import import_module
from typing import Any


def extra(module: str) -> Any:
    """The module. UsageError that says what to install where it is not there."""
    from arrears.errors import UsageError

    try:
        return import_module(module)
    except ImportError:
        package = module.partition(".")[0]
        raise UsageError(
            f"this needs {package}, which is not installed: pip install 'arrears[synthesis]'"
        ) from None
