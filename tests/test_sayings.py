"""What rules say beyond the verdict: fields, answers of their own, late rules, logs.

Method: a whole worker without a network (tests/worker.py). The provider's side shows what was
sent on, the client's what came back, the rings what was recorded.
"""

import orjson
import pytest

from fastgw.ledger.journal import name_hash
from fastgw.ledger.records import NAME_NOTE, Close, Name, Refused, Request
from fastgw.shm import counters
from tests.worker import (
    DONE,
    KEY,
    USAGE,
    Worker,
    chat,
    chunked,
    delta,
    provider,
    request,
    response,
    stream_head,
    usage_event,
)


def act(type, _name="", _when=(), _enforce=True, **config):
    return {"expressions": list(_when), "enforce": _enforce,
            "actions": [{"type": type, "config": config}]} | ({"name": _name} if _name else {})


class Said:
    """A log that keeps its lines."""

    def __init__(self):
        self.lines = []

    def note(self, event, **fields):
        self.lines.append((event, fields))

    def error(self, event, **fields):
        raise AssertionError((event, fields))


@pytest.fixture
def start(tmp_path):
    def make(*rules, answer=(), events=(), **config):
        said = Said()
        worker = Worker(tmp_path, log=said, policy={
            "on_http_request": list(rules), "on_http_response": list(answer),
            "on_event_stream_message": list(events)}, **config)
        worker.said = said
        return worker

    return make


def notes(worker):
    """The notes in the rings since last asked, and the other records."""
    posted = worker.posted()
    found = [orjson.loads(one.text) for one in posted
             if isinstance(one, Name) and one.space == NAME_NOTE]
    return found, [one for one in posted if not isinstance(one, Name)]


def lines_of(got):
    return got.partition(b"\r\n\r\n")[0].decode().lower().split("\r\n")


# Fields.


def test_added_fields_reach_the_provider_with_every_value_filled_in(start):
    worker = start(act("add-headers", headers={"X-Team": "${key.owner.team}-${ai.model}",
                                               "x-plain": "as it is", "x-n": "${ai.n}"}))

    got, answer = worker.ask(request(chat()), response())

    assert {"x-team: a-gpt-4o", "x-plain: as it is", "x-n: 1"} <= set(lines_of(got))
    assert answer.status == 200


def test_removed_fields_of_the_client_stay_behind(start):
    worker = start(act("remove-headers", headers=["X-Internal", "user-agent"]))

    got, _ = worker.ask(request(chat(), "x-internal: secret", "User-Agent: me", "x-else: 1"),
                        response())

    assert "x-else: 1" in lines_of(got)
    assert not any(line.startswith(("x-internal", "user-agent")) for line in lines_of(got))


def test_removing_comes_before_adding_to_replace_a_field(start):
    worker = start(act("remove-headers", headers=["x-a"]),
                   act("add-headers", headers={"x-a": "2"}))

    got, _ = worker.ask(request(chat(), "x-a: 1"), response())

    assert [line for line in lines_of(got) if line.startswith("x-a:")] == ["x-a: 2"]


def test_what_was_added_before_is_removed_too(start):
    worker = start(act("add-headers", headers={"x-a": "1", "x-b": "2"}),
                   act("remove-headers", headers=["X-A"]))

    got, _ = worker.ask(request(chat()), response())

    assert [line for line in lines_of(got) if line[:4] in ("x-a:", "x-b:")] == ["x-b: 2"]


@pytest.mark.parametrize("value", ["a\\r\\nx-evil: 1", "a\\nb", "a\\u0000b", "a\\rb"])
def test_a_line_break_in_a_value_never_gets_into_a_head(start, value):
    worker = start(act("add-headers", headers={"x-user": "${ai.user}", "x-good": "1"}),
                   act("set-vars", vars={"u": "${actions.add_headers.refused}"}))
    body = chat().replace(b"{", b'{"user":"%b",' % value.encode(), 1)

    got, answer = worker.ask(request(body), response())

    assert answer.status == 200
    assert not any(line.startswith(("x-user", "x-evil")) for line in lines_of(got))
    assert "x-good: 1" in lines_of(got)
    asked = worker.one(Request)
    assert [(rule.code, rule.value) for rule in asked.rules] == [(607, 1), (0, 1)]


def test_fields_of_the_answer_are_added_and_removed(start):
    worker = start(answer=[act("add-headers", headers={"x-seen": "${res.status}",
                                                       "x-by": "${upstream.provider}"}),
                           act("remove-headers", headers=["x-powered-by"])])

    _, answer = worker.ask(request(chat()), response(None, "X-Powered-By: it"))

    assert (answer.fields["x-seen"], answer.fields["x-by"]) == ("200", "openai")
    assert "x-powered-by" not in answer.fields


