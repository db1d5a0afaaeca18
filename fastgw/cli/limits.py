"""``fastgw limits``: how full the live buckets are."""

from __future__ import annotations

import click

from fastgw.admin.levels import live_limits
from fastgw.cli.failure import ABSENT, Failure
from fastgw.cli.finding import about_instance, find_directory
from fastgw.cli.table import print_table
from fastgw.errors import FastgwError
from fastgw.explain.refusal import duration


@click.command()
@click.option("--name", metavar="N", help="Only the limit of this name.")
@click.option("--key", metavar="K", help="Only buckets with K in their key.")
@about_instance
def limits(name: str | None, key: str | None, data_dir: str | None, file: str | None) -> None:
    """Used, held, limit and reset of live buckets."""
    path = find_directory(data_dir, file)
    try:
        rows = live_limits(path, name=name, key=key)
    except FastgwError as error:
        raise Failure(str(error), ABSENT) from None
    if not rows:
        click.echo("no bucket is in use", err=True)
        return
    table = [
        [
            row["name"] + ("" if row["enforced"] else " (shadow)"), row["key"], row["unit"],
            *(_number(row[part]) for part in ("used", "held", "limit")),
            "?" if row["reset_ms"] is None else duration(row["reset_ms"] * 1_000_000),
        ]
        for row in rows
    ]
    print_table(["name", "key", "unit", "used", "held", "limit", "full again in"], table, left=3)


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"
