"""``fastgw policy test`` and ``simulate``: a policy tried out before it meets traffic."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace

import click
import orjson
import uvloop

from fastgw.cli.failure import Failure
from fastgw.config.amounts import instant_s
from fastgw.errors import FastgwError
from fastgw.explain import text
from fastgw.mock.runner import Mock
from fastgw.rehearsal.cases import Case, Suite, read_situation, read_suite
from fastgw.rehearsal.judge import BODY_SHOWN, differences
from fastgw.rehearsal.stage import Played, Stage, read_config
from fastgw.rehearsal.trace import KEY, RuleTrace, trace_rules


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


@click.command()
@click.option("-c", "--config", "file", required=True, metavar="FILE", help="The configuration.")
@click.option("--request", "request_file", required=True, metavar="FILE",
              help="YAML as in a test, or a raw HTTP/1.1 message.")
@click.option("--time", "moment", metavar="TIME",
              help="When it is asked, as 2026-03-01T10:00:00Z; else the file's, else now.")
@click.option("--seed", type=click.IntRange(0, 2**64 - 1),
              help="Pins random(): one seed gives the same values in each run.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def simulate(file: str, request_file: str, moment: str | None, seed: int | None,
             form: str) -> None:
    """One request through the whole gateway: every rule, and what each part of it came to.

    The file says who asks what, as a test of `fastgw policy test` does; `answer` in it is what
    the provider gives (status, headers, body, or events of a stream), else a mock answers.
    """
    try:
        case = _pinned(read_situation(request_file), moment, seed)
        config, _ = read_config(file)
        with Mock() as mock, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            played = runner.run(Stage(config, mock.port).play(case))
        decision = played.decision and text.complete(played.decision)
        traces = trace_rules(config, played.seen, decision) if decision else []
    except (FastgwError, RuntimeError) as error:
        raise Failure(str(error)) from None
    if form == "json":
        shown = {"status": played.status, "headers": played.fields,
                 "body": played.body.decode(errors="replace"),
                 "rules": [asdict(trace) for trace in traces], "decision": decision}
        sys.stdout.buffer.write(orjson.dumps(shown, option=orjson.OPT_INDENT_2) + b"\n")
        return
    for line in lines_of(played, traces):
        click.echo(line)
    if decision:
        click.echo()
        click.echo(text.render(decision), nl=False)


def _pinned(case: Case, moment: str | None, seed: int | None) -> Case:
    if moment is not None:
        time_s = instant_s(moment)
        if time_s is None:
            raise Failure(f"--time {moment}: expected a time with its offset, for example "
                          "2026-03-01T10:00:00Z")
        case = replace(case, time_s=time_s)
    return case if seed is None else replace(case, seed=seed)


def lines_of(played: Played, traces: list[RuleTrace]) -> Iterator[str]:
    """The trace as people read it: phase by phase each rule with its expressions, the answer."""
    phase = ""
    for trace in traces:
        if trace.phase not in (phase, KEY):
            yield trace.phase
        phase = trace.phase
        yield from _rule_lines(trace)
    yield f"answer: {played.status}, {len(played.body)} bytes"
    yield from (f"  {name}: {value}" for name, value in played.fields.items())
    shown = played.body.decode(errors="replace")
    if played.decision is None or played.status >= 400:
        yield f"  {shown[:BODY_SHOWN]}"


def _rule_lines(trace: RuleTrace) -> Iterator[str]:
    if trace.phase == KEY:
        yield f"{trace.name}: " + ("refused" if trace.ended else "its access and limits")
    else:
        said = "matches" if trace.matched else "does not match"
        said += ", and decides" if trace.ended else ""
        yield f"rule {trace.number} '{trace.name}' (line {trace.line}): " + (
            said if trace.reached else "not reached")
    yield from (f"  found {name} = {value}" for name, value in trace.before.items())
    for tried in trace.expressions:
        yield f"  {tried.text}  ->  {tried.value}"
        yield from (f"      {part.text}  ->  {', '.join(part.values)}" for part in tried.parts)
    yield from (f"  * {line}" for line in trace.does)
    yield from (f"  left {name} = {value}" for name, value in trace.sets.items())


def play(suite: Suite, port: int) -> Iterator[tuple[str, str, list[str]]]:
    """(place, name, what does not hold) of each case, as soon as it was played."""
    stage = Stage(read_config(suite.config)[0], port)
    for case in suite.cases:
        stage.check(case)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for case in suite.cases:
            said: list[str] = []
            played = runner.run(stage.play_all(case))
            for number, (one, found) in enumerate(zip((case, *case.then), played, strict=True)):
                at = f"then[{number - 1}] (line {one.place.line}): " if number else ""
                said += [f"{at}{line}" for line in differences(one.expect, found)]
            yield f"{case.place.file}:{case.place.line}", case.name, said
