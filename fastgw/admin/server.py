"""The admin process: one uvicorn on the socket that the supervisor bound."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastgw.config import Config
    from fastgw.log import Log
    from fastgw.process.lines import Lines


def main(config: Config, sock: socket.socket, data_dir: Path, lines: Lines, log: Log) -> None:
    """Serve until TERM, or until the supervisor is gone."""
    # Imported only here: a process that never serves the admin port does not pay for these.
    import uvicorn

    from fastgw.admin.api import make_app

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            # uvicorn would raise the signal again after it has ended, and so die of it.
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self.end)
            loop.add_reader(lines["lifeline_end"].fileno(), self.end)
            lines.report(kind="ready")
            yield

        def end(self) -> None:
            asyncio.get_running_loop().remove_reader(lines["lifeline_end"].fileno())
            self.should_exit = True

    settings = uvicorn.Config(
        make_app(config, data_dir, log),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    gc.enable()
    Server(settings).run(sockets=[sock])
