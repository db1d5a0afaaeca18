"""``fastgw usage``: what was spent, by whom, on what."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import click
import orjson

from fastgw.cli.commands import Commands
from fastgw.cli.failure import Failure
from fastgw.cli.finding import about_instance, find_directory, read_labels
from fastgw.cli.table import print_table
from fastgw.errors import FastgwError
from fastgw.ledger import query
from fastgw.ledger.events import COLUMNS, Events
from fastgw.ledger.schema import SUMS
from fastgw.ledger.usage import shape
from fastgw.process.moments import between_ns
from fastgw.usage.families import tell_event

UNITS = ("images", "audio_seconds", "characters", "searches")  # shown where there are any
TOKENS = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens")
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


@click.command(
    cls=Commands,
    table={"reconcile": "fastgw.cli.reconcile:reconcile"},
    invoke_without_command=True,
)
@click.option("--since", default="24h", show_default=True, help="A span (90s, 24h, 7d) or a time.")
@click.option("--until", help="The same; left out: now.")
@click.option(
    "--by", default="", help="key, model, provider, service_tier, day, instance, a label, …"
)
@click.option(
    "--instance", metavar="NAME",
    help="Of those that share a database, this one alone (self: that of the data directory).",
)
@click.option("--attempts", is_flag=True, help="Each attempt by itself, as exports have it.")
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "csv"]), default="table",
    show_default=True,
)
@about_instance
def usage(
    since: str, until: str | None, by: str, instance: str | None, attempts: bool, form: str,
    data_dir: str | None, file: str | None,
) -> None:
    """Requests, tokens and cost, summed from the ledger; where gateways share a database, over
    all of them."""
    if click.get_current_context().invoked_subcommand is not None:
        return
    path = find_directory(data_dir, file)
    groups = [name.strip() for name in by.split(",") if name.strip()]
    if attempts and (groups or form == "table"):
        raise click.UsageError("--attempts goes with --format json or csv, and without --by")
    try:
        begin, end = between_ns(since, until)
        if attempts:
            with query.Ledger(path) as ledger:
                found = (Events(one).between(begin, end) for one in ledger.views(instance))
                _write_attempts(map(tell_event, chain.from_iterable(found)), form)
            return
        rows = query.usage(path, begin, end, groups, read_labels(path), instance=instance)
    except (FastgwError, ValueError) as error:
        raise Failure(str(error)) from None
    if form == "json":
        sys.stdout.buffer.write(orjson.dumps(rows, option=orjson.OPT_INDENT_2) + b"\n")
    elif form == "csv":
        _write_csv(map(_flat, rows), [*groups, *_COLUMNS])
    else:
        _show(rows, groups)


def _write_attempts(events: Iterator[dict[str, Any]], form: str) -> None:
    """As they are read: there may be millions."""
    if form == "csv":
        _write_csv((_texts(event) for event in events), COLUMNS)
        return
    out, before = sys.stdout.buffer, b"["
    for event in events:
        out.write(before + b"\n" + orjson.dumps(event))
        before = b","
    out.write(b"\n]\n" if before == b"," else b"[]\n")


def _texts(event: dict[str, Any]) -> dict[str, Any]:
    """Lists and maps as JSON."""
    return {
        name: orjson.dumps(value).decode() if isinstance(value, dict | list) else value
        for name, value in event.items()
    }


def _write_csv(rows: Iterable[dict[str, Any]], columns: Sequence[str]) -> None:
    writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in row.items()})


def _cell(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula is shown as the text it is: names of
    models and users come from clients."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULAS) else value


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """The interval's four ends as columns of their own; an unknown stays empty."""
    flat = {name: value for name, value in row.items() if name != "interval"}
    for name, (low, high) in row["interval"].items():
        flat |= {f"{name}_low": low, f"{name}_high": high}
    return flat


_COLUMNS = tuple(_flat(shape([0] * len(SUMS))))


def _show(rows: list[dict[str, Any]], groups: list[str]) -> None:
    units = [name for name in UNITS if any(row[name] for row in rows)]
    numbers = ("requests", "denied", "attempts", *TOKENS, *units)
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
