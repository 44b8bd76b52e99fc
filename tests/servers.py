"""Servers of others as real processes on loopback, ended with the test that began them."""

import os
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

_PORTS = 5
_PATIENCE = 600
"""Seconds until a server that does not end when asked to is killed."""


@contextmanager
def serving(
    command: Callable[[int], Sequence[str]], ready: str, env: Mapping[str, str] | None = None
) -> Iterator[str]:
    """The address of a server that is started with a port and answers under the path `ready`.

    It may take as long as it likes to load. Between our choice of a free port and its start another
    process can take that port: then it ends, and is given another.
    """
    for _ in range(_PORTS):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        process = subprocess.Popen(
            command(port), env={**os.environ, **(env or {})}, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        base = f"http://127.0.0.1:{port}"
        try:
            while not _answers(base + ready):
                try:
                    process.wait(0.1)
                except subprocess.TimeoutExpired:
                    continue
                break
            else:
                yield base
                return
        finally:
            process.terminate()
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    raise AssertionError("the server did not come up")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=_PATIENCE):
            return True
    except (urllib.error.URLError, OSError):
        return False
