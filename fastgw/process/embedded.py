"""The whole gateway in one process: a worker on the caller's loop, the recorder in a thread.

Nobody sweeps, because nobody can outlive this process; the next start recovers what it left.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from fastgw.log import Log
from fastgw.process import worker
from fastgw.process.directory import Directory
from fastgw.process.plan import Plan
from fastgw.process.recorder import RecorderThread
from fastgw.process.shared import Shared
from fastgw.process.sockets import bind_slots, format_endpoint

if TYPE_CHECKING:
    from fastgw.config import Config

SLOT = 0


class Embedded:
    """One instance without children."""

    def __init__(
        self,
        config: Config,
        *,
        serve: worker.Serve,
        log: Log,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.config = config
        self.log = log.bind(process="embedded")
        self._serve = serve
        self._loop = loop
        self.listen = ""
