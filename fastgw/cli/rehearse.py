"""``fastgw policy test`` and ``simulate``: a policy tried out before it meets traffic."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator

import click
import uvloop

from fastgw.cli.failure import Failure
from fastgw.errors import FastgwError
from fastgw.mock.runner import Mock
from fastgw.rehearsal.cases import Suite, read_suite
from fastgw.rehearsal.judge import differences
from fastgw.rehearsal.stage import Stage, read_config


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
def test(files: tuple[str, ...]) -> None:
    """Play the tests written beside a policy. Exit 0: all hold, 1: some do not, 2: bad files."""
    failed = total = 0
    began = time.monotonic()
    try:
        suites = [read_suite(file) for file in files]
        with Mock() as mock:
            for suite in suites:
                for place, name, lines in play(suite, mock.port):
                    total += 1
                    failed += bool(lines)
                    click.echo(f"{'FAIL' if lines else 'ok  '}  {place}  {name}")
                    for line in lines:
                        click.echo(f"        {line}")
    except (FastgwError, RuntimeError) as error:
        raise Failure(str(error)) from None
    click.echo(f"{total - failed} of {total} hold ({time.monotonic() - began:.1f} s)")
    sys.exit(1 if failed else 0)


def play(suite: Suite, port: int) -> Iterator[tuple[str, str, list[str]]]:
    """(place, name, what does not hold) of each case, as soon as it was played."""
    stage = Stage(read_config(suite.config)[0], port)
    for case in suite.cases:
        stage.check(case)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for case in suite.cases:
            said = differences(case.expect, runner.run(stage.play(case)))
            yield f"{case.place.file}:{case.place.line}", case.name, said
