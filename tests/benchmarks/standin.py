"""A provider small enough to trust, for tests of the harness only: JSON or a burst of events."""

import asyncio
import sys

import httptools

JSON = b'{"choices":[],"filling":"' + b"x" * 608 + b'"}'
EVENT = b'data: {"choices":[{"delta":{"content":"word"}}]}\n\n'


def burst(events: int) -> bytes:
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(EVENT), EVENT) for _ in range(events))
    return (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")


class Provider(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.parser = transport, httptools.HttpRequestParser(self)
        self.body = b""

    def data_received(self, received):
        self.parser.feed_data(received)

    def on_body(self, part):
        self.body += part

    def on_message_complete(self):
        answer = burst(100) if b'"stream":true' in self.body.replace(b" ", b"") else (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            % (len(JSON), JSON))
        self.body = b""
        self.transport.write(answer)


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
