"""Logs: one JSON line each on stderr, or plain text for people.

A log line carries names, numbers and ids. It never carries a credential, a header's value or a
byte of a request: callers pass fields one by one, so there is nothing to redact afterwards.
"""

import asyncio
import json
import logging
import os
import sys
import time
import traceback
from typing import Any

import orjson

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class Log:
    """Writes lines to one descriptor; each line is one write(2), so processes never mix theirs."""

    def __init__(self, *, form: str = "json", level: str = "info", fd: int = 2) -> None:
        self.form = form
        self.fd = fd
        self.threshold = LEVELS[level]
        self.fields: dict[str, object] = {}

    def bind(self, **fields: object) -> "Log":
        """A log whose every line carries ``fields`` too (process, slot, generation, …)."""
        child = Log(form=self.form, fd=self.fd)
        child.threshold = self.threshold
        child.fields = {**self.fields, **fields}
        return child

    def debug(self, event: str, **fields: object) -> None:
        self._write("debug", event, fields)

    def note(self, event: str, **fields: object) -> None:
        self._write("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        self._write("warning", event, fields)

    def error(self, event: str, **fields: object) -> None:
        self._write("error", event, fields)

    def capture(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """From now on every defect of this process is a line here, and no traceback of its own:
        what nobody caught, in a callback of ``loop`` or where exceptions cannot be raised."""

        def uncaught(kind: type, error: BaseException, trace: object) -> None:
            self.error("exception", **describe(error))

        def unraisable(what: Any) -> None:
            self.error("exception where none can be raised", **describe(what.exc_value))

        def in_loop(_: asyncio.AbstractEventLoop, said: dict[str, Any]) -> None:
            self.error("exception in a callback", **describe(said.get("exception")))

        sys.excepthook = uncaught
        sys.unraisablehook = unraisable
        logging.basicConfig(handlers=[_Relay(self)], level=logging.WARNING, force=True)
        if loop is not None:
            loop.set_exception_handler(in_loop)

    def _write(self, level: str, event: str, fields: dict[str, object]) -> None:
        if LEVELS[level] < self.threshold:
            return
        line = self._json if self.form == "json" else self._text
        try:
            os.write(self.fd, line(level, event, {**self.fields, **fields}))
        except OSError:
            pass  # A closed or full stderr must never stop a request.

    def _json(self, level: str, event: str, fields: dict[str, object]) -> bytes:
        line = {"time": _now(), "level": level, "event": event, **fields}
        try:
            return orjson.dumps(line, default=str, option=orjson.OPT_APPEND_NEWLINE)
        except TypeError:  # text that is no Unicode (a file name), or a number too large
            return json.dumps(line, default=str).encode() + b"\n"

    def _text(self, level: str, event: str, fields: dict[str, object]) -> bytes:
        rest = " ".join(f"{name}={value}" for name, value in fields.items())
        line = f"{_now()} {level:<7} {event} {rest}".rstrip().replace("\n", "\\n")
        return line.encode("utf-8", "replace") + b"\n"


class _Relay(logging.Handler):
    """What libraries log through `logging`, as lines of ours."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self._log.warning("library", logger=record.name, **describe(error))


def describe(error: BaseException | None) -> dict[str, object]:
    """A defect by kind and place. Its text is left out: it may quote what was being parsed."""
    if error is None:
        return {}
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    where = " < ".join(f"{os.path.basename(at.filename)}:{at.lineno}" for at in reversed(frames))
    return {"error": type(error).__name__, "where": where}


def _now() -> str:
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{stamp}.{nanoseconds // 1_000_000:03d}Z"


def complain(message: str) -> None:
    """One clear line on stderr for a person at a terminal, before there is a log."""
    print(f"fastgw: {message}", file=sys.stderr, flush=True)
