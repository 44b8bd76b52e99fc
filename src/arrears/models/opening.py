"""Opening a local model, so that what is opened is what the folder says it is.

transformers is forgiving where a measurement must not be: it fills weights that are missing with
random numbers, makes a tokenizer without tokens where its files are gone, and tells of a chat
template that cannot be used when the first conversation is rendered. All of that is refused here,
with a sentence. torch and transformers are the extra `hf`; they are imported when they are needed.
"""

import re
from collections.abc import Iterator, Sequence, Sized
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from arrears.errors import ModelError, UsageError
from arrears.models.chat import Message
from arrears.models.model_folder import check_folder

_SHOWN: Final = 300
_REMEDY: Final = "get the config.json and the weights of one and the same model"
_PROBE: Final = (
    Message(role="system", content="probe-of-the-system"),
    Message(role="user", content="probe-of-the-user"),
    Message(role="assistant", content="probe-of-the-assistant"),
    Message(role="user", content="probe-of-the-second-user"),
)


class ChatForm:
    """How a model's tokenizer lays out a conversation.

    A template that refuses or leaves out the system's message, as Gemma's do, gets that message at
    the head of the first user's message; whatever is trained or played goes through here, so that a
    model meets at the table what it was trained on.
    """

    def __init__(self, tokenizer: Any, folder: Path) -> None:
        """UsageError for a template that is missing or cannot lay out a conversation."""
        self._tokenizer, self._folder = tokenizer, folder
        if tokenizer.chat_template is None:
            raise UsageError(f"hf/{folder} has no chat template in its tokenizer")
        self.folds = False
        """Whether the system's message is put into the first user's message."""
        why = self._cannot(_PROBE)
        if why:
            self.folds = True
            if self._cannot(folded(_PROBE)):
                raise UsageError(
                    f"hf/{folder}: its chat template cannot lay out a conversation ({why}); mend "
                    "chat_template.jinja, or take the one of its base model"
                )

    def messages(self, talk: Sequence[Message]) -> list[Message]:
        """A conversation in the roles that the template takes."""
        return folded(talk) if self.folds else list(talk)

    def text(self, talk: Sequence[Message]) -> str:
        """What the model reads before it answers. ModelError where the template refuses it."""
        try:
            return self._laid_out(self.messages(talk))
        except Exception as error:
            raise ModelError(
                f"hf/{self._folder}: its chat template cannot lay out this conversation "
                f"({told(error)})"
            ) from error

    def _laid_out(self, talk: Sequence[Message]) -> str:
        text = self._tokenizer.apply_chat_template(
            list(talk), tokenize=False, add_generation_prompt=True
        )
        return str(text)

    def _cannot(self, talk: Sequence[Message]) -> str:
        """Why the template cannot lay out a conversation whole; "" where it can."""
        try:
            text = self._laid_out(talk)
        except Exception as error:
            return told(error)
        for message in talk:
            for part in message["content"].split("\n\n"):
                # Templates of models that reason may leave out what was said before.
                if message["role"] != "assistant" and part not in text:
                    return f"it leaves out what the {message['role']} says"
        return ""


def folded(talk: Sequence[Message]) -> list[Message]:
    """The system's message at the head of the first user's, with a blank line between."""
    if not talk or talk[0]["role"] != "system":
        return list(talk)
    system, *rest = talk
    if not rest or rest[0]["role"] != "user":
        return [Message(role="user", content=system["content"]), *rest]
    first = Message(role="user", content=f"{system['content']}\n\n{rest[0]['content']}")
    return [first, *rest[1:]]


