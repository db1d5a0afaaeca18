"""``fastgw explain``: why a request passed or did not, and what it cost."""

import sys

import click
import orjson

from fastgw.cli.failure import ABSENT, Failure
from fastgw.cli.finding import about_instance, find_directory
from fastgw.errors import FastgwError
from fastgw.explain import text
from fastgw.ledger.query import wait_for_decision
from fastgw.usage.families import tell


@click.command()
@click.argument("request_id")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
@click.option("--instance", metavar="NAME", help="Of those that share a database, this one's.")
@about_instance
def explain(
    request_id: str, form: str, instance: str | None, data_dir: str | None, file: str | None
) -> None:
    """The decision on one request: x-fastgw-request-id of any response names it. Where gateways
    share a database, any of them knows."""
    path = find_directory(data_dir, file)
    try:
        decision = wait_for_decision(path, request_id, instance=instance)
    except (FastgwError, ValueError) as error:
        raise Failure(str(error)) from None
    if decision is None:
        raise Failure(f"no request {request_id} in the ledger of {path}", ABSENT)
    tell(decision)
    if form == "json":
        shown = orjson.dumps(text.complete(decision), option=orjson.OPT_INDENT_2)
        sys.stdout.buffer.write(shown + b"\n")
    else:
        click.echo(text.render(decision), nl=False)
