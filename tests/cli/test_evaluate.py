"""`fastgw policy eval`: a value with its type, an error that points, cases line by line.

Method: the command in this process, with click's runner.
"""

import json

import pytest
from click.testing import CliRunner

from fastgw.cli.root import root


def run(*arguments, stdin=None):
    return CliRunner().invoke(root, ["policy", "eval", *arguments], input=stdin)


def value(*arguments):
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["value"]


def test_a_value_has_its_type():
    assert value("1 + 2") == {"type": "int", "value": 3}
    assert value("[1u, 'a']")["value"][0] == {"type": "uint", "value": 1}
    assert value("b'hi'") == {"type": "bytes", "value_base64": "aGk="}
    assert value("1.0 / 0.0") == {"type": "double", "value": "Infinity"}


def test_variables_come_as_json_or_from_a_file(tmp_path):
    file = tmp_path / "vars.json"
    file.write_text('{"ai": {"model": "gpt-4o"}, "mine": [1, 2]}')

    assert value("ai.model + '!'", "--vars", str(file))["value"] == "gpt-4o!"
    assert value("mine.size()", "--vars", str(file))["value"] == 2
    assert value("x * 2", "--vars", '{"x": 4}')["value"] == 8
    assert value("x", "--vars", '{"x": {"type": "uint", "value": 4}}')["type"] == "uint"


def test_an_expression_that_cannot_load_is_shown_with_what_is_wrong():
    result = run("ai.modle == 'x'")

    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "fastgw: unknown variable 'ai.modle'", "    ai.modle == 'x'", "    ^^^^^^^^",
        "    did you mean 'ai.model'?"]


def test_one_without_a_value_says_why():
    result = run("2 > 1 && 1 / 0 == 1")

    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "fastgw: no value: division by zero", "    2 > 1 && 1 / 0 == 1", "             ^^^^^"]
    assert "does not have it" in run("ai.model == 'x'").stderr


@pytest.mark.parametrize("arguments", [
    (), ("1", "--jsonl"), ("1", "--vars", "{"), ("1", "--vars", "/nowhere"),
    ("1", "--vars", "[1]"),     ("1", "--vars", '{"ai.n": "x"}'),
])
def test_wrong_arguments_are_one_line(arguments):
    result = run(*arguments)

    assert result.exit_code == 2 and result.stderr.startswith("fastgw: ")
    assert "Traceback" not in result.output


def test_cases_have_a_line_each():
    cases = [
        {"expr": "x + 1", "bindings": {"x": {"type": "int", "value": 2}}},
        {"expr": "1 == 1.0"},
        {"expr": "x || true"},
        {"expr": "1 / 0"},
        {"expr": "ai.modle"},
        {"expr": "y", "bindings": {}},
        {"bindings": {}},
        [],
    ]
    stdin = "".join(json.dumps(case) + "\n" for case in cases) + "no json\n\n"

    result = run("--jsonl", "--vars", '{"y": 7}', stdin=stdin)
    lines = [json.loads(line) for line in result.stdout.splitlines()]

    assert result.exit_code == 0
    assert [line.get("value", {}).get("value") for line in lines] == [
        3, True, True, None, None, 7, None, None, None]
    assert [list(line) for line in lines[3:]] == [
        ["error"], ["error"], ["value"], ["error"], ["error"], ["error"]]
    assert lines[3]["error"] == "division by zero"
    assert "unknown variable" in lines[4]["error"]
