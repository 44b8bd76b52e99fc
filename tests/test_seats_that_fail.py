"""A seat of the user's own never ends the run: what it raises or returns ends its own dialogue."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrears.agents import own
from arrears.agents.registry import check_collector
from arrears.dialogue.acts import LEAVE, NON, Act, act
from arrears.dialogue.checked import LONGEST, checked
from arrears.dialogue.record import DIALOGUE_ADAPTER, Dialogue, Note, Turn, as_line
from arrears.errors import BadTurn
from arrears.models.usage import Usage
from arrears.terms import DIMENSIONS, GRID, Mandate
from tests.commands import arrears, dialogues
from tests.test_own_seats import seat_file, talk, write

COLLECTOR = '''
import asyncio, sys
import numpy as np
from arrears.dialogue.acts import NON, Act, act
from arrears.dialogue.record import Note, Turn
class Seat:
    def __init__(self, account, mandate, rng):
        {make}
    async def reply(self, view):
        {reply}
'''  # fmt: skip
FINE = 'return Turn("collector", "Hello.", (NON,))'
LINE = COLLECTOR.splitlines().index("        {reply}") + 1


@pytest.fixture(autouse=True)
def _nothing_is_loaded_from_before() -> Iterator[None]:
    yield
    for file in list(own._loaded):
        own._forget(file.parent)


def played(tmp_path: Path, reply: str, make: str = "pass") -> Dialogue:
    """One dialogue with a seat of which one line is given, as it is stored and read again."""
    (tmp_path / "seat.py").write_text(COLLECTOR.format(reply=reply, make=make))
    check_collector(f"python/{tmp_path / 'seat.py'}:Seat")
    dialogue = asyncio.run(talk(f"python/{tmp_path / 'seat.py'}:Seat", max_turns=2))
    return DIALOGUE_ADAPTER.validate_json(as_line(dialogue))


@pytest.mark.parametrize(
    ("reply", "error", "told"),
    [
        ("raise ValueError('quota')", "ValueError", "quota"),
        ("view.nothing", "AttributeError", "no attribute 'nothing'"),
        ("raise SystemExit(3)", "SystemExit", "3"),
        ("sys.exit()", "SystemExit", ""),
        ("raise asyncio.CancelledError", "CancelledError", ""),
        ("asyncio.current_task().cancel(); await asyncio.sleep(0)", "CancelledError", ""),
        ("raise type('Panic', (BaseException,), {})('of a library')", "Panic", "of a library"),
        ("raise type('Mute', (Exception,), {'__str__': lambda self: 1 / 0})", "Mute", "its text cannot be read"),
        ("raise ValueError('\\ud83d')", "ValueError", "�"),
        ("raise ValueError('x' * 10**6)", "ValueError", "xxx …"),
        ("def f(): f()\n        f()", "RecursionError", "recursion"),
        ("raise ExceptionGroup('two', [ValueError('a'), KeyError('b')])", "ExceptionGroup", "two"),
        ("int('x')", "ValueError", "invalid literal"),
        ("np.ones(3) @ np.ones(4)", "ValueError", "mismatch"),
    ],
)  # fmt: skip
def test_what_a_seat_raises_is_its_failure_with_the_line(
    reply: str, error: str, told: str, tmp_path: Path
) -> None:
    dialogue = played(tmp_path, reply)
    assert dialogue.ending == "error"
    assert dialogue.failure is not None
    assert (dialogue.failure.cause, dialogue.failure.seat) == ("seat_code", "collector")
    assert dialogue.failure.error == error
    assert dialogue.failure.where in (f"seat.py:{LINE}", f"seat.py:{LINE - 1}")
    assert told in dialogue.detail
    assert len(dialogue.detail) < 2_200


NOT_TURNS = [
    ("return None", "reply returned nothing"),
    ("pass", "reply returned nothing"),
    ("return 'Hello.'", "reply returned a str"),
    ("return ('Hello.', (NON,))", "reply returned a tuple"),
    ("return {'dialogue': 'Hello.'}", "reply returned a dict"),
    ("return asyncio.ensure_future(asyncio.sleep(0))", "reply returned a Task that was not awaited"),
    ("return Turn('debtor', 'Hello.', (NON,))", "the collector's seat answered for the 'debtor'"),
    ("return Turn('collector', 42, (NON,))", "dialogue must be text (str), not a int (42)"),
    ("return Turn('collector', b'Hello.', (NON,))", "dialogue must be text"),
    ("return Turn('collector', None, (NON,))", "dialogue must be text"),
    (f"return Turn('collector', 'x' * {LONGEST + 1}, (NON,))", "100,001 characters; at most 100,000"),
    ("return Turn('collector', 'x' * 10**7, (NON,))", "10,000,000 characters"),
    ("return Turn('collector', 'Hello.', None)", "acts must be a tuple or a list"),
    ("return Turn('collector', 'Hello.', NON)", "write (act,) for one"),
    ("return Turn('collector', 'Hello.', 'non')", "acts must be a tuple or a list, not a str"),
    ("return Turn('collector', 'Hello.', ('non',))", "acts[0] must be an Act"),
    ("return Turn('collector', 'Hello.', (NON, Act('offer', 'pmt_days', 7)))", "acts[1]: unknown kind str ('offer')"),
    ("return Turn('collector', 'Hello.', (Act('ask', 'discount', 0),))", "unknown term str ('discount'); known: disc_ratio"),
    ("return Turn('collector', 'Hello.', (Act('ask'),))", "unknown term NoneType"),
    ("return Turn('collector', 'Hello.', (Act('ask', 'pmt_days'),))", "ask of pmt_days has no value"),
    ("return Turn('collector', 'Hello.', (Act('ask', 'pmt_days', '7'),))", "must be a number, not a str"),
    ("return Turn('collector', 'Hello.', (Act('ask', 'pmt_days', True),))", "must be a number, not a bool"),
    ("return Turn('collector', 'Hello.', (Act('ask', 'pmt_days', np.array([7, 8])),))", "must be a number, not a ndarray"),
    ("return Turn('collector', 'Hello.', (Act('ask', 'pmt_days', 99),))", "pmt_days=99 is not legal; legal values: 1, 2"),
    ("return Turn('collector', 'Hello.', (Act('ask', 'disc_ratio', 10),))", "disc_ratio=10 is not legal; legal values: 0, 0.05"),
    ("return Turn('collector', 'Hello.', (Act('ask', 'disc_ratio', .07),))", "arrears.terms.snap"),
    ("return Turn('collector', 'Hello.', (Act('ask', 'disc_ratio', float('nan')),))", "is float (nan)"),
    ("return Turn('collector', 'Hello.', (Act('leave'),))", "only the debtor can leave"),
    ("return Turn('collector', 'Hello.', (Act('non', 'pmt_days'),))", "non takes no term"),
    ("return Turn('collector', 'Hello.', (NON,), thoughts=3)", "thoughts must be text"),
    ("return Turn('collector', 'Hello.', (NON,), reasoning=None)", "reasoning must be text"),
    ("return Turn('collector', 'Hello.', (NON,), strategy=['a'])", "strategy must be text"),
    ("return Turn('collector', 'Hello.', (NON,), repairs='a')", "repairs must be a tuple or a list"),
    ("return Turn('collector', 'Hello.', (NON,), usage={'tokens_in': 3})", "usage must be a Usage or None"),
    ("return Turn('collector', 'Hello.', (NON,), notes=('a',))", "notes[0] must be a Note"),
    ("return Turn('collector', 'Hello.', (NON,), notes=(Note('critic', 'a'),))", "unknown role str ('critic')"),
    ("return Turn('collector', 'Hello.', (NON,), private=[1])", "private must be a dict"),
    ("return Turn('collector', 'Hello.', (NON,), private={1: 2})", "a key of private must be text"),
    ("return Turn('collector', 'Hello.', (NON,), private={'a': float('nan')})", "private['a'] is float (nan)"),
    ("return Turn('collector', 'Hello.', (NON,), private={'a': 10**400})", "which cannot be stored"),
    ("return Turn('collector', 'Hello.', (NON,), private={'a': [1]})", "private['a'] must be a number"),
]  # fmt: skip


@pytest.mark.parametrize(("reply", "told"), NOT_TURNS)
def test_what_is_no_turn_is_the_failure_of_the_seat_that_returned_it(
    reply: str, told: str, tmp_path: Path
) -> None:
    dialogue = played(tmp_path, reply)
    assert (dialogue.ending, dialogue.turns) == ("error", ())
    assert dialogue.failure is not None
    assert dialogue.failure.model_dump() == {
        "cause": "seat_code", "seat": "collector", "error": "BadTurn", "where": f"seat.py:{LINE - 1}",
    }  # fmt: skip
    assert told in dialogue.detail


@pytest.mark.parametrize(
    ("make", "told"),
    [("raise OSError('no weights')", "no weights"), ("self.reply = None", "has no reply(view)"),
     ("sys.exit(1)", "SystemExit"), ("self.name = account.nom", "no attribute 'nom'")],
)  # fmt: skip
def test_a_constructor_that_raises_is_charged_to_its_seat(
    make: str, told: str, tmp_path: Path
) -> None:
    dialogue = played(tmp_path, FINE, make)
    assert dialogue.ending == "error"
    assert dialogue.failure is not None
    assert (dialogue.failure.cause, dialogue.failure.seat) == ("seat_code", "collector")
    assert told in dialogue.detail


def test_a_debtors_seat_that_fails_is_charged_to_the_debtors_side(tmp_path: Path) -> None:
    write(tmp_path / "who.py", """
        class Silent:
            def __init__(self, debtor, rng):
                1 / (debtor.background.age - debtor.background.age)
            def reply(self, view): ...
        """)  # fmt: skip
    dialogue = asyncio.run(talk("scripted/firm", f"python/{tmp_path / 'who.py'}:Silent"))
    assert len(dialogue.turns) == 1, "what was said before is kept"
    assert dialogue.failure is not None
    assert dialogue.failure.model_dump() == {
        "cause": "seat_code", "seat": "debtor", "error": "ZeroDivisionError", "where": "who.py:4",
    }  # fmt: skip


def test_the_line_is_the_users_own_however_deep_the_failure(tmp_path: Path) -> None:
    write(tmp_path / "tools" / "__init__.py", "")
    write(tmp_path / "tools" / "late.py", "def f():\n    import json\n    json.loads('{')\n")
    write(tmp_path / "torn.py", "x = 1\ndef (:\n")
    deep = played(tmp_path, "import tools.late; tools.late.f()")
    torn = played(tmp_path, "import torn")
    kernel = played(tmp_path, "from arrears.terms import snap; snap('pmt_days', float('nan'))")
    assert [d.failure and d.failure.where for d in (deep, torn, kernel)] == [
        "tools/late.py:3", "torn.py:2", f"seat.py:{LINE}",
    ]  # fmt: skip


def test_a_plain_def_answers_as_an_async_one_does(tmp_path: Path) -> None:
    text = COLLECTOR.format(make="pass", reply=FINE).replace("async def", "def")
    (tmp_path / "seat.py").write_text(text)
    dialogue = asyncio.run(talk(f"python/{tmp_path / 'seat.py'}:Seat"))
    assert dialogue.ending == "max_turns", dialogue.detail


def test_what_a_seat_does_to_its_view_does_not_reach_the_record(tmp_path: Path) -> None:
    reply = (
        "[object.__setattr__(t, 'dialogue', 42) or t.private.update(a=object()) for t in view.own]"
        "\n        return Turn('collector', 'Hello.', (NON,), private={'a': 1})"
    )
    dialogue = played(tmp_path, reply)
    assert dialogue.ending == "max_turns", dialogue.detail
    assert {(t.dialogue, t.private["a"]) for t in dialogue.turns if t.seat == "collector"} == {
        ("Hello.", 1.0)
    }


def test_one_turn_object_can_be_returned_again_and_again(tmp_path: Path) -> None:
    dialogue = played(
        tmp_path, "return self.said", "self.said = Turn('collector', 'Hello.', (NON,))"
    )
    assert [t.number for t in dialogue.turns if t.seat == "collector"] == [1, 2]


# What is mended, and what that makes of it.


@given(
    st.sampled_from(DIMENSIONS).flatmap(
        lambda dim: st.tuples(st.just(dim), st.sampled_from(GRID[dim]))
    ),
    st.sampled_from([float, np.float64, np.float32, np.float16, np.array]),
    st.sampled_from(["ask", "accept", "reject"]),
)
def test_any_librarys_number_is_the_grids_own(
    what: tuple[Any, Any], number: Any, kind: Any
) -> None:
    dim, value = what
    if number is np.float16:
        number = float if isinstance(value, float) else np.int64
    turn = checked(Turn("collector", "x", [Act(kind, dim, number(value))]), "collector")  # type: ignore[arg-type]
    assert turn.acts == (act(kind, dim, value),)
    assert type(turn.acts[0].value) is type(value)


@given(
    st.text(st.characters(categories=None) | st.sampled_from("\ud83d\ude00\udcff")),
    st.lists(st.sampled_from([NON, act("ask", "pmt_days", 7), act("reject", "disc_ratio"), LEAVE])),
    st.dictionaries(st.text(), st.none() | st.booleans() | st.text() | st.integers(-10**30, 10**30)
                    | st.floats(allow_nan=False, allow_infinity=False), max_size=3),
)  # fmt: skip
def test_whatever_is_let_in_can_be_stored_and_read_again(
    text: str, acts: list[Act], private: dict[str, Any]
) -> None:
    turn = checked(Turn("debtor", text, tuple(acts), text, text, private=private), "debtor")
    assert checked(turn, "debtor") == turn, "what is plain stays as it is"
    dialogue = Dialogue.model_construct(
        case="c", suite="s", debtor_id="d", collector="a", debtor_seat="b", turns=(turn,),
        mandate=Mandate(), ending="max_turns", terms=None, detail="", failure=None,
    )  # fmt: skip
    again = DIALOGUE_ADAPTER.validate_json(as_line(dialogue)).turns[0]
    assert (again.dialogue, again.acts, again.thoughts) == (turn.dialogue, turn.acts, turn.thoughts)
    assert not any("\ud800" <= c <= "\udfff" for c in turn.dialogue)


def test_text_and_counts_of_other_libraries_become_plain() -> None:
    turn = checked(
        Turn("collector", np.str_("Hello."), (), usage=Usage(np.int64(3), 4.0),  # type: ignore[arg-type]
             notes=[Note("judge", np.str_("fine"))], private={np.str_("a"): np.bool_(True)}),  # type: ignore[arg-type]
        "collector",
    )  # fmt: skip
    assert turn == Turn("collector", "Hello.", (NON,), usage=Usage(3, 4),
                        notes=(Note("judge", "fine"),), private={"a": True})  # fmt: skip
    assert type(turn.dialogue) is str
    assert type(turn.notes[0].text) is str


def test_half_a_character_is_replaced_and_noted() -> None:
    turn = checked(Turn("collector", "cut \ud83d", (NON,)), "collector")
    assert (turn.dialogue, len(turn.repairs)) == ("cut �", 1)
    joined = checked(Turn("collector", "two halves \ud83d\ude00", (NON,)), "collector")
    assert joined.dialogue == "two halves 😀"


def test_numbers_of_a_library_do_not_reach_other_seats() -> None:
    for value in (np.int64(18), np.float64(18.0), 18.0, 18):
        assert type(act("ask", "inst_prds", value).value) is int  # type: ignore[arg-type]
    assert type(act("ask", "disc_ratio", 0).value) is float


def test_a_seat_cannot_answer_for_the_other() -> None:
    with pytest.raises(BadTurn, match="answered for the"):
        checked(Turn("collector", "x", (NON,)), "debtor")


# The whole run.


def test_the_run_goes_on_beside_seats_that_fail(tmp_path: Path) -> None:
    spec = seat_file(tmp_path / "fine.py")
    seats = {"raises": "raise ValueError('x')", "exits": "sys.exit(3)", "returns": "return 42",
             "cancels": "raise asyncio.CancelledError",
             "leaves": "self.left = asyncio.ensure_future(asyncio.sleep(3600))\n        " + FINE}  # fmt: skip
    specs = [spec]
    for name, reply in seats.items():
        (tmp_path / f"{name}.py").write_text(COLLECTOR.format(reply=reply, make="pass"))
        specs.append(f"python/{tmp_path / name}.py:Seat")
    done = arrears("bench", "--suite", "dcn", "--limit", "2", "--max-turns", "1", "--no-report",
                   "--out", str(tmp_path / "run"), *(w for s in specs for w in ("--collector", s)))  # fmt: skip
    assert "Traceback" not in done.stderr
    endings = {(Path(d.collector).stem, d.ending) for d in dialogues(tmp_path / "run")}
    assert endings == {("fine", "max_turns"), ("raises", "error"), ("exits", "error"),
                       ("returns", "error"), ("cancels", "error"), ("leaves", "max_turns")}  # fmt: skip


def test_a_seat_in_a_scaffold_fails_alone_too(tmp_path: Path) -> None:
    write(tmp_path / "s.py", """
        from arrears.dialogue.acts import NON
        from arrears.dialogue.record import Turn
        class Words:
            def __init__(self, account, mandate, rng): pass
            def draft(self, view, space): return Turn("collector", f"Hello {space}", [NON])
            def revise(self, view, draft, review): return "better"
        """)  # fmt: skip
    done = arrears("bench", "--suite", "dcn", "--limit", "2", "--method", "maden", "--planner",
                   "scripted/planner", "--judge", "scripted/judge", "--no-report", "--collector",
                   f"python/{tmp_path / 's.py'}:Words", "--out", str(tmp_path / "run"))  # fmt: skip
    assert "Traceback" not in done.stderr
    failed = [d for d in dialogues(tmp_path / "run") if d.failure]
    assert {d.failure.cause for d in failed if d.failure} <= {"seat_code"}
    assert all("returned a str" in d.detail for d in failed)


def test_what_had_failed_from_outside_fails_so_again_when_it_is_replayed(tmp_path: Path) -> None:
    (tmp_path / "seat.py").write_text(
        COLLECTOR.format(
            reply=f"if view.number == 2: raise KeyError('x')\n        {FINE}", make="pass"
        )
    )
    words = ("bench", "--suite", "dcn", "--limit", "2", "--no-report")
    arrears(
        *words, "--collector", f"python/{tmp_path / 'seat.py'}:Seat", "--out", str(tmp_path / "a")
    )
    first = dialogues(tmp_path / "a")
    assert {d.ending for d in first} == {"error"}
    arrears(*words, "--collector", f"replay/{tmp_path / 'a'}", "--out", str(tmp_path / "b"))
    again = dialogues(tmp_path / "b")
    assert [(d.ending, d.failure, d.detail) for d in again] == [
        (d.ending, d.failure, d.detail) for d in first
    ]
    # Of an older arrears, which stored no failure: as far as its detail tells.
    stored = tmp_path / "a" / "dialogues.jsonl"
    lines = [json.loads(line) for line in stored.read_text().splitlines()]
    for line in lines:
        del line["failure"]
    stored.write_text("".join(json.dumps(line) + "\n" for line in lines))
    arrears(*words, "--collector", f"replay/{tmp_path / 'a'}", "--out", str(tmp_path / "c"))
    assert {(d.ending, d.failure and d.failure.cause) for d in dialogues(tmp_path / "c")} == {
        ("error", "unknown")
    }
