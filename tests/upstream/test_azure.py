"""Goal: a request of Azure's clients goes to Azure as it came and to others as they want it; those
of OpenAI's clients go to Azure's v1 API or to its dated one; and nothing is asked of a version
that does not know it.

Method: whole requests through a worker; the bytes that reach the provider are taken apart.
"""

import orjson
import pytest

from tests.worker import KEY, chat, policy, provider, request, response

OPENAI, V1 = provider("plain"), provider("v1", "azure", "")
DATED = provider("dated", "azure", "", api_version="2024-10-21")
OLD = provider("old", "azure", "/openai", api_version="2024-06-01")
PROXIED = provider("proxied", "azure", "/proxy/openai/v1")
PROVIDERS = {one["id"]: one for one in (OPENAI, V1, DATED, OLD, PROXIED)}
DEPLOYED = "/openai/deployments/gpt-4o/chat/completions"
CAP = policy({"actions": [{"type": "cap-output", "config": {"max_output_tokens": 7}}]})


def sent(worker, to, path=DEPLOYED, body=None, *fields, **more):
    """(target, fields, body) as the provider `to` gets them."""
    one = worker(providers=[PROVIDERS[to]], **more)
    body = chat() if body is None else body
    got, _ = one.ask(request(body, *fields, path=path), response())
    head, _, rest = got.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return first.split(" ")[1], lines, orjson.loads(rest)


@pytest.mark.parametrize("path, to, target", [
    # Azure's own clients at Azure: as it came, below whatever stands before the resource.
    (DEPLOYED + "?api-version=2024-10-21", "v1", DEPLOYED + "?api-version=2024-10-21"),
    (DEPLOYED + "?api-version=2024-10-21", "old", DEPLOYED + "?api-version=2024-10-21"),
    (DEPLOYED + "?api-version=2024-10-21", "proxied",
     "/proxy" + DEPLOYED + "?api-version=2024-10-21"),
    (DEPLOYED + "?a=b", "dated", DEPLOYED + "?a=b&api-version=2024-10-21"),
    (DEPLOYED, "dated", DEPLOYED + "?api-version=2024-10-21"),
    (DEPLOYED, "v1", DEPLOYED),
    ("/openai/v1/chat/completions", "v1", "/openai/v1/chat/completions"),
    ("/openai/v1/chat/completions?api-version=preview", "v1",
     "/openai/v1/chat/completions?api-version=preview"),
    ("/openai/v1/chat/completions?api-version=preview", "dated",
     DEPLOYED + "?api-version=2024-10-21"),
    # … and at who speaks OpenAI's.
    (DEPLOYED + "?api-version=2024-10-21", "plain", "/v1/chat/completions"),
    (DEPLOYED + "?api-version=2024-10-21&a=b", "plain", "/v1/chat/completions?a=b"),
    ("/openai/v1/chat/completions?api-version=preview", "plain", "/v1/chat/completions"),
    # OpenAI's clients at Azure.
    ("/v1/chat/completions", "v1", "/openai/v1/chat/completions"),
    ("/v1/chat/completions", "proxied", "/proxy/openai/v1/chat/completions"),
    ("/v1/chat/completions?a=b", "dated", DEPLOYED + "?a=b&api-version=2024-10-21"),
    ("/v1/chat/completions?api-version=2020-01-01", "dated",
     DEPLOYED + "?api-version=2024-10-21"),
])
def test_the_target_is_where_that_api_has_it(worker, path, to, target):
    assert sent(worker, to, path)[0] == target


@pytest.mark.parametrize("path, to, target", [
    ("/openai/responses?api-version=2025-04-01-preview", "v1",
     "/openai/responses?api-version=2025-04-01-preview"),
    ("/openai/responses?api-version=2025-04-01-preview", "plain", "/v1/responses"),
    ("/v1/responses", "dated", "/openai/responses?api-version=2024-10-21"),
    ("/v1/responses", "v1", "/openai/v1/responses")])
def test_responses_lie_below_no_deployment(worker, path, to, target):
    assert sent(worker, to, path, orjson.dumps({"model": "gpt-4o", "input": "hi"}))[0] == target


def test_a_stored_response_is_looked_up_where_azure_has_it(worker):
    got, _ = worker(providers=[DATED]).ask(
        request(path="/v1/responses/resp_1", method="GET"), response())
    assert got.startswith(b"GET /openai/responses/resp_1?api-version=2024-10-21 HTTP/1.1")


@pytest.mark.parametrize("body, model", [
    ({}, "gpt-4o"), ({"model": "other"}, "gpt-4o"), ({"model": None}, "gpt-4o")])
def test_who_takes_the_model_from_the_body_gets_the_one_of_the_path(worker, body, model):
    raw = orjson.dumps({"messages": [], **body})
    assert sent(worker, "plain", DEPLOYED, raw)[2] == {"messages": [], "model": model}
    # Azure looks at the path alone, so the body stays what it was.
    assert sent(worker, "v1", DEPLOYED, raw)[2] == {"messages": [], **body}


@pytest.mark.parametrize("to, target", [
    ("plain", "/v1/chat/completions"), ("v1", "/openai/deployments/mine%2F1/chat/completions"),
    ("dated", "/openai/deployments/mine%2F1/chat/completions?api-version=2024-10-21")])
