"""Requests at and beyond every bound: each gets its status, in its dialect, and the rest goes on.

Method: raw bytes; the bound itself must pass and one more must not. Deadlines are short here
(`listener.downstream.set_deadlines`), so that slow clients need no minute.
"""

import gzip
import json
import socket
import time

import pytest

from tests.journey.harness import KEY, chat, post, read_answer, wait_until
from tests.journey.peers import Upstream, answer, ask, gauge, hear, in_front_of, settled

BODY_MAX = 200_000
DEADLINES = ("from fastgw.listener.downstream import set_deadlines;"
             "set_deadlines(head_s=0.5, idle_s=0.7, body_s=0.5, stall_s=2)")
AUTH = f"authorization: Bearer {KEY}\r\n".encode()


@pytest.fixture(scope="module")
def upstream():
    return Upstream(lambda call: call.sock.sendall(
        answer(json.dumps({"got": len(call.body)}).encode())) or True)


@pytest.fixture(scope="module")
def gateway(upstream):
    instance = in_front_of(upstream.port, before=DEADLINES, limits={"body": BODY_MAX})
    yield instance
    instance.remove()


def one(gateway, text, method="GET"):
    with gateway.connect() as sock:
        sock.sendall(text)
        return hear(sock, method)


def get(target=b"/v1/models", more=b""):
    return b"GET " + target + b" HTTP/1.1\r\nhost: g\r\n" + AUTH + more + b"\r\n"


def head_of(size):
    """A request head of exactly ``size`` bytes, its empty line included."""
    bare = get(more=b"")
    fields = b""
    while size - len(bare) - len(fields) > 4000:
        fields += b"x: " + b"y" * 3000 + b"\r\n"
    fields += b"x: " + b"y" * (size - len(bare) - len(fields) - 5) + b"\r\n"
    return get(more=fields)


@pytest.mark.parametrize("text,status,code", [
    (get(b"/v1/models?" + b"a" * (8192 - 11)), 200, None),
    (get(b"/v1/models?" + b"a" * (8193 - 11)), 414, None),
    (get(more=b"x: y\r\n" * 98), 200, None),
    (get(more=b"x: y\r\n" * 99), 431, None),
    (head_of(32768), 200, None),
    (head_of(32769), 431, None),
])
def test_takes_what_is_at_the_bound_and_refuses_one_more(gateway, text, status, code):
    heard = one(gateway, text)
    assert heard.status == status and heard.whole
    assert heard.fields["x-fastgw-request-id"]
    if status != 200:
        assert heard.fields["connection"] == "close"
        assert json.loads(heard.body)["error"]["fastgw"]["code"].startswith("FGW-")


@pytest.mark.parametrize("over", [0, 1])
@pytest.mark.parametrize("framing", ["length", "one chunk", "chunks", "expect"])
def test_bounds_the_body_however_it_is_framed(gateway, over, framing):
    size = BODY_MAX + over
    body = b'{"model":"m","messages":[],"pad":"' + b"x" * (size - 36) + b'"}'
    body = body[:-1] + b"}" if len(body) == size else body
    body = b'{"model":"m","messages":[],"pad":"' + b"x" * (size - len(
        b'{"model":"m","messages":[],"pad":""}')) + b'"}'
    assert len(body) == size
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\n" + AUTH
    if framing in ("length", "expect"):
        expect = b"expect: 100-continue\r\n" if framing == "expect" else b""
        head += expect + b"content-length: %d\r\n\r\n" % size
        if framing == "expect":
            with gateway.connect() as sock:
                sock.sendall(head)
                first = sock.recv(21, socket.MSG_PEEK)
                if not over:
                    assert first == b"HTTP/1.1 100 Continue"
                    sock.sendall(body)
                assert hear(sock).status == (413 if over else 200)
            return
        text = head + body
    else:
        step = size if framing == "one chunk" else 7001
        pieces = [body[i : i + step] for i in range(0, size, step)]
        text = head + b"transfer-encoding: chunked\r\n\r\n" + b"".join(
            b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    heard = one(gateway, text)
    assert heard.status == (413 if over else 200)
    if not over:
        assert json.loads(heard.body) == {"got": size}


def test_says_413_to_a_client_that_keeps_sending(gateway):
    """Law 9: it reads the answer although megabytes were still on their way."""
    for _ in range(10):
        with gateway.connect() as sock:
            sock.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\n" + AUTH
                         + b"content-length: 900000\r\n\r\n" + b"x" * 900_000)
            heard = hear(sock)
            assert heard.status == 413 and heard.fields["connection"] == "close"


