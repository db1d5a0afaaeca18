"""Every action through a whole gateway, as clients see it with the official SDKs.

Method: one gateway before a mock provider; each test's rule is chosen by the model that it asks
for, so that all share the processes. What the provider got is read from the mock's own answers
and books, decisions from `fastgw explain`.
"""

import json
import urllib.request

import anthropic
import openai
import pytest

from tests.journey.harness import KEY, Gateway, configuration, wait_until


def rule(model, *actions, name="", **more):
    return {"name": name or model, "expressions": [f"ai.model == '{model}'"],
            "actions": list(actions), **more}


def act(type, **config):
    return {"type": type, "config": config}


COMPLETION = ('{"id":"c","object":"chat.completion","created":1,"model":"${ai.model}","choices":'
              '[{"index":0,"finish_reason":"stop","message":{"role":"assistant",'
              '"content":"closed for ${key.owner.team}"}}]}')

REQUEST_RULES = [
    rule("m-deny", act("deny", status_code=451, message="not for ${key.tags.tier}")),
    rule("m-answer", act("custom-response", headers={"x-by": "${key.id}"}, body=COMPLETION)),
    rule("m-answer-503", act("custom-response", status_code=503, body="down")),
    rule("m-models", act("restrict-models", allow=["gpt-*"])),
    rule("m-ips", act("restrict-ips", deny=["127.0.0.0/8"])),
    rule("m-ips-open", act("restrict-ips", allow=["127.0.0.1"])),
    rule("m-input", act("cap-input", max_input_tokens=30)),
    rule("m-output", act("cap-output", max_output_tokens=3)),
    rule("m-route", act("route", provider="openai", model="routed")),
    rule("m-fields", act("remove-headers", headers=["x-mock"]),
         act("add-headers", headers={"x-mock": "status=${vars.status}"})),
    rule("m-log", act("log", metadata={"team": "${key.owner.team}",
                                       "out": "${usage.output_tokens}"})),
    rule("m-pace", act("rate-limit", name="pace", capacity=1, per="24h")),
    rule("m-cap", act("usage-cap", name="cap", unit="requests", limit=1, window="total")),
    rule("m-slots", act("concurrency-limit", name="slots", limit=1)),
    rule("m-abort", act("on-abort", then="cancel")),
    rule("m-shadow", act("deny"), act("rate-limit", name="dark", capacity=1, per="24h"),
         enforce=False),
]
SET = {"actions": [act("set-vars", vars={"status": "${503}", "seen": "seen ${ai.model}"})]}
RESPONSE_RULES = [
    {"actions": [act("add-headers", headers={
        "x-seen": "${vars.seen}/${res.status}", "x-left": "${actions.rate_limit.remaining}"})]},
    {"name": "no provider errors", "expressions": ["res.status >= 500", "ai.model == 'm-broken'"],
     "actions": [act("custom-response", status_code=502,
                     headers={"content-type": "application/json"},
                     body='{"error":{"message":"try later, ${upstream.provider}"}}')]},
    {"name": "long answers", "expressions": ["usage.output_tokens > 5"],
     "actions": [act("log", metadata={"long": "${usage.output_tokens}"})]},
]


@pytest.fixture(scope="module")
def gateway(mock):
    config = configuration(mock.port, policy={
        "on_http_request": [SET, *REQUEST_RULES], "on_http_response": RESPONSE_RULES})
    config["providers"][0]["retries"] = {"max": 0}
    instance = Gateway(config)
    yield instance
    instance.remove()


@pytest.fixture
def client(gateway):
    with openai.OpenAI(api_key=KEY, base_url=gateway.url("/v1"), max_retries=0) as made:
        yield made


@pytest.fixture
def claude(gateway):
    with anthropic.Anthropic(api_key=KEY, base_url=gateway.url(), max_retries=0) as made:
        yield made


def ask(client, model, text="hello", mock="", **more):
    return client.chat.completions.with_raw_response.create(
        model=model, messages=[{"role": "user", "content": text}],
        extra_headers={"x-mock": mock} if mock else {}, **more)


def decision(gateway, raw):
    """The whole decision, once it is written."""
    id = raw.headers["x-fastgw-request-id"]

    def look():
        text = gateway.run("explain", id, "--format", "json", check=False)
        found = json.loads(text) if text.startswith("{") else {}
        return found if found.get("complete") else None

    return wait_until(look)