def test_a_line_break_in_the_answers_values_is_dropped_as_well(start):
    worker = start(answer=[act("add-headers", headers={"x-user": "${ai.user}"})])

    _, answer = worker.ask(request(chat(user="a\r\nset-cookie: x")), response())

    assert "x-user" not in answer.fields and "set-cookie" not in answer.fields
    (note,), _ = notes(worker)
    assert note["rules"][0]["effect"].endswith("FGW-607")


# Answers of rules.


def test_a_rule_answers_and_no_provider_is_asked(start):
    worker = start(act("custom-response", _name="maintenance", status_code=503,
                       headers={"x-who": "${key.id}"}, body='{"model": "${ai.model}"}'))

    _, answer = worker.ask(request(chat()))

    assert worker.loop.opened == []
    assert (answer.status, answer.body) == (503, b'{"model": "gpt-4o"}')
    assert answer.fields["content-type"] == "application/json"
    assert (answer.fields["x-who"], answer.fields["x-fastgw-rule"]) == ("alice", "maintenance")
    assert answer.code == "FGW-604" and answer.fields["x-fastgw-request-id"]
    refused = worker.one(Request)
    assert (refused.verdict, refused.status, refused.code) == (1, 503, 604)


def test_an_answer_without_a_body_says_so(start):
    worker = start(act("custom-response", status_code=204))

    _, answer = worker.ask(request(chat()))

    assert (answer.status, answer.body) == (204, b"")
    assert "content-length" not in answer.fields


def test_a_connection_goes_on_behind_an_answer(start):
    worker = start(act("custom-response", body="x", _when=["ai.model == 'closed'"]))
    client = worker.connect()

    client.feed(request(chat(model="closed")))
    first = client.answer()
    client.feed(request(chat()))
    worker.upstream.feed(response())

    assert (first.status, first.body) == (200, b"x")
    assert client.answer().status == 200


def test_a_body_that_has_no_room_fails_closed(start):
    worker = start(act("custom-response", body="${req.headers['x-long']}" * 9))

    _, answer = worker.ask(request(chat(), "x-long: " + "u" * 9000))

    assert (answer.status, answer.code) == (500, "FGW-603")


def test_the_provider_s_answer_can_be_replaced(start):
    worker = start(answer=[act("custom-response", _when=["res.status == 500"], status_code=503,
                               body="later, ${key.id}")],
                   providers=[provider("openai", retries={"max": 0})])

    _, answer = worker.ask(request(chat()), response(b"stack trace", status=500))

    assert (answer.status, answer.body) == (503, b"later, alice")
    closed = worker.one(Close)
    assert (closed.code, closed.final) == (604, 1)


def test_an_answer_can_be_denied_in_the_dialect_s_words(start):
    worker = start(answer=[act("deny", _name="no errors", _when=["res.status >= 400"],
                               message="it said ${res.status}")],
                   providers=[provider("openai", retries={"max": 0})])

    _, answer = worker.ask(request(chat()), response(b"{}", status=400))

    assert (answer.status, answer.code) == (403, "FGW-601")
    assert "it said 400" in orjson.loads(answer.body)["error"]["message"]


def test_a_denial_says_what_its_expressions_give(start):
    worker = start(act("deny", message="no ${ai.model} for ${key.tags.tier}, \"${ai.user}\""))

    _, answer = worker.ask(request(chat(user='x"y\\')))

    assert 'no gpt-4o for free, "x"y\\"' in orjson.loads(answer.body)["error"]["message"]


# Other actions.


def test_a_longer_input_is_refused_in_the_words_of_its_api(start):
    worker = start(act("cap-input", max_input_tokens=20))

    _, answer = worker.ask(request(chat(messages=[{"role": "user", "content": "word " * 400}])))

    error = orjson.loads(answer.body)["error"]
    assert (answer.status, answer.code) == (413, "FGW-606")
    assert (error["type"], error["code"]) == ("invalid_request_error", "context_length_exceeded")
    assert "this rule lets 20 pass" in error["message"]


def test_a_short_input_passes(start):
    worker = start(act("cap-input", max_input_tokens=2000))

    _, answer = worker.ask(request(chat()), response())

    assert answer.status == 200


