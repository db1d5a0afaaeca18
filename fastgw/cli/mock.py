"""``fastgw mock``: the mock provider alone; its own command line stands in fastgw.mock."""

import sys

import click

from fastgw.mock.__main__ import main


@click.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def mock(arguments: tuple[str, ...]) -> None:
    """The mock provider alone. `fastgw mock --help` names its options."""
    sys.exit(main(list(arguments)))
