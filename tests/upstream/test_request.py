"""Goal: a provider gets the client's own fields, and none that are hop-by-hop, secret or ours.

Method: heads through a worker; what the provider reads is taken apart here.
"""

import orjson
import pytest

from tests.worker import KEY, chat, policy, provider, request, response

OURS = ["host", "authorization", "accept-encoding", "x-fastgw-request-id", "x-fastgw-attempt",
        "content-length"]


def lines_of(got: bytes) -> list[str]:
    return got.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]


def names(got: bytes) -> list[str]:
    return [line.partition(":")[0].lower() for line in lines_of(got)]


def test_plain_fields_go_on_byte_by_byte_and_in_order(worker):
    fields = ["X-Stainless-OS: Linux", "x-twice: 1", "Accept: */*", "X-Twice: 2",
              "User-Agent: a  b\t(c)", "OpenAI-Organization: org-1"]
    got, _ = worker().ask(request(chat(), *fields), response())

    assert [line for line in lines_of(got) if line in fields] == fields


@pytest.mark.parametrize("field", [
    "Connection: keep-alive", "Keep-Alive: timeout=5", "TE: trailers", "Trailer: x-sum",
    "Upgrade: websocket", "Proxy-Authorization: Basic abc", "Proxy-Connection: keep-alive",
    "x-api-key: other", "x-fastgw-request-id: 1", "X-FastGW-Anything: 1",
    "Accept-Encoding: br", "Expect: 100-continue"])
def test_what_is_not_the_providers_stays_here(worker, field):
    got, _ = worker().ask(request(chat(), field), response())

    value = field.partition(": ")[2]
    assert sorted(names(got)) == sorted(OURS)
    assert all(not line.endswith(f": {value}") for line in lines_of(got) if len(value) > 2)


def test_what_connection_names_stays_here(worker):
    got, _ = worker().ask(request(chat(), "Connection: x-hop, close", "X-Hop: 1", "X-Keep: 1"),
                          response())

    assert "x-keep" in names(got) and "x-hop" not in names(got)


def test_the_clients_key_reaches_no_provider(worker):
    got, _ = worker().ask(request(chat(), "X-Other: fine"), response())

    assert KEY.encode() not in got and b"x-other: fine" in got.lower()


@pytest.mark.parametrize("fields, version", [
    ([], "2023-06-01"), (["Anthropic-Version: 2024-10-22"], "2024-10-22"),
    (["Anthropic-Version: 2024-10-22", "Connection: anthropic-version"], "2024-10-22")])
@pytest.mark.parametrize("removed", [False, True])
def test_anthropic_gets_a_version_always_and_only_one(worker, fields, version, removed):
    rule = {"actions": [{"type": "remove-headers", "config": {"headers": ["anthropic-version"]}}]}
    if removed:
        version = "2023-06-01"
    got, _ = worker(policy=policy(*[rule] * removed)).ask(
        request(chat(max_tokens=1), *fields, path="/v1/messages"), response())

    found = [line.partition(": ")[2] for line in lines_of(got)
             if line.lower().startswith("anthropic-version:")]
    assert found == [version]


def test_a_request_without_a_body_has_no_length(worker):
    got, _ = worker().ask(request(path="/v1/models", method="GET"), response(b"{}"))

    assert got.startswith(b"GET /v1/models HTTP/1.1\r\n") and got.endswith(b"\r\n\r\n")
    assert "content-length" not in names(got)


def test_a_chunked_body_goes_on_with_its_length(worker):
    body = chat()
    head = request(b"", "Transfer-Encoding: chunked").replace(b"Content-Length: 0\r\n", b"")
    got, _ = worker().ask(head + b"5\r\n" + body[:5] + b"\r\n%x\r\n" % (len(body) - 5) + body[5:]
                          + b"\r\n0\r\n\r\n", response())

    assert f"content-length: {len(body)}" in lines_of(got) and got.endswith(b"\r\n\r\n" + body)


def test_the_id_is_the_answers_and_attempts_count_up(worker):
    one = worker()
    client = one.connect()
    client.feed(request(chat()))
    one.upstream.feed(response())
    first, answer = one.upstream.taken(), client.answer()
    client.feed(request(chat()))
    one.upstream.lose()  # the idle connection was just being closed: asked again on a new one
    second = one.upstream.taken()

    assert f"x-fastgw-request-id: {answer.fields['x-fastgw-request-id']}" in lines_of(first)
    assert "x-fastgw-attempt: 1" in lines_of(first)
    assert "x-fastgw-attempt: 2" in lines_of(second)
    assert f"x-fastgw-request-id: {answer.fields['x-fastgw-request-id']}" not in lines_of(second)


def test_a_head_too_large_for_the_provider_is_refused_before_it_is_sent(worker):
    one = worker()
    _, answer = one.ask(request(chat(), *[f"x-{n}: {'v' * 900}" for n in range(90)]))

    assert answer.status in (431, 500) and not one.loop.opened


@pytest.mark.parametrize("host, sent", [
    ("api.mistral.ai", {"max_completion_tokens": 9, "max_tokens": 9}),
    ("api.openai.com", {"max_completion_tokens": 9})])
def test_an_output_limit_goes_on_under_a_name_that_the_provider_knows(worker, host, sent):
    """Else it would be a small one for our caps, and none for the provider."""
    vendor = {**provider("vendor"), "base_url": f"http://{host}:9000/v1"}
    one = worker(providers=[vendor])

    got, _ = one.ask(
        request(chat(model="mistral-small-latest", max_completion_tokens=9)), response())

    body = orjson.loads(got.partition(b"\r\n\r\n")[2])
    assert {name: value for name, value in body.items() if "tokens" in name} == sent
