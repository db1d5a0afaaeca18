"""Framing through the whole gateway: nothing ambiguous is answered and kept, or forwarded.

Method: raw sockets send what others' parsers were broken with (../shared/vectors/requests.jsonl,
and a few of our own where that is absent), cut at chosen places; a recording upstream shows every
byte that left. Invariants I1 to I3 of THREATS.md section 2.
"""

import base64
import json
import socket
import threading

import h11
import pytest

from tests.journey.harness import KEY, VECTORS, Gateway, configuration, post, read_answer

OWN = [
    ("te and cl", b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n"
                  b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nX"),
    ("two lengths", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"
                    b"ab"),
    ("space before colon", b"GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
    ("bare LF", b"GET / HTTP/1.1\nHost: a\n\n"),
    ("no host", b"GET / HTTP/1.1\r\n\r\n"),
    ("obs-fold", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n"),
    ("NUL", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"),
    ("version", b"GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
]


def rejects():
    path = VECTORS / "requests.jsonl"
    if not path.exists():
        return OWN
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return OWN + [
        (row["id"], base64.b64decode(row["raw_base64"])) for row in rows
        if row["expectation"] == "reject" and not row["contested"] and not row["needs_more"]
    ]


def exchange(gateway, pieces):
    """All that comes back until the gateway closes; None if it does not."""
    with gateway.connect(timeout=8) as sock:
        back = b""
        try:
            for piece in pieces:
                sock.sendall(piece)
        except OSError:
            pass
        try:
            while True:
                got = sock.recv(65536)
                if not got:
                    return back
                back += got
        except ConnectionResetError:
            return back
        except TimeoutError:
            return None


class Recorder:
    """An upstream that keeps what it gets, and answers each request with 200."""

    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.connections = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.server.accept()
            except OSError:
                return
            record = bytearray()
            self.connections.append(record)
            threading.Thread(target=self._serve, args=(sock, record), daemon=True).start()

    def _serve(self, sock, record):
        reader = h11.Connection(h11.SERVER)
        with sock:
            while True:
                try:
                    got = sock.recv(65536)
                except OSError:
                    return
                record += got
                reader.receive_data(got)
                while True:
                    event = reader.next_event()
                    if isinstance(event, h11.EndOfMessage):
                        sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
                        reader.send(h11.Response(
                            status_code=200, headers=[("content-length", "0")]))
                        reader.send(h11.EndOfMessage())
                        reader.start_next_cycle()
                    elif event in (h11.NEED_DATA, h11.PAUSED) or isinstance(
                        event, h11.ConnectionClosed
                    ):
                        break
                if not got:
                    return

    def requests(self):
        """Every request forwarded so far, as h11 (not our parser) reads it."""
        found = []
        for record in self.connections:
            reader = h11.Connection(h11.SERVER)
            reader.receive_data(bytes(record))
            while True:
                event = reader.next_event()
                if isinstance(event, h11.Request):
                    found.append((event, bytearray()))
                elif isinstance(event, h11.Data):
                    found[-1][1].extend(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    reader.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
                    reader.send(h11.EndOfMessage())
                    reader.start_next_cycle()
                elif event in (h11.NEED_DATA, h11.PAUSED):
                    break
        return found


@pytest.fixture(scope="module")
def recorder():
    return Recorder()


@pytest.fixture(scope="module")
def gateway(recorder):
    instance = Gateway(configuration(recorder.port))
    yield instance
    instance.remove()


@pytest.mark.parametrize("cut", ["whole", "halves", "bytes"])
def test_refuses_and_closes_when_a_request_is_ambiguous(gateway, cut):
    wrong = []
    for name, raw in rejects():
        pieces = {
            "whole": [raw], "halves": [raw[: len(raw) // 2], raw[len(raw) // 2:]],
            "bytes": [raw[i : i + 1] for i in range(len(raw))] if len(raw) < 300 else [raw],
        }[cut]
        back = exchange(gateway, pieces)
        if back is None:
            wrong.append((name, "left open"))
        elif back and back.split(b" ", 2)[1][:1] not in b"45":
            wrong.append((name, back[:80]))
    assert not wrong


def test_forwards_only_what_another_parser_reads_the_same(gateway, recorder):
    body = b'{"model":"m","messages":[]}'
    with gateway.connect() as sock:
        sock.sendall(post("/v1/chat/completions", body, "connection: x-api-key, content-type, te",
                          "te: trailers", "x-fastgw-request-id: forged", "cookie: a=b"))
        assert read_answer(sock)[0] == 200
        sock.sendall(
            b"POST http://gateway/v1/chat/completions?q=1 HTTP/1.1\r\nhost: gateway\r\n"
            b"authorization: Bearer " + KEY.encode() + b"\r\ntransfer-encoding: chunked\r\n\r\n"
            b"5;x=y\r\n" + body[:5] + b"\r\n16\r\n" + body[5:] + b"\r\n0\r\ntrailer: x\r\n\r\n"
        )
        assert read_answer(sock)[0] == 200
    first, second = recorder.requests()[-2:]
    fields = dict(first[0].headers)
    assert fields[b"authorization"] == b"Bearer sk-mock-openai"
    assert fields[b"content-type"] == b"application/json"
    assert fields[b"x-fastgw-request-id"] != b"forged"
    assert not {b"te", b"cookie", b"connection", b"x-api-key"} & set(fields)
    assert bytes(first[1]) == body
    assert second[0].target == b"/v1/chat/completions?q=1"
    assert bytes(second[1]) == body
    assert dict(second[0].headers)[b"content-length"] == str(len(body)).encode()


def test_forwards_no_byte_below_space_and_one_length(gateway, recorder):
    for record in recorder.connections:
        head = bytes(record).split(b"\r\n\r\n")[0]
        assert not any(byte < 0x20 and byte not in b"\r\n\t" for byte in head)
        assert head.lower().count(b"content-length:") <= 1


def test_answers_before_the_body_is_read_when_the_key_is_unknown(gateway):
    """Law 9: a plain close would lose the answer."""
    for _ in range(20):
        with gateway.connect() as sock:
            sock.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\n"
                         b"content-length: 900000\r\nauthorization: Bearer nobody\r\n\r\n"
                         + b"x" * 200_000)
            status, _, _ = read_answer(sock)
            assert status == 401


def test_sends_100_continue_only_when_the_body_is_wanted(gateway):
    head = (b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-length: 27\r\n"
            b"expect: 100-continue\r\nauthorization: Bearer ")
    with gateway.connect() as sock:
        sock.sendall(head + KEY.encode() + b"\r\n\r\n")
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b'{"model":"m","messages":[]}')
        assert read_answer(sock)[0] == 200
    with gateway.connect() as sock:
        sock.sendall(head + b"nobody\r\n\r\n")
        assert read_answer(sock)[0] == 401


def test_answers_a_pipeline_in_order_and_stops_at_the_first_fault(gateway):
    one = post("/v1/chat/completions", b'{"model":"m","messages":[]}')
    with gateway.connect() as sock:
        sock.sendall(one * 30 + b"BAD\r\n\r\n" + one)
        back = b""
        while True:
            got = sock.recv(65536)
            if not got:
                break
            back += got
    assert back.count(b"HTTP/1.1 200") == 30
    assert back.count(b"HTTP/1.1 400") == 1
    assert back.rindex(b"HTTP/1.1 400") > back.rindex(b"HTTP/1.1 200")
