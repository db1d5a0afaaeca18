"""Files of tests: what is read, how a request goes over the wire, errors that name the place.

Method: small files in a temporary directory; the message is parsed again by h11.
"""

import h11
import pytest

from fastgw.errors import ConfigError
from fastgw.rehearsal.cases import Case, read_situation, read_suite
from fastgw.rehearsal.provider import Answer

WHOLE = """\
config: other.yaml
tests:
  - name: all of it
    key: bob
    time: 2026-03-01T10:00:00+01:00
    client_ip: 2001:DB8::1
    request:
      method: PUT
      path: /v1/files/1?x=y
      headers: {X-Feature: "a, b"}
      body: {model: gpt-4o, n: 2, temperature: 0.5, stop: null, stream: true}
    repeat: 3
    provider: status=503
    expect:
      verdict: deny
      status: 429
      code: FGW-806
      rule: pace
      headers: {Retry-After: "*", x-none: null}
      matched: [pace]
      unmatched: [other]
      body: ["limit"]
      effects: {pace: "rate-*"}
      limits: {pace: refused}
    seed: 7
    then:
      - {after: 90s, expect: {status: 200}}
      - {key: alice, repeat: 2, expect: {},
         answer: {status: 201, headers: {X-A: b}, body: {a: 1}}}
"""


