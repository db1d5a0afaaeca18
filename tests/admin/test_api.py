"""The admin API of a live instance: every route, and every way to be refused.

Method: five calls are known (conftest), one of them refused by the limit ``free``.
"""

import json

import pytest

from fastgw.admin import openapi
from tests.admin.conftest import TOKEN


def test_probes_answer_without_a_token(live):
    for path, body in (
        ("/healthz", {"status": "ok"}), ("/readyz", {"status": "ready", "workers": 2})
    ):
        status, _, said = live.admin(path)
        assert (status, json.loads(said)) == (200, body)


@pytest.mark.parametrize("path", ["/metrics", "/api/usage", "/openapi.json", "/api/nope", "/"])
def test_all_else_asks_for_the_token(live, path):
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {TOKEN}"}):
        status, fields, body = live.admin(path, **headers)
        assert status == 401
        assert fields["www-authenticate"] == "Bearer"
        assert json.loads(body)["error"]["code"] == "token_required"


def test_tells_usage(get):
    status, rows = get("/api/usage?by=key&since=1h")

    assert status == 200
    assert [(row["key"], row["requests"], row["denied"]) for row in rows] == [
        ("alice", 2, 0), ("bob", 3, 1)
    ]


def test_tells_one_decision_and_why(get, live):
    _, request_id = live.calls[-1]
    status, decision = get(f"/api/decisions/{request_id}")

    assert status == 200
    assert (decision["request_id"], decision["verdict"]) == (request_id, "deny")
    assert decision["code"] == "FGW-801" and "wait" in decision["change"]
    assert {"rules", "limits", "attempts", "usage", "phases_us", "policy_version"} <= set(decision)


def test_lists_decisions_by_verdict(get, live):
    get(f"/api/decisions/{live.calls[-1][1]}")  # waits until the last one is recorded
    _, denied = get("/api/decisions?verdict=deny&since=1h")
    _, allowed = get("/api/decisions?verdict=allow")
    _, one = get("/api/decisions?limit=1")

    assert [one["request_id"] for one in denied] == [live.calls[-1][1]]
    assert {one["request_id"] for one in allowed} == {id for _, id in live.calls[:-1]}
    assert len(one) == 1


def test_tells_live_limits(get):
    status, rows = get("/api/limits?name=free&key=bob")

    assert status == 200
    reset_ms = rows[0].pop("reset_ms")
    assert len(rows[0].pop("id")) == 32
    assert rows == [{
        "granted": 0, "name": "free", "key": "bob", "unit": "requests", "enforced": True,
        "used": 2, "held": 0, "limit": 2, "algorithm": "token_bucket",
        "period_ns": 86_400 * 10**9, "window": "", "time_zone": "",
    }]
    assert 0 < reset_ms <= 86_400_000
    assert get("/api/limits?name=other") == (200, [])


def test_shows_the_configuration_without_any_secret(get, live):
    status, content = get("/api/config")
    text = json.dumps(content)

    assert status == 200
    assert content["version"] == live.state["policy_version"]
    assert content["providers"][0]["id"] == "openai"
    for secret in (TOKEN, "mock-secret", "alice-secret", "bob-secret"):
        assert secret not in text


def test_reload_says_that_it_is_not_supported(get):
    status, said = get("/api/reload", "POST")

    assert status == 501
    assert said["error"]["code"] == "not_supported"


@pytest.mark.parametrize("path, status, code", [
    ("/api/usage?since=yesterday", 400, "invalid"),
    ("/api/usage?by=no-such.thing", 400, "invalid"),
    ("/api/decisions?verdict=maybe", 400, "invalid"),
    ("/api/decisions?limit=0", 400, "invalid"),
    ("/api/decisions?limit=x", 400, "invalid"),
    ("/api/decisions/nonsense", 400, "invalid"),
    ("/api/decisions/0000ffff-00-0000000001", 404, "not_found"),
    ("/", 404, "not_found"),
    ("/api", 404, "not_found"),
])
def test_refusals_are_json(get, path, status, code):
    answered, said = get(path)

    assert (answered, said["error"]["code"]) == (status, code)
    assert said["error"]["message"]


def test_a_wrong_method_is_refused_with_the_right_one(live, get):
    status, said = get("/api/usage", "POST")
    _, fields, _ = live.admin("/api/drain", authorization=f"Bearer {TOKEN}")

    assert (status, said["error"]["code"]) == (405, "method_not_allowed")
    assert fields["allow"] == "POST"


def test_the_document_describes_exactly_the_routes_there_are(get):
    from fastgw.admin.api import Api

    status, document = get("/openapi.json")
    described = {
        (method.upper(), path) for path, calls in document["paths"].items() for method in calls
    }
    routes = {(method, path) for method, path, _ in Api.routes(Api.__new__(Api))}

    assert status == 200
    assert document == openapi.document()
    assert described == routes - {("GET", "/openapi.json")}


def test_no_log_line_holds_a_secret(live):
    for secret in (TOKEN, "mock-secret", "alice-secret", "bob-secret"):
        assert secret not in live.log
