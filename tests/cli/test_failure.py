"""One clear line and an exit code.

Method: a command that fails, run by click.
"""

import click
from click.testing import CliRunner

from fastgw.cli.failure import ABSENT, Failure


def test_a_failure_is_one_line_on_stderr_and_its_exit_code():
    @click.command()
    @click.argument("code", type=int)
    def fails(code: int) -> None:
        raise Failure("it cannot be done", code)

    for code in (ABSENT, 2):
        done = CliRunner().invoke(fails, [str(code)])
        assert (done.exit_code, done.stdout) == (code, "")
        assert done.stderr == "fastgw: it cannot be done\n"
