"""A Qwen3 of random weights with a tokenizer of many scripts, and texts to try tokenizers on."""

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

from arrears.rng import rng_for
from arrears.training.template import CHAT_TEMPLATE

MARKS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SIGNS = (
    "abcdefgh 'sStTREvellLLm", " \n\t\r  ", "0123456789", "，。！？您好欠款还款分期中文", "٠١٢三Ⅷ½²",
    "!?.,;:()[]{}=%&*+-_/\\\"'`~@#$^|<>", "😀👍🏽👨‍👩‍👧🇨🇳", "ñüß ÄÖ áéíÉ", "\u00a0\u2003\u3000\u200b\u200d",
    "あいうカタカナ한국어Приветمرحبا",
)  # fmt: skip
SAID = (
    "", " ", "\n", "\n\n\n", "  two  spaces ", "I can't pay; I'LL try, they've said it's DON'T.",
    "disc_ratio=10%, pmt_ratio=25%, pmt_days=7, inst_prds=24", "1234567890 12,345.67",
    "您好，我是负责您账户的催收员。您目前的欠款是人民币12345元。", "我失业了😢，能分6期还款吗？", "👨‍👩‍👧🇨🇳👍🏽",
    "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n", "<|im_end|><|endoftext|>x<|im_start|>",
    "<|im_start", "tab\tand\r\nline\r\n\r\n end  ", "ÀÉÎõü ñ Straße œuvre ﬁ", "Пожалуйста مرحبا 한국어 日本語",
    "{\"a\": [1, 2.5e-3, null]}", "Thoughts: no.\nAction: ask(pmt_days=7)\nDialogue: Is that possible?",
)  # fmt: skip


def tokenizer(splitting: str, longest: int = 32) -> Any:
    """A byte-level tokenizer with merges in many scripts, no token longer than `longest` bytes."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if splitting == "qwen2":
        made.normalizer = normalizers.NFC()
        made.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(QWEN2), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1200, max_token_length=longest, special_tokens=MARKS, show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )  # fmt: skip
    made.train_from_iterator([*SAID[:11] * 9, *mixtures(2000)], trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


def mixtures(count: int) -> list[str]:
    """Texts that no one writes: letters of all kinds side by side, composed."""
    rng = rng_for(1, "mixtures")
    found = []
    for _ in range(count):
        kinds = [SIGNS[i] for i in rng.integers(len(SIGNS), size=rng.integers(1, 25))]
        text = "".join(kind[rng.integers(len(kind))] for kind in kinds)
        found.append(unicodedata.normalize("NFC", text))
    return found


def model(folder: Path, splitting: str = "qwen2", dtype: str = "float32", shards: str = "50GB",
          longest: int = 32, **shape: Any) -> Any:  # fmt: skip
    """A small model of random weights, stored as transformers stores it; it, and its tokenizer.

    Five rows of its embedding have no token.
    """
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    words = tokenizer(splitting, longest)
    torch.manual_seed(4)
    chosen: dict[str, Any] = {
        "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "head_dim": 32,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512,
        "tie_word_embeddings": True, "rms_norm_eps": 1e-5, "bos_token_id": None,
        "rope_parameters": {"rope_type": "default", "rope_theta": 500_000.0}, **shape,
    }  # fmt: skip
    config = Qwen3Config(vocab_size=len(words) + 5, **chosen)
    made = Qwen3ForCausalLM(config).to(getattr(torch, dtype))
    for name, weight in made.named_parameters():
        if name.endswith("norm.weight"):
            # One is what a norm begins with: nothing that gets lost would be seen.
            torch.nn.init.normal_(weight, 1.0, 0.2)
    made.save_pretrained(folder, max_shard_size=shards)
    words.save_pretrained(folder)
    return made, words


def changed(path: Path, change: Callable[[Any], object]) -> None:
    """A JSON file, changed in its place."""
    raw = json.loads(path.read_text())
    change(raw)
    path.write_text(json.dumps(raw))
