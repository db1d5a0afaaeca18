"""``fastgw init``, ``check`` and ``schema``: all about the file that the operator writes."""

import os
import sys

import click
import orjson

from fastgw.cli.failure import Failure
from fastgw.config import json_schema, load
from fastgw.config.starter import STARTER
from fastgw.errors import FastgwError
from fastgw.policy.check import check as judge
from fastgw.process.plan import Plan
from fastgw.usage.unmet import unmet


@click.command()
@click.argument("file", default="fastgw.yaml")
def init(file: str) -> None:
    """Write a commented starter configuration to FILE (fastgw.yaml)."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Failure(f"{file} exists; it is left as it is") from None
    except OSError as error:
        raise Failure(f"{file}: {error.strerror}") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as written:
        written.write(STARTER)
    click.echo(f"wrote {file}; next: fastgw check -c {file}, then fastgw serve -c {file}")


@click.command()
@click.option("-c", "--config", "file", required=True, metavar="FILE")
@click.option("--strict", is_flag=True, help="Exit 1 on warnings.")
def check(file: str, strict: bool) -> None:
    """Schema, expressions, lint. Exit 0: clean, 1: warnings with --strict, 2: errors."""
    errors, warnings = judge(file)
    problems: list[FastgwError] = [*errors] or compile_errors(file)
    if not problems:
        warnings += unmet(load(file))
    for error in problems:
        click.echo(f"error: {error}", err=True)
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    if problems:
        sys.exit(2)
    click.echo(f"{file}: ok, {len(warnings)} warning{'' if len(warnings) == 1 else 's'}")
    sys.exit(1 if warnings and strict else 0)


@click.command()
def schema() -> None:
    """JSON Schema of the configuration, for editors."""
    sys.stdout.buffer.write(orjson.dumps(json_schema(), option=orjson.OPT_INDENT_2) + b"\n")


def compile_errors(file: str) -> list[FastgwError]:
    """What is wrong with a configuration whose policy is good: its prices, say."""
    try:
        Plan(load(file))
    except FastgwError as error:
        return [error]
    return []
