"""A folder for LLaMA-Factory: data, `dataset_info.json`, and the run of a paper as YAML.

The data is in its `sharegpt` formatting with the tags of OpenAI's messages. (Its formatting named
`openai` adds words of its own to the system's message.) In the folder, `llamafactory-cli train
NAME.yaml` trains. Checked against LLaMA-Factory 0.9.5 (tests/test_formats.py).
"""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
import yaml

from arrears.errors import UsageError
from arrears.files import replace_file, storage
from arrears.training.formats.trl import write_rows

INFO: Final = "dataset_info.json"
_TAGS: Final = {
    "role_tag": "role",
    "content_tag": "content",
    "user_tag": "user",
    "assistant_tag": "assistant",
    "system_tag": "system",
}
_NAME, _DATA = "<run>", "<dataset>"
_RUNS: Final = {
    "dcn-sft-dg": "dcn-sft",
    "dcn-sft-mag": "dcn-sft",
    "dcn-dpo-dg": "dcn-dpo",
    "dcn-dpo-mag": "dcn-dpo",
    "debtgpt": "debtgpt",
}


class Run(NamedTuple):
    """How LLaMA-Factory is to train."""

    name: str
    """As the shipped recipes are called: `dcn-sft-dg` …, `debtgpt`."""
    text: str
    """YAML, in which the data's name is still to be filled."""

    def filled(self, data: str) -> str:
        """The YAML for data of this name."""
        return self.text.replace(_NAME, self.name).replace(_DATA, data)

    @property
    def stage(self) -> str:
        """`sft` or `dpo`."""
        return str(yaml.safe_load(self.text)["stage"])


@cache
def runs() -> Mapping[str, Run]:
    """The runs of the two papers: DCN's four (Table 13) and DebtGPT's (DebtBench, C.2)."""
    folder = resources.files("arrears.training.formats") / "runs"
    return {
        name: Run(name, (folder / f"{source}.yaml").read_text(encoding="utf-8"))
        for name, source in _RUNS.items()
    }


def example(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `formats.trl` as LLaMA-Factory reads it."""
    if "chosen" in row:
        return {
            "messages": row["prompt"],
            "chosen": row["chosen"][0],
            "rejected": row["rejected"][0],
        }
    return {"messages": row["messages"] if "messages" in row else row["prompt"] + row["completion"]}


def dataset_info(name: str, file: str, *, ranking: bool) -> dict[str, Any]:
    """The content of `dataset_info.json` for one set of data; `ranking` for preferences."""
    columns = {"messages": "messages"}
    if ranking:
        columns |= {"chosen": "chosen", "rejected": "rejected"}
    entry = {
        "file_name": file,
        "formatting": "sharegpt",
        **({"ranking": True} if ranking else {}),
        "columns": columns,
        "tags": _TAGS,
    }
    return {name: entry}


def write_folder(folder: Path, name: str, rows: Sequence[Mapping[str, Any]], run: Run) -> None:
    """Data under this name, its description and the run, each written in one step.

    UsageError where preferences meet a run that is not for them, or the other way round;
    StorageError.
    """
    ranking = any("chosen" in row for row in rows)
    if ranking is not (run.stage == "dpo"):
        kind = "pairs of answers" if ranking else "single answers"
        raise UsageError(f"{name} holds {kind}, which the run {run.name} ({run.stage}) is not for")
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
    file = f"{name}.jsonl"
    write_rows(folder / file, map(example, rows))
    info = orjson.dumps(
        dataset_info(name, file, ranking=ranking),
        option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE,
    )
    replace_file(folder / INFO, lambda out: out.write(info))
    text = run.filled(name).encode()
    replace_file(folder / f"{run.name}.yaml", lambda out: out.write(text))
