"""Files as accidents leave them."""

from hypothesis import strategies as st

_ODD = [b'"', b"\n", b"\r", b",", b";", b"\0", b"\xff", b"\xe9", b"\n\n", b'""', b"{", b"9"]


@st.composite
def damage(draw: st.DrawFn, sound: bytes) -> bytes:
    """A file with a few bytes dropped, put in or doubled, lines doubled, or its end cut off."""
    data = sound
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        kind = draw(st.sampled_from(["drop", "put", "cut", "double"]))
        if kind == "drop":
            data = data[:at] + data[at + draw(st.integers(1, 9)) :]
        elif kind == "put":
            data = data[:at] + draw(st.sampled_from(_ODD)) + data[at:]
        elif kind == "cut":
            data = data[:at]
        else:
            lines = data.splitlines(keepends=True) or [b""]
            line = draw(st.sampled_from(lines))
            lines.insert(draw(st.integers(0, len(lines))), line)
            data = b"".join(lines)
    return data
