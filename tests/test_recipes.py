"""Recipes: those of the papers, one's own, and mistakes in them named by their key."""

from pathlib import Path

import pytest

from arrears.errors import BrokenFile, UnknownName
from arrears.training.fit.recipe import read_recipe, shipped


def test_dcns_recipes_are_table_13() -> None:
    for name in ("dcn-sft-dg", "dcn-sft-mag", "dcn-dpo-dg", "dcn-dpo-mag"):
        found = read_recipe(name)
        part = found.training
        assert found.kind == name.split("-")[1]
        assert (part.learning_rate, part.epochs, part.batch, part.bf16) == (5e-6, 5, 4, True)
        assert found.model.base == "Qwen/Qwen2.5-7B-Instruct"
        assert found.lora is not None
        assert (found.lora.rank, found.lora.alpha, found.lora.dropout) == (8, 16, 0.0)
        assert found.lora.targets == ("all-linear",)
        assert (found.dpo.beta if found.dpo else None) == (0.1 if found.kind == "dpo" else None)


def test_a_recipe_may_be_a_file_and_settings_go_over_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('kind = "sft"\n[training]\nlearning_rate = 1e-3\n')
    found = read_recipe(str(path), ["training.learning_rate=2e-3", "lora.targets=['q_proj']"])
    assert found.training.learning_rate == 2e-3
    assert found.lora is not None
    assert found.lora.targets == ("q_proj",)
    assert set(shipped()) == {
        "dcn-sft-dg", "dcn-sft-mag", "dcn-dpo-dg", "dcn-dpo-mag", "debtgpt", "nano-sft", "nano-dpo",
    }  # fmt: skip
    for name in shipped():
        assert read_recipe(name).training.learning_rate > 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[training]\nlearning_rte = 1", "learning_rte: there is no such key; known: epochs, "),
        ("[trainig]\n", "trainig: there is no such key; known: kind, model, lora, training, dpo"),
        ("[training]\nschedule = 'cubic'", "schedule: input should be 'constant', 'linear' or"),
        ("[training]\nbatch = 0", "batch: input should be greater than or equal to 1, not 0"),
        ("[lora]\nranks = 3", "ranks: there is no such key; known: rank, alpha, dropout, targets"),
        ("[training]\nepochs = 1", "training.learning_rate: is missing"),
        ("[training]\nlearning_rate = 1e-3\n[dpo]\n", 'kind = "dpo" needs [dpo]'),
        (
            "[training]\nlearning_rate = 1e-3\n[dpo]\nuntil = 'x'\nprecompute_reference = true",
            "until and precompute_reference do not go together",
        ),
        ("[training\n", "is not TOML"),
    ],
)
def test_a_recipe_with_a_mistake_names_the_key_and_what_it_may_be(
    text: str, told: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'kind = "sft"\n{text}')
    with pytest.raises(BrokenFile) as error:
        read_recipe(str(path))
    assert str(path) in str(error.value)
    assert told in str(error.value)


def test_an_unknown_recipe_is_an_unknown_name() -> None:
    with pytest.raises(UnknownName):
        read_recipe("nano")
