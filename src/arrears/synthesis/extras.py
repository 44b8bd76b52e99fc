"""Packages of the extra `synthesis`, loaded when they are needed and asked for where missing."""

from contextlib import AbstractContextManager
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


def one_thread() -> AbstractContextManager[object]:
    """Linear algebra on one thread. The matrices of this room are small: more threads wait for each
    other, ten times as long where the machine has other work, and sum in another order.

    UsageError where scikit-learn is missing.
    """
    extra("sklearn")
    # scikit-learn itself needs threadpoolctl: it is there.
    limits: AbstractContextManager[object] = import_module("threadpoolctl").threadpool_limits(1)
    return limits
