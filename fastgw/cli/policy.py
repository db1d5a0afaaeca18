"""``fastgw policy``: a policy tried out before it meets traffic."""

import click

from fastgw.cli.commands import Commands

COMMANDS = {
    "eval": "fastgw.cli.evaluate:evaluate",
    "simulate": "fastgw.cli.rehearse:simulate",
    "test": "fastgw.cli.rehearse:test",
}


@click.command(cls=Commands, table=COMMANDS)
def policy() -> None:
    """Try policies and expressions out."""
