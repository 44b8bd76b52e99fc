"""`arrears train`: where collectors learn."""

from typing import Final

import click

from arrears.cli.lazy import Entry, LazyGroup

COMMANDS: Final = {
    "sample": Entry("arrears.cli.train_sample:sample", "Rejection sampling: DCN's four sets."),
    "cfpo": Entry("arrears.cli.train_cfpo:cfpo", "Pairs that look ahead: DebtBench's CFPO."),
    "sft": Entry("arrears.cli.train_fit:sft", "Supervised fine-tuning."),
    "dpo": Entry("arrears.cli.train_fit:dpo", "Direct preference optimisation."),
    "nano": Entry("arrears.cli.train_nano:nano", "A small collector from random weights, here."),
    "report": Entry("arrears.cli.train_report:report", "Before and after on the same debtors."),
}


@click.group(cls=LazyGroup, table=COMMANDS)
def train() -> None:
    """Collectors that learn: training data, training, and whether it helped."""
