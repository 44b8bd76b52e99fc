"""A model with random weights and a real tokenizer, made in under a second: nothing is learned yet."""

from pathlib import Path
from typing import Any

WORDS = "hello what happened to you i lost my job in spring can pay a quarter now and the rest in six months"


def talk(n: int, exchanges: int = 2) -> list[dict[str, str]]:
    """A collector's conversation, different for each number."""
    words = WORDS.split()
    at = iter(range(n, n + 100 * exchanges))

    def say(count: int) -> str:
        return " ".join(words[next(at) * 7 % len(words)] for _ in range(count))

    messages = [{"role": "system", "content": f"You collect debt {n}."}]
    for turn in range(exchanges):
        messages += [
            {"role": "user", "content": f"{say(3 + n % 5)}?"},
            {
                "role": "assistant",
                "content": f"Action: ask({n}, {turn})\nDialogue: {say(4 + n % 3)}.",
            },
        ]
    return messages


def tokenizer(template: str | None = None) -> Any:
    """A byte-level BPE with the special tokens of Qwen3, and arrears' own chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    from arrears.training.template import CHAT_TEMPLATE

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=360, special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        show_progress=False, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )  # fmt: skip
    bpe.train_from_iterator((m["content"] for n in range(8) for m in talk(n)), trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    fast.chat_template = template or CHAT_TEMPLATE
    return fast


def build(folder: Path, template: str | None = None) -> Path:
    """Save a two-layer Qwen3 and its tokenizer; the same weights each time."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    fast = tokenizer(template)
    torch.manual_seed(1)
    config = Qwen3Config(
        vocab_size=len(fast), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, head_dim=8, max_position_embeddings=512,
        tie_word_embeddings=True, bos_token_id=None, eos_token_id=fast.eos_token_id,
        pad_token_id=fast.pad_token_id,
    )  # fmt: skip
    model = Qwen3ForCausalLM(config)
    model.generation_config.eos_token_id = fast.eos_token_id
    model.generation_config.pad_token_id = fast.pad_token_id
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder
