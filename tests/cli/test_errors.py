"""``fastgw errors``: the catalogue, by any name of a code.

Method: in this process; the catalogue itself has its own tests.
"""

from click.testing import CliRunner

from fastgw.cli.errors import errors
from fastgw.errors import Code


def test_lists_every_code_once():
    done = CliRunner().invoke(errors)

    assert done.exit_code == 0
    assert [line[:7] for line in done.output.splitlines()] == [code.text for code in Code]


def test_explains_a_code_by_any_of_its_names():
    names = ("FGW-801", "801", "LIMIT_REQUESTS")
    told = {CliRunner().invoke(errors, [name]).output for name in names}

    assert len(told) == 1
    text = told.pop()
    assert text.startswith("FGW-801 LIMIT_REQUESTS, status 429, phase limit\n")
    assert "cause:" in text and "remedy:" in text and "waiting can help" in text


def test_refuses_a_code_that_does_not_exist():
    for code in ("FGW-999", "nonsense", "12x"):
        done = CliRunner().invoke(errors, [code])
        assert (done.exit_code, done.output) == (
            1, f"fastgw: no code {code}; `fastgw errors` lists all\n"
        )
