"""The gateway from Python: embedded in a loop of yours, or as ``fastgw serve`` runs it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from types import TracebackType

import uvloop

from fastgw.cli.serve import run_config
from fastgw.config import Config, load
from fastgw.log import Log
from fastgw.process import worker
from fastgw.process.embedded import Embedded
from fastgw.process.refusal import StartError


def run(config: Config | str | os.PathLike[str], *, log_format: str = "json") -> int:
    """Serve as ``fastgw serve`` does, until a signal ends it; returns the exit code.

    Raises FastgwError where it cannot start.
    """
    return run_config(config if isinstance(config, Config) else load(config), log_format)


class Gateway:
    """The whole gateway in this process and on this loop; it has no children.

    ::

        async with Gateway.from_file("fastgw.yaml") as gateway:
            client = openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=…)

    The loop is uvloop's (``uvloop.run(main())``). Entering raises FastgwError where it cannot
    start. Leaving drains: what runs is finished
    (at most ``drain_s`` seconds), all records are stored. There is no admin port.
    """

    def __init__(self, config: Config, *, drain_s: float = 30.0, log: Log | None = None) -> None:
        self.config = config
        self._drain_s = drain_s
        self._log = log or Log(level="warning")
        self._serve = worker.serve
        self._running: Embedded | None = None

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Gateway:
        """Raises ConfigError, with file, line and key."""
        return cls(load(path))

    @property
    def url(self) -> str:
        """``http://127.0.0.1:8080``: what clients take as base URL, less the dialect's path."""
        if self._running is None:
            raise RuntimeError("the gateway does not run; enter it with `async with`")
        return f"http://{self._running.listen}"

    @property
    def data_dir(self) -> Path:
        return Path(self.config.data_dir)

    async def __aenter__(self) -> Gateway:
        if self._running is not None:
            raise RuntimeError("the gateway runs already")
        loop = asyncio.get_running_loop()
        if not isinstance(loop, uvloop.Loop):
            # asyncio's own transports know buffered protocols by a Python base class only, which
            # the data port's compiled connections do not have.
            raise StartError("the embedded gateway needs uvloop: uvloop.run(main())")
        self._running = Embedded(self.config, serve=self._serve, log=self._log, loop=loop)
        try:
            await self._running.start()
        except BaseException:
            self._running = None
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        running, self._running = self._running, None
        if running is not None:
            await running.stop(self._drain_s)
