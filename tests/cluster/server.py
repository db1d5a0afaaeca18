"""A real redis-server on a free port of its own, and a proxy before it that cuts and delays.

CI must have redis-server (`.ci/run` installs it); elsewhere these tests are skipped without it.
"""

import asyncio
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from tools.ports import free_port

SERVER = shutil.which("redis-server")
needs_redis = pytest.mark.skipif(
    SERVER is None and not os.environ.get("CI"),
    reason="redis-server is not installed (apt-get install redis-server)",
)


def die_with_parent():
    """A test that is killed leaves no server: prctl(PR_SET_PDEATHSIG, SIGKILL)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class RedisServer:
    """Started when made; `restart` loses everything."""

    def __init__(self, folder, *options):
        assert SERVER, "redis-server is not installed (apt-get install redis-server)"
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder, self._options = folder, options
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [SERVER, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
             "--appendonly", "no", "--dir", str(self._folder), *self._options],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=die_with_parent,
        )
        deadline = time.monotonic() + 10
        while True:
            try:
                assert self.command("PING") == b"+PONG\r\n"
                return
            except (OSError, AssertionError):
                assert time.monotonic() < deadline, "redis-server did not start"
                time.sleep(0.01)

    def command(self, *words):
        """The raw answer to one command."""
        with socket.create_connection(("127.0.0.1", self.port), 2) as sock:
            parts = [str(word).encode() for word in words]
            sock.sendall(b"*%d\r\n" % len(parts)
                         + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
            return sock.recv(1 << 16)

    def pause(self):
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def restart(self):
        self.stop()
        self.start()

    def stop(self):
        if self.process is not None:
            os.kill(self.process.pid, signal.SIGCONT)
            self.process.kill()
            self.process.wait()
            self.process = None


class Proxy:
    """Bytes between clients and a port, in a thread: delayed, or cut and refused."""

    def __init__(self, port, *, delay_s=0.0):
        self._target, self.delay_s, self.cut = port, delay_s, False
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._writers = set()
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        started.wait(5)

    def _run(self, started):
        self._server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", self.port))
        started.set()
        self._loop.run_forever()
        self._server.close()
        self._loop.run_until_complete(self._end())
        self._loop.close()

    async def _end(self):
        running = asyncio.all_tasks() - {asyncio.current_task()}
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await asyncio.sleep(0)  # transports close behind their tasks

    async def _serve(self, reader, writer):
        self._writers.add(writer)
        try:
            if self.cut:
                return
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers.add(back)
            await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
        except OSError:
            pass
        finally:
            writer.close()

    async def _pump(self, reader, writer):
        while chunk := await reader.read(1 << 16):
            if self.delay_s:
                await asyncio.sleep(self.delay_s / 2)  # there and back
            if self.cut:
                break
            writer.write(chunk)
        writer.close()

    def sever(self):
        """Connections break and new ones end at once, until `mend`."""
        self.cut = True
        self._loop.call_soon_threadsafe(lambda: [w.transport.abort() for w in self._writers])

    def mend(self):
        self.cut = False

    def close(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
