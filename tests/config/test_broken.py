"""A broken configuration says where, which key, what is wrong and what to do; nothing is ignored.

Method: each case is a small file in which § stands just before the place that the error must name
(line and column count from 1). Exactly one error may come of it, with that key, those words, that
remedy, and without the secret that every case carries. Then the commands themselves: `check` exits
2 with that line alone, and `serve` does not even make its data directory.
"""

import pytest
from click.testing import CliRunner

from fastgw.cli.configure import check as check_command
from fastgw.cli.serve import serve
from fastgw.policy.check import check
from tests.config import (
    broken_actions,
    broken_cel,
    broken_limits,
    broken_more,
    broken_rules,
    broken_sections,
    broken_yaml,
)
from tests.config.broken import CANARY, ENV, PROVIDERS, judge, rule, written

TABLES = (broken_yaml, broken_sections, broken_rules, broken_cel, broken_actions, broken_limits,
          broken_more)
CASES = {f"{table.__name__.rpartition('_')[2]}: {name}": case
         for table in TABLES for name, case in table.CASES.items()}


@pytest.mark.parametrize("name", CASES)
def test_check_names_place_key_and_remedy_when_broken(name, tmp_path):
    judge(CASES[name], tmp_path)


@pytest.mark.parametrize("name", CASES)
def test_no_command_takes_it(name, tmp_path, monkeypatch):
    def started(*_):
        raise AssertionError("it started")

    file, line, column = written(CASES[name][0], tmp_path)
    monkeypatch.setattr("os.fork", started)
    for variable in ("MISSING", "MISSING_DIR"):
        monkeypatch.delenv(variable, raising=False)
    runner = CliRunner(env=ENV)

    checked = runner.invoke(check_command, ["-c", str(file)])
    served = runner.invoke(serve, ["-c", str(file), "--data-dir", str(tmp_path / "never")])

    errors = [text for text in checked.output.splitlines() if text.startswith("error: ")]
    assert checked.exit_code == 2 and len(errors) == 1, checked.output
    assert errors[0].startswith(f"error: {file}:{line}:{column}: "), checked.output
    assert served.exit_code == 2, (served.output, served.exception)
    assert f"{file}:{line}:{column}: " in served.output
    assert not (tmp_path / "never").exists()


def test_there_are_a_hundred_of_them_and_none_twice():
    texts = [case[0] for case in CASES.values()]
    assert len(texts) >= 300
    assert len(set(texts)) == len(texts)


def test_expression_error_points_at_the_character(tmp_path):
    file = tmp_path / "fastgw.yaml"
    file.write_text(rule("ai.n > 1 && ai.modell == 'x'").replace("§", ""))

    errors, _ = check(file, ENV)

    assert errors[0].message.splitlines()[1:] == [
        "    ai.n > 1 && ai.modell == 'x'",
        "                ^^^^^^^^^",
    ]


def test_check_reports_every_mistake_at_once(tmp_path):
    file = tmp_path / "fastgw.yaml"
    file.write_text("listen: {port: x}\nadmin: {prot: 1}\n" + PROVIDERS)

    errors, _ = check(file, ENV)

    assert [error.key for error in errors] == ["listen.port", "admin.prot"]


def test_missing_file_is_one_clear_error(tmp_path):
    errors, _ = check(tmp_path / "none.yaml", ENV)

    assert "No such file" in str(errors[0]) and "fastgw init" in errors[0].suggestion


def test_no_error_shows_a_secret():
    assert any(CANARY in case[0] for case in CASES.values())
