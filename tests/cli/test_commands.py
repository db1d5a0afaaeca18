"""Groups that import late: only the command that is called is imported."""

import click
from click.testing import CliRunner

from fastgw.cli.commands import Commands

TABLE = {"gone": "no.such:thing", "err": "fastgw.cli.errors:errors"}


def test_a_command_is_imported_when_it_is_called():
    @click.command(cls=Commands, table=TABLE)
    def group():
        """A group."""

    assert CliRunner().invoke(group, ["err", "--help"]).exit_code == 0
    assert isinstance(CliRunner().invoke(group, ["gone"]).exception, ModuleNotFoundError)
    assert CliRunner().invoke(group, ["other"]).exit_code == 2