@pytest.mark.parametrize(("config", "status"), [
    ({"allow": ["192.0.2.0/24"]}, 200),
    ({"allow": ["198.51.100.0/24"]}, 403),
    ({"deny": ["192.0.2.7"]}, 403),
    ({"deny": ["192.0.2.8"]}, 200),
    ({"allow": ["192.0.2.0/24"], "deny": ["192.0.2.7/32"]}, 403),
    ({"allow": ["2001:db8::/32"]}, 403),
])
def test_addresses_are_let_in_or_not(start, config, status):
    worker = start(act("restrict-ips", **config))

    _, answer = worker.ask(request(chat()), *([response()] if status == 200 else []))

    assert answer.status == status
    assert answer.code == ("FGW-605" if status == 403 else "")


@pytest.mark.parametrize("config", [
    {"provider": "other", "model": "small"},
    {"candidates": [{"provider": "other", "model": "small"}]},
    {"model": "tiny"},
])
def test_a_route_leads_to_other_candidates(start, config):
    worker = start(act("route", _name="down", **config),
                   providers=[provider("openai"), provider("other")],
                   models=[{"id": "tiny",
                            "candidates": [{"provider": "other", "model": "small"}]}])

    got, answer = worker.ask(request(chat()), response())

    assert worker.loop.asked[-1][0] == "other.example"
    assert orjson.loads(got.partition(b"\r\n\r\n")[2])["model"] == "small"
    assert (answer.fields["x-fastgw-provider"], answer.fields["x-fastgw-model"]) == (
        "other", "small")
    assert answer.fields["x-fastgw-rule"] == "down"


def test_a_route_to_a_provider_keeps_the_client_s_model(start):
    worker = start(act("route", provider="other"),
                   providers=[provider("openai"), provider("other")])

    got, _ = worker.ask(request(chat()), response())

    assert worker.loop.asked[-1][0] == "other.example"
    assert orjson.loads(got.partition(b"\r\n\r\n")[2])["model"] == "gpt-4o"


def test_a_route_does_not_open_a_provider_that_the_key_may_not_use(start):
    worker = start(act("route", provider="other"),
                   providers=[provider("openai"), provider("other")],
                   keys=[{"id": "alice", "value": KEY, "access": {"providers": ["openai"]}}])

    _, answer = worker.ask(request(chat()))

    assert (answer.status, answer.code) == (403, "FGW-306")


def test_variables_carry_values_with_their_types_to_later_rules(start):
    worker = start(act("set-vars", vars=[{"big": "${ai.n > 0}"}, {"who": "key ${key.id}"},
                                         {"seven": 7}]),
                   act("add-headers", _when=["vars.big && vars.seven == 7"],
                       headers={"x-who": "${vars.who}"}))

    got, _ = worker.ask(request(chat()), response())

    assert "x-who: key alice" in lines_of(got)


def test_variables_last_until_the_answer_and_are_nobody_elses(start):
    worker = start(act("set-vars", vars={"who": "${ai.user}"}),
                   answer=[act("add-headers", headers={"x-who": "${vars.who}"})])
    one, other = worker.connect(), worker.connect()

    one.feed(request(chat(user="one")))
    first = worker.upstream
    other.feed(request(chat(user="two")))
    second = worker.upstream
    first.feed(response())
    second.feed(response())

    assert one.answer().fields["x-who"] == "one"
    assert other.answer().fields["x-who"] == "two"


def test_results_of_limits_are_there_for_the_answer(start):
    worker = start(act("rate-limit", name="pace", capacity=10, per="60s", bucket_key=["key.id"]),
                   answer=[act("add-headers", headers={
                       "x-left": "${actions.rate_limit.remaining}/${actions.rate_limit.limit}",
                       "x-bucket": "${actions.rate_limit.bucket_key}"})])

    _, answer = worker.ask(request(chat()), response())

    assert answer.fields["x-left"] == "9/10"
    assert answer.fields["x-bucket"] == '["alice"]'


# Logs and late rules.


def test_a_log_has_what_is_known_at_the_end_and_stands_in_the_record(start):
    worker = start(act("log", _name="spend", metadata={
        "team": "${key.owner.team}", "status": "${res.status}", "by": "${upstream.provider}",
        "tokens": "${usage.input_tokens}+${usage.output_tokens}"}))

    _, answer = worker.ask(request(chat()), response())

    metadata = {"team": "a", "status": "200", "by": "openai", "tokens": "31+19"}
    (event, fields), = worker.said.lines
    assert (event, fields["rule"], fields["metadata"]) == ("policy", "spend", metadata)
    assert fields["request_id"] == answer.fields["x-fastgw-request-id"]
    found, _ = notes(worker)
    assert found == [{"rule": "spend", "metadata": metadata}]


