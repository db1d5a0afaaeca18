"""``fastgw limits grant`` and ``reset``: room for a key, before its window or its debt is over."""

from __future__ import annotations

from typing import Any

import click

from fastgw.admin.giving import give
from fastgw.cli.failure import ABSENT, Failure
from fastgw.cli.finding import about_instance, find_directory
from fastgw.errors import FastgwError
from fastgw.ledger.vocabulary import amount as written


def _about_bucket(command: Any) -> Any:
    name = click.option("--name", metavar="N", required=True, help="The limit's name.")
    key = click.option(
        "--key", metavar="K", required=True,
        help="Whose bucket: its key as `fastgw limits` shows it, or as a JSON array.",
    )
    return name(key(about_instance(command)))


@click.command()
@_about_bucket
@click.option("--amount", metavar="X", required=True,
              help="How much of what is used is forgiven, in the limit's unit; cost in dollars.")
def grant(
    name: str, key: str, amount: str, data_dir: str | None, file: str | None
) -> None:
    """Forgive some of what a key has used. Recorded in the ledger."""
    _give(name, key, amount, data_dir, file)


@click.command()
@_about_bucket
def reset(name: str, key: str, data_dir: str | None, file: str | None) -> None:
    """Forgive all that a key has used; what running requests hold stays. Recorded."""
    _give(name, key, None, data_dir, file)


def _give(
    name: str, key: str, amount: str | None, data_dir: str | None, file: str | None
) -> None:
    path = find_directory(data_dir, file)
    try:
        given = give(path, name, key, amount, "command line")
    except (FastgwError, ValueError) as error:
        raise Failure(str(error), ABSENT) from None
    unit = given["unit"]
    click.echo(
        f"{given['name']} of {given['key'] or 'everybody'}: used "
        f"{written(given['before'], unit)} before, {written(given['after'], unit)} now"
    )
