"""Answers in odd but real shapes: a failure is never taken for an answer, nor an answer for one."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import orjson
import pytest

from arrears.errors import ModelError
from arrears.models.chat import Completion, Message, Sampling
from arrears.models.json_answers import ask_json, json_in, number_in
from arrears.models.openai_chat import completion_of
from arrears.models.retries import fault_of, retry_after
from arrears.models.transport import Fault, Response, Timeouts, Transport
from arrears.models.usage import Usage
from arrears.scoring.judges import Scale, _mark
from tests.commands import bench
from tests.scripted_server import Scripted, answer, completion
from tests.stub_minds import canned
from tests.stub_server import Instead, Stub

TALK = [Message(role="user", content="Begin.")]
UPSTREAM = {"code": 502, "message": "Upstream provider disconnected"}


def choice(**parts: Any) -> dict[str, Any]:
    """An answer with one choice of these parts."""
    return {"choices": [{"index": 0, **parts}], "usage": None}


# Errors with a status of 200


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (choice(finish_reason="error", error=UPSTREAM, message={"content": "I can off"}), "Upstream"),
        (choice(finish_reason="error", error=UPSTREAM, message={"content": ""}), "Upstream"),
        (choice(error={"message": "Upstream died"}, message={"content": "I can"}), "Upstream died"),
        (choice(finish_reason="error", message={"content": "I can"}), "finish_reason 'error'"),
        (choice(finish_reason="ERROR", message=None), "finish_reason 'error'"),
        (choice(finish_reason="network_error", message={"content": "I"}), "network_error"),
        (choice(finish_reason="insufficient_system_resource", message={"content": "I"}), "resource"),
        (choice(finish_reason={"type": "abort"}, message={"content": "I"}), "abort"),
        (choice(finish_reason="stop", message=None), "without a message"),
        ({**completion("I can"), "error": UPSTREAM}, "Upstream"),
        ({"choices": None, "error": {"message": "overloaded", "code": 503}}, "overloaded"),
        ({"choices": [], "error": "overloaded"}, "overloaded"),
        ({"code": 1211, "msg": "model does not exist", "success": False}, "model does not exist"),
        ({"detail": "Model not loaded"}, "Model not loaded"),
        ({"message": "overloaded", "object": "error"}, "overloaded"),
        ({"choices": [], "detail": [{"loc": ["body", "x"], "msg": "odd"}]}, "x: odd"),
        ({"choices": []}, "without a choice"),
        ({"choices": None}, "without a choice"),
        ({"choices": {}}, "without a choice"),
        ({"choices": [7]}, "no completion"),
        ({"choices": [{"message": [1]}]}, "no completion"),
    ],
)  # fmt: skip
def test_a_failure_with_a_status_of_200_is_worth_another_try(found: Any, words: str) -> None:
    with pytest.raises(Fault, match=words) as told:
        completion_of(answer(found))
    assert told.value.again
    assert "AttributeError" not in told.value.words


@pytest.mark.parametrize(
    ("code", "again"), [(403, False), ("401", False), (429, True), (502, True)]
)
def test_a_status_in_the_error_says_whether_waiting_helps(code: Any, again: bool) -> None:
    with pytest.raises(Fault, match="upstream words") as told:
        completion_of(answer({"choices": [], "error": {"code": code, "message": "upstream words"}}))
    assert told.value.again is again
    assert told.value.status == int(code)


@pytest.mark.parametrize("reason", ["content_filter", "SAFETY", "sensitive", "recitation"])
@pytest.mark.parametrize(
    "message", [None, {"content": None}, {"content": "Thoughts: x\nAction: n"}]
)
def test_a_content_filter_is_never_an_answer_and_is_not_asked_again(
    reason: str, message: Any
) -> None:
    server = Scripted(lambda sent: answer(choice(finish_reason=reason, message=message)))
    with pytest.raises(ModelError, match=rf"content filter.*{reason.lower()}"):
        asyncio.run(server.model().complete(TALK, Sampling()))
    assert len(server.requests) == 1


def test_an_error_that_says_nothing_takes_no_answer_away() -> None:
    for nothing in (None, "", {}, {"code": 0, "message": ""}, []):
        assert completion_of(answer({**completion(), "error": nothing})).text == "Hello."


@pytest.mark.parametrize("reason", ["length", "MAX_TOKENS", "model_context_window_exceeded"])
def test_a_cut_answer_goes_by_several_names(reason: str) -> None:
    assert completion_of(answer(completion("Hel", reason))).cut


@pytest.mark.parametrize(
    ("instead", "ending", "words"),
    [
        ((200, orjson.dumps(choice(finish_reason="error", error=UPSTREAM, message={
            "content": "Action: ask(disc_ratio=30%)\nDialogue: I can off"}))), "error", "Upstream"),
        ((200, orjson.dumps(choice(finish_reason="content_filter", message=None))), "error",
         "content filter"),
        ((200, orjson.dumps({"choices": None, "error": UPSTREAM})), "error", "Upstream"),
    ],
)  # fmt: skip
def test_a_dialogue_ends_as_an_error_with_the_providers_words(
    instead: Instead, ending: str, words: str, tmp_path: Any
) -> None:
    from tests.commands import arrears, dialogues

    with Stub(canned, instead=lambda sent: instead) as stub:
        arrears(
            "bench", "--no-report", "--suite", "dcn", "--limit", "1", "--collector",
            stub.spec("m"), "--retries", "1", "--retry-wait", "0.001", "--out", str(tmp_path),
        )  # fmt: skip
    (talk,) = dialogues(tmp_path)
    assert talk.ending == ending
    assert words in talk.detail
    assert not talk.turns


# Bytes


SENT = json.dumps(completion("Good morning. HERE"))


@pytest.mark.parametrize("half", [b"\\ud83d", b"\\udc00 \\ud83d", b"\xf0\x9f", b"\xff"])
def test_half_a_character_is_no_reason_to_lose_an_answer(half: bytes) -> None:
    found = completion_of(answer(SENT.encode().replace(b"HERE", half)))
    assert found.text.startswith("Good morning. ")
    assert "\N{REPLACEMENT CHARACTER}" in found.text
    orjson.dumps(found.text)
    assert found.usage == Usage(100, 40)


def test_a_whole_character_in_two_halves_stays_whole() -> None:
    sent = SENT.replace("HERE", "\\ud83d\\ude42").encode().replace(b"Good", b"\xff")
    assert "\N{SLIGHTLY SMILING FACE}" in completion_of(answer(sent)).text


@pytest.mark.parametrize(
    "sent",
    [b"\xef\xbb\xbf" + SENT.encode(), b"\n\n  " + SENT.encode(),
     SENT[:-1].encode() + b', "timings": {"rate": NaN}}'],
)  # fmt: skip
def test_what_python_reads_as_json_is_read(sent: bytes) -> None:
    assert completion_of(answer(sent)).text == "Good morning. HERE"


def test_it_is_told_where_json_breaks() -> None:
    with pytest.raises(Fault, match=r"at character \d+.*HERE") as told:
        completion_of(answer(SENT.replace('HERE"', "HERE").encode()))
    assert '"index": 0' not in told.value.words, "the head of it is fine"
    with pytest.raises(Fault, match="DOCTYPE"):
        completion_of(Response(200, {"Content-Type": "text/html"}, b"<!DOCTYPE html><html>"))
    with pytest.raises(Fault, match="too deep"):
        completion_of(answer(b'{"a":' * 100_000))


@pytest.mark.parametrize(
    "usage", ["n/a", {"prompt_tokens": "n/a"}, [1], 7, {"prompt_tokens": True}]
)
def test_odd_usage_loses_no_answer(usage: Any) -> None:
    assert completion_of(answer({**completion(), "usage": usage})).text == "Hello."


# Refusals and headers


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b'{"error": null, "message": "odd"}', "400 odd"),
        (b"null", "400"),
        (b"[]", "400 []"),
        (b'{"error": []}', "400 {'error': []}"),
        (b'{"detail": [{"loc": ["body", "seed"], "msg": "not permitted"}]}',
         "400 seed: not permitted"),
    ],
)  # fmt: skip
def test_a_refusal_is_told_in_the_providers_words(sent: bytes, words: str) -> None:
    assert fault_of(Response(400, {}, sent)).words == words


@pytest.mark.parametrize("value", ["nan", "-5", "\u00b2", "1e999x"])
def test_an_odd_wait_is_none(value: str) -> None:
    assert retry_after({"Retry-After": value}) == 0.0
    assert retry_after({"retry-after-ms": value}) == 0.0


@contextmanager
def moved(status: int) -> Iterator[str]:
    """A server that sends everybody on; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(405)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/new":
                body = json.dumps(completion()).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                return
            self.send_response(status)
            self.send_header("Location", "/new")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed_with_the_request_or_told(status: int) -> None:
    async def story(base: str) -> Response:
        transport = Transport(1, Timeouts())
        try:
            return await transport.post(f"{base}/old", {}, b"{}")
        finally:
            await transport.close()

    with moved(status) as base:
        if status >= 307:
            assert completion_of(asyncio.run(story(base))).text == "Hello."
            return
        with pytest.raises(Fault, match=rf"{status} the server has moved to {base}/new") as told:
            asyncio.run(story(base))
        assert not told.value.again


