"""``fastgw mock`` hands its whole command line on.

Method: run as a person types it; the mock has its own tests.
"""

from tests.cli.live import run


def test_the_mocks_own_options_and_errors_are_reached(tmp_path):
    shown = run("mock", "--help", cwd=tmp_path)
    assert shown.returncode == 0
    assert "--tokens-per-event" in shown.stdout

    refused = run("mock", "--events", "-1", "--listen", "127.0.0.1:0", cwd=tmp_path)
    assert refused.returncode == 2
    assert "--events" in refused.stderr
