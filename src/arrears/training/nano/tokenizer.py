"""nano's tokenizer: a byte-level BPE with Qwen3's splitting, marks and chat form.

Byte-level: any text can be read, only at more tokens. The splitting is Qwen2's and Qwen3's, so that
llama.cpp (`qwen2`) and vLLM read the files as they read those models'.
"""

from collections.abc import Iterable
from typing import Any, Final

from arrears.training.template import CHAT_TEMPLATE

END_OF_TEXT: Final = "<|endoftext|>"
START: Final = "<|im_start|>"
END: Final = "<|im_end|>"
SPLITTING: Final = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Qwen2's: words with the space before them, digits one by one."""


def train_tokenizer(texts: Iterable[str], size: int) -> Any:
    """A `PreTrainedTokenizerFast` of at most `size` tokens, the same for the same texts."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.normalizer = normalizers.NFC()
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLITTING), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[END_OF_TEXT, START, END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        # llama-cpp-python drops longer ones from its answers.
        max_token_length=32,
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token=END, pad_token=END_OF_TEXT, model_max_length=4096
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast
