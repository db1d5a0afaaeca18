"""``fastgw usage reconcile``: the ledger beside what a provider says that it bills."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click
import orjson

from fastgw.cli.failure import Failure
from fastgw.cli.finding import about_instance, find_directory
from fastgw.cli.table import print_table
from fastgw.errors import FastgwError
from fastgw.ledger import reconcile as books
from fastgw.ledger.exports import read_export
from fastgw.process.moments import since_ns

UNEXPLAINED = 1  # exit code


@click.command()
@click.argument("report", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--since", help="A span (7d) or a time; default: where the report begins.")
@click.option("--until", help="Likewise; default: where it ends.")
@click.option("--provider", "providers", multiple=True, help="Of the gateway; may be repeated.")
@click.option(
    "--key", "pairs", multiple=True, metavar="THEIRS=OURS",
    help="The report's key is this one of the gateway's; may be repeated.",
)
@click.option("--instance", metavar="NAME", help="Of those that share a database, this one alone.")
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)
@about_instance
def reconcile(
    report: Path, since: str | None, until: str | None,
    providers: tuple[str, ...], pairs: tuple[str, ...], instance: str | None, form: str,
    data_dir: str | None, file: str | None,
) -> None:
    """Compare the ledger with OpenAI's or Anthropic's usage report (JSON or CSV), by day, model
    and key. Exit 0: all that was billed lies within the ledger's intervals; 1: not all; 2: the
    file cannot be used."""
    parent = click.get_current_context().parent
    above = parent.params if parent is not None else {}
    try:
        window = [None if text is None else since_ns(text) for text in (since, until)]
        export = read_export(report.read_bytes(), str(report), *window)
        path = find_directory(data_dir or above.get("data_dir"), file or above.get("file"))
        told = books.reconcile(
            path, export, providers=providers, keys=_keys(pairs), instance=instance
        )
        if export.end_ns > time.time_ns():
            told["notes"].append("the report reaches into a day that is not over: both sides grow")
    except OSError as error:
        raise Failure(f"{report}: {error.strerror}; name a usage report") from None
    except (FastgwError, ValueError) as error:
        raise Failure(str(error)) from None
    if form == "json":
        sys.stdout.buffer.write(orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n")
    else:
        _show(told)
    if told["unexplained"]:
        sys.exit(UNEXPLAINED)


def _keys(pairs: tuple[str, ...]) -> dict[str, str]:
    found = [pair.partition("=") for pair in pairs]
    for theirs, _, ours in found:
        if not theirs or not ours:
            raise ValueError("--key: expected THEIRS=OURS, as in --key key_abc=main")
    return {theirs: ours for theirs, _, ours in found}


def _show(told: dict[str, Any]) -> None:
    lines = [
        [row["day"], row["model"] or "(all)", row["key"] or "(all)",
         name.removesuffix("_tokens").replace("_", " "),
         f"{one['billed']:,}", f"{one['ledger']:,}", _interval(one["interval"]),
         f"{one['difference']:+,}" if one["difference"] else "0", _why(one)]
        for row in told["rows"] for name, one in row["fields"].items()
        if one["billed"] or one["ledger"] or one["interval"] != [0, 0]
    ]  # fmt: skip
    headings = ["day", "model", "key", "tokens", "billed", "ledger", "interval", "difference",
                "why"]
    print_table(headings, lines, left=4)
    for note in told["notes"]:
        click.echo(f"note: {note}", err=True)
    rows, wrong = len(told["rows"]), told["unexplained"]
    where = f"{', '.join(told['provider'])}, {told['since']} to {told['until']}"
    click.echo(
        f"{where}: {rows - wrong} of {rows} lie within the ledger's intervals"
        + (f"; {wrong} unexplained" if wrong else ""), err=True,
    )


def _interval(bounds: list[int | None]) -> str:
    low, high = bounds
    if low == high:
        return "exact"
    return f"{low:,}..{'?' if high is None else format(high, ',')}"


def _why(one: dict[str, Any]) -> str:
    why = [
        f"{part['tokens']:+,} {part['cause']} ({part['attempts']})" for part in one["explained"]
    ]
    if one["unexplained"] > 0:
        why.append(f"{one['unexplained']:+,} UNEXPLAINED: billed, of no attempt here")
    elif one["unexplained"]:
        why.append(f"{one['unexplained']:+,} UNEXPLAINED: used here, not billed (yet)")
    return "; ".join(why) or "equal"
