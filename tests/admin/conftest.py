"""One live instance whose admin port asks for a token."""

import json

import pytest

from tests.cli.live import Live

TOKEN = "a-token-for-tests-only"


@pytest.fixture(scope="session")
def live(tmp_path_factory):
    """Alice has called twice, bob three times: twice allowed, once refused."""
    with Live(tmp_path_factory.mktemp("admin"), token=TOKEN) as running:
        running.calls = [running.chat("alice") for _ in range(2)]
        running.calls += [running.chat("bob") for _ in range(3)]
        yield running


@pytest.fixture(scope="session")
def get(live):
    """``get("/api/usage")``: (status, JSON), with the token."""

    def ask(path: str, method: str = "GET"):
        status, fields, body = live.admin(path, method, authorization=f"Bearer {TOKEN}")
        assert fields["content-type"] == "application/json"
        return status, json.loads(body)

    return ask
