"""Goal: each fault that x-mock can ask for is on the wire as asked.py says, and is billed rightly.

Method: raw sockets (with paces and delays by mock/pacer), because most of these answers are what
client libraries refuse to show.
"""

import gzip
import json
import socket
import time

import h11
import pytest

from fastgw.mock.asked import BAD, Asked, duration_ns, parse
from fastgw.mock.runner import Mock
from tests.mock.raw import CHAT, KEY, answer, connect, request, to_end, until

END = "close=1"


def contents(text: bytes) -> int:
    return text.count(b'"content":" ')


def row(mock: Mock, calls: int = 1) -> dict:
    return mock.settled(calls)["by"][f"gpt-4o|{KEY}"]


@pytest.mark.parametrize("text", [
    "evnts=3", "events=-1", "events=x", "usage=some", "pace=10", "status=99", "bad=worse",
    "tool=yes", "tokens_per_event=0", "delay=25h", "events=99999999999",
])
def test_wrong_options_are_refused(mock: Mock, text: str) -> None:
    with pytest.raises(ValueError):
        parse(text, Asked())
    got = answer(mock, request(f"{text}", fields="connection: close\r\n"))
    assert got.startswith(b"HTTP/1.1 400 ") and b"invalid_x_mock" in got
    assert mock.books()["calls"] == 0


def test_options_are_read_over_the_defaults() -> None:
    asked = parse(" events=3, pace=10ms,tool,,usage=every", Asked(delay=5))
    assert asked == Asked(events=3, pace=10_000_000, tool=True, usage="every", delay=5)
    assert duration_ns("1.5s") == 1_500_000_000 and duration_ns("2us") == 2000


def test_cut_stream_ends_without_its_last_chunk(mock: Mock) -> None:
    got = answer(mock, request("cut_after=4", stream=True))
    assert contents(got) == 4 and not got.endswith(b"0\r\n\r\n") and b"[DONE]" not in got
    assert row(mock)["output_tokens"] == 4
    line = mock.lines()[0]
    assert (line["status"], line["aborted"], line["billed"]) == (200, False, True)


def test_cut_body_is_shorter_than_announced(mock: Mock) -> None:
    head, _, body = answer(mock, request("cut_after=17")).partition(b"\r\n\r\n")
    assert len(body) == 17
    assert int(head.lower().split(b"content-length: ")[1].split()[0]) > 17
    assert row(mock)["output_tokens"] == 10


@pytest.mark.parametrize("after", [0, 3])
def test_stalled_stream_is_booked_when_the_client_goes(mock: Mock, after: int) -> None:
    with connect(mock) as client:
        client.sendall(request(f"stall_after={after}", stream=True))
        got = until(client, b'"content":""')
        while contents(got) < after:
            got += client.recv(65536)
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)
        assert mock.books()["calls"] == 0
    assert row(mock)["output_tokens"] == after
    assert mock.lines()[0]["aborted"] is True


def test_malformed_event_and_body_are_not_json(mock: Mock) -> None:
    got = answer(mock, request(f"malformed=1,{END}", stream=True))
    events = [part for part in got.split(b"\n") if part.startswith(b"data: {")]
    broken = []
    for event in events:
        try:
            json.loads(event[6:])
        except json.JSONDecodeError:
            broken.append(event)
    assert len(broken) == 1 and contents(got) == 11
    body = answer(mock, request(f"malformed=1,{END}")).partition(b"\r\n\r\n")[2]
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)
    assert row(mock, 2)["output_tokens"] == 20


def test_usage_none_and_every_are_as_asked(mock: Mock) -> None:
    asks = {"stream_options": {"include_usage": True}}
    assert b'"prompt_tokens"' not in answer(
        mock, request(f"usage=none,{END}", stream=True, **asks))
    assert b'"usage"' not in answer(mock, request(f"usage=none,{END}"))
    every = answer(mock, request(f"usage=every,{END}", stream=True))
    assert every.count(b'"prompt_tokens":6') == 1 + 10 + 1 + 1
    assert b'"completion_tokens":7,' in every
    last = answer(mock, request(f"usage=last,{END}", stream=True))
    assert last.count(b'"usage"') == 1


def test_crlf_and_gzip_streams_carry_the_same_events(mock: Mock) -> None:
    plain = unchunked(answer(mock, request(END, stream=True)))
    crlf = unchunked(answer(mock, request(f"crlf=1,{END}", stream=True)))
    packed = unchunked(answer(mock, request(f"gzip=1,{END}", stream=True)))
    assert crlf.count(b"\r\n\r\n") == plain.count(b"\n\n")
    assert len(crlf.replace(b"\r\n", b"\n")) == len(plain)
    assert len(gzip.decompress(packed)) == len(plain)
    body = unchunked(answer(mock, request(f"gzip=1,{END}")))
    assert json.loads(gzip.decompress(body))["usage"]["completion_tokens"] == 10