# Judges' JSON


@pytest.mark.parametrize(
    "text",
    [
        '{"score": 4, "reason": "fine",}',
        '{"score": 4, "reason": "first line\nsecond line"}',
        'The terms {disc_ratio, pmt_ratio} were settled. {"score": 4, "reason": "fine"}',
        '```json\n{"score": 4, "reason": "fine"}\n```\nHad it asked first, {"score": 5} would fit.',
        '{"score": 4, "reason": "fine"}\nHad it asked first, {"score": 5} would fit.',
        '[{"score": 4, "reason": "fine"}]',
        'He said "no. {"score": 4, "reason": "fine, [x,] {y}",}',
        'I say {"score": 4} and again: {"score": 4}',
    ],
)
def test_an_object_is_read_as_judges_write_it(text: str) -> None:
    assert json_in(text)["score"] == 4


def test_commas_within_words_stay() -> None:
    assert json_in('{"a": "x, ]", "b": [1, 2,],}') == {"a": "x, ]", "b": [1, 2]}


@pytest.mark.parametrize(
    "text",
    ['First {"score": 2}. No: {"score": 4}', '{"draft": {"score": 2}, "sco', '{"score": NaN}',
     '{"a": ' * 5000, "{" * 5000],
)  # fmt: skip
def test_what_could_be_read_in_two_ways_or_breaks_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="JSON"):
        json_in(text)


