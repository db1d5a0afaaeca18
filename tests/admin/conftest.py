"""One live instance whose admin port asks for a token."""

import json

import pytest

from fastgw.ledger.query import wait_for_decision
from tests.cli.live import PATIENCE_S, Live

TOKEN = "a-token-for-tests-only"


@pytest.fixture(scope="session")
def live(tmp_path_factory):
    """Alice has called twice, bob three times: twice allowed, once refused."""
    with Live(tmp_path_factory.mktemp("admin"), token=TOKEN) as running:
        running.calls = [running.chat("alice") for _ in range(2)]
        running.calls += [running.chat("bob") for _ in range(3)]
        for _, request_id in running.calls:  # the recorder is a process with its own beat
            found = wait_for_decision(running.data_dir, request_id, patience_s=PATIENCE_S)
            assert found and found["complete"], request_id
        yield running


@pytest.fixture(scope="session")
def get(live):
    """``get("/api/usage")``: (status, JSON), with the token."""

    def ask(path: str, method: str = "GET"):
        status, fields, body = live.admin(path, method, authorization=f"Bearer {TOKEN}")
        assert fields["content-type"] == "application/json"
        return status, json.loads(body)

    return ask
