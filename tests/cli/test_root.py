"""The commands by name.

Method: every command is loaded and asked for its help; what is not done yet must be absent.
"""

import click
import pytest
from click.testing import CliRunner

from fastgw.cli.root import COMMANDS, root


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_can_be_loaded_and_says_what_it_does(name):
    command = root.get_command(click.Context(root), name)

    assert command.name == name
    assert command.get_short_help_str()


def test_help_lists_all_commands():
    done = CliRunner().invoke(root, ["--help"])

    assert done.exit_code == 0
    assert all(f"\n  {name} " in done.output for name in COMMANDS)


@pytest.mark.parametrize("arguments", [["nonsense"], ["reload"], ["serve", "--nonsense"]])
def test_what_does_not_exist_exits_2(arguments):
    assert CliRunner().invoke(root, arguments).exit_code == 2
