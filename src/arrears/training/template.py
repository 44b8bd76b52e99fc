"""The chat template of arrears' own small models: ChatML as Qwen3 has it.

The marks `{% generation %}` tell a trainer which words are the model's own; they change nothing of
what is written.
"""

import re

CHAT_TEMPLATE = (
    "{%- for m in messages %}"
    "{%- if m.role == 'assistant' %}"
    "{{- '<|im_start|>assistant\\n' }}"
    "{% generation %}{{- m.content + '<|im_end|>' }}{% endgeneration %}"
    "{{- '\\n' }}"
    "{%- else %}"
    "{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}"
    "{%- endif %}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)
"""Jinja, with `messages` and `add_generation_prompt`."""
_MARK = re.compile(r"(\{%[-+]?\s*)(end)?generation(\s*[-+]?%\})")


def plain_template(text: str) -> str:
    """The same template without the marks, for servers that do not know them.

    An `if true` stands in their place, so that a mark's whitespace control holds to the letter.
    """
    return _MARK.sub(lambda mark: mark[1] + ("endif" if mark[2] else "if true") + mark[3], text)
