"""What a request asks of the mock in its `x-mock` header, over what the command line set.

How much
    events=N             content events of a streamed answer, for each choice
    tokens_per_event=N   tokens in each
    prompt_tokens=N      input tokens in all, instead of counting the body
    cached=N             of these, read from a cache;  cache_write=N: written to it
    reasoning=N          output tokens spent before the first visible one
    usage=none|every|last  no usage object even if asked; in every event; once, even if not asked
    ignore_max=1         generates past the request's own output limit
    text=T               generates this text, percent-encoded, a token each event (for a tool call:
                         its arguments); piece=N: characters in each event (4)
    filter=W             Azure's content filter: prompt (refused), answer (its end), async (told
                         behind the end)
    tool=1               answers with a call of the first tool, if the request has tools
When (durations as 10ms, 2s, 1m)
    delay=D              before the answer's first byte
    pace=D               before each content event
    batch=N              content events in one write; without pace 64 KiB at once if not given
    bytes=1              each byte in a write of its own
Faults of the provider
    status=N             an error of this status in the dialect's shape (or a bare 2xx/3xx)
    error=CODE           the error's `code` (openai) or `type` (anthropic)
    retry_after=S        as `retry-after` and `retry-after-ms`
    error_after=N        an error event after N content events, then the end
    cut_after=N          the connection closed after N content events (0: before the first; of an
                         answer that is not streamed: after N bytes of its body)
    stall_after=N        silent from there on until the client goes
    malformed=1          broken JSON: an event after the first content event, or the body
    bill_all=1           on an abort bills as though nobody had left
Faults of the wire
    crlf=1 gzip=1        SSE lines end in CRLF; the answer is gzip, asked for or not
    interim=1            103 Early Hints first
    close=1              `connection: close`;  drop=1: closes without having said so
    early=1              answers from the head alone (413 if no status), then closes
    reset=1              RST instead of an answer
    bad=KIND             te+cl, two-cl, short (fewer bytes than announced), long (bytes after the
                         end), chunk (size not hex), huge (head of 128 KiB), nul (in a field),
                         http (no status line), fold (obs-fold)
Whom
    only_key=K only_model=M   the other options hold for this credential, this model alone
    times=N              they hold for the first N calls alone that bear this x-mock-tag
    record=1             the line in the books has the request as it came, in `head` and `body`
"""

from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import unquote

_UNITS = (("ms", 1_000_000), ("us", 1_000), ("ns", 1), ("s", 10**9), ("m", 60 * 10**9),
          ("h", 3600 * 10**9))
BAD = ("te+cl", "two-cl", "short", "long", "chunk", "huge", "nul", "http", "fold")


def duration_ns(text: str) -> int:
    """`500ms`, `30s`, `5m` in nanoseconds; ValueError for anything else."""
    for unit, factor in _UNITS:
        if text.endswith(unit):
            value = float(text[: -len(unit)])
            if not 0 <= value * factor <= 86400 * 10**9:
                raise ValueError(f"duration out of range: {text!r}")
            return int(value * factor)
    if text == "0":
        return 0
    raise ValueError(f"a duration needs a unit (10ms, 2s): {text!r}")


@dataclass(frozen=True, slots=True)
class Asked:
    """All options with what holds when nobody asks; None and -1 stand for "not asked"."""

    events: int = 100
    tokens_per_event: int = 1
    prompt_tokens: int = -1
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0
    usage: str = ""
    ignore_max: bool = False
    tool: bool = False
    text: str = ""
    piece: int = 4
    filter: str = ""
    delay: int = 0
    pace: int = 0
    batch: int = 0
    bytes: bool = False
    status: int = 0
    error: str = ""
    retry_after: str = ""
    error_after: int = -1
    cut_after: int = -1
    stall_after: int = -1
    malformed: bool = False
    bill_all: bool = False
    crlf: bool = False
    gzip: bool = False
    interim: bool = False
    close: bool = False
    drop: bool = False
    early: bool = False
    reset: bool = False
    bad: str = ""
    only_key: str = ""
    only_model: str = ""
    times: int = 0
    record: bool = False


_CHOICES = {"usage": ("none", "every", "last"), "bad": BAD,
            "filter": ("prompt", "answer", "async")}
_DURATIONS = ("delay", "pace")
_KINDS = {field.name: field.type for field in fields(Asked)}
_INT_MAX = 10_000_000


def _value(name: str, text: str) -> object:
    if name in _DURATIONS:
        return duration_ns(text)
    if name == "text":
        return unquote(text, errors="strict")
    if name in _CHOICES and text not in _CHOICES[name]:
        raise ValueError(f"{name} is one of {', '.join(_CHOICES[name])}, not {text!r}")
    kind = _KINDS[name]
    if kind in (bool, "bool"):
        if text not in ("0", "1"):
            raise ValueError(f"{name} is 0 or 1, not {text!r}")
        return text == "1"
    if kind in (int, "int"):
        if not (text.isascii() and text.isdigit() and int(text) <= _INT_MAX):
            raise ValueError(f"{name} is a number from 0 to {_INT_MAX}, not {text!r}")
        return int(text)
    return text


def parse(header: str, defaults: Asked) -> Asked:
    """`defaults` with what the header changes; ValueError names an option that is wrong."""
    changes: dict[str, Any] = {}
    for item in header.split(","):
        name, equals, text = item.strip().partition("=")
        if not name and not equals:
            continue
        if name not in _KINDS:
            raise ValueError(f"x-mock has no option {name!r}")
        changes[name] = _value(name, text.strip() if equals else "1")
    asked = replace(defaults, **changes)
    if asked.status and not 200 <= asked.status <= 599:
        raise ValueError(f"status is 200 to 599, not {asked.status}")
    if asked.tokens_per_event < 1:
        raise ValueError("tokens_per_event is at least 1")
    if asked.piece < 1:
        raise ValueError("piece is at least 1")
    return asked
