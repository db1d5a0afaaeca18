"""``fastgw limits``: how full the live buckets are."""

from __future__ import annotations

from typing import Any

import click

from fastgw.cli.failure import ABSENT, Failure
from fastgw.cli.finding import about_instance, find_directory
from fastgw.cli.giving import grant, reset
from fastgw.cli.table import print_table
from fastgw.errors import FastgwError
from fastgw.explain.refusal import duration
from fastgw.process.levels import live_limits


@click.group(invoke_without_command=True)
@click.option("--name", metavar="N", help="Only the limit of this name.")
@click.option("--key", metavar="K", help="Only buckets with K in their key.")
@about_instance
@click.pass_context
def limits(
    ctx: click.Context, name: str | None, key: str | None, data_dir: str | None, file: str | None
) -> None:
    """Used, held, limit and reset of live buckets and caps."""
    if ctx.invoked_subcommand is not None:
        return
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
            over(row), *(amount(row[part], row["unit"]) for part in ("used", "held", "limit")),
            _reset(row["reset_ms"]),
        ]
        for row in rows
    ]
    print_table(
        ["name", "key", "unit", "over", "used", "held", "limit", "resets in"], table, left=4
    )


limits.add_command(grant)
limits.add_command(reset)


def over(row: dict[str, Any]) -> str:
    """What a limit counts over: `60 s`, `60 s sliding`, `month UTC`, `total`, `now`."""
    if row["window"]:
        return f"{row['window']} {row['time_zone']}".rstrip()
    if row["period_ns"]:
        return f"{duration(row['period_ns'])}{_KINDS.get(row['algorithm'], '')}"
    return "now" if row["algorithm"] == "concurrency" else "?"


_KINDS = {"fixed_window": " fixed", "sliding_window": " sliding"}


def _reset(reset_ms: int | None) -> str:
    if reset_ms is None:
        return "?"
    return duration(reset_ms * 1_000_000) if reset_ms else "-"


def amount(value: int | None, unit: str) -> str:
    """A number of the limit's unit: micro-dollars as dollars, `?` for None."""
    if value is None:
        return "?"
    if unit != "cost":
        return f"{value:,}"
    whole, micro = divmod(value, 10**6)
    cents = f"{micro:06d}"
    return f"${whole:,}.{cents[:2]}{cents[2:].rstrip('0')}"
