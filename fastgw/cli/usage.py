"""``fastgw usage``: what was spent, by whom, on what."""

from __future__ import annotations

import csv
import sys
from typing import Any

import click
import orjson

from fastgw.cli.commands import Commands
from fastgw.cli.failure import Failure
from fastgw.cli.finding import about_instance, find_directory, read_labels
from fastgw.cli.table import print_table
from fastgw.errors import FastgwError
from fastgw.ledger import query
from fastgw.process.moments import since_ns

TOKENS = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens")


@click.command(
    cls=Commands,
    table={"reconcile": "fastgw.cli.reconcile:reconcile"},
    invoke_without_command=True,
)
@click.option("--since", default="24h", show_default=True, help="A span (90s, 24h, 7d) or a time.")
@click.option("--by", default="", help="key, model, provider, user, day, owner.NAME, a label, …")
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "csv"]), default="table",
    show_default=True,
)
@about_instance
def usage(since: str, by: str, form: str, data_dir: str | None, file: str | None) -> None:
    """Requests, tokens and cost, summed from the ledger."""
    if click.get_current_context().invoked_subcommand is not None:
        return
    path = find_directory(data_dir, file)
    groups = [name.strip() for name in by.split(",") if name.strip()]
    try:
        rows = query.usage(path, since_ns(since), by=groups, labels=read_labels(path))
    except (FastgwError, ValueError) as error:
        raise Failure(str(error)) from None
    if form == "json":
        sys.stdout.buffer.write(orjson.dumps(rows, option=orjson.OPT_INDENT_2) + b"\n")
    elif form == "csv":
        _write_csv(rows)
    else:
        _show(rows, groups)


def _write_csv(rows: list[dict[str, Any]]) -> None:
    flat = [_flat(row) for row in rows]
    writer = csv.DictWriter(sys.stdout, flat[0] if flat else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """The interval's four ends as columns of their own; an unknown stays empty."""
    flat = {name: value for name, value in row.items() if name != "interval"}
    for name, (low, high) in row["interval"].items():
        flat |= {f"{name}_low": low, f"{name}_high": high}
    return flat


def _show(rows: list[dict[str, Any]], groups: list[str]) -> None:
    numbers = ("requests", "denied", "attempts", *TOKENS)
    headings = [name.removesuffix("_tokens").replace("_", " ") for name in numbers]
    table = [
        [*(str(row[name]) for name in groups), *(f"{row[name]:,}" for name in numbers), _cost(row)]
        for row in rows
    ]
    print_table([*groups, *headings, "cost"], table, left=len(groups))
    if not rows:
        click.echo("nothing was recorded in that time", err=True)


def _cost(row: dict[str, Any]) -> str:
    known = f"${row['cost_nano_usd_known'] / 1e9:.6f}"
    if row["cost_nano_usd"] is not None:
        return known
    return "unknown" if not row["cost_nano_usd_known"] else f"> {known}"
