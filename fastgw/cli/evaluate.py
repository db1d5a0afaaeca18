"""``fastgw policy eval``: what an expression comes to."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click
import orjson

from fastgw.cli.failure import ABSENT, Failure
from fastgw.policy.compiler import pointed
from fastgw.policy.evaluate import NoValue, evaluate_loosely
from fastgw.policy.evaluate import evaluate as evaluated
from fastgw.policy.lexer import ExpressionError


@click.command()
@click.argument("expression", required=False)
@click.option("--vars", "given", metavar="FILE|JSON", help='Variables: {"ai.model": "gpt-4o"}.')
@click.option("--jsonl", is_flag=True, help='Cases {"expr", "bindings"} on stdin, a line each.')
def evaluate(expression: str | None, given: str | None, jsonl: bool) -> None:
    """What EXPRESSION comes to, as a line {"value"} with its type.

    An expression that cannot load is shown with what is wrong, exit 2; one that has no value gives
    its error, exit 1. With --jsonl every case gets a line, {"value"} or {"error"}; what a check of
    types would refuse is tried all the same, as the conformance cases of CEL want it.
    """
    if jsonl == (expression is not None):
        raise Failure("give an EXPRESSION, or --jsonl and cases on stdin")
    shared = _variables(given) if given is not None else {}
    if jsonl:
        for line in sys.stdin.buffer:
            if line.strip():
                _print(_case(line, shared))
        return
    assert expression is not None
    try:
        _print({"value": evaluated(expression, shared, seed=_seed())})
    except ExpressionError as error:
        hint = f"\n    {error.suggestion}" if error.suggestion else ""
        raise Failure(f"{error.message}\n{pointed(expression, error)}{hint}") from None
    except NoValue as error:
        place = ExpressionError("", error.span[0], "", error.span[1])
        raise Failure(f"no value: {error}\n{pointed(expression, place)}", ABSENT) from None
    except (ValueError, KeyError) as error:
        raise Failure(f"--vars: {error}") from None


def _variables(given: str) -> dict[str, Any]:
    """A JSON object, or a file with one."""
    text: bytes
    if given.lstrip().startswith("{"):
        text = given.encode()
    else:
        try:
            text = Path(given).read_bytes()
        except OSError as error:
            raise Failure(f"--vars {given}: {error.strerror}") from None
    try:
        variables = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Failure(f"--vars: no JSON: {error}") from None
    if not isinstance(variables, dict):
        raise Failure('--vars: an object is wanted: {"ai.model": "gpt-4o"}')
    return variables


def _case(line: bytes, shared: dict[str, Any]) -> dict[str, Any]:
    try:
        case = orjson.loads(line)
        text, bindings = case["expr"], case.get("bindings") or {}
        return {"value": evaluate_loosely(text, shared | bindings, seed=_seed())}
    except ExpressionError as error:
        return {"error": error.message}
    except NoValue as error:
        return {"error": str(error)}
    except (orjson.JSONDecodeError, ValueError, KeyError, TypeError, AttributeError) as error:
        return {"error": f"no case: {error!r}"}


def _seed() -> int:
    return int.from_bytes(os.urandom(8), "little")


def _print(result: dict[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps(result) + b"\n")
    sys.stdout.buffer.flush()
