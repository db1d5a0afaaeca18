"""Goal: a request goes where the operator's base_url says, with the operator's keys in turn.

Method: whole requests through a worker; the first bytes that reach the provider tell.
"""

from collections import Counter

import pytest
from fastgw.upstream.provider import DIALECTS, ProviderKey

from tests.worker import chat, provider, request, response


def head_of(got: bytes) -> tuple[str, dict[str, str]]:
    first, *lines = got.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    return first, dict(line.split(": ", 1) for line in lines)


@pytest.mark.parametrize("dialect, base_url, asked, target, host", [
    ("openai", "http://h/v1", "/v1/chat/completions", "/v1/chat/completions", "h"),
    ("openai", "http://h/v1/", "/v1/chat/completions?a=b", "/v1/chat/completions?a=b", "h"),
    ("openai", "http://h:80/v1", "/v1/models", "/v1/models", "h"),
    ("openai", "http://h:8080", "/v1/models", "/models", "h:8080"),
    ("openai", "https://h/openai/deployments/x", "/v1/chat/completions",
     "/openai/deployments/x/chat/completions", "h"),
    ("openai", "https://h:443/v1", "/v1/models", "/v1/models", "h"),
    ("openai", "https://h:80/v1", "/v1/models", "/v1/models", "h:80"),
    ("openai", "http://[::1]:9/v1", "/v1/models", "/v1/models", "[::1]:9"),
    ("anthropic", "http://h", "/v1/messages", "/v1/messages", "h"),
    ("anthropic", "http://h/proxy/", "/v1/messages", "/proxy/v1/messages", "h"),
])
def test_the_target_is_what_the_providers_own_sdk_would_ask(
        worker, dialect, base_url, asked, target, host):
    one = worker(providers=[provider("p", dialect) | {"base_url": base_url}])
    method = "GET" if asked.endswith("models") else "POST"
    body = b"" if method == "GET" else chat(max_tokens=9)
    client = one.connect()
    client.feed(request(body, path=asked, method=method))

    first, fields = head_of(one.upstream.taken())
    assert first == f"{method} {target} HTTP/1.1"
    assert fields["host"] == host
    ((_, port, more),) = one.loop.asked
    assert (more["ssl"] is not None) == base_url.startswith("https")
    assert str(port) in base_url or port == (443 if more["ssl"] else 80)


@pytest.mark.parametrize("query, left", [
    ("key=s&a=1", "?a=1"), ("a=1&api_key=s&b=2", "?a=1&b=2"), ("access_token=s", ""),
    ("monkey=1", "?monkey=1"), ("a=1&&b", "?a=1&&b")])
def test_a_credential_in_the_query_ends_here(worker, query, left):
    got, _ = worker().ask(request(chat(), path=f"/v1/chat/completions?{query}"), response())

    assert got.startswith(f"POST /v1/chat/completions{left} HTTP/1.1\r\n".encode())


@pytest.mark.parametrize("dialect, path, line", [
    ("openai", "/v1/chat/completions", ("authorization", "Bearer sk-p")),
    ("anthropic", "/v1/messages", ("x-api-key", "sk-p"))])
def test_the_key_stands_where_the_dialect_has_it(worker, dialect, path, line):
    got, _ = worker(providers=[provider("p", dialect)]).ask(
        request(chat(max_tokens=1), path=path), response())

    assert line in head_of(got)[1].items() and b"fgw-alice" not in got


def test_keys_share_by_weight_in_every_round(worker):
    keys = [{"id": "big", "value": "sk-big", "weight": 3}, {"id": "small", "value": "sk-small"}]
    one = worker(providers=[provider("p", keys=keys)])
    client, used = one.connect(), []
    for _ in range(12):
        client.feed(request(chat()))
        used.append(head_of(one.upstream.taken())[1]["authorization"])
        one.upstream.feed(response())

    for at in range(0, 12, 4):
        assert Counter(used[at:at + 4]) == {"Bearer sk-big": 3, "Bearer sk-small": 1}


def test_a_provider_without_keys_gets_no_credential(worker):
    got, _ = worker(providers=[provider("p", keys=[])]).ask(request(chat()), response())

    assert "authorization" not in head_of(got)[1] and got.startswith(b"POST ")


@pytest.mark.parametrize("value", ["a b", "a\r\nx: y", "clé", "a\x7f"])
def test_a_key_that_no_header_can_carry_is_refused(value):
    with pytest.raises(ValueError, match="no header can carry"):
        ProviderKey("a", value, DIALECTS["openai"])
