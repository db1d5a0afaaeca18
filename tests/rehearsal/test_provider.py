"""The provider that gives a written answer: framed as HTTP wants it, read here by h11.

Method: the bytes alone, then the server itself over sockets, and the mock behind it.
"""

import asyncio

import h11
import pytest

from fastgw.mock.runner import Mock
from fastgw.rehearsal.provider import Answer, Given


def parse(message):
    """(status, fields, body) as h11 reads them."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("host", "a")]))
    client.send(h11.EndOfMessage())
    client.receive_data(message)
    answer, body = client.next_event(), b""
    while isinstance(event := client.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    return answer.status_code, dict(answer.headers), body


@pytest.mark.parametrize("answer, status, length, body", [
    (Answer(body=b"{}"), 200, b"2", b"{}"),
    (Answer(599), 599, b"0", b""),
    (Answer(204), 204, None, b""),
])
def test_an_answer_is_one_message(answer, status, length, body):
    found = parse(answer.message())
    assert (found[0], found[1].get(b"content-length"), found[2]) == (status, length, body)


def test_a_stream_is_its_events():
    status, fields, body = parse(Answer(events=(b"data: a\n\n", b"data: b\n\n")).message())
    assert (status, fields[b"transfer-encoding"]) == (200, b"chunked")
    assert body == b"data: a\n\ndata: b\n\n"


async def asked(port, *bodies):
    """Of requests on one connection: what came back, until nothing more does."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for body in bodies:
        writer.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer k\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    writer.write_eof()
    found = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return found


def test_each_request_of_a_connection_gets_it():
    async def play():
        async with Given(1) as given:
            given.answer = Answer(418, body=b"tea")
            return await asked(given.port, b"{}", b"")

    assert asyncio.run(play()) == Answer(418, body=b"tea").message() * 2


def test_without_an_answer_it_is_the_mock():
    async def play(port):
        async with Given(port) as given:
            return await asked(
                given.port, b'{"model": "m", "messages": [{"role": "user", "content": "hi"}]}')

    with Mock() as mock:
        status, _, body = parse(asyncio.run(play(mock.port)))
    assert status == 200 and b'"usage"' in body