def open_tokenizer(folder: Path, **how: Any) -> Any:
    """Its tokenizer, with a token that fills rows up. UsageError where there is none that works."""
    _imported()
    from transformers import AutoConfig, AutoTokenizer

    with _quietly():
        try:
            AutoConfig.from_pretrained(folder)
        except Exception as error:
            # A tokenizer is looked up by its model's config, and would be blamed for it.
            raise UsageError(
                f"hf/{folder}: its config.json describes no model: {told(error)}"
            ) from error
        try:
            tokenizer: Any = AutoTokenizer.from_pretrained(folder, **how)
            tokens = tokenizer("Hello, 1,000.", add_special_tokens=False)["input_ids"]
        except Exception as error:
            raise UsageError(
                f"hf/{folder}: its tokenizer cannot be loaded: {told(error)}"
            ) from error
    if not len(tokens):
        raise UsageError(
            f"hf/{folder}: its tokenizer makes no tokens of a text; copy the tokenizer's files of "
            "its base model into the folder"
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def open_weights(folder: Path, **how: Any) -> Any:
    """The model, with all of its weights from the folder and none from anywhere else.

    `how` is passed on to transformers. UsageError where files are missing or not whole, and where
    the weights are those of another model than config.json describes.
    """
    check_folder(folder)
    model = _loaded(folder, **how)
    import torch

    for name, weight in model.named_parameters():
        if not bool(torch.isfinite(weight).all()):
            raise UsageError(
                f"hf/{folder}: {name} holds numbers that are not finite; the model is broken"
            )
    return model


def check_local(folder: Path) -> None:
    """All that can be seen of a model before its weights are read: files, names and shapes of the
    tensors, tokenizer and chat template. UsageError.
    """
    config = check_folder(folder)
    ChatForm(open_tokenizer(folder), folder)
    if config.get("quantization_config"):
        return  # Built by another package, which wants the device.
    try:
        import accelerate  # noqa: F401 - transformers builds models without memory by it.
    except ImportError:
        return
    _loaded(folder, device_map="meta")


def _loaded(folder: Path, **how: Any) -> Any:
    _imported()
    from transformers import AutoModelForCausalLM

    with _quietly():
        try:
            model, found = AutoModelForCausalLM.from_pretrained(
                folder, output_loading_info=True, ignore_mismatched_sizes=True, **how
            )
        except MemoryError:
            raise
        except Exception as error:
            if _of_memory(error):
                raise
            raise UsageError(f"hf/{folder} cannot be loaded: {told(error)}") from error
    _check_found(folder, model, found)
    return model


def _check_found(folder: Path, model: Any, found: Any) -> None:
    """UsageError unless the model's weights are those that the folder holds."""
    missing = sorted(map(str, found.get("missing_keys") or ()))
    if missing:
        raise UsageError(
            f"hf/{folder}: its weights are not those that config.json describes: "
            f"{_are(missing)} missing ({missing[0]} first), and would be random numbers; {_REMEDY}"
        )
    odd = sorted(found.get("mismatched_keys") or (), key=str)
    if odd:
        name = odd[0][0] if isinstance(odd[0], tuple) else odd[0]
        raise UsageError(
            f"hf/{folder}: its weights are not those that config.json describes: "
            f"{_are(odd)} of another size ({name} first); {_REMEDY}"
        )
    layers = {_numbered(name) for name, _ in model.named_modules() if _numbered(name)}
    more = sorted(
        name
        for name in map(str, found.get("unexpected_keys") or ())
        # Heads and towers beside the model change nothing of what it writes.
        if _numbered(name) in layers
    )
    if more:
        raise UsageError(
            f"hf/{folder}: its weights are not those that config.json describes: "
            f"{_are(more)} in no layer there ({more[0]} first), and would be left out; {_REMEDY}"
        )


def _are(tensors: Sized) -> str:
    count = len(tensors)
    return f"{count:,} tensors are" if count != 1 else "1 tensor is"


def _numbered(name: str) -> str:
    """The list of layers that a module or a tensor belongs to: `model.layers`; "" for none."""
    match = re.match(r"(.*?)\.\d+(?:\.|$)", name)
    return match[1] if match else ""


def _imported() -> None:
    try:
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"hf/… needs torch and transformers ({error.name} is missing); "
            "pip install 'arrears[hf]'"
        ) from None


@contextmanager
def _quietly() -> Iterator[None]:
    """Keeps back transformers' own report of what is told here in a sentence."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _of_memory(error: Exception) -> bool:
    import torch

    return isinstance(error, torch.OutOfMemoryError)


def told(error: Exception) -> str:
    """An exception in one line."""
    text = " ".join(str(error).split())
    name = type(error).__name__
    text = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return f"{name}: {text}" if text else name