def unchunked(got: bytes) -> bytes:
    """The body, by h11: an oracle of the framing that is not ours."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("host", "mock")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(got)
    connection.receive_data(b"")
    body, event = b"", connection.next_event()
    while not isinstance(event, h11.EndOfMessage):
        body += bytes(event.data) if isinstance(event, h11.Data) else b""
        event = connection.next_event()
    return body


def test_drip_sends_the_same_bytes_one_by_one(mock: Mock) -> None:
    with connect(mock) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.sendall(request(f"bytes=1,events=2,{END}", stream=True))
        got = to_end(client)
    assert unchunked(got).endswith(b"data: [DONE]\n\n") and contents(got) == 2
    assert row(mock)["output_tokens"] == 2


def test_pace_and_delay_take_their_time(mock: Mock) -> None:
    begun = time.monotonic()
    got = answer(mock, request(f"events=5,pace=20ms,delay=50ms,{END}", stream=True))
    assert contents(got) == 5
    assert time.monotonic() - begun >= 0.05 + 5 * 0.02 - 0.005


def test_interim_comes_before_the_answer(mock: Mock) -> None:
    got = answer(mock, request(f"interim=1,{END}"))
    assert got.startswith(b"HTTP/1.1 103 ") and b"\r\n\r\nHTTP/1.1 200 OK" in got


def test_close_is_said_and_drop_is_not(mock: Mock) -> None:
    assert b"connection: close" in answer(mock, request("close=1"))
    dropped = answer(mock, request("drop=1"))
    assert b"connection:" not in dropped and b'"usage"' in dropped


def test_early_answer_does_not_wait_for_the_body(mock: Mock) -> None:
    with connect(mock) as client:
        client.sendall(request("early=1,status=429").partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
        got = to_end(client)
    assert got.startswith(b"HTTP/1.1 429 ")
    line = mock.lines()[0]
    assert line["status"] == 429 and line["billed"] is False


def test_reset_answers_nothing(mock: Mock) -> None:
    with pytest.raises(ConnectionResetError):
        answer(mock, request("reset=1"))
    assert mock.lines()[0]["status"] == 0 and mock.books()["calls"] == 0


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("stream", [False, True])
def test_bad_answers_are_refused_by_h11_or_leave_bytes_over(
    mock: Mock, bad: str, stream: bool
) -> None:
    got = answer(mock, request(f"bad={bad},{END}", stream=stream))
    if bad == "long":
        assert got.endswith(b"extra") and got.count(b"HTTP/1.1 200 OK") == 2
    elif bad == "te+cl":
        assert b"transfer-encoding: chunked" in got and b"content-length:" in got
    elif bad == "fold":
        assert b"\r\n b\r\n" in got
    elif bad == "huge":
        assert len(got.partition(b"\r\n\r\n")[0]) > 128 * 1024
    elif bad == "short" and stream:
        assert got.endswith(b"0\r\n\r\n")       # nothing is announced that could be too short
    else:
        with pytest.raises(h11.RemoteProtocolError):
            unchunked(got)
    assert row(mock)["output_tokens"] == 10


def test_faults_hold_only_for_whom_they_are_meant(mock: Mock) -> None:
    for asked, status in (("only_key=other", 200), (f"only_key={KEY}", 503),
                          ("only_model=gpt-5", 200), ("only_model=gpt-4o", 503)):
        got = answer(mock, request(f"status=503,{asked}", fields="connection: close\r\n"))
        assert got.startswith(b"HTTP/1.1 %d " % status), asked
    tagged = request("status=529,times=2", fields="connection: close\r\nx-mock-tag: t1\r\n")
    assert [answer(mock, tagged)[9:12] for _ in range(4)] == [b"529", b"529", b"200", b"200"]


def test_recorded_line_has_the_request_as_it_came(mock: Mock) -> None:
    answer(mock, request(f"record=1,{END}", fields="x-Odd: 1\r\nx-mock-tag: tag \"1\"\r\n"
                         "x-fastgw-request-id: r-1\r\nx-fastgw-attempt: 2\r\n"))
    line = mock.lines()[0]
    assert "x-Odd: 1\r\n" in line["head"] and json.loads(line["body"]) == CHAT
    assert (line["tag"], line["request_id"], line["attempt"]) == ('tag "1"', "r-1", 2)
