"""A page as a real browser has it."""

import shutil
import subprocess
from pathlib import Path

import pytest

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-sync", "--no-first-run", "--virtual-time-budget=2000", "--dump-dom",
)  # fmt: skip
_PATIENCE = 1800
"""Seconds until a browser that hangs is given up; it takes some."""


def opened(page: Path) -> str:
    """The page's elements after it was shown without complaint; skips where there is no browser."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if browser is None:
        pytest.skip("no chromium on this machine")
    done = subprocess.run(
        [browser, *_FLAGS, page.as_uri()], capture_output=True, text=True, timeout=_PATIENCE
    )
    assert done.returncode == 0, done.stderr
    assert "Uncaught" not in done.stderr
    return done.stdout
