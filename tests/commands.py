"""The command as a real process, and what it leaves behind."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from multiprocessing.context import ForkServerContext
from pathlib import Path
from tempfile import TemporaryDirectory

from arrears.dialogue.record import DIALOGUE_ADAPTER, Dialogue
from tests.extras import ONLY_BASE, hide_optional

ARREARS = (sys.executable, "-m", "arrears.cli.main")


def arrears(
    *words: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    """One command in a process of its own: its environment, folder, streams and exit code.

    It is forked from a process that has loaded the package, which is most of what a short command
    does. Where Python itself is told something by `env` it is started from nothing; so are commands
    that are killed, asked or timed, by `ARREARS`.
    """
    if any(name.startswith("PYTHON") for name in env or {}):
        return subprocess.run(
            [*ARREARS, *words], capture_output=True, text=True, cwd=cwd,
            env={**os.environ, **(env or {})},
        )  # fmt: skip
    with TemporaryDirectory() as folder:
        streams = [Path(folder) / name for name in ("stdout", "stderr")]
        process = _server().Process(
            target=_command, args=(words, {**os.environ, **(env or {})}, cwd or Path.cwd(), streams)
        )
        process.start()
        process.join()
        code = process.exitcode
        assert code is not None
        out, err = (stream.read_text() for stream in streams)
    return subprocess.CompletedProcess([*ARREARS, *words], code, out, err)


@cache
def _server() -> ForkServerContext:
    context = ForkServerContext()
    context.set_forkserver_preload(["tests.warm"])
    return context


def _command(
    words: Sequence[str], env: Mapping[str, str], cwd: Path, streams: Sequence[Path]
) -> None:
    for number, stream in enumerate(streams, 1):
        file = os.open(stream, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.argv = [ARREARS[-1], *words]
    if ONLY_BASE in env:
        hide_optional()
    from arrears.cli.main import main

    main()


def bench(out: Path, *words: str, env: Mapping[str, str] | None = None) -> list[Dialogue]:
    """A run that must succeed, and its dialogues."""
    done = arrears("bench", "--no-report", "--out", str(out), *words, env=env)
    assert done.returncode == 0, done.stderr
    return dialogues(out)


def dialogues(out: Path) -> list[Dialogue]:
    """The dialogues of a run folder."""
    lines = (out / "dialogues.jsonl").read_bytes().splitlines()
    return [DIALOGUE_ADAPTER.validate_json(line) for line in lines]
