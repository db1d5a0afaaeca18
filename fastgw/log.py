"""Logs: one JSON line each on stderr, or plain text for people.

A log line carries names, numbers and ids. It never carries a credential, a header's value or a
byte of a request: callers pass fields one by one, so there is nothing to redact afterwards.
"""

import json
import os
import sys
import time

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


def _now() -> str:
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{stamp}.{nanoseconds // 1_000_000:03d}Z"


def complain(message: str) -> None:
    """One clear line on stderr for a person at a terminal, before there is a log."""
    print(f"fastgw: {message}", file=sys.stderr, flush=True)