def test_a_log_tells_of_refused_requests_why(start):
    worker = start(act("log", metadata={"limited": "${actions.rate_limit.limited}",
                                        "limit": "${actions.rate_limit.name}"}),
                   act("rate-limit", name="pace", capacity=1, per="60s"))
    worker.ask(request(chat()), response())

    _, answer = worker.ask(request(chat()))

    assert answer.status == 429
    assert [fields["metadata"]["limited"] for _, fields in worker.said.lines] == ["false", "true"]
    assert worker.said.lines[1][1]["metadata"]["limit"] == "pace"


def test_a_stream_is_logged_when_it_is_over(start):
    worker = start(act("log", metadata={"out": "${usage.output_tokens}"}))
    client = worker.connect()

    client.feed(request(chat(stream=True)))
    worker.upstream.feed(stream_head())
    worker.upstream.feed(chunked(delta("hi")))
    assert worker.said.lines == []
    worker.upstream.feed(chunked(usage_event(), DONE, b""))

    assert [fields["metadata"] for _, fields in worker.said.lines] == [
        {"out": str(USAGE["completion_tokens"])}]


def test_rules_of_the_answer_that_ask_for_usage_run_at_its_end(start):
    worker = start(answer=[
        act("log", _name="long", _when=["usage.output_tokens > 10"], metadata={"n": "long"}),
        act("log", _name="short", _when=["usage.output_tokens <= 10"], metadata={"n": "short"})])

    worker.ask(request(chat()), response())

    assert [fields["rule"] for _, fields in worker.said.lines] == ["long"]
    found, _ = notes(worker)
    assert found[0]["rules"][0] | {"effect": ""} == {
        "name": "long", "matched": True, "enforced": True, "effect": "",
        "phase": "on_http_response"}


def test_a_long_note_is_cut_and_stays_json(start):
    worker = start(act("log", metadata={f"m{i}": "${ai.user}" * 30 for i in range(10)}))

    worker.ask(request(chat(user="ü" * 60)), response())

    (note,), _ = notes(worker)
    assert note["cut"] and note["metadata"]["m0"] == "ü" * 128


# Shadows.

SHADOWS = [
    ("deny", {}),
    ("custom-response", {"body": "x"}),
    ("restrict-models", {"allow": ["other"]}),
    ("restrict-ips", {"deny": ["192.0.2.0/24"]}),
    ("cap-input", {"max_input_tokens": 1}),
    ("cap-output", {"max_output_tokens": 1}),
    ("route", {"provider": "anthropic"}),
    ("add-headers", {"headers": {"x-a": "1"}}),
    ("remove-headers", {"headers": ["x-b"]}),
    ("set-vars", {"vars": {"v": "1"}}),
    ("log", {"metadata": {"a": "b"}}),
]


@pytest.mark.parametrize(("type", "config"), SHADOWS, ids=[type for type, _ in SHADOWS])
@pytest.mark.parametrize("on", ["rule", "action"])
def test_a_shadow_is_recorded_and_counted_and_does_nothing(start, type, config, on):
    rule = act(type, _enforce=on != "rule", **config)
    rule["actions"][0]["enforce"] = on != "action"
    later = [act("deny", _when=["has(vars.v)"])] if type == "set-vars" else []
    worker = start(rule, *later)

    got, answer = worker.ask(request(chat(), "x-b: 1"), response())

    assert (answer.status, worker.said.lines) == (200, [])
    assert "x-b: 1" in lines_of(got) and "x-a: 1" not in lines_of(got)
    assert worker.loop.asked[-1][0] == "openai.example"
    assert b"max_tokens" not in got and b"max_completion_tokens" not in got
    traced = worker.one(Request).rules[0]
    assert traced.enforced == 0
    assert counters.total(worker.segment).counters["shadows"] == 1


def test_a_shadow_of_the_answer_does_nothing(start):
    worker = start(answer=[act("add-headers", _enforce=False, headers={"x-a": "1"}),
                           act("deny", _enforce=False)])

    _, answer = worker.ask(request(chat()), response())

    assert answer.status == 200 and "x-a" not in answer.fields
    (note,), others = notes(worker)
    assert ["would have" in rule["effect"] for rule in note["rules"]] == [True, True]
    assert not any(isinstance(one, Refused) for one in others)


