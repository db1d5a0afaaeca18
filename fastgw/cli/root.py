"""The commands by name; each is imported only when it is called, so that none slows another."""

import click

from fastgw.cli.commands import Commands

COMMANDS = {
    "init": "fastgw.cli.configure:init",
    "check": "fastgw.cli.configure:check",
    "schema": "fastgw.cli.configure:schema",
    "serve": "fastgw.cli.serve:serve",
    "demo": "fastgw.cli.demo:demo",
    "mock": "fastgw.cli.mock:mock",
    "usage": "fastgw.cli.usage:usage",
    "explain": "fastgw.cli.explain:explain",
    "limits": "fastgw.cli.limits:limits",
    "errors": "fastgw.cli.errors:errors",
    "policy": "fastgw.cli.policy:policy",
    "status": "fastgw.cli.instance:status",
    "drain": "fastgw.cli.instance:drain",
    "version": "fastgw.cli.instance:version",
}


@click.command(
    cls=Commands, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]}
)
def root() -> None:
    """The AI gateway: what is this traffic, may it pass, and what did it cost?"""