def test_of_several_objects_the_one_that_fits_is_taken() -> None:
    class Model:
        async def complete(self, messages: Any, sampling: Sampling) -> Completion:
            return Completion('Given {"disc_ratio": 0.1} I say {"score": 4}.', "", Usage())

    found = asyncio.run(ask_json(Model(), TALK, Sampling(), lambda found: found["score"]))
    assert found.value == 4


@pytest.mark.parametrize(
    ("written", "number"),
    [(4, 4), (4.5, 4.5), ("4", 4), ("4.5", 4.5), ("4,5", 4.5), ("4/5", 4), ("4 / 5", 4),
     ("4 out of 5", 4), ("**4**", 4), (" 4. ", 4), ("4,5/5", 4.5)],
)  # fmt: skip
def test_a_mark_as_judges_write_it(written: Any, number: float) -> None:
    assert _mark(written, Scale(1, 5), "score") == number


@pytest.mark.parametrize(
    "written",
    ["4/10", "4-5", "four", "", "4 5", "1_0", "nan", "inf", "6", "-4", "4/5/5", True, None, [4],
     float("nan"), float("inf"), 10**400, "4, 5", "٤٤٤"],
)  # fmt: skip
def test_what_is_no_mark_of_the_scale_is_refused(written: Any) -> None:
    with pytest.raises(ValueError, match="score must be"):
        _mark(written, Scale(1, 5), "score")


def test_a_fraction_without_a_scale_is_no_number() -> None:
    with pytest.raises(ValueError, match="another scale"):
        number_in("4/5")


def test_a_run_goes_on_over_a_broken_character(tmp_path: Any) -> None:
    with Stub(lambda request: f"{canned(request)} ✂") as stub:
        answers = stub._answer
        cut = "✂".encode()
        stub._answer = lambda request: answers(request).replace(cut, b"\\ud83d")  # type: ignore[method-assign]
        talks = bench(
            tmp_path, "--suite", "dcn", "--limit", "1", "--collector", stub.spec("m"),
            "--debtor-seat", stub.spec("m"),
        )  # fmt: skip
    assert talks[0].ending == "agreed"
    assert talks[0].turns[0].dialogue.endswith("\N{REPLACEMENT CHARACTER}")
