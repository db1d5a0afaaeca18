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


def test_the_schema_is_json_schema(runner):
    document = json.loads(runner.invoke(schema).output)

    assert {"providers", "policy", "keys"} <= set(document["properties"])