BAD_BODIES = [
    (b"", 400), (b"{", 400), (b"[]", 400), (b"null", 400), (b'"x"', 400), (b"{}", 400),
    (b'{"model":"a","model":"b"}', 400), (b'{"model":"a","mod\\u0065l":"b"}', 400),
    (b'{"model":null}', 400), (b'{"model":7}', 400), (b'{"model":""}', 400),
    (b'{"model":"' + b"m" * 5000 + b'"}', 400), (b'{"model":"m"}x', 400),
    (b'{"model":"m","stream":"yes"}', 400), (b'{"model":"m","n":-1}', 400),
    (b'{"model":"m","n":1e99}', 400), (b'{"model":"m","max_tokens":-5}', 400),
    (b'{"model":"m","max_tokens":1.5}', 400), (b'{"model":"m\xff"}', 400),
    (b'\xef\xbb\xbf{"model":"m"}', 400), (b'{"model":"m"}'.decode().encode("utf-16"), 400),
    (b'{"model":"m","a":' + b"[" * 100_000 + b"]" * 90_000 + b"}", 400),
    (b'{"model":"m",}', 400), (b"{'model':'m'}", 400), (b'{"model":"m","a":NaN}', 400),
    (b'{"model":"m\x01"}', 400), (b'{"model":"\\ud800"}', 400),
]


@pytest.mark.parametrize("body,status", BAD_BODIES, ids=range(len(BAD_BODIES)))
def test_refuses_a_body_that_cannot_be_read_one_way_only(gateway, upstream, body, status):
    before = len(upstream.calls)
    with gateway.connect() as sock:
        sock.sendall(post("/v1/chat/completions", body))
        got, fields, text = read_answer(sock)
        assert got == status, text
        error = json.loads(text)["error"]
        assert error["type"] == "invalid_request_error" and error["fastgw"]["code"]
        assert "connection" not in fields  # the body was read: the connection goes on
        sock.sendall(post("/v1/chat/completions", chat()))
        assert read_answer(sock)[0] == 200
    assert len(upstream.calls) == before + 1


def test_takes_deep_json_and_odd_models_as_they_are(gateway, upstream):
    deep = b'{"model":"m","a":' + b"[" * 100 + b"]" * 100 + b"}"
    assert ask(gateway, body=deep).status == 200
    assert upstream.calls[-1].body == deep
    for model in ("a\\r\\nx-evil: 1", "a\\u0000b", "é", "%0d%0a", "m" * 200, "../../x", "a b"):
        heard = ask(gateway, body=b'{"model":"' + model.encode() + b'","messages":[]}')
        assert "x-evil" not in heard.fields and heard.whole
        assert heard.status in (200, 400)
        if heard.status == 200:
            assert model.encode() in upstream.calls[-1].body


def test_refuses_codings_and_forms_it_cannot_govern(gateway, upstream):
    packed = gzip.compress(chat())
    for fields, body, status in (
        (["content-encoding: gzip"], packed, 415), (["content-encoding: br"], b"x", 415),
        (["content-encoding: identity, gzip"], packed, 415),
    ):
        heard = one(gateway, post("/v1/chat/completions", body, *fields))
        assert heard.status == status, fields
    for kind, status in (
        ("multipart/form-back; boundary=x", 415), ("application/x-www-form-urlencoded", 415),
        ("Multipart/Mixed", 415), ("text/plain", 200), ("application/json; charset=utf-8", 200),
        ("", 200),
    ):
        text = post("/v1/chat/completions", chat())
        text = text.replace(b"content-type: application/json", f"content-type: {kind}".encode())
        assert one(gateway, text).status == status, kind


def test_asks_for_a_length_where_a_body_must_come(gateway):
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\n" + AUTH
    with gateway.connect() as sock:
        sock.sendall(head + b"\r\n")
        assert read_answer(sock)[0] == 411
        sock.sendall(head + b"content-length: 0\r\n\r\n")
        assert read_answer(sock)[0] == 400
        sock.sendall(post("/v1/chat/completions", chat()))
        assert read_answer(sock)[0] == 200


@pytest.mark.parametrize("method,path,status", [
    ("PUT", "/v1/chat/completions", 405), ("BREW", "/v1/chat/completions", 501),
    ("TRACE", "/", 405), ("CONNECT", "a:1", 405), ("GET", "/", 404),
    ("GET", "/v1/../v1/models", 404),
    ("GET", "/v1/%2e%2e/models", 404), ("GET", "//v1/models", 404), ("GET", "/providers/", 404),
    ("GET", "/providers/none/v1/models", 404), ("OPTIONS", "*", 404),
])
def test_knows_its_paths_and_methods(gateway, upstream, method, path, status):
    before = len(upstream.calls)
    heard = one(gateway, f"{method} {path} HTTP/1.1\r\nhost: g\r\n".encode() + AUTH + b"\r\n")
    assert heard.status in (status, 400) if path == "a:1" else heard.status == status
    assert len(upstream.calls) == before