def test_deny_is_the_sdk_s_own_error_with_the_rule_s_words(gateway, client, claude):
    with pytest.raises(openai.APIStatusError) as raised:
        ask(client, "m-deny")

    assert raised.value.status_code == 451
    assert "not for free" in raised.value.message
    with pytest.raises(anthropic.APIStatusError) as other:
        claude.messages.create(model="m-deny", max_tokens=5,
                               messages=[{"role": "user", "content": "hello"}])
    assert other.value.status_code == 451 and "not for free" in other.value.message
    assert decision(gateway, raised.value.response)["reason"] == "not for free"


def test_a_custom_response_is_an_answer_to_the_sdk(gateway, client):
    raw = ask(client, "m-answer")

    assert raw.parse().choices[0].message.content == "closed for a"
    assert (raw.headers["x-by"], raw.headers["x-fastgw-rule"]) == ("alice", "m-answer")
    found = decision(gateway, raw)
    assert (found["verdict"], found["code"], found["attempts"]) == ("deny", "FGW-604", [])


def test_a_custom_response_with_an_error_s_status_is_the_sdk_s_error(client):
    with pytest.raises(openai.InternalServerError) as raised:
        ask(client, "m-answer-503")

    assert raised.value.response.text == "down"


def test_restrict_models_and_addresses(client):
    with pytest.raises(openai.PermissionDeniedError) as raised:
        ask(client, "m-models")
    assert "FGW-602" in raised.value.message
    with pytest.raises(openai.PermissionDeniedError) as raised:
        ask(client, "m-ips")
    assert "FGW-605" in raised.value.message
    assert ask(client, "m-ips-open").status_code == 200


def test_a_long_input_is_refused_as_each_api_does(client, claude):
    long = "a word and another word " * 60
    with pytest.raises(openai.APIStatusError) as raised:
        ask(client, "m-input", long)
    assert (raised.value.status_code, raised.value.code) == (413, "context_length_exceeded")
    with pytest.raises(anthropic.APIStatusError) as other:
        claude.messages.create(model="m-input", max_tokens=5,
                               messages=[{"role": "user", "content": long}])
    assert other.value.status_code == 413
    assert other.value.body["error"]["type"] == "request_too_large"
    assert ask(client, "m-input").status_code == 200


def test_cap_output_ends_the_answer_as_the_provider_would(client):
    raw = ask(client, "m-output", mock="events=50")

    assert raw.parse().choices[0].finish_reason == "length"
    assert raw.headers["x-fastgw-rule"] == "m-output"


def test_route_leads_elsewhere_and_says_so(client):
    raw = ask(client, "m-route")

    assert raw.headers["x-fastgw-model"] == "routed"
    assert raw.parse().model == "routed"
    assert raw.headers["x-fastgw-rule"] == "m-route"


def test_fields_that_a_rule_writes_are_what_the_provider_reads(client):
    with pytest.raises(openai.APIStatusError) as raised:
        ask(client, "m-fields", mock="status=418")

    assert raised.value.status_code == 503


def test_the_answer_gets_fields_from_variables_results_and_its_head(client):
    raw = ask(client, "m-pace")

    assert raw.headers["x-seen"] == "seen m-pace/200"
    assert raw.headers["x-left"] == "0"


def test_an_answer_of_the_provider_can_be_replaced(gateway, client):
    with pytest.raises(openai.InternalServerError) as raised:
        ask(client, "m-broken", mock="status=500")

    assert raised.value.status_code == 502
    assert raised.value.response.json()["error"]["message"] == "try later, openai"
    found = decision(gateway, raised.value.response)
    assert [one["status"] for one in found["attempts"]] == [502]
    assert {"name": "no provider errors", "matched": True, "enforced": True,
            "effect": "custom-response: FGW-604", "phase": "on_http_response"} in found["rules"]


@pytest.mark.parametrize("stream", [False, True])
def test_log_writes_to_the_gateway_s_log_and_to_the_record(gateway, client, stream):
    more = {"stream_options": {"include_usage": True}} if stream else {}
    raw = ask(client, "m-log", mock="events=7", stream=stream, **more)
    if stream:
        assert list(raw.parse())
    found = decision(gateway, raw)

    (log,) = [one for one in found["logs"] if one["rule"] == "m-log"]
    assert log["metadata"] == {"team": "a", "out": str(found["usage"]["output_tokens"])}
    (late,) = [one for one in found["logs"] if one["rule"] == "long answers"]
    assert late["metadata"] == {"long": str(found["usage"]["output_tokens"])}
    lines = [json.loads(line) for line in gateway.log().splitlines() if '"event":"policy"' in line]
    (line,) = [line for line in lines
               if line["request_id"] == found["request_id"] and line["rule"] == "m-log"]
    assert line["metadata"] == log["metadata"]


