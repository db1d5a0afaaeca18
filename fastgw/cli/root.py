"""The commands by name; each is imported only when it is called, so that none slows another."""

import importlib

import click

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
    "status": "fastgw.cli.instance:status",
    "drain": "fastgw.cli.instance:drain",
    "version": "fastgw.cli.instance:version",
}


class Commands(click.Group):
    """Finds a command's code by the table above."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        return getattr(importlib.import_module(module), name)


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def root() -> None:
    """The AI gateway: what is this traffic, may it pass, and what did it cost?"""
