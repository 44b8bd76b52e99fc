"""The command as a real process, and what it leaves behind."""

import os
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from io import StringIO
from multiprocessing.context import ForkServerContext
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

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


def here(*words: str) -> "subprocess.CompletedProcess[str]":
    """One command in this process: torch, which takes seconds to load, is loaded once for all."""
    from arrears.cli.main import main

    out, err = StringIO(), StringIO()
    with (
        patch.object(sys, "argv", [ARREARS[-1], *words]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as left:
            code = left.code
        else:
            code = 0
    assert isinstance(code, int)
    return subprocess.CompletedProcess([*ARREARS, *words], code, out.getvalue(), err.getvalue())


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
    # What we do ourselves, that is: what others warn of is theirs.
    warnings.filterwarnings("error", module=r"arrears(\.|$)")
    if ONLY_BASE in env:
        hide_optional()
    from arrears.cli.main import main

    main()


def bench(
    out: Path, *words: str, env: Mapping[str, str] | None = None, failing: bool = False
) -> list[Dialogue]:
    """A run that must be played to its end, and its dialogues.

    `failing`: some of them must fail from outside, which the command has to tell by its exit code.
    """
    done = arrears("bench", "--no-report", "--out", str(out), *words, env=env)
    assert done.returncode == (1 if failing else 0), done.stderr
    if failing:
        assert "more failed than --fail-on-error 0 allows" in done.stderr
    return dialogues(out)


def bench_here(out: Path, *words: str) -> list[Dialogue]:
    """The same of a local model, in this process."""
    done = here("bench", "--no-report", "--out", str(out), *words)
    assert done.returncode == 0, done.stderr
    return dialogues(out)


def dialogues(out: Path) -> list[Dialogue]:
    """The dialogues of a run folder."""
    lines = (out / "dialogues.jsonl").read_bytes().splitlines()
    return [DIALOGUE_ADAPTER.validate_json(line) for line in lines]