def test_limits_of_rules_refuse_the_second(client):
    ask(client, "m-cap")
    with pytest.raises(openai.RateLimitError) as raised:
        ask(client, "m-cap")

    assert raised.value.type == "insufficient_quota"
    assert ask(client, "m-slots").status_code == 200
    assert ask(client, "m-slots").status_code == 200


def test_on_abort_cancel_is_accepted_and_recorded(gateway, client):
    raw = ask(client, "m-abort")

    assert "on-abort: cancel" in [one["effect"] for one in decision(gateway, raw)["rules"]]


def test_shadows_do_nothing_and_say_what_they_would_have_done(gateway, client):
    ask(client, "m-shadow")
    raw = ask(client, "m-shadow")
    found = decision(gateway, raw)

    assert raw.status_code == 200
    effects = [one["effect"] for one in found["rules"] if one["name"] == "m-shadow"]
    assert effects[0] == "would have denied: FGW-601 (shadow: not enforced)"
    assert [(one["verdict"], one["enforced"]) for one in found["limits"]] == [("refused", False)]
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.admin}/metrics", timeout=10) as told:
        lines = told.read().decode().splitlines()
    assert 'fastgw_rule_shadows_total{rule="m-shadow"} 2.0' in lines
    assert 'fastgw_rule_shadow_limits_total{rule="m-shadow"} 1.0' in lines


# Policies as ngrok's documentation shows them, as far as they are no business of its network.

DOCUMENTED = {
    "on_http_request": [
        {"name": "free tier", "expressions": ["!('Authorization' in req.headers)",
                                              "req.path != '/x'"],
         "actions": [{"type": "deny", "config": {"status_code": 404}}]},
        {"actions": [
            {"type": "rate-limit", "config": {
                "name": "10 per minute", "algorithm": "sliding_window", "capacity": 2,
                "rate": "24h", "bucket_key": ["conn.client_ip", "getReqHeader('x-user')[0]"],
                "enforce": True}},
            {"type": "restrict-ips", "config": {
                "enforce": True, "allow": ["10.0.0.0/8", "127.0.0.0/8"], "deny": []}}]},
        {"expressions": ["req.path.startsWith('/v1/models')"],
         "actions": [{"type": "deny", "config": {"status_code": 404}}]},
        {"actions": [{"type": "set-vars", "config": {"vars": [
            {"variable_a": "Hello,"}, {"variable_b": "World!"}]}}]},
        {"expressions": ["ai.model == 'teapot'"],
         "actions": [{"type": "custom-response", "config": {
             "status_code": 503, "headers": {"content-type": "application/json"},
             "body": '{"ip":"${conn.client_ip}","cidr":'
                     '"${actions.ngrok.restrict_ips.matched_cidr}",'
                     '"said":"${vars.variable_a} ${vars.variable_b}"}'}}]},
        {"actions": [{"type": "add-headers", "config": {"headers": {
            "x-client-ip": "${conn.client_ip}", "x-client-path": "${req.path}"}}},
            {"type": "log", "config": {"metadata": {
                "limited": "${actions.ngrok.rate_limit.limited}",
                "bucket": "${actions.ngrok.rate_limit.bucket_key}"}}}]},
    ],
    "on_http_response": [
        {"expressions": ["res.status == 200"],
         "actions": [{"type": "add-headers", "config": {"headers": {"x-is-ngrok": "1"}}}]}],
}


def test_a_policy_of_ngrok_s_documentation_loads_and_does_what_it_says(mock):
    gateway = Gateway(configuration(mock.port, policy=DOCUMENTED))
    try:
        with openai.OpenAI(api_key=KEY, base_url=gateway.url("/v1"), max_retries=0,
                           default_headers={"x-user": "u1"}) as client:
            raw = ask(client, "gpt-4o")
            with pytest.raises(openai.InternalServerError) as answered:
                ask(client, "teapot")
            with pytest.raises(openai.NotFoundError):
                client.models.list()
        with openai.OpenAI(api_key=KEY, base_url=gateway.url("/v1"), max_retries=0,
                           default_headers={"x-user": "u2"}) as client:
            ask(client, "gpt-4o")
            ask(client, "gpt-4o")
            with pytest.raises(openai.RateLimitError) as raised:
                ask(client, "gpt-4o")
        assert raw.headers["x-is-ngrok"] == "1"
        assert answered.value.response.json() == {
            "ip": "127.0.0.1", "cidr": "127.0.0.0/8", "said": "Hello, World!"}
        found = decision(gateway, raised.value.response)
        assert found["logs"][0]["metadata"]["limited"] == "true"
        assert json.loads(found["logs"][0]["metadata"]["bucket"]) == ["127.0.0.1", "u2"]
    finally:
        gateway.remove()
