"""``fastgw init``, ``check`` and ``schema``.

Method: files in a temporary folder; the exit code and the line on stderr are the contract.
"""

import json

import pytest
from click.testing import CliRunner

from fastgw.cli.configure import check, init, schema

GOOD = """\
providers:
  - {id: openai, dialect: openai, base_url: "http://127.0.0.1:9/v1", keys: [{value: k}]}
"""


@pytest.fixture
def runner(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    return CliRunner()


def test_the_starter_is_clean_and_is_never_overwritten(runner, tmp_path):
    assert runner.invoke(init).exit_code == 0
    written = (tmp_path / "fastgw.yaml").read_text()
    checked = runner.invoke(check, ["-c", "fastgw.yaml", "--strict"])
    assert (checked.exit_code, checked.output) == (0, "fastgw.yaml: ok, 0 warnings\n")

    again = runner.invoke(init)

    assert again.exit_code == 2
    assert again.output == "fastgw: fastgw.yaml exists; it is left as it is\n"
    assert (tmp_path / "fastgw.yaml").read_text() == written
    assert (tmp_path / "fastgw.yaml").stat().st_mode & 0o077 == 0  # keys may be written into it


def test_a_folder_that_is_not_there_is_one_clear_line(runner):
    done = runner.invoke(init, ["nowhere/fastgw.yaml"])

    assert (done.exit_code, done.output) == (
        2, "fastgw: nowhere/fastgw.yaml: No such file or directory\n"
    )


def test_errors_name_file_line_column_and_key(runner, tmp_path):
    (tmp_path / "bad.yaml").write_text(GOOD + "listen: {prot: 1}\n")
    done = runner.invoke(check, ["-c", "bad.yaml"])

    assert done.exit_code == 2
    assert "error: bad.yaml:3:10: listen.prot:" in done.output


def test_expressions_are_compiled(runner, tmp_path):
    (tmp_path / "bad.yaml").write_text(GOOD + """\
policy:
  on_http_request:
    - expressions: ["key.id == 1"]
      actions: [{type: deny}]
""")
    done = runner.invoke(check, ["-c", "bad.yaml"])

    assert done.exit_code == 2
    assert "error: bad.yaml:5:" in done.output
    assert "policy.on_http_request[0].expressions[0]" in done.output


def test_warnings_count_only_when_strict(runner, tmp_path):
    (tmp_path / "warned.yaml").write_text(GOOD.replace("127.0.0.1", "llm.example.org"))

    relaxed = runner.invoke(check, ["-c", "warned.yaml"])
    strict = runner.invoke(check, ["-c", "warned.yaml", "--strict"])

    assert (relaxed.exit_code, strict.exit_code) == (0, 1)
    assert "warning: warned.yaml:2:" in relaxed.output and "1 warning\n" in relaxed.output


ALL = "    - {name: all, actions: [{type: cap-output, config: {max_output_tokens: 9}}]}\n"
POLICY = "policy:\n  on_http_request:\n"
X = "{name: x, capacity: 9, per: 1m}"
# What the lint is there for: (what follows GOOD, exit codes without and with --strict, words).
LINT = {
    "unknown field": ("listen: {prot: 1}\n", 2, 2, "did you mean 'port'?"),
    "unknown variable": (
        POLICY + "    - {expressions: ['ai.modle == 1'], actions: [{type: deny}]}\n", 2, 2,
        "did you mean 'ai.model'?"),
    "never matches": (POLICY + ALL + "    - {name: n, expressions: ['time.hour > 23'], "
                      "actions: [{type: deny}]}\n", 0, 1, "can never match: time.hour is 0 to 23"),
    "shadowed": (POLICY + "    - {name: a, actions: [{type: deny}]}\n"
                 "    - {name: b, expressions: ['ai.stream'], actions: [{type: deny}]}\n",
                 0, 1, "'b' is never reached: 'a' (line"),
    "limit twice": (POLICY + f"    - actions: [{{type: rate-limit, config: {X}}}]\n"
                    f"    - actions: [{{type: rate-limit, config: {X.replace('9', '8')}}}]\n",
                    2, 2, "the limit 'x' has other values on line"),
    "model of nobody": ("models: [{id: m, candidates: []}]\n", 2, 2, "no candidate serves 'm'"),
    "provider of no model": (
        "models_strict: true\nmodels: [{id: m, candidates: [{provider: openai, model: x}]}]\n",
        0, 1, "no model uses the provider 'spare'"),
    "operation without a rule": (
        POLICY + "    - {name: c, expressions: [\"ai.operation == 'chat'\"],"
        " actions: [{type: deny}]}\n", 0, 1, "no rule covers responses, completions, embeddings"),
    "dialect without a rule": (
        POLICY + "    - {name: c, expressions: [\"ai.dialect in ['openai', 'azure']\"],"
        " actions: [{type: cap-output, config: {max_output_tokens: 9}}]}\n", 0, 1,
        "no rule covers the dialect anthropic"),
    "always true": (POLICY + ALL + "    - {name: t, expressions: ['ai.n >= 1', 'ai.stream'], "
                    "actions: [{type: deny}]}\n", 0, 1, "'ai.n >= 1' is always true"),
    "result before it exists": (
        POLICY + "    - {expressions: ['actions.rate_limit.limited'], actions: [{type: deny}]}\n",
        2, 2, "is known only once limits are taken"),
    "variable before it is set": (
        POLICY + "    - {expressions: ['vars.a == 1'], actions: [{type: deny}]}\n"
        "    - {actions: [{type: set-vars, config: {vars: {a: 1}}}]}\n",
        2, 2, "no set-vars before has set 'a'"),
}
TWO = GOOD + """\
  - {id: anthropic, dialect: anthropic, base_url: "http://127.0.0.1:2", keys: [{value: k}]}
"""
SPARE = '  - {id: spare, dialect: openai, base_url: "http://127.0.0.1:3/v1", keys: [{value: k}]}\n'


@pytest.mark.parametrize("name", LINT)
def test_what_the_lint_is_there_for(runner, tmp_path, name):
    more, relaxed, strict, words = LINT[name]
    begin = TWO if name == "dialect without a rule" else GOOD
    if name == "provider of no model":
        begin += SPARE
    (tmp_path / "f.yaml").write_text(begin + more)

    plain = runner.invoke(check, ["-c", "f.yaml"])
    hard = runner.invoke(check, ["-c", "f.yaml", "--strict"])

    assert (plain.exit_code, hard.exit_code) == (relaxed, strict), plain.output
    said = [line for line in plain.output.splitlines() if line[:6] in ("error:", "warnin")]
    assert len(said) == 1 and words in plain.output and ": f.yaml:" in said[0], plain.output


def test_the_schema_is_json_schema(runner):
    document = json.loads(runner.invoke(schema).output)

    assert {"providers", "policy", "keys"} <= set(document["properties"])