def test_a_model_of_the_house_goes_under_its_own_name(worker, to, target):
    models = [{"id": "house", "candidates": [{"provider": to, "model": "mine/1"}]}]
    path = "/openai/deployments/house/chat/completions"
    asked, _, body = sent(worker, to, path, chat(model="house"), models=models)
    assert (asked, body["model"]) == (target, "mine/1")


def test_a_provider_by_its_id_in_a_deployments_name(worker):
    path = "/openai/deployments/plain%2Fgpt-4o/chat/completions"
    target, _, body = sent(worker, "plain", path, chat(model="plain/gpt-4o"))
    assert (target, body["model"]) == ("/v1/chat/completions", "gpt-4o")


@pytest.mark.parametrize("path, to, knows", [
    (DEPLOYED + "?api-version=2024-10-21", "v1", True),
    (DEPLOYED + "?api-version=2024-09-01-preview", "v1", True),
    (DEPLOYED + "?api-version=2025-04-01-preview", "old", True),
    (DEPLOYED + "?api-version=2024-08-01-preview", "v1", False),
    (DEPLOYED + "?api-version=2024-06-01", "dated", False),
    (DEPLOYED + "?api-version=2023-05-15", "v1", False),
    (DEPLOYED + "?api-version=1", "v1", False),
    (DEPLOYED, "old", False), (DEPLOYED, "dated", True), (DEPLOYED, "v1", False),
    (DEPLOYED + "?api-version=2023-05-15", "plain", True),
    ("/v1/chat/completions", "old", False), ("/v1/chat/completions", "dated", True),
    ("/v1/chat/completions", "v1", True), ("/openai/v1/chat/completions", "old", False)])
def test_only_what_the_version_knows_is_added(worker, path, to, knows):
    body = sent(worker, to, path, chat(stream=True), policy=CAP)[2]

    assert body.get("stream_options") == ({"include_usage": True} if knows else None)
    assert body["max_completion_tokens" if knows else "max_tokens"] == 7
    assert len(body.keys() & {"max_tokens", "max_completion_tokens"}) == 1


@pytest.mark.parametrize("field, key", [
    (f"api-key: {KEY}", ""), (f"Api-Key: {KEY}", ""), ("", KEY)])
def test_the_clients_key_stands_where_azure_has_it_and_goes_no_further(worker, field, key):
    one = worker(providers=[V1])
    fields = [field] if field else []
    got, answer = one.ask(request(chat(), *fields, path=DEPLOYED, key=key), response())

    assert answer.status == 200 and KEY.encode() not in got
    assert b"\r\napi-key: sk-v1\r\n" in got


@pytest.mark.parametrize("fields, status, code", [
    ([], 401, "401"), (["api-key: wrong"], 401, "401"),
    ([f"api-key: {KEY}", f"api-key: {KEY}"], 401, "401")])
def test_a_refusal_is_worded_as_azures(worker, fields, status, code):
    _, answer = worker(providers=[V1]).ask(request(chat(), *fields, path=DEPLOYED, key=""))
    error = orjson.loads(answer.body)["error"]

    assert (answer.status, error["code"]) == (status, code)
    assert error["fastgw"]["code"] == answer.code


def test_a_model_that_nobody_has_is_a_deployment_that_does_not_exist(worker):
    one = worker(providers=[V1], models_strict=True,
                 models=[{"id": "m", "candidates": [{"provider": "v1", "model": "m"}]}])
    _, answer = one.ask(request(chat(), path=DEPLOYED))
    assert (answer.status, orjson.loads(answer.body)["error"]["code"]) == (
        404, "DeploymentNotFound")


def test_azures_clients_go_to_azure_first_and_to_openai_else(worker):
    for providers, host in (([OPENAI, V1], "v1"), ([OPENAI], "plain")):
        one = worker(providers=providers)
        one.ask(request(chat(), path=DEPLOYED), response())
        assert one.loop.asked[0][0] == f"{host}.example"
        one = worker(providers=providers)
        one.ask(request(chat()), response())
        assert one.loop.asked[0][0] == "plain.example"


def test_a_failover_words_each_attempt_for_its_own(worker):
    """The deployment's path, then OpenAI's with the model in the body."""
    one = worker(providers=[V1, OPENAI], models=[{
        "id": "m", "candidates": [{"provider": "v1", "model": "dep"}],
        "fallback": [{"provider": "plain", "model": "gpt-4o"}]}])
    client = one.connect()
    client.feed(request(b'{"messages":[]}',
                        path="/openai/deployments/m/chat/completions?api-version=2024-10-21"))
    one.upstream.feed(response(b"{}", status="503 Service Unavailable"))
    first, second = (end.taken() for end in one.loop.opened)

    assert first.startswith(b"POST /openai/deployments/dep/chat/completions?api-version=")
    assert second.startswith(b"POST /v1/chat/completions HTTP/1.1")
    assert orjson.loads(second.partition(b"\r\n\r\n")[2]) == {"messages": [], "model": "gpt-4o"}


@pytest.mark.parametrize("key, allowed", [("gpt-4o", True), ("gpt-3", False)])
def test_a_keys_models_are_those_of_the_path(worker, key, allowed):
    keys = [{"id": "alice", "value": KEY, "access": {"models": [key]}}]
    one = worker(providers=[V1], keys=keys)
    _, answer = one.ask(request(chat(model="gpt-3"), path=DEPLOYED),
                        *([response()] if allowed else []))
    assert answer.status == (200 if allowed else 403)
