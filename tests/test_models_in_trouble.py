"""Runs of models when something goes wrong: nothing is lost, and each failure has its name."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import ARREARS, arrears, bench, dialogues
from tests.halting import wait_until
from tests.stub_minds import canned
from tests.stub_server import KEY, Faults, Stub


@pytest.fixture
def stub() -> Iterator[Stub]:
    """A server that never fails."""
    with Stub(canned) as server:
        yield server


def test_what_a_provider_refuses_ends_the_talk_with_its_words(tmp_path: Path) -> None:
    with Stub(canned, Faults(doomed=lambda body: True)) as stub:
        what = ("--suite", "dcn", "--limit", "3", "--collector", stub.spec("m"))
        talks = bench(tmp_path, *what, failing=True)
        assert len(stub.requests) == 3, "it is not asked again"
    assert {t.ending for t in talks} == {"error"}
    assert all("blocked by the content filter" in t.detail for t in talks)


def test_a_run_in_which_everything_failed_has_a_report(tmp_path: Path) -> None:
    with Stub(canned, Faults(doomed=lambda body: True)) as stub:
        done = arrears(
            "bench", "--suite", "dcn", "--limit", "3", "--collector", stub.spec("m"), "--out",
            str(tmp_path),
        )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "(3 of 3 failed)" in done.stdout
    assert "content filter" in (tmp_path / "report.html").read_text()


def test_a_full_disk_stops_a_run_of_models_and_keeps_what_was_finished(
    stub: Stub, tmp_path: Path
) -> None:
    import resource

    line = [
        *ARREARS, "bench", "--no-report", "--suite", "dcn", "--limit", "60", "--collector",
        stub.spec("m"), "--debtor-seat", stub.spec("m"), "--out", str(tmp_path / "run"),
    ]  # fmt: skip
    room = 200_000
    done = subprocess.run(
        line, capture_output=True, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
    )  # fmt: skip
    assert done.returncode == 1
    assert "raise the limit on the size of a file" in done.stderr
    assert "resume with the same command" in done.stderr
    assert "Traceback" not in done.stderr
    kept = dialogues(tmp_path / "run")
    assert 0 < len(kept) < 60
    assert subprocess.run(line, capture_output=True).returncode == 0
    assert len(dialogues(tmp_path / "run")) == 60


def test_ctrl_c_keeps_what_was_finished(tmp_path: Path) -> None:
    import signal

    with Stub(canned, Faults(0.2, ["hang"])) as stub:
        line = [
            *ARREARS, "bench", "--no-report", "--suite", "dcn", "--collector", stub.spec("m"),
            "--debtor-seat", stub.spec("m"), "--concurrency", "64", "--out", str(tmp_path),
        ]  # fmt: skip
        process = subprocess.Popen(line, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        file = tmp_path / "dialogues.jsonl"
        wait_until(lambda: file.exists() and file.read_bytes().count(b"\n") > 3, process)
        os.kill(process.pid, signal.SIGINT)
        # It does not wait for those that hang: they would for an hour.
        _, told = process.communicate()
    assert process.returncode == 130
    assert b"resume with the same command" in told
    assert b"Traceback" not in told
    assert len(dialogues(tmp_path)) > 3


def test_dialogues_that_failed_can_be_played_again(tmp_path: Path) -> None:
    what = ("--suite", "dcn", "--limit", "6")
    seen: list[bytes] = []

    def first_three(body: bytes) -> bool:
        seen.append(body)
        return len(seen) <= 3

    with Stub(canned, Faults(doomed=first_three)) as stub:
        seats = ("--collector", stub.spec("m"), "--debtor-seat", stub.spec("m"))
        talks = bench(tmp_path, *what, *seats, failing=True)
        assert sum(t.ending == "error" for t in talks) == 3
        talks = bench(tmp_path, *what, *seats, failing=True)
        assert sum(t.ending == "error" for t in talks) == 3, "without being asked to"
        talks = bench(tmp_path, *what, *seats, "--retry-errors")
    assert [t.ending for t in talks] == ["agreed"] * 6


def test_a_server_that_is_not_there_ends_dialogues_and_not_the_run(tmp_path: Path) -> None:
    talks = bench(
        tmp_path, "--suite", "dcn", "--limit", "3", "--collector", "compat/m@http://127.0.0.1:1/v1",
        "--retries", "1", "--retry-wait", "0.01", failing=True,
    )  # fmt: skip
    assert {t.ending for t in talks} == {"error"}
    assert all("cannot connect" in t.detail and "2 tries" in t.detail for t in talks)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--collector", "python/none.py:X"), "cannot read none.py"),
        (("--collector", "python/none.py"), "write python/FILE.py:NAME"),
        (("--collector", "replay/none"), "is no run"),
        (("--collector", "scripted/typical", "--method", "madden"), "known: direct, planning"),
        (("--collector", "scripted/typical", "--method", "maden", "--planner", "x"), "planner 'x'"),
        (("--collector", "compat/m@http://127.0.0.1:1/v1", "--rpm", "0"), "--rpm"),
        (("--collector", "hf/none"), "there is no model in none"),
        (
            ("--collector", "scripted/typical", "--debtor-seat", "scripted/nobody"),
            "scripted/debtor",
        ),
    ],
)
def test_seats_that_cannot_be_had_are_told(
    words: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    done = arrears("bench", "--suite", "dcn", *words, "--out", str(tmp_path / "r"))
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert not (tmp_path / "r").exists()


def test_a_key_that_a_server_repeats_is_stored_nowhere(tmp_path: Path) -> None:
    """Some say which key it was that they refuse, whole."""
    with Stub(canned, key="sk-another-key", repeats_key=True) as stub:
        talks = bench(
            tmp_path, "--suite", "dcn", "--limit", "1", "--collector", "openai/m",
            env={"OPENAI_BASE_URL": stub.base, "OPENAI_API_KEY": KEY}, failing=True,
        )  # fmt: skip
    assert "Incorrect API key provided: (the key)" in talks[0].detail
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert KEY.encode() not in file.read_bytes(), file


def test_a_password_in_an_address_is_refused_and_not_repeated(tmp_path: Path) -> None:
    done = arrears(
        "bench", "--suite", "dcn", "--collector", "compat/m@http://me:hunter2@127.0.0.1:1/v1",
        "--out", str(tmp_path / "r"),
    )  # fmt: skip
    assert done.returncode == 2
    assert "holds a password" in done.stderr
    assert "hunter2" not in done.stderr
    assert not (tmp_path / "r").exists()


def test_a_replay_that_could_mean_two_talks_is_refused(stub: Stub, tmp_path: Path) -> None:
    what = ("--suite", "dcn", "--limit", "2")
    bench(
        tmp_path / "a", *what, "--collector", "scripted/firm", "--debtor-seat", "scripted/debtor",
        "--debtor-seat", stub.spec("m"),
    )  # fmt: skip
    done = arrears(
        "bench", *what, "--collector", f"replay/{tmp_path / 'a'}", "--out", str(tmp_path / "b")
    )
    assert done.returncode == 2
    assert "has met several seats" in done.stderr
    again = bench(
        tmp_path / "c", *what, "--collector", "scripted/firm", "--debtor-seat",
        f"replay/{tmp_path / 'a'}:scripted/debtor",
    )  # fmt: skip
    assert {talk.ending for talk in again} <= {"agreed", "max_turns", "walked_away"}
