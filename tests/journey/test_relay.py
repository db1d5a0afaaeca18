"""What a client gets is what the provider sent, byte for byte, but for the one chunk we asked for.

Method: a raw upstream sends one stream in every cut, line ending, coding and framing; the client's
body is compared with the provider's bytes (a second sight of them: h11 takes the framing off), and
the tokens in the ledger with the usage that stands in the stream.
"""

import gzip
import time
import zlib

import pytest

from tests.journey.peers import (
    Upstream,
    answer,
    ask,
    attempts_of,
    chunked,
    event_stream,
    in_front_of,
    trickle,
)

USAGE = (b'{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18,'
         b'"prompt_tokens_details":{"cached_tokens":4}}')
HIDDEN = b'data: {"id":"a","object":"x","choices":[],"usage":' + USAGE + b"}\n\n"
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"


def event(text, **more):
    extra = "".join(f',"{name}":{value}' for name, value in more.items())
    return ('data: {"id":"a","choices":[{"index":0,"delta":{"content":"' + text
            + '"}}]' + extra + "}\n\n").encode()


FINISH = b'data: {"id":"a","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"
# What only looks like usage, or like the end.
ODD = (event('\\"usage\\":{\\"prompt_tokens\\":9}') + b": a comment\n\n"
       + b"event: ping\ndata: {}\n\n" + event("data: [DONE]")
       + event("\\u2028\\ud83d\\ude00é€", usage="null"))
VISIBLE = event("a") + ODD + b"".join(event(f"w{i} ") for i in range(30)) + FINISH
WHOLE = VISIBLE + HIDDEN + DONE
SEEN = VISIBLE + DONE


class Stage:
    def __init__(self):
        self.write = None
        self.upstream = Upstream(self.play)

    def play(self, call):
        return self.write(call.sock)


@pytest.fixture(scope="module")
def stage():
    return Stage()


@pytest.fixture(scope="module")
def gateway(stage):
    instance = in_front_of(stage.upstream.port, timeouts={"idle": "2s"})
    yield instance
    instance.remove()


def send(raw, close=False):
    def write(sock):
        sock.sendall(raw)
        return not close
    return write


def booked(stage, gateway):
    """(input, cached, output) of the last call, with its provenance."""
    usage = attempts_of(gateway, stage.upstream.calls[-1])[-1]["usage"]
    return (usage["input_tokens"], usage["cached_input_tokens"], usage["output_tokens"],
            usage["provenance"])


TRUE = (11, 4, 7, "provider")


def framed(body, kind):
    if kind == "chunked":
        pieces = [body[i : i + 97] for i in range(0, len(body), 97)]
        return STREAM_HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunked(*pieces)
    if kind == "extended":
        return (STREAM_HEAD + b"transfer-encoding: chunked\r\n\r\n%x;a=b\r\n" % len(body) + body
                + b"\r\n0\r\nx: y\r\n\r\n")
    if kind == "length":
        return STREAM_HEAD + b"content-length: %d\r\n\r\n" % len(body) + body
    return STREAM_HEAD + b"\r\n" + body


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("kind", ["chunked", "extended", "length", "close"])
def test_gives_the_provider_s_bytes_without_the_hidden_chunk(stage, gateway, kind, ending, asked):
    body = WHOLE.replace(b"\n", ending)
    expected = body if asked else SEEN.replace(b"\n", ending)
    more = {"stream_options": {"include_usage": True}} if asked else {}
    for write in (send(framed(body, kind), kind == "close"),
                  lambda sock: trickle(sock, framed(body, kind), 311) or False):
        stage.write = write
        heard = ask(gateway, stream=True, **more)
        assert heard.whole and heard.body == expected
        assert booked(stage, gateway) == TRUE
        body_sent = stage.upstream.calls[-1].body
        assert b'"include_usage":true' in body_sent.replace(b" ", b"")


@pytest.mark.parametrize("asked", [False, True])
def test_gives_the_same_whatever_byte_a_read_ends_at(stage, gateway, asked):
    body = (event("a") + b": c\r\n\r\n" + event("b").replace(b"\n", b"\r\n")
            + FINISH + HIDDEN + DONE)
    expected = body if asked else body.replace(HIDDEN, b"")
    raw = STREAM_HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunked(body[:200], body[200:])
    more = {"stream_options": {"include_usage": True}} if asked else {}

    def in_two(cut):
        def write(sock):
            sock.sendall(raw[:cut])
            time.sleep(0.001)
            sock.sendall(raw[cut:])
            return True
        return write

    for cut in range(1, len(raw)):
        stage.write = in_two(cut)
        heard = ask(gateway, stream=True, **more)
        assert (heard.body, heard.whole) == (expected, True), cut
    stage.write = lambda sock: trickle(sock, raw) or True
    assert ask(gateway, stream=True, **more).body == expected
    assert booked(stage, gateway) == TRUE


