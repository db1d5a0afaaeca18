"""``python -m fastgw`` is ``fastgw``.

Method: both are asked for the version.
"""

import sys

from click.testing import CliRunner

from fastgw.__main__ import main
from fastgw.cli.root import root
from tests.cli.live import run


def test_the_module_and_the_command_are_one(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["anything", "version"])
    try:
        main()
    except SystemExit as end:
        assert end.code == 0

    said = capsys.readouterr().out
    assert said == run("version", cwd=tmp_path).stdout
    assert said == CliRunner().invoke(root, ["version"]).output
