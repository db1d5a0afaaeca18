"""Groups of commands that import a command's code only when it is called."""

import importlib
from typing import Any

import click


class Commands(click.Group):
    """``table``: a command's name -> ``module:function``."""

    def __init__(self, *arguments: Any, table: dict[str, str], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.table:
            return None
        module, _, name = self.table[cmd_name].partition(":")
        return getattr(importlib.import_module(module), name)
