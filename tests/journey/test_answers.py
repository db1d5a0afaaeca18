"""Answers of a provider that breaks the protocol, or bends it as far as it goes.

Method: a raw upstream sends the bytes of ../shared/vectors/responses.jsonl (and cases of our own),
whole and byte by byte; h11 reads what the client gets. What is refused ends as a 502 or as an
abort, what is cut is never a clean end, what is valid arrives once; no connection with a byte too
many on it carries another exchange.
"""

import base64
import json
import socket
import threading

import h11
import pytest

from tests.journey.harness import VECTORS, chat, post, wait_until
from tests.journey.peers import (
    Upstream,
    answer,
    ask,
    gauge,
    hear,
    in_front_of,
    settled,
    trickle,
)

OWN = [
    {"id": "own-reject", "raw": b"HTTP/1.1 200 OK\r\nA: 1\rB: 2\r\n\r\n", "expectation": "reject"},
    {"id": "own-cut", "raw": b"HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\nabc",
     "expectation": "reject"},
    {"id": "own-chunk", "expectation": "reject",
     "raw": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\naa\r\n0 r\r\n\r\n"},
    {"id": "own-accept", "raw": answer(b"{}"), "expectation": "accept"},
    {"id": "own-close", "raw": b"HTTP/1.1 200 OK\r\n\r\n{}", "expectation": "accept"},
]
STRICTER = {"resp-110"}  # a coding before `chunked` that nobody here can take off


def rows():
    path = VECTORS / "responses.jsonl"
    if not path.exists():
        return OWN
    found = [json.loads(line) for line in path.read_text().splitlines()]
    for row in found:
        row["raw"] = base64.b64decode(row["raw_base64"])
    return OWN + [row for row in found if row["request_method"] == "GET"]


def as_h11_reads(raw):
    """(status, body), or None where h11 refuses or sees a cut; its view of what is truncated."""
    reader = h11.Connection(h11.CLIENT)
    reader.send(h11.Request(method="GET", target="/", headers=[("host", "g")]))
    reader.send(h11.EndOfMessage())
    reader.receive_data(raw)
    reader.receive_data(b"")
    status, body = 0, b""
    try:
        while True:
            event = reader.next_event()
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                return status, body
            elif isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
                return None
    except h11.RemoteProtocolError:
        return None


class Stage:
    """One upstream whose next answer is set by the test; it closes behind each."""

    def __init__(self):
        self.raw, self.bytewise, self.stay = b"", False, False
        self.playing = 0
        self.upstream = Upstream(self.play)

    def play(self, call):
        self.playing += 1
        try:
            if self.bytewise:
                trickle(call.sock, self.raw)
            else:
                call.sock.sendall(self.raw)
        finally:
            self.playing -= 1
        return self.stay

    def ask(self, gateway, raw, **more):
        """The answer to one request; when this returns, all of ``raw`` was sent."""
        self.raw = raw
        heard = ask(gateway, **more)
        wait_until(lambda: not self.playing, every=0.001)
        return heard


@pytest.fixture(scope="module")
def stage():
    return Stage()


@pytest.fixture(scope="module")
def gateway(stage):
    instance = in_front_of(stage.upstream.port, timeouts={"first_byte": "5s", "idle": "5s"})
    yield instance
    instance.remove()


@pytest.mark.parametrize("bytewise", [False, True])
def test_passes_on_what_is_valid_and_ends_what_is_not(stage, gateway, bytewise):
    stage.bytewise, stage.stay = bytewise, False
    wrong = []
    for row in rows():
        if bytewise and len(row["raw"]) > 600:
            continue
        heard = stage.ask(gateway, row["raw"])
        refused = heard.status == 502 or not heard.whole
        if row.get("truncated_at_eof") or row["expectation"] == "reject":
            right = refused
        elif row["expectation"] == "accept" and row["id"] not in STRICTER:
            expected = as_h11_reads(row["raw"])
            right = expected is None or (heard.whole and (heard.status, heard.body) == expected)
        else:
            expected = as_h11_reads(row["raw"])
            right = refused or expected is None or (heard.status, heard.body) == expected
        if not right:
            wrong.append((row["id"], row["expectation"], heard))
    assert not wrong
    assert gateway.pids("worker") and '"exchange failed"' not in gateway.log()


@pytest.mark.parametrize("bytewise", [False, True])
@pytest.mark.parametrize("first", [
    answer(b"{}"),
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\ncontent-length: 10\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
])
def test_never_hands_a_second_answer_to_the_next_request(stage, gateway, first, bytewise):
    """A provider (or who poisons it) answers twice: the second one is nobody's."""
    stage.bytewise, stage.stay = bytewise, True
    poison = answer(b'{"stolen":"answer"}')
    for cut in (len(poison), 20):
        heard = stage.ask(gateway, first + poison[:cut])
        assert heard.whole and b"stolen" not in heard.body
        before = stage.upstream.connections
        heard = stage.ask(gateway, answer(b'{"mine":1}'))
        assert (heard.status, heard.body) == (200, b'{"mine":1}')
        assert stage.upstream.connections > before


def test_retries_unseen_when_an_idle_connection_was_just_closed(stage, gateway):
    """The provider closes after its answer, without having said so, each time."""
    stage.bytewise, stage.stay = False, False
    stage.raw = answer(b"{}")
    with gateway.connect() as sock:
        for _ in range(300):
            sock.sendall(post("/v1/chat/completions", chat()))
            heard = hear(sock)
            assert (heard.status, heard.body) == (200, b"{}")


def test_reuses_a_connection_that_is_clean(stage, gateway):
    stage.bytewise, stage.stay = False, True
    stage.raw = answer(b"{}")
    assert ask(gateway).status == 200
    before = stage.upstream.connections
    for _ in range(20):
        assert ask(gateway).status == 200
    assert stage.upstream.connections == before


def test_keeps_interim_answers_to_itself(stage, gateway):
    stage.bytewise, stage.stay = False, True
    stage.raw = (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"
                 + answer(b"{}", "x-own: 1"))
    for stage.bytewise in (False, True):
        with gateway.connect() as sock:
            sock.sendall(post("/v1/chat/completions", chat()))
            assert sock.recv(12, 2) == b"HTTP/1.1 200"  # (MSG_PEEK)
            heard = hear(sock)
        assert heard.body == b"{}" and heard.fields["x-own"] == "1" and "link" not in heard.fields


def test_drops_the_provider_s_own_framing_and_what_pretends_to_be_ours(stage, gateway):
    stage.bytewise, stage.stay = False, True
    stage.raw = answer(b"{}", "connection: keep-alive, x-hop", "x-hop: 1", "keep-alive: timeout=5",
                       "x-fastgw-request-id: forged", "x-fastgw-code: FGW-001", "upgrade: h2c")
    fields = ask(gateway).fields
    assert not {"x-hop", "keep-alive", "x-fastgw-code", "upgrade"} & set(fields)
    assert fields["x-fastgw-request-id"] != "forged"


@pytest.mark.parametrize("raw,body", [
    (answer(b"{}"), b"{}"),
    (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", b"{}"),
    (b"HTTP/1.1 200 OK\r\n\r\n{}", b"{}"),
    (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
])
@pytest.mark.parametrize("keep", [False, True])
def test_frames_for_a_client_of_http_1_0(stage, gateway, raw, body, keep):
    stage.bytewise, stage.stay, stage.raw = False, False, raw
    text = post("/v1/chat/completions", chat(), *(["connection: keep-alive"] if keep else []))
    with gateway.connect() as sock:
        sock.sendall(text.replace(b"HTTP/1.1", b"HTTP/1.0"))
        raw = b""
        while got := sock.recv(65536):
            raw += got
            if keep and b"connection: keep-alive" in raw and raw.endswith(b"\r\n\r\n" + body):
                break
        head, _, rest = raw.partition(b"\r\n\r\n")
        assert rest == body and b"transfer-encoding" not in head.lower()
        if b"connection: keep-alive" in head:
            assert keep
            sock.sendall(text.replace(b"HTTP/1.1", b"HTTP/1.0"))
            assert sock.recv(12) == raw[:12]


def test_ends_with_an_abort_when_a_close_delimited_answer_breaks_for_http_1_0(stage, gateway):
    """There a FIN would be a clean end."""
    stage.bytewise, stage.stay = False, False
    stage.raw = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab"
    with gateway.connect() as sock:
        sock.sendall(post("/v1/chat/completions", chat()).replace(b"HTTP/1.1", b"HTTP/1.0"))
        with pytest.raises(ConnectionResetError):
            while sock.recv(65536):
                pass


def test_delivers_an_answer_that_comes_before_the_body_was_read(stage, gateway):
    """The provider says 413 from the head alone and closes with our bytes unread."""
    server = socket.create_server(("127.0.0.1", 0))

    def refuse_early():
        for _ in range(8):
            sock, _ = server.accept()
            sock.recv(2000)
            sock.sendall(answer(b'{"error":{}}', status="413 Payload Too Large"))
            sock.close()

    threading.Thread(target=refuse_early, daemon=True).start()
    other = in_front_of(server.getsockname()[1])
    try:
        for size in (1000, 100_000, 3_000_000, 12_000_000) * 2:
            heard = ask(other, body=chat(pad="x" * size))
            assert (heard.status, heard.body) == (413, b'{"error":{}}'), size
    finally:
        other.remove()
        server.close()


def test_carries_a_head_of_60_kib_and_refuses_what_it_cannot(stage, gateway):
    stage.bytewise, stage.stay = False, False
    for size, status in ((20_000, 200), (60_000, 200), (64_800, 502), (65_600, 502)):
        head = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n"
        for number in range(40):
            head += b"x-%d: " % number + b"y" * (size // 40 - 8 - len(str(number))) + b"\r\n"
        heard = stage.ask(gateway, head + b"\r\n{}")
        assert heard.status == status, size
        assert heard.whole


def test_answers_502_when_the_provider_s_head_is_too_large(stage, gateway):
    stage.bytewise, stage.stay = False, False
    stage.raw = b"HTTP/1.1 200 OK\r\n" + b"x-pad: " + b"y" * 70_000 + b"\r\n\r\n"
    heard = ask(gateway)
    assert heard.status == 502 and heard.fields["x-fastgw-code"] == "FGW-908"
    stage.raw = b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 101 + b"content-length: 0\r\n\r\n"
    assert ask(gateway).status == 502


def test_nothing_stays_open_after_all_this(stage, gateway):
    settled(gateway)
    assert gauge(gateway, "requests_total") > 500
