"""A small Qwen3-architecture model that a test makes for itself: trained from random weights.

It learns the few messages that it needs to play whole talks in both seats: the collector greets, the
debtor tells, the collector puts terms on the table, the debtor takes them. Twenty seconds on two
cores; the files are what transformers, vLLM and llama.cpp expect of a Qwen3 model.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

TEMPLATE = (
    "{%- for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}"
    "{%- endfor %}{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{%- endif %}"
)
TERMS = "disc_ratio=0%, pmt_ratio=25%, pmt_days=7, inst_prds=6"
GREETS = "Thoughts: I know nothing yet.\nAction: non\nDialogue: Hello, what happened?"
OFFERS = (
    f"Thoughts: Now terms.\nAction: ask({TERMS})\nDialogue: A quarter now, the rest in half a year?"
)
TELLS = "Thoughts: I will say so.\nAction: non\nDialogue: I lost my job in spring."
TAKES = f"Thoughts: That is possible.\nAction: accept({TERMS})\nDialogue: Yes, I can do that."


def conversations(count: int) -> list[list[dict[str, str]]]:
    """Both seats' conversations with so many debtors, as they are really sent."""
    from arrears.agents.briefing import collector_system, debtor_system, next_message, style_of
    from arrears.debtors.suites import load_suite
    from arrears.dialogue.ledger import Ledger
    from arrears.dialogue.parser import parse_message
    from arrears.dialogue.views import CollectorView, DebtorView, Heard
    from arrears.terms import Mandate

    talks = []
    for debtor in load_suite("dcn", "test")[:count]:
        account, style = debtor.background, style_of(debtor)
        ledger, heard = Ledger(), ()
        ours = [
            {"role": "system", "content": collector_system(style, account, Mandate(), 12, "en")}
        ]
        theirs = [{"role": "system", "content": debtor_system(debtor, 12, "en")}]
        for number, (said, answered) in enumerate(((GREETS, TELLS), (OFFERS, TAKES)), 1):
            for mine, text, seat in ((ours, said, "collector"), (theirs, answered, "debtor")):
                view: Any = (
                    CollectorView(account, Mandate(), heard, (), ledger.table(), number, 12)
                    if seat == "collector"
                    else DebtorView(debtor, heard, (), ledger.table(), number, 12)
                )
                mine.append({"role": "user", "content": next_message(view, seat, "en")})
                mine.append({"role": "assistant", "content": text})
                message = parse_message(text, seat)
                ledger.apply(seat, message.acts)
                heard = (*heard, Heard(seat, message.dialogue, message.acts))
        talks += [ours, theirs]
    return talks


def build(folder: Path, steps: int = 140) -> Path:
    """Train and save the model; the same weights each time."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(1)
    talks = conversations(24)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=1500, special_tokens=special, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    tokenizer.train_from_iterator((m["content"] for talk in talks for m in talk), trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    fast.chat_template = TEMPLATE
    config = Qwen3Config(
        vocab_size=len(fast), hidden_size=96, intermediate_size=192, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, head_dim=24, max_position_embeddings=8192,
        tie_word_embeddings=True, bos_token_id=None, eos_token_id=fast.convert_tokens_to_ids("<|im_end|>"),
        pad_token_id=fast.convert_tokens_to_ids("<|endoftext|>"),
    )  # fmt: skip
    model = Qwen3ForCausalLM(config)
    rows = [_tokens(fast, talk) for talk in talks]
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.0)
    order = torch.Generator().manual_seed(2)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * min(1.0, (step + 1) / 20) * (1 - 0.9 * step / steps)
        picks = torch.randint(0, len(rows), (4,), generator=order).tolist()
        loss = sum(_loss(model, *rows[i]) for i in picks) / len(picks)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[union-attr]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    model.generation_config.eos_token_id = config.eos_token_id
    model.generation_config.pad_token_id = config.pad_token_id
    model.eval().save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def _tokens(fast: Any, talk: Sequence[dict[str, str]]) -> tuple[list[int], list[bool]]:
    """A talk as tokens, and which of them the model writes itself."""
    ids: list[int] = []
    own: list[bool] = []
    for m in talk:
        head = fast(f"<|im_start|>{m['role']}\n", add_special_tokens=False)["input_ids"]
        body = fast(m["content"] + "<|im_end|>", add_special_tokens=False)["input_ids"]
        tail = fast("\n", add_special_tokens=False)["input_ids"]
        mine = m["role"] == "assistant"
        ids += [*head, *body, *tail]
        own += [*[False] * len(head), *[mine] * len(body), *[False] * len(tail)]
    return ids, own


def _loss(model: Any, ids: list[int], own: list[bool]) -> Any:
    import torch

    tokens = torch.tensor([ids])
    labels = torch.where(torch.tensor([own]), tokens, torch.tensor(-100))
    return model(input_ids=tokens, labels=labels).loss


if __name__ == "__main__":
    import sys

    build(Path(sys.argv[1]))
