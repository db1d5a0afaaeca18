"""One live instance for all tests of the commands that look at it."""

import pytest

from tests.cli.live import Live


@pytest.fixture(scope="session")
def live(tmp_path_factory):
    """Alice has called twice, bob three times: twice allowed, once refused."""
    with Live(tmp_path_factory.mktemp("live")) as running:
        running.calls = [running.chat("alice") for _ in range(2)]
        running.calls += [running.chat("bob") for _ in range(3)]
        yield running
