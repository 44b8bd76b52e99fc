"""What a prompt is filled with: views and records as plain words, in either language.

What goes to the collector is made from `Background` and `Mandate` alone, so nothing that is private
to the debtor could get in.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Final, Literal

from arrears.debtors.record import EMOTIONS, Background, Debtor
from arrears.dialogue.record import Turn
from arrears.dialogue.render import render_act
from arrears.dialogue.views import CollectorView, DebtorView, Heard, Position, Table
from arrears.errors import UsageError
from arrears.prompts.library import Language, prompt, words
from arrears.strategies import Seat, Strategy, Taxonomy, strategies
from arrears.terms import DIMENSIONS, Dimension, Mandate, Value, written

Style = Literal["dcn", "debtbench"]
Wording = Literal["full", "short"]
WORDINGS: Final[tuple[Wording, ...]] = ("full", "short")
"""How a collector is briefed. `short` names the account and the limits and no more: enough for a
model that was trained at this table, a tenth of the tokens, and of no use to any other."""
DebtorPrompt = Literal["both", "naive", "strategies", "profile"]
DEBTOR_PROMPTS: Final[tuple[DebtorPrompt, ...]] = ("both", "naive", "strategies", "profile")
"""What a debtor's model is told beyond the debt and the money (DebtBench Table 4): who it is and
what such people do, neither, or one of the two."""
_TRAITS = ("legal_awareness", "financial_literacy", "responsibility", "credit_awareness")


def style_of(debtor: Debtor) -> Style:
    """Which paper's table a debtor sits at: DebtBench's where it has a personality."""
    return "dcn" if debtor.personality is None else "debtbench"


def collector_system(
    style: Style,
    account: Background,
    mandate: Mandate,
    max_turns: int,
    language: Language,
    taxonomy: Taxonomy | None = None,
    wording: Wording = "full",
    guidance: str = "",
) -> str:
    """The static part of a collector's conversation; `guidance` is one more paragraph, if any."""
    values = {
        **account_values(account, language),
        "limits": limits_text(mandate, language),
        "strategies": strategies_text("collector", language, taxonomy),
        "max_turns": str(max_turns),
    }
    name = f"collector_{style}" if wording == "full" else f"collector_{style}_short"
    text = prompt(name, language).fill(values).system
    return f"{text}\n\n{guidance}" if guidance else text


def debtor_system(
    debtor: Debtor,
    max_turns: int,
    language: Language,
    variant: DebtorPrompt = "both",
    taxonomy: Taxonomy | None = None,
) -> str:
    """The static part of a debtor's conversation.

    UsageError for another variant than "both" where the record has no persona to leave out.
    """
    style = style_of(debtor)
    if variant != "both" and style == "dcn":
        raise UsageError(
            f"{debtor.id} has no persona; the prompt {variant!r} is for debtors with one"
        )
    values = {
        **debtor_values(debtor, language),
        "strategies": strategies_text("debtor", language, taxonomy),
        "max_turns": str(max_turns),
    }
    return prompt(f"debtor_{style if variant == 'both' else variant}", language).fill(values).system


def next_message(
    view: CollectorView | DebtorView, seat: Seat, language: Language, wording: Wording = "full"
) -> str:
    """What a seat is told before it writes: the other side's last message, and the table."""
    values = {"number": str(view.number), "max_turns": str(view.max_turns)}
    suffix = "" if wording == "full" else "_short"
    if not view.heard:
        return prompt(f"opening{suffix}", language).fill(values).system
    last = view.heard[-1]
    values |= {
        "other": words(language)["seats"][last.seat],
        "words": quoted(last.dialogue),
        "acts": ", ".join(map(render_act, last.acts)),
        "table": table_text(view.table, seat, language, wording),
    }
    return prompt(f"heard{suffix}", language).fill(values).system


def account_values(account: Background, language: Language) -> dict[str, str]:
    """What the creditor knows."""
    return {
        "name": account.name,
        "age": str(account.age),
        "sex": words(language)["sex"][account.sex],
        "bal_due": _amount(account.bal_due),
        "need_coll_amt": _amount(account.need_coll_amt),
        "overdue_days": str(account.overdue_days),
    }


