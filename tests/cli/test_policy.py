"""``fastgw policy``: every command of the table is there."""

import pytest
from click.testing import CliRunner

from fastgw.cli.policy import COMMANDS
from fastgw.cli.root import root


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_says_what_it_does(name):
    done = CliRunner().invoke(root, ["policy", name, "--help"])
    assert done.exit_code == 0 and f"policy {name}" in done.output


def test_an_unknown_command_is_refused():
    done = CliRunner().invoke(root, ["policy", "tset"])
    assert done.exit_code == 2 and "No such command 'tset'" in done.output
