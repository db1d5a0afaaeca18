"""A provider small enough to trust, for tests of the harness only: JSON, or 100 events in a burst.

`x-mock: events=N,pace=2ms` paces N events; with WASTE=3 each answer and event makes 3 calls more.
"""

import asyncio
import os
import re
import sys

import httptools

JSON = b'{"choices":[],"filling":"' + b"x" * 608 + b'"}'
EVENT = b'data: {"choices":[{"delta":{"content":"word"}}]}\n\n'
CHUNK = b"%x\r\n%s\r\n" % (len(EVENT), EVENT)
HEAD = (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n")
END = b"0\r\n\r\n"
WHOLE = (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
         % (len(JSON), JSON))
WASTE = int(os.environ.get("WASTE", "0"))


class Provider(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.parser = transport, httptools.HttpRequestParser(self)
        self.body, self.paced, self.left = b"", 0, 0

    def data_received(self, received):
        self.parser.feed_data(received)

    def on_header(self, name, value):
        if name.lower() == b"x-mock" and (asked := re.fullmatch(rb"events=(\d+),pace=.*", value)):
            self.paced = int(asked[1])

    def on_body(self, part):
        self.body += part

    def on_message_complete(self):
        streamed = b'"stream": true' in self.body or b'"stream":true' in self.body
        for _ in range(WASTE):
            os.getppid()
        if streamed and self.paced:
            self.left = self.paced
            self.transport.write(HEAD)
            self.pace()
        else:
            self.transport.write(HEAD + CHUNK * 100 + END if streamed else WHOLE)
        self.body, self.paced = b"", 0

    def pace(self):
        if self.left == 0:
            self.transport.write(END)
            return
        self.left -= 1
        for _ in range(WASTE):
            os.getppid()
        self.transport.write(CHUNK)
        asyncio.get_running_loop().call_later(0.002, self.pace)


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