def test_a_field_that_a_rule_adds_is_not_there_twice(start):
    worker = start(act("add-headers", headers={"anthropic-version": "2024-01-01"}))
    body = orjson.dumps({"model": "claude", "max_tokens": 5, "messages": []})
    worker.connect().feed(request(body, path="/v1/messages"))

    lines = [line for line in lines_of(worker.upstream.taken()) if "anthropic-version" in line]
    assert lines == ["anthropic-version: 2024-01-01"]


def test_variables_of_every_type_last_until_the_answer(start):
    worker = start(
        act("set-vars", vars={"at": "${timestamp('2026-01-02T03:04:05Z')}",
                              "for": "${duration('5s')}",
                              "n": "${uint(5)}", "ok": "${true}", "half": "${0.5}"}),
        answer=[act("add-headers", headers={
            "x-all": "${vars.at} ${vars.for} ${vars.n} ${vars.ok} ${vars.half}"})])
    _, answer = worker.ask(request(chat()), response())

    assert answer.fields["x-all"] == "2026-01-02T03:04:05Z 5s 5 true 0.5"


def test_an_answer_that_breaks_off_leaves_nothing_to_the_next_attempts(start):
    """Kept back for `detect`, so that no byte of it has gone to the client."""
    worker = start(
        answer=[act("add-headers", _when=["res.headers['x-a'] == 'one'"], headers={"x-of": "one"}),
                act("add-headers", headers={"x-seen": "${res.headers['x-a']}"}),
                act("log", metadata={"by": "${upstream.provider}"}),
                act("detect", kinds=["email"], then="redact")],
        providers=[provider("openai"), provider("second")],
        models=[{"id": "gpt-4o", "candidates": [{"provider": "openai", "model": "gpt-4o"}],
                 "fallback": [{"provider": "second", "model": "gpt-4o"}]}])
    client = worker.connect()
    client.feed(request(chat()))
    worker.upstream.feed(response(None, "X-A: one")[:-3])
    worker.upstream.lose()
    worker.upstream.feed(response(None, "X-A: two"))
    answer = client.answer()

    assert answer.status == 200 and answer.fields["x-seen"] == "two"
    assert "x-of" not in answer.fields
    assert [fields["metadata"] for _, fields in worker.said.lines] == [{"by": "second"}]


def test_status_205_has_no_body(start):
    worker = start(act("custom-response", status_code=205))
    _, answer = worker.ask(request(chat()))

    assert (answer.status, answer.fields["content-length"], answer.body) == (205, "0", b"")


@pytest.mark.parametrize(("rule", "more", "reason"), [
    (act("deny", message="no ${ai.model} for \"${ai.user}\""), {}, 'no gpt-4o for "me"'),
    (act("deny", message="${req.headers['x-long']}"), {}, "y" * 512),
    (act("cap-input", max_input_tokens=1), {"messages": [{"role": "user", "content": "w " * 99}]},
     "input tokens, and this rule lets 1 pass"),
])
def test_what_a_rule_says_in_refusing_is_recorded(start, rule, more, reason):
    worker = start(rule)
    worker.ask(request(chat(user="me", **more), "x-long: " + "y" * 5000))

    (note,), _ = notes(worker)
    assert note["reason"] == reason or reason in note["reason"] and "tokens" in reason


def test_words_without_expressions_are_recorded_once_for_all(start):
    worker = start(act("deny", message="not here"))
    for _ in range(2):
        worker.ask(request(chat()))

    found = [one for one in worker.records() if isinstance(one, Request)]
    assert [worker.names[one.reason] for one in found] == ["not here"] * 2


@pytest.mark.parametrize("message", ["too late", "too late: ${res.status}"])
def test_what_a_rule_says_of_an_answer_is_recorded(start, message):
    worker = start(answer=[act("deny", message=message)])
    _, answer = worker.ask(request(chat()), response())

    assert b"too late" in answer.body
    reasons = [note["reason"] for note in notes(worker)[0] if "reason" in note]
    assert reasons == [message.replace("${res.status}", "200")]


def test_shadows_are_counted_by_their_rule_and_limits_that_would_have_refused(start):
    worker = start(
        act("deny", _name="dark", _enforce=False), act("cap-output", max_output_tokens=5),
        act("rate-limit", _name="pace", _enforce=False, name="pace", capacity=1, per="24h"))
    for _ in range(3):
        assert worker.ask(request(chat()), response())[1].status == 200
    total = counters.total(worker.segment)

    assert (total.counters["shadows"], total.counters["shadow_limits"]) == (3, 2)
    assert total.shadows == {name_hash("dark"): (3, 0), name_hash("pace"): (0, 2)}