@pytest.mark.parametrize("asked", [False, True])
def test_lets_an_event_of_8_mib_pass(stage, gateway, asked):
    huge = event("x" * (8 << 20))
    body = event("a") + huge + FINISH + HIDDEN + DONE
    more = {"stream_options": {"include_usage": True}} if asked else {}
    stage.write = send(framed(body, "length"))
    heard = ask(gateway, stream=True, **more)
    assert heard.whole and heard.body == (body if asked else body.replace(HIDDEN, b""))
    assert booked(stage, gateway) == TRUE


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("members", [1, 5])
def test_meters_and_hides_in_what_the_provider_compressed_unasked(
    stage, gateway, coding, asked, members
):
    pieces = [WHOLE[i * len(WHOLE) // members : (i + 1) * len(WHOLE) // members]
              for i in range(members)]
    if coding == "gzip":
        packed = b"".join(gzip.compress(piece) for piece in pieces)
    else:
        packed = zlib.compress(WHOLE)
    head = STREAM_HEAD + f"content-encoding: {coding}\r\n".encode()
    raw = head + b"transfer-encoding: chunked\r\n\r\n" + chunked(
        *(packed[i : i + 50] for i in range(0, len(packed), 50)))
    more = {"stream_options": {"include_usage": True}} if asked else {}
    for write in (send(raw), lambda sock: trickle(sock, raw, 7) or True):
        stage.write = write
        heard = ask(gateway, stream=True, **more)
        assert heard.whole
        if asked:
            assert heard.body == packed and heard.fields["content-encoding"] == coding
        else:
            assert heard.body == SEEN and "content-encoding" not in heard.fields
        assert booked(stage, gateway) == TRUE
    assert stage.upstream.calls[-1].field("accept-encoding") == "identity"


def test_meters_a_compressed_document_and_leaves_it_as_it_is(stage, gateway):
    document = (b'{"id":"a","choices":[{"message":{"content":"' + b"word " * 5000
                + b'"}}],"usage":' + USAGE + b"}")
    packed = gzip.compress(document)
    stage.write = send(answer(packed, "content-type: application/json", "content-encoding: gzip"))
    heard = ask(gateway)
    assert heard.whole and heard.body == packed
    assert booked(stage, gateway) == TRUE


@pytest.mark.parametrize("coding,body", [
    ("gzip", b"\x1f\x8b\x08garbage" * 9), ("br", b"\x1b\x03abc")])
def test_counts_an_interval_when_a_coding_cannot_be_read(stage, gateway, coding, body):
    coded = f"content-encoding: {coding}"
    stage.write = send(answer(body, "content-type: application/json", coded))
    heard = ask(gateway, max_tokens=50)
    assert heard.whole and heard.body == body
    attempt = attempts_of(gateway, stage.upstream.calls[-1])[-1]
    assert attempt["fate"] == "delivered" and attempt["usage"]["provenance"] == "estimated"
    low, high = attempt["usage"]["interval"]["output_tokens"]
    assert low <= 7 <= high == 50


@pytest.mark.parametrize("cut", ["inside", "end"])
def test_ends_with_a_cut_when_a_compressed_stream_breaks_off(stage, gateway, cut):
    """The HTTP around it is whole; what the client reads (inflated: a chunk is hidden) is not."""
    packed = gzip.compress(WHOLE)
    packed = packed[:-200] if cut == "inside" else packed[:-9]
    raw = (STREAM_HEAD + b"content-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n"
           + chunked(packed))
    stage.write = send(raw)
    assert not ask(gateway, stream=True).whole


@pytest.mark.parametrize("bad", [
    b"data: {broken\n\n", b"data: [1,2\n\n", b"data: \xff\xfe\x00\n\n", b"no field at all\n\n",
    b"\xef\xbb\xbfdata: {}\n\n", b"data: {\"usage\":\"none\"}\n\n",
    b"data: {\"usage\":{\"a\":[]}}\n\n", b"data: " + b"[" * 5000 + b"\n\n",
    b"data:{}\ndata:{}\ndata\n\n", b"\n\n\n\n\n",
])
def test_passes_malformed_events_on_and_stays_in_step(stage, gateway, bad):
    body = event("a") + bad + event("b") + FINISH + HIDDEN + DONE
    stage.write = send(framed(body, "chunked"))
    heard = ask(gateway, stream=True)
    assert heard.whole and heard.body == body.replace(HIDDEN, b"")
    assert booked(stage, gateway) == TRUE


def test_passes_an_error_event_of_the_provider_on(stage, gateway):
    body = event("a") + b'data: {"error":{"message":"overloaded","type":"server_error"}}\n\n'
    stage.write = send(event_stream(body))
    heard = ask(gateway, stream=True)
    assert heard.whole and heard.body == body
    attempt = attempts_of(gateway, stage.upstream.calls[-1])[-1]
    assert attempt["usage"]["provenance"] == "estimated"


def cut_at(raw, cut):
    def write(sock):
        sock.sendall(raw[:cut])
        time.sleep(0.002)
        return False
    return write


@pytest.mark.parametrize("kind", ["chunked", "length"])
@pytest.mark.parametrize("asked", [False, True])
def test_shows_a_cut_wherever_the_provider_stops(stage, gateway, kind, asked):
    body = event("a") + event("b") + FINISH + HIDDEN + DONE
    raw = framed(body, kind)
    head = raw.index(b"\r\n\r\n") + 4
    more = {"stream_options": {"include_usage": True}} if asked else {}
    for cut in range(head, len(raw), 3):
        stage.write = cut_at(raw, cut)
        heard = ask(gateway, stream=True, **more)
        assert heard.status == 200 and not heard.whole, cut
        shown, _, own = heard.body.partition(b'data: {"error"')
        assert (body if asked else body.replace(HIDDEN, b"")).startswith(shown), (cut, shown)
        if own:
            assert b"FGW-909" in own and own.endswith(b"\n\n")
            assert shown == b"" or shown.endswith(b"\n\n")
        elif kind == "chunked" and not asked:
            assert shown.endswith(DONE), (cut, shown)


def test_never_fills_an_announced_length_with_its_own_event(stage, gateway):
    body = event("a") * 20
    raw = STREAM_HEAD + b"content-length: %d\r\n\r\n" % len(body)
    stage.write = cut_at(raw + body[: 19 * len(event("a"))], None)
    heard = ask(gateway, stream=True, stream_options={"include_usage": True})
    assert not heard.whole and heard.body == event("a") * 19
