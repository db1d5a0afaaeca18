"""Goal: every refusal is a whole HTTP answer in the dialect's own shape, whatever it is about.

Method: each code in each dialect, rendered from a made-up view (explain/view makes the real ones);
the shapes are held against what the SDKs look for.
"""

import orjson
import pytest

from fastgw.errors import Code
from fastgw.explain.catalogue import entry
from fastgw.listener.refusal import HEAD_CODES, Refusals
from tests.worker import Answer, Worker, policy

OPENAI, ANTHROPIC = 1, 2
ANTHROPIC_TYPES = {
    "invalid_request_error", "authentication_error", "permission_error", "not_found_error",
    "request_too_large", "rate_limit_error", "api_error", "timeout_error", "overloaded_error"}
RULES = policy({"name": "böse \"x\": y", "actions": [
    {"type": "deny", "config": {"message": "not \"here\" – à bientôt"}},
    {"type": "rate-limit", "config": {"name": "pace", "unit": "requests", "capacity": 5,
                                      "per": "1m", "bucket_key": ["key.id"]}}]})


@pytest.fixture(scope="module")
def refusals(tmp_path_factory):
    return Refusals(Worker(tmp_path_factory.mktemp("worker"), policy=RULES).plan.policy)


def view(code, dialect=OPENAI, **more):
    return {"code": code, "status": 0, "dialect": dialect, "operation": 1,
            "request_id": "00000001-00-0000000001", "rule": 0, "message": 0, "limits": [],
            "close": False, "head_only": False, "model": b"gpt-4o", "allow": 2, "attempts": 0,
            "output_max": 0, "input_estimate": 0, **more}


def read(raw: bytes) -> Answer:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("ascii").split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines)
    assert len(fields) == len(lines), "a field twice"
    return Answer(int(first.split()[1]), fields, body)


@pytest.mark.parametrize("dialect", [0, OPENAI, ANTHROPIC])
@pytest.mark.parametrize("code", list(Code))
def test_every_code_is_a_whole_answer_in_every_dialect(refusals, code, dialect):
    answer = read(refusals.render(view(code, dialect)))

    assert answer.status == refusals.status == entry(code).status
    assert answer.code == code.text
    assert int(answer.fields["content-length"]) == len(answer.body)
    document = orjson.loads(answer.body)
    error = document["error"]
    assert code.text in error["message"] and error["fastgw"]["code"] == code.text
    if dialect == ANTHROPIC:
        assert document["type"] == "error" and error["type"] in ANTHROPIC_TYPES
    else:
        assert set(error) == {"message", "type", "param", "code", "fastgw"}


@pytest.mark.parametrize("dialect", [OPENAI, ANTHROPIC])
@pytest.mark.parametrize("code", [Code.UPSTREAM_CUT, Code.UPSTREAM_TIMEOUT_IDLE, Code.INTERNAL])
def test_a_stream_is_told_in_one_event(refusals, dialect, code):
    told = refusals.stream_error(dialect, 1, code, "id-1")

    assert told.endswith(b"\n\n") and told.count(b"\n\n") == 1
    line = told.rstrip(b"\n").split(b"\n")[-1]
    document = orjson.loads(line.removeprefix(b"data: "))
    assert document["error"]["fastgw"]["code"] == code.text
    assert told.startswith(b"event: error\n" if dialect == ANTHROPIC else b"data: {")


def test_no_text_of_a_rule_can_break_the_head(refusals):
    policy_ = refusals.policy
    (rule,) = [hash0 for _, hash0, text in policy_.names() if text.startswith("böse")]
    answer = read(refusals.render(view(Code.DENIED, rule=rule, message=1)))

    assert set(answer.fields) == {
        "content-type", "content-length", "x-fastgw-request-id", "x-fastgw-code",
        "x-fastgw-rule", "x-fastgw-policy"} | ({"x-should-retry"} & set(answer.fields))
    assert "not \"here\" – à bientôt" in orjson.loads(answer.body)["error"]["message"]
    assert refusals.rule_line(rule).count(b"\r\n") == 1


def test_a_limit_is_told_with_what_is_left_and_when(refusals):
    seen = (0, b'["alice"]', 5, 5, 1, 7 * 10**9, 20 * 10**9, 2, 1)
    answer = read(refusals.render(view(Code.LIMIT_REQUESTS, limits=[seen])))

    assert answer.status == 429 and answer.fields["retry-after"] == "7"
    assert answer.fields["RateLimit-Policy"] == '"pace";q=5;w=60'
    assert answer.fields["RateLimit"] == '"pace";r=0;t=7'
    assert orjson.loads(answer.body)["error"]["fastgw"]["limit"] == "pace"


@pytest.mark.parametrize("close, head_only", [(True, False), (False, True)])
def test_the_connections_end_is_told_and_head_gets_no_body(refusals, close, head_only):
    answer = read(refusals.render(view(Code.KEY_MISSING, close=close, head_only=head_only)))

    assert answer.fields.get("connection") == ("close" if close else None)
    assert (answer.body == b"") == head_only and int(answer.fields["content-length"]) > 0


def test_a_status_of_the_rule_goes_before_the_catalogues(refusals):
    assert read(refusals.render(view(Code.DENIED, status=451))).status == 451


@pytest.mark.parametrize("error, code", [*HEAD_CODES.items(), (1, Code.HEAD_MALFORMED),
                                         (99, Code.HEAD_MALFORMED)])
def test_every_fault_of_a_head_has_a_code_with_an_entry(refusals, error, code):
    assert refusals.head_code(error, 400) == code and entry(code).status >= 400


@pytest.mark.parametrize("path, method, status", [
    (b"/fastgw/health", b"GET", 200), (b"/fastgw/health", b"HEAD", 200),
    (b"/fastgw/health", b"POST", 405), (b"/fastgw/other", b"GET", 404)])
def test_our_own_paths_answer_without_a_key(refusals, path, method, status):
    answer = read(refusals.own(path, method, b"id-1", False))

    assert answer.status == status and answer.fields["x-fastgw-request-id"] == "id-1"
    assert (answer.body == b"") == (method == b"HEAD")


def test_a_place_is_a_file_and_a_line(refusals):
    try:
        raise ValueError("secret")
    except ValueError as exception:
        where = refusals.where(exception)

    assert where.startswith(__file__) and "secret" not in where
    assert refusals.where(ValueError("never raised")) == ""
