"""Persona extraction (DebtBench §3.1): what a model reads out of conversations, by attribute.

Nothing is asked about a conversation that has not gone through the scrubber: `ask_model` takes
`Scrubbed` conversations only, and there is no other way to make one.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from arrears.bench.run import Progress, silent
from arrears.models.unanswered import Unanswered
from arrears.prompts.library import Language, words
from arrears.synthesis.asking import Clerk, Question, ask_all
from arrears.synthesis.conversations import Conversation
from arrears.synthesis.personas.attributes import Fields, attributes, fill, reader
from arrears.synthesis.personas.draft import Draft
from arrears.synthesis.pii.scrub import Scrubbed


def ask_model(
    clerk: Clerk, talks: Sequence[Scrubbed], store: Path, progress: Progress = silent
) -> tuple[Draft, ...]:
    """Drafts in the order of the conversations; answers are stored in `store` as they come.

    An attribute about which a model gave no answer stands in the draft's `failures`, with who
    failed, and is unknown in the draft. Errors as `ask_all`.
    """
    questions = [
        Question(
            f"{talk.conversation.id}#{attribute.name}",
            fill(attribute, transcript(talk.conversation, clerk.language), clerk.language),
            attribute.schema,
            reader(attribute, talk.conversation),
        )
        for talk in talks
        for attribute in attributes()
    ]
    asked = ask_all(clerk, "extract", questions, store, progress)
    return _by_debtor([_draft(talk, asked.answers, asked.failures) for talk in talks], talks)


def ask_reader(talks: Sequence[Scrubbed]) -> tuple[Draft, ...]:
    """The same by the built-in reader, whose answers are read as a model's are."""
    from arrears.synthesis.personas.reader import answers, built_in

    readings = built_in().read([talk.conversation for talk in talks])
    drafts = []
    for talk, reading in zip(talks, readings, strict=True):
        given = answers(reading, talk.conversation)
        found: dict[str, Fields] = {}
        failures: dict[str, Unanswered] = {}
        for attribute in attributes():
            try:
                read = reader(attribute, talk.conversation)
                found[attribute.name] = read(given[attribute.name])
            except ValueError as error:
                failures[attribute.name] = Unanswered(
                    cause="malformed", seat="model", reason=str(error)
                )
        drafts.append(draft_from(talk.conversation, found, failures, talk.counts))
    return _by_debtor(drafts, talks)


def draft_from(
    talk: Conversation, found: Mapping[str, Fields], failures: Mapping[str, Unanswered],
    removed: Mapping[str, int],
) -> Draft:  # fmt: skip
    """One draft from the fields of its attributes."""
    fields: dict[str, Any] = {"emotions": {}, "cognition": {}, "evidence": {}}
    for name, answer in found.items():
        for key, value in answer.items():
            if key == "evidence":
                if value:
                    fields["evidence"][name] = value
            elif key == "cognition":
                fields["cognition"] |= value
            elif value is not None:
                fields[key] = value
    return Draft.model_validate(
        {
            "id": talk.id,
            "background": talk.account,
            "failures": dict(failures),
            "removed": dict(removed),
            **fields,
        }
    )


def transcript(talk: Conversation, language: Language) -> str:
    """The conversation as it is shown to a model: who said what."""
    seats = words(language)["seats"]
    colon = "：" if language == "zh" else ": "
    return "\n".join(f"{seats[u.seat]}{colon}{_quoted(u.text)}" for u in talk.utterances)


def _quoted(text: str) -> str:
    """One line, that can open no role of a chat template."""
    return " ".join(text.split()).replace("<|", "< |")


def _draft(
    talk: Scrubbed, answers: Mapping[str, Fields], failures: Mapping[str, Unanswered]
) -> Draft:
    name = talk.conversation.id
    keys = {attribute.name: f"{name}#{attribute.name}" for attribute in attributes()}
    return draft_from(
        talk.conversation,
        {a: answers[key] for a, key in keys.items() if key in answers},
        {a: failures[key] for a, key in keys.items() if key in failures},
        talk.counts,
    )


def _by_debtor(drafts: Sequence[Draft], talks: Sequence[Scrubbed]) -> tuple[Draft, ...]:
    """Drafts named by their debtors, where each debtor has one conversation."""
    names = [talk.conversation.debtor_id for talk in talks]
    if not all(names) or len(set(names)) < len(names):
        return tuple(drafts)
    return tuple(
        draft.model_copy(update={"id": name}) for draft, name in zip(drafts, names, strict=True)
    )
