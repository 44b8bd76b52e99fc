"""Values for every prompt at once: a debtor's own, and a short talk to stand for what comes."""

from arrears.agents.briefing import (
    account_values,
    debtor_values,
    limits_text,
    profile_text,
    strategies_text,
    table_text,
    transcript_text,
)
from arrears.agents.maden.guidance import OutcomeSpace, room_text
from arrears.debtors.record import Debtor
from arrears.dialogue.acts import NON, act
from arrears.dialogue.views import Heard, Position, Table
from arrears.prompts.library import Language, words
from arrears.strategies import Seat
from arrears.terms import Mandate

_SAID = {
    "en": ("Hello, how did this payment come to be missed?", "My hours were cut, I need a year."),
    "zh": ("您好，这笔款怎么会没还上？", "我的工时被砍了，得分一年。"),
}


def sample_values(
    name: str, debtor: Debtor, mandate: Mandate, language: Language
) -> dict[str, str]:
    """A value for each placeholder of a prompt."""
    seat: Seat = "debtor" if name.startswith("debtor") else "collector"
    question, answer = _SAID[language]
    wish = act("ask", "inst_prds", 12)
    heard = (Heard("collector", question, (NON,)), Heard("debtor", answer, (wish,)))
    talk = transcript_text(heard, language)
    empty = Position(None, None, None)
    table = Table(Position(0.0, None, 0.0), empty, empty, Position(6, 12, None))
    space = OutcomeSpace(
        4, "…",
        {"disc_ratio": 0.0, "pmt_ratio": 0.25, "pmt_days": 7, "inst_prds": 6},
        {"disc_ratio": 0.0, "pmt_ratio": 0.10, "pmt_days": 14, "inst_prds": 12},
    )  # fmt: skip
    small = words(language)
    if name in ("mine_pairs", "label_strategies"):
        colon = "：" if language == "zh" else ": "
        seats = (small["seats"]["collector"], small["seats"]["debtor"])
        talk = "\n".join(
            f"{number}. {who}{colon}{said}"
            for number, (who, said) in enumerate(zip(seats, (question, answer), strict=True), 1)
        )
    return {
        **debtor_values(debtor, language),
        **account_values(debtor.background, language),
        "limits": limits_text(mandate, language),
        "strategies": strategies_text(seat, language),
        "max_turns": "12",
        "number": "2",
        "other": small["seats"]["debtor"],
        "words": answer,
        "acts": str(wish),
        "table": table_text(
            table, "collector", language, "short" if name.endswith("_short") else "full"
        ),
        "transcript": talk,
        "news": talk,
        "draft": f"[ask(inst_prds=9)] {question}",
        "persona": profile_text(debtor, language),
        "first": talk,
        "second": talk,
        "candidates": f"1. {question}\n2. {answer}",
        "count": "2",
        "category": str(space.category),
        "meaning": small["meaning"]["legal_awareness"]
        if name == "extract_cognition"
        else small["classes"][space.category],
        "reason": debtor.finances.overdue_reason.text,
        "room": room_text(space, language),
        "comment": small["review"]["fine"],
        "suggestion": small["suggestion"].format(acts="ask(inst_prds=9)"),
        "error": small["empty"],
        "speaker": small["seats"]["debtor"],
        "clusters": f"0. (31)\n- {answer}\n\n1. (12)\n- {answer}",
        "characters": "anxious, stubborn",
        "styles": "vague, pleading",
        "reasons": "job_loss, illness_self",
        "attribute": small["traits"]["legal_awareness"],
        "levels": "\n".join(f"{level}: {text}" for level, text in small["levels"].items()),
        "record": profile_text(debtor, language),
        "known": "anger: 3",
        "threshold": "4",
        "taxonomy": f"{small['seats']['debtor']}:\n- honest_disclosure: …",
    }
