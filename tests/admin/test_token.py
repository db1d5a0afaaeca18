"""The token gate: exactly the token, sent in exactly one way.

Method: the gate before an application that always says yes, driven as ASGI.
"""

import asyncio

import pytest

from fastgw.admin.refusal import answer
from fastgw.admin.token import TokenGate

TOKEN = "sixteen-characters"


def ask(token: str | None, *authorizations: str, path: str = "/metrics") -> int:
    sent = []

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "path": path, "method": "GET",
        "headers": [(b"authorization", value.encode()) for value in authorizations],
    }
    asyncio.run(TokenGate(answer("yes"), token)(scope, None, send))
    return sent[0]["status"]


def test_everybody_may_ask_where_there_is_no_token():
    assert ask(None) == 200


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