def test_says_nothing_of_a_body_to_head(gateway):
    heard = one(gateway, b"HEAD /v1/nowhere HTTP/1.1\r\nhost: g\r\n" + AUTH + b"\r\n", "HEAD")
    assert heard.status == 404 and heard.whole and not heard.body
    heard = one(gateway, b"HEAD /fastgw/health HTTP/1.1\r\nhost: g\r\n\r\n", "HEAD")
    assert heard.status == 200 and heard.whole


def test_gives_the_answer_although_more_was_pipelined_than_may_wait(gateway, upstream):
    """More than 64 KiB behind an unfinished exchange: it ends, and so does the connection."""
    def late(call):
        time.sleep(0.2)
        call.sock.sendall(answer(b'{"late":1}'))
        return True

    script, upstream.script = upstream.script, late
    try:
        for _ in range(5):
            with gateway.connect() as sock:
                sock.sendall(post("/v1/chat/completions", chat()))
                time.sleep(0.02)
                sock.sendall(post("/v1/chat/completions", chat(pad="z" * 30_000)) * 10)
                heard = hear(sock)
                assert heard.status == 200 and heard.whole and heard.body == b'{"late":1}'
                sock.settimeout(10)
                try:
                    while sock.recv(65536):
                        pass
                except ConnectionResetError:
                    pass
    finally:
        upstream.script = script
    settled(gateway)


def test_answers_a_pipeline_that_grows_while_its_first_answer_is_pending(gateway, upstream):
    def late(call):
        time.sleep(0.1)
        call.sock.sendall(answer(call.body[-40:]))
        return True

    script, upstream.script = upstream.script, late
    try:
        bodies = [chat(pad=f"{n}" * 9000, user=f"user-{n}") for n in range(5)]
        with gateway.connect() as sock:
            for body in bodies:
                sock.sendall(post("/v1/chat/completions", body))
                time.sleep(0.02)
            back = b""
            while back.count(b"HTTP/1.1 200") < 5 or not back.endswith(bodies[-1][-40:]):
                back += sock.recv(65536)
        places = [back.index(body[-40:]) for body in bodies]
        assert places == sorted(places)
    finally:
        upstream.script = script


@pytest.mark.parametrize("part,status", [
    (b"POST /v1/chat/com", 408), (b"GET / HTTP/1.1\r\nhost: g\r\nx: ", 408),
    (post("/v1/chat/completions", chat())[:-5], 408),
    (b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\n" + AUTH
     + b"transfer-encoding: chunked\r\n\r\n5\r\nab", 408),
])
def test_says_408_to_a_client_that_falls_silent(gateway, part, status):
    began = time.monotonic()
    with gateway.connect() as sock:
        sock.sendall(part)
        heard = hear(sock)
        assert heard.status == status and heard.fields["connection"] == "close"
    assert 0.4 < time.monotonic() - began < 10


def test_gives_a_head_one_deadline_not_one_a_byte(gateway):
    socks = [gateway.connect() for _ in range(50)]
    began = time.monotonic()
    try:
        while time.monotonic() - began < 0.9:
            for sock in socks:
                try:
                    sock.send(b"a")
                except OSError:
                    pass
            time.sleep(0.05)
        ended = 0
        for sock in socks:
            sock.settimeout(10)
            try:
                ended += sock.recv(100)[:12] == b"HTTP/1.1 408"
            except ConnectionResetError:
                ended += 1
        assert ended == 50
    finally:
        for sock in socks:
            sock.close()
    wait_until(lambda: gauge(gateway, "connections_open_now") == 0)


def test_says_503_to_one_connection_too_many(upstream):
    crowded = in_front_of(upstream.port, limits={"connections": 3})
    try:
        socks = [crowded.connect() for _ in range(3)]
        for sock in socks:
            sock.sendall(post("/v1/chat/completions", chat()))
            assert read_answer(sock)[0] == 200
        heard = one(crowded, post("/v1/chat/completions", chat()))
        assert heard.status == 503 and heard.fields["x-fastgw-code"] == "FGW-704"
        for sock in socks:
            sock.close()
        wait_until(lambda: gauge(crowded, "connections_open_now") == 0)
        assert one(crowded, post("/v1/chat/completions", chat())).status == 200
    finally:
        crowded.remove()


def test_closes_an_idle_connection_without_a_word(gateway):
    with gateway.connect() as sock:
        sock.sendall(post("/v1/chat/completions", chat()))
        assert read_answer(sock)[0] == 200
        began = time.monotonic()
        assert sock.recv(100) == b""
        assert 0.5 < time.monotonic() - began < 10
    settled(gateway)
    assert "exchange failed" not in gateway.log()
