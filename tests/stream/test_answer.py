"""Goal: an answer's head is the provider's, less what is hop-by-hop or only seems ours, and what
the gateway has to say is in it.

Method: answers through a worker; the head that the client reads is taken apart.
"""

import pytest

from tests.worker import chat, policy, request, response

LIMIT = {"actions": [{"type": "rate-limit", "config": {
    "name": 'the "pace"', "unit": "requests", "capacity": 60, "per": "1h",
    "bucket_key": ["key.id"]}}]}
CAP = {"name": "short", "actions": [{"type": "cap-output", "config": {"max_output_tokens": 9}}]}


def test_the_providers_fields_pass_and_ours_are_added(worker):
    one = worker()
    _, answer = one.ask(request(chat()), response(None, "OpenAI-Processing-Ms: 3", "X-Ours: no"))

    assert answer.fields == {
        "content-type": "application/json", "openai-processing-ms": "3", "x-ours": "no",
        "content-length": str(len(answer.body)), "x-fastgw-request-id": "00000001-00-0000000001",
        "x-fastgw-provider": "openai", "x-fastgw-model": "gpt-4o", "x-fastgw-attempts": "1",
        "x-fastgw-policy": one.plan.policy.version}


@pytest.mark.parametrize("field", [
    "Connection: keep-alive", "Connection: x-hop", "Keep-Alive: timeout=5", "Upgrade: h2c",
    "Proxy-Authenticate: Basic", "Trailer: x-sum", "x-fastgw-provider: other",
    "X-Fastgw-Code: FGW-999"])
def test_what_is_not_for_the_client_stays_here(worker, field):
    one = worker()
    _, plain = one.ask(request(chat()), response())
    _, answer = worker().ask(request(chat()), response(None, field, "X-Hop: 1"))

    kept = {name for name in answer.fields if name != "x-hop" or "x-hop" not in field}
    assert kept - {"x-hop"} == set(plain.fields)
    assert ("x-hop" in answer.fields) == ("x-hop" not in field)
    assert "other" not in answer.fields["x-fastgw-provider"]


def test_limits_are_told_in_structured_fields_and_go_down(worker):
    one = worker(policy=policy(LIMIT))
    lines = []
    for _ in range(2):
        _, answer = one.ask(request(chat()), response(None, "RateLimit: made-up;r=1"))
        assert answer.fields["ratelimit-policy"] == r'"the \"pace\"";q=60;w=3600'
        lines.append(answer.fields["ratelimit"])

    assert [line.split(";t=")[0] for line in lines] == [
        r'"the \"pace\"";r=59', r'"the \"pace\"";r=58']


def test_each_kind_of_limit_says_its_unit_and_length(worker):
    kinds = {"actions": [
        {"type": "usage-cap", "config": {"name": "c", "unit": "cost", "limit": 2.5,
                                         "window": "total"}},
        {"type": "concurrency-limit", "config": {"name": "s", "limit": 20}}]}
    _, answer = worker(policy=policy(kinds)).ask(request(chat()), response())

    assert answer.fields["ratelimit-policy"] == (
        '"c";q=2500000;qu="micro-dollars", "s";q=20;qu="concurrent-requests"')
    assert answer.fields["ratelimit"].endswith('"s";r=19')


@pytest.mark.parametrize("window, longest_s", [("hour", 3600), ("day", 90_000)])
def test_a_cap_says_when_its_window_ends(worker, window, longest_s):
    cap = {"actions": [{"type": "usage-cap", "config": {
        "name": "c", "unit": "requests", "limit": 9, "window": window,
        "time_zone": "Europe/Berlin"}}]}
    _, answer = worker(policy=policy(cap)).ask(request(chat()), response())

    assert answer.fields["ratelimit-policy"].startswith('"c";q=9;w=')
    state, _, ends = answer.fields["ratelimit"].partition(";t=")
    assert state == '"c";r=8' and 0 < int(ends) <= longest_s


def test_shadows_are_not_told_to_clients(worker):
    shadow, both = {"enforce": False, **LIMIT}, dict(LIMIT)
    _, alone = worker(policy=policy(shadow)).ask(request(chat()), response(None, 'RateLimit: "x"'))
    _, beside = worker(policy=policy(shadow, both)).ask(request(chat()), response())

    assert alone.fields["ratelimit"] == '"x"' and "ratelimit-policy" not in alone.fields
    assert beside.fields["ratelimit-policy"].count("q=60") == 1
    assert beside.fields["ratelimit"].startswith(r'"the \"pace\"";r=59')


def test_without_limits_the_providers_own_pass(worker):
    _, answer = worker().ask(request(chat()), response(None, 'RateLimit: "x";r=1'))

    assert answer.fields["ratelimit"] == '"x";r=1'


@pytest.mark.parametrize("asked, shaped", [({}, True), ({"max_tokens": 5}, False)])
def test_a_rule_that_shaped_the_request_is_named(worker, asked, shaped):
    got, answer = worker(policy=policy(CAP)).ask(request(chat(**asked)), response())

    assert answer.fields.get("x-fastgw-rule") == ("short" if shaped else None)
    assert (b'"max_completion_tokens":9' in got or b'"max_tokens":9' in got) == shaped


def test_a_model_renamed_on_the_way_is_told(worker):
    models = [{"id": "house", "candidates": [{"provider": "openai", "model": "gpt-4o-mini"}]}]
    _, answer = worker(models=models).ask(request(chat(model="house")), response())

    assert answer.fields["x-fastgw-model"] == "gpt-4o-mini"


@pytest.mark.parametrize("line, fields, says, closes", [
    (b"HTTP/1.1", [], None, False), (b"HTTP/1.1", ["Connection: close"], "close", True),
    (b"HTTP/1.0", [], "close", True), (b"HTTP/1.0", ["Connection: keep-alive"], "keep-alive",
                                       False)])
def test_the_client_is_told_whether_its_connection_stays(worker, line, fields, says, closes):
    one = worker()
    client = one.connect()
    client.feed(request(chat(), *fields).replace(b"HTTP/1.1", line, 1))
    one.upstream.feed(response())

    assert client.answer().fields.get("connection") == says
    assert client.transport.closed == closes


def test_an_old_client_gets_a_stream_without_chunks(worker):
    one = worker()
    client = one.connect()
    client.feed(request(chat()).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
    one.upstream.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                      b"3\r\nabc\r\n", b"0\r\n\r\n")

    head, _, body = client.taken().partition(b"\r\n\r\n")
    assert body == b"abc" and b"chunked" not in head and client.transport.closed


@pytest.mark.parametrize("status", [200, 201, 400, 429, 500, 599])
def test_a_status_of_the_provider_is_the_clients(worker, status):
    _, answer = worker().ask(request(chat()), response(b'{"error":{}}', status=status))

    assert (answer.status, answer.body) == (status, b'{"error":{}}')
