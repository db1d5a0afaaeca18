"""How a command ends when it cannot do what was asked: one clear line and an exit code."""

from typing import IO, Any

import click

ABSENT = 1  # what was asked for is not there
UNUSABLE = 2  # the configuration, the arguments or the machine do not allow it


class Failure(click.ClickException):
    """``fastgw: message`` on stderr; ``exit_code`` tells scripts why."""

    def __init__(self, message: str, exit_code: int = UNUSABLE) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click declares it for the class

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"fastgw: {self.message}", err=True)