def debtor_values(debtor: Debtor, language: Language) -> dict[str, str]:
    """The whole person, for its own seat and for judges."""
    small = words(language)
    missing = small["not_recorded"]
    money, person, mind, life = (
        debtor.finances,
        debtor.personality,
        debtor.cognition,
        debtor.scenario,
    )
    comma = "、" if language == "zh" else ", "
    values = {
        **account_values(debtor.background, language),
        "reason": money.overdue_reason.text,
        "assets": _amount(money.assets),
        "income": _amount(money.avg_daily_income),
        "expense": _amount(money.avg_daily_expense),
        "balance": _amount(money.avg_daily_balance),
        "work": life.work if life else missing,
        "household": life.household if life else missing,
        "story": life.story if life else missing,
        "character": comma.join(person.character) if person else missing,
        "mbti": person.mbti if person else missing,
        "style": comma.join(person.style) if person else missing,
        "emotions": missing,
        "resilience": missing,
        "cognition": missing,
        "unknown": small["nothing_unknown"],
    }
    if person is not None:
        feelings = [f"{small['emotions'][e]} {getattr(person.emotions, e)}" for e in EMOTIONS]
        values["emotions"] = comma.join(feelings)
        values["resilience"] = small["resilience"][person.emotional_resilience]
    if mind is not None:
        traits = [(t, getattr(mind, t)) for t in _TRAITS]
        values["cognition"] = "\n".join(
            f"- {small['traits'][name]}: {trait.description}" for name, trait in traits
        )
        gaps = [small["unknown"][name].get(trait.level, "") for name, trait in traits]
        values["unknown"] = "\n".join(f"- {g}" for g in gaps if g) or small["nothing_unknown"]
    return values


def profile_text(debtor: Debtor, language: Language) -> str:
    """A person on a page, for judges."""
    name = f"profile_{style_of(debtor)}"
    return prompt(name, language).fill(debtor_values(debtor, language)).system


def limits_text(mandate: Mandate, language: Language) -> str:
    """The creditor's limits in a line."""
    text: str = words(language)["limits"]
    return text.format(
        disc=written("disc_ratio", mandate.max_disc_ratio),
        pmt=written("pmt_ratio", mandate.min_pmt_ratio),
        days=mandate.max_pmt_days,
        months=mandate.max_inst_prds,
    )


def strategies_text(seat: Seat, language: Language, taxonomy: Taxonomy | None = None) -> str:
    """A seat's strategies, one a line: the shipped ones, or those of a taxonomy."""
    if taxonomy is None:
        return _shipped_text(seat, language)
    return _lines(taxonomy[seat].values(), language)


@cache
def _shipped_text(seat: Seat, language: Language) -> str:
    return _lines(strategies(seat).values(), language)


def _lines(known: Iterable[Strategy], language: Language) -> str:
    if language == "zh":
        return "\n".join(f"- {s.zh or s.name}：{s.zh_meaning or s.meaning}" for s in known)
    return "\n".join(f"- {s.name}: {s.meaning}" for s in known)


def table_text(table: Table, seat: Seat, language: Language, wording: Wording = "full") -> str:
    """Where the four dimensions stand, as a seat sees them."""
    labels = words(language)["table" if wording == "full" else "table_short"]
    rows = [_row(d, p, seat, labels) for d, p in zip(DIMENSIONS, table, strict=True)]
    text: str = labels["join"].join(rows)
    return text


def _row(dim: Dimension, position: Position, seat: Seat, labels: Mapping[str, str]) -> str:
    if position.sealed is not None:
        return labels["agreed"].format(dim=dim, value=written(dim, position.sealed))
    own, other = position.collector, position.debtor
    if seat == "debtor":
        own, other = other, own
    kind = "both" if own is not None and other is not None else "own" if own is not None else (
        "other" if other is not None else "open"
    )  # fmt: skip
    return labels[kind].format(dim=dim, own=_value(dim, own), other=_value(dim, other))


def _value(dim: Dimension, value: Value | None) -> str:
    return "" if value is None else written(dim, value)


def transcript_text(heard: Sequence[Heard], language: Language) -> str:
    """What both sides have said and done, for planners and judges."""
    small = words(language)
    if not heard:
        text: str = small["silence"]
        return text
    return "\n".join(
        f"{small['seats'][h.seat]} [{', '.join(map(render_act, h.acts))}]: {quoted(h.dialogue)}"
        for h in heard
    )


def heard_of(turns: Sequence[Turn]) -> tuple[Heard, ...]:
    """The public part of stored turns."""
    return tuple(Heard(t.seat, t.dialogue, t.acts) for t in turns)


def quoted(text: str) -> str:
    """Words of another, fit to stand inside a prompt: they can neither close their quotation nor
    open a role of a chat template.
    """
    if '"""' in text:
        text = text.replace('"""', "'''")
    return text.replace("<|", "< |") if "<|" in text else text


def _amount(yuan: float) -> str:
    return f"{yuan:,.2f}".removesuffix(".00")
