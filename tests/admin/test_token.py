"""The token gate: exactly the token, sent in exactly one way.

Method: the gate before an application that always says yes, driven as ASGI.
"""

import asyncio

import pytest

from fastgw.admin.refusal import answer
from fastgw.admin.token import TokenGate

TOKEN = "sixteen-characters"


def ask(token: str | None, *authorizations: str, path: str = "/metrics", **fields: str) -> int:
    sent = []

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "path": path, "method": "GET",
        "headers": [(b"authorization", value.encode()) for value in authorizations]
        + [(name.encode(), value.encode()) for name, value in fields.items()],
    }
    asyncio.run(TokenGate(answer("yes"), token)(scope, None, send))
    return sent[0]["status"]


def test_everybody_may_ask_where_there_is_no_token():
    assert ask(None) == 200


@pytest.mark.parametrize("fields", [
    {"host": "127.0.0.1:9090"}, {"host": "localhost"}, {"host": "[::1]:9090"},
    {"host": "127.8.9.10"}, {"host": "LocalHost:1"}, {"host": "fastgw.localhost:9090"},
    {"host": "localhost:9090", "origin": "http://localhost:9090"},
])
def test_this_machine_may_ask(fields):
    assert ask(None, **fields) == 200


@pytest.mark.parametrize("fields", [
    {"host": "evil.example:9090"}, {"host": "localhost.evil.example"}, {"host": "127.1.nip.io"},
    {"host": "192.0.2.1"}, {"host": "[::1"}, {"host": ""}, {"host": "user@evil.example"},
    {"host": "localhost:9090", "origin": "http://evil.example"},
    {"host": "localhost:9090", "origin": "null"},
    {"host": "localhost:9090", "origin": "http://localhost:3000"},
    {"host": "localhost:9090", "origin": "http://["}, {"origin": "http://evil.example"},
])
def test_a_page_from_elsewhere_may_not(fields):
    assert ask(None, **fields) == 403
    assert ask(TOKEN, f"Bearer {TOKEN}", **fields) == 200  # no page knows it
    assert ask(None, path="/healthz", **fields) == 200


@pytest.mark.parametrize("authorization", [
    f"Bearer {TOKEN}", f"bearer {TOKEN}", f"Bearer  {TOKEN} ",
])
def test_the_token_opens(authorization):
    assert ask(TOKEN, authorization) == 200


@pytest.mark.parametrize("authorizations", [
    (), ("",), (TOKEN,), (f"Basic {TOKEN}",), (f"Bearer {TOKEN}x",), (f"Bearer {TOKEN[:-1]}",),
    ("Bearer",), ("Bearer ",), (f"Bearer {TOKEN} {TOKEN}",),
    (f"Bearer {TOKEN}", f"Bearer {TOKEN}"), (f"Bearer {TOKEN}é",),
])
def test_nothing_else_does(authorizations):
    assert ask(TOKEN, *authorizations) == 401


def test_only_the_two_probes_are_open_to_all():
    for path, status in (
        ("/healthz", 200), ("/readyz", 200), ("/healthz/", 401), ("/", 401), ("//healthz", 401)
    ):
        assert ask(TOKEN, path=path) == status