@pytest.fixture
def written(tmp_path):
    def write(text, name="tests.yaml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


def test_everything_that_a_test_may_say(written, tmp_path):
    suite = read_suite(written(WHOLE))
    assert suite.config == str(tmp_path / "other.yaml")
    [case] = suite.cases
    assert (case.key, case.time_s, case.client_ip) == ("bob", 1772355600, "2001:db8::1")
    assert (case.repeat, case.provider, case.place.line) == (3, "status=503", 3)
    assert case.request.body == (
        b'{"model":"gpt-4o","n":2,"temperature":0.5,"stop":null,"stream":true}')
    expect = case.expect
    assert (expect.verdict, expect.status, expect.code, expect.rule) == (
        "deny", 429, "FGW-806", "pace")
    assert expect.headers == {"retry-after": "*", "x-none": None}
    assert (expect.matched, expect.unmatched, expect.body) == (("pace",), ("other",), ("limit",))
    assert (expect.effects, expect.limits) == ({"pace": "rate-*"}, {"pace": "refused"})
    assert case.seed == 7
    first, second = case.then
    assert (first.after_ns, first.key, first.repeat) == (90 * 10**9, "bob", 1)
    assert (first.place.line, first.request, first.expect.status) == (27, case.request, 200)
    assert first.provider == "status=503"
    assert (second.after_ns, second.key, second.repeat, second.provider) == (0, "alice", 2, "")
    assert second.answer == Answer(
        201, (("x-a", "b"), ("content-type", "application/json")), b'{"a":1}')


def test_the_events_of_a_stream(written):
    case = read_situation(written(
        "{request: {path: /x}, answer: {events: [a, {x: 1}, {event: e, data: \"b\\nc\"}]}}"))
    assert case.answer.events == (
        b"data: a\n\n", b'data: {"x":1}\n\n', b"event: e\ndata: b\ndata: c\n\n")
    assert dict(case.answer.headers) == {"content-type": "text/event-stream"}


def parse(message):
    """(method, target, fields, body) as h11 reads them."""
    server = h11.Connection(h11.SERVER)
    server.receive_data(message)
    request, body = server.next_event(), b""
    while isinstance(event := server.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    return request.method, request.target, dict(request.headers), body


def test_the_message_is_one_request_with_the_credential(written):
    [case] = read_suite(written(WHOLE)).cases
    method, target, fields, body = parse(
        case.message("127.0.0.1:80", ("authorization", "Bearer s")))
    assert (method, target, body) == (b"PUT", b"/v1/files/1?x=y", case.request.body)
    assert fields[b"authorization"] == b"Bearer s" and fields[b"x-feature"] == b"a, b"
    assert fields[b"x-mock"] == b"status=503" and fields[b"host"] == b"127.0.0.1:80"
    assert fields[b"content-type"] == b"application/json"


def test_without_a_body_it_is_a_get(written):
    [case] = read_suite(written(
        "tests: [{name: a, request: {path: /v1/models}, expect: {status: 200}}]")).cases
    assert parse(case.message("h", None)) == (b"GET", b"/v1/models", {b"host": b"h"}, b"")


@pytest.mark.parametrize("line", ["\n", "\r\n"])
def test_a_raw_message_is_sent_as_it_is(written, line):
    text = line.join(["POST /v1/x HTTP/1.1", "Host: a", "Content-Length: 4", "", "a\nb\r"])
    case = read_situation(written(text, "raw.http"))
    assert isinstance(case, Case)
    assert parse(case.message("unused", None)) == (
        b"POST", b"/v1/x", {b"host": b"a", b"content-length": b"4"}, b"a\nb\r")


def test_one_request_without_expectations(written):
    case = read_situation(written("{key: bob, request: {path: /v1/models}}", "one.yaml"))
    assert (case.key, case.request.method) == ("bob", "GET")


def test_text_is_a_body_as_it_is(written):
    case = read_situation(written("request: {path: /x, body: '{\"model\": '}"))
    assert case.request.body == b'{"model": '


@pytest.mark.parametrize("text, place, remedy", [
    ("tests: []", (1, 8, "tests"), ""),
    ("tests: [{name: a, request: {path: x}, expect: {}}]", (1, 35, "tests[0].request.path"),
     "/v1/chat/completions"),
    ("tests: [{name: a, request: {path: /}, expect: {state: 2}}]",
     (1, 48, "tests[0].expect.state"), "did you mean 'status'?"),
    ("tests: [{name: a, request: {path: /}}]", (1, 9, "tests[0].expect"), "add expect"),
    ("tests: [{name: a, time: noon, request: {path: /}, expect: {}}]",
     (1, 25, "tests[0].time"), "for example"),
    ("tests: [{name: a, client_ip: here, request: {path: /}, expect: {}}]",
     (1, 30, "tests[0].client_ip"), "203.0.113.7"),
    ("tests: [{name: a, request: {path: /, headers: {'a b': c}}, expect: {}}]",
     (1, 48, "tests[0].request.headers.a b"), "names match"),
    ("tests:\n- {name: a, request: {path: /}, expect: {}}\n"
     "- {name: a, request: {path: /}, expect: {}}", (3, 10, "tests[1].name"), "its own name"),
    ("tests: [", (2, 1, "tests[0]"), "brackets"),
    ("tests: [{name: a, request: {path: /}, expect: {code: FGW-698}}]",
     (1, 54, "tests[0].expect.code"), "did you mean 'FGW-"),
    ("tests: [{name: a, request: {path: /}, expect: {code: 806}}]",
     (1, 54, "tests[0].expect.code"), "for example FGW-806"),
    ("tests: [{name: a, provider: statsu=503, request: {path: /}, expect: {}}]",
     (1, 29, "tests[0].provider"), "did you mean 'status'?"),
    ("tests: [{name: a, provider: status=99, request: {path: /}, expect: {}}]",
     (1, 29, "tests[0].provider"), "status=503"),
    ("tests: [{name: a, request: {path: /}, expect: {limits: {a: taken-}}}]",
     (1, 60, "tests[0].expect.limits.a"), "did you mean 'taken'?"),
    ("tests: [{name: a, request: {path: /}, expect: {}, then: [{after: 5, expect: {}}]}]",
     (1, 66, "tests[0].then[0].after"), "30s"),
    ("tests: [{name: a, request: {path: /}, expect: {}, then: [{after: 5s}]}]",
     (1, 58, "tests[0].then[0].expect"), "add expect"),
    ("tests: [{name: a, request: {path: /}, provider: status=503, answer: {}, expect: {}}]",
     (1, 69, "tests[0].answer"), "remove one"),
    ("tests: [{name: a, request: {path: /}, answer: {events: [x], body: y}, expect: {}}]",
     (1, 67, "tests[0].answer.body"), "remove one"),
    ("tests: [{name: a, request: {path: /}, answer: {headers: {Content-Length: 3}}, expect: {}}]",
     (1, 57, "tests[0].answer.headers"), "remove it"),
    ("tests: [{name: a, request: {path: /}, answer: {events: [{event: 3, data: y}]}, expect: {}}]",
     (1, 65, "tests[0].answer.events[0].event"), ""),
])
def test_mistakes_are_named_with_place_and_remedy(written, text, place, remedy):
    with pytest.raises(ConfigError) as caught:
        read_suite(written(text))
    error = caught.value
    assert (error.line, error.column, error.key) == place
    assert remedy in (error.suggestion or "")


def test_a_file_that_is_not_there():
    with pytest.raises(ConfigError, match="cannot read it"):
        read_suite("/nowhere/tests.yaml")
