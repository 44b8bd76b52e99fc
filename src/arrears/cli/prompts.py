"""`arrears prompts`: see exactly what is said to a model."""

import click

from arrears.prompts.library import LANGUAGES, Language


@click.group()
def prompts() -> None:
    """See exactly what is said to a model."""


@prompts.command("list")
def listed() -> None:
    """Names of all prompts; each is there in every language."""
    from arrears.prompts.library import names, prompts_digest

    for name in names():
        click.echo(name)
    for language in LANGUAGES:
        click.echo(f"digest of all, {language}: {prompts_digest(language)}", err=True)


@prompts.command()
@click.argument("name")
@click.option("--debtor", "debtor_id", default="debtbench-test-0001", show_default=True,
              help="An id of a suite, or FILE:N.")  # fmt: skip
@click.option("--lang", type=click.Choice(LANGUAGES), default="en", show_default=True)
@click.option("--mandate", "limits", default="", help='Such as "max_disc_ratio=10%".')
@click.option("--raw", is_flag=True, help="The file as it is, with its placeholders.")
def show(name: str, debtor_id: str, lang: Language, limits: str, raw: bool) -> None:
    """One prompt, filled for a debtor.

    \b
    arrears prompts show debtor_debtbench --debtor debtbench-test-0017
    arrears prompts show planner --lang zh --raw
    """
    from arrears.prompts.library import prompt

    found = prompt(name, lang)
    if not raw:
        from arrears.agents.samples import sample_values
        from arrears.debtors.pick import pick_debtor
        from arrears.terms_text import parse_mandate

        found = found.fill(sample_values(name, pick_debtor(debtor_id), parse_mandate(limits), lang))
    click.echo(found.system)
    if found.ask:
        click.echo("\n=====\n")
        click.echo(found.ask)
