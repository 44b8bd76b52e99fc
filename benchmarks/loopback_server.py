"""A server as fast as Python makes one: canned messages over HTTP/1.1, after a given latency.

It stands in for a model that takes no time of its own, so that what is left is our side. It parses
only what it needs and answers from prepared bytes: sixteen messages a dialogue, eight a seat.

Run as a process: `python -m benchmarks.loopback_server [SECONDS]` prints its port.
"""

import asyncio
import sys

import orjson
import uvloop

EXCHANGES = 8
COLLECTOR = b"nobody on the line can move"
_MONTHS = (24, 24, 18, 18, 12, 12, 9, 6)


def _answer(text: str) -> bytes:
    body = orjson.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_760_000_000,
            "model": "m",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text},
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 900, "completion_tokens": 80, "total_tokens": 980},
        }
    )
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _collector(exchange: int) -> str:
    return (
        "Thoughts: They ask for more time again; the wage that they named carries an instalment "
        "of this size, so I keep the share and move the months.\n"
        f"Action: ask(disc_ratio=0%, pmt_ratio={25 + 5 * (exchange % 3)}%, pmt_days=7, "
        f"inst_prds={_MONTHS[exchange]})\n"
        "Dialogue: I understand that this is a hard time for you. What I can offer is that a part "
        "is paid within the week and the rest is spread, without any discount on the amount."
    )


def _debtor(exchange: int) -> str:
    if exchange == EXCHANGES - 1:
        share = 25 + 5 * (exchange % 3)
        action = f"accept(disc_ratio=0%, pmt_ratio={share}%, pmt_days=7, inst_prds=6)"
    else:
        action = "ask(disc_ratio=10%, inst_prds=24), reject(pmt_ratio)"
    return (
        "Thoughts: I do not have that much, and the rent is due on Friday.\n"
        f"Action: {action}\n"
        "Dialogue: My shifts were cut in spring and I have been behind ever since. I want to pay, "
        "but not so much at once, please."
    )


ANSWERS = {
    True: [_answer(_collector(e)) for e in range(EXCHANGES)],
    False: [_answer(_debtor(e)) for e in range(EXCHANGES)],
}


class Wire(asyncio.Protocol):
    """One connection; requests come one after another."""

    def __init__(self, latency: float) -> None:
        self._latency = latency
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        at = head.index(b"content-length:") + 15
        line_end = head.find(b"\r\n", at)
        length = int(head[at : line_end if line_end >= 0 else None])
        if len(self._buffer) < end + 4 + length:
            return
        body, self._buffer = self._buffer[end + 4 : end + 4 + length], b""
        said = body.count(b'"role":"assistant"')
        answer = ANSWERS[COLLECTOR in body][min(said, EXCHANGES - 1)]
        if self._latency:
            asyncio.get_running_loop().call_later(self._latency, self._send, answer)
        else:
            self._send(answer)

    def _send(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)  # type: ignore[attr-defined]


async def serve(latency: float) -> None:
    """Serve until ended; prints the port."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Wire(latency), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0))
