"""Cases: requests written in YAML beside a policy, and what is expected of each.

::

    config: fastgw.yaml                 # beside this file; the default
    tests:
      - name: the free tier asks twice an hour
        key: bob                        # an id of `keys`; left out: no credential
        time: 2026-03-01T10:00:00Z      # left out: now
        client_ip: 203.0.113.7          # left out: 127.0.0.1
        request:
          path: /v1/chat/completions    # method: POST where there is a body, else GET
          headers: {x-feature: search}
          body: {model: gpt-4o, messages: [{role: user, content: hi}]}
        repeat: 3                       # the last answer is looked at
        seed: 7                         # random() has the same values in each run
        provider: status=503            # how the mock answers: as its x-mock header; or instead
        answer: {status: 200, headers: {x-a: b}, body: {…}}     # what the provider answers, or
        answer: {events: ["text of data:", {event: name, data: {…}}]}   # as a stream
        expect:                         # what is left out is not looked at
          verdict: deny
          status: 429
          code: FGW-806
          rule: free tier               # as x-fastgw-rule names it
          headers: {retry-after: "*", x-none: null}
          body: ["text in the answer"]
          matched: [free tier]          # rules of all phases
          unmatched: [paid tier]
          effects: {free tier: "rate-limit*"}   # what `fastgw explain` says of a rule
          limits: {free: refused}       # or taken, never, undone
        then:                           # on the same gateway, with the same request
          - {after: 59m, expect: {status: 429}}         # or another key, request, answer, …
          - {after: 1m, repeat: 2, expect: {status: 200}}

Each case has a gateway of its own: no case sees what another has spent.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import orjson

from fastgw.config.document import Node, Scalar, Sequence, Table, read_document
from fastgw.config.model import Place
from fastgw.config.schema import DURATION, ID, INSTANT, NAME
from fastgw.config.shape import (
    INVALID,
    Choice,
    ListOf,
    MapOf,
    Object,
    Parsed,
    Reading,
    Shape,
    Text,
    Whole,
    did_you_mean,
)
from fastgw.errors import ConfigError
from fastgw.explain import catalogue
from fastgw.ledger.vocabulary import LIMIT_VERDICTS
from fastgw.mock.asked import Asked as MockAsked
from fastgw.mock.asked import parse as read_options
from fastgw.rehearsal.provider import Answer

FIELD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}"  # RFC 9110 section 5.6.2: token
TARGET = r"/[!-~]{0,4095}"


@dataclass(frozen=True, slots=True)
class Expected:
    """What is None is not looked at. ``headers``: text in which * is any text; None: absent.

    ``effects``: a rule's name -> a pattern of what the record says of it; ``limits``: a limit's
    name -> a word of LIMIT_VERDICTS.
    """

    verdict: str | None = None
    status: int | None = None
    code: str | None = None
    rule: str | None = None
    headers: Mapping[str, str | None] | None = None
    matched: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()
    body: tuple[str, ...] = ()  # texts that stand in it
    effects: Mapping[str, str] | None = None
    limits: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """``request``: all of it, as it goes over the wire, less the credential of ``key``.

    ``then``: what is asked of the same gateway afterwards, ``after_ns`` after the one before.
    ``answer`` None: the mock's. ``seed`` None: random() is what chance wants.
    """

    name: str
    place: Place
    request: Asked
    key: str | None = None
    time_s: int | None = None
    client_ip: str = "127.0.0.1"
    repeat: int = 1
    provider: str = ""
    expect: Expected = Expected()
    answer: Answer | None = None
    seed: int | None = None
    after_ns: int = 0
    then: tuple[Case, ...] = ()
    reading: Reading | None = None

    def message(self, host: str, credential: tuple[str, str] | None) -> bytes:
        """The bytes of the request, with a credential for ``key``: (field, value)."""
        asked = self.request
        fields = dict(asked.headers)
        if credential is not None:
            fields[credential[0]] = credential[1]
        if self.provider:
            fields["x-mock"] = self.provider
        if asked.raw:
            end = re.search(rb"\r?\n\r?\n", asked.raw)
            head = asked.raw[:end.start()] if end else asked.raw
            body = asked.raw[end.end():] if end else b""
            lines = head.decode("latin-1").replace("\r\n", "\n").rstrip("\n").split("\n")
            return _head(lines, fields) + body
        fields.setdefault("host", host)
        if asked.body or asked.method in ("POST", "PUT", "PATCH"):
            fields["content-length"] = str(len(asked.body))
        return _head([f"{asked.method} {asked.path} HTTP/1.1"], fields) + asked.body


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. ``raw``: a whole message that is sent as it is; then the rest is empty."""

    method: str = ""
    path: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Suite:
    config: str
    cases: tuple[Case, ...]


def _head(lines: list[str], fields: Mapping[str, str]) -> bytes:
    lines = [*lines, *(f"{name}: {value}" for name, value in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Content(Shape):
    """A request's body: text as it is, anything else as JSON. Reads to bytes."""

    wanted = "a body: text, or a value that becomes JSON"

    def take(self, node: Node, path: str, reading: Reading) -> Any:
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return node.value.encode()
        return orjson.dumps(plain(node))

    def schema(self) -> dict[str, Any]:
        return {}


class FieldText(Text):
    """A pattern of a field's value; `null`: the field must not be there."""

    def __init__(self) -> None:
        super().__init__("the field's value, * for any text, or null", None, '"*"', 1024)

    def take(self, node: Node, path: str, reading: Reading) -> Any:
        if isinstance(node, Scalar) and node.value is None:
            return None
        return super().take(node, path, reading)


def plain(node: Node) -> Any:
    """A YAML value as JSON has it."""
    if isinstance(node, Table):
        return {name: plain(value) for name, (_, value) in node.entries.items()}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    assert isinstance(node, Scalar)
    return node.value


def address(value: Any) -> str | None:
    try:
        return str(ipaddress.ip_address(value)) if isinstance(value, str) else None
    except ValueError:
        return None


class Known(Parsed):
    """One of many words: the error proposes the nearest."""

    def refuse(self, node: Node, path: str, reading: Reading) -> Any:
        said = node.value if isinstance(node, Scalar) else None
        near = difflib.get_close_matches(str(said), self.schema()["enum"], 1, 0.5)
        if not isinstance(said, str) or not near:
            return super().refuse(node, path, reading)
        return reading.fail(path, f"there is no '{said[:40]}'", f"did you mean '{near[0]}'?", node)


class MockOptions(Text):
    """What the mock's x-mock takes; a mistake in it would only be one more failed request."""

    def __init__(self) -> None:
        super().__init__("what the mock's x-mock takes", None, "status=503", 1024)

    def take(self, node: Node, path: str, reading: Reading) -> Any:
        value = super().take(node, path, reading)
        if value is INVALID:
            return value
        try:
            read_options(value, MockAsked())
        except ValueError as error:
            known = [option.name for option in fields(MockAsked)]
            said = (item.strip().partition("=")[0] for item in value.split(","))
            wrong = next((name for name in said if name not in known), "")
            hint = did_you_mean(wrong, known)[0] if wrong else "for example status=503"
            return reading.fail(path, f"the mock does not take it: {error}", hint, node)
        return value


class Event(Shape):
    """One event of a stream: text or a value for `data:`; with a name as {event, data}."""

    wanted = "an event: text, a value that becomes JSON, or {event: name, data: …}"

    def take(self, node: Node, path: str, reading: Reading) -> Any:
        name, content = "", plain(node)
        if isinstance(node, Table) and set(node.entries) == {"event", "data"}:
            name, content = content["event"], content["data"]
            if not isinstance(name, str) or not name.isprintable():
                return self.refuse(node.entries["event"][1], f"{path}.event", reading)
        text = content if isinstance(content, str) else orjson.dumps(content).decode()
        lines = [f"event: {name}"] if name else []
        lines += [f"data: {line}" for line in text.split("\n")]
        return ("\n".join(lines) + "\n\n").encode()

    def schema(self) -> dict[str, Any]:
        return {}


CODES = [entry.text for entry in catalogue.entries().values()]
ADDRESS = Parsed(address, "an IP address", "203.0.113.7", {"type": "string"})
REQUEST = Object({
    "method": Text("a method", r"[A-Z]{1,16}", "POST", 16),
    "path": Text("a path that begins with /", TARGET, "/v1/chat/completions", 4096),
    "headers": MapOf(Text("a field's value", None, "search", 4096), FIELD, 64),
    "body": Content(),
}, ["path"], "a request with its path")
PATTERN = Text("text, * for any text", None, '"rate-limit*"', 1024)
EXPECT = Object({
    "verdict": Choice(("allow", "deny")),
    "status": Whole(100, 599),
    "code": Known(lambda text: text if text in CODES else None,
                  "a code of `fastgw errors`", "FGW-806", {"enum": CODES}),
    "rule": NAME,
    "headers": MapOf(FieldText(), FIELD, 64),
    "matched": ListOf(NAME, 0, 100),
    "unmatched": ListOf(NAME, 0, 100),
    "body": ListOf(Text("a text that stands in the answer", None, "not from here", 1024), 0, 32),
    "effects": MapOf(PATTERN, r"[^\x00-\x1f]{1,128}", 100),
    "limits": MapOf(Choice(LIMIT_VERDICTS[1:]), r"[^\x00-\x1f]{1,128}", 100),
})
ANSWER = Object({
    "status": Whole(200, 599),
    "headers": MapOf(Text("a field's value", None, "search", 4096), FIELD, 64),
    "body": Content(),
    "events": ListOf(Event(), 1, 10_000),
}, (), "the provider's answer")
ASKING = {
    "key": ID,
    "client_ip": ADDRESS,
    "request": REQUEST,
    "repeat": Whole(1, 10_000),
    "provider": MockOptions(),
    "answer": ANSWER,
}
THEN = Object(ASKING | {"after": DURATION, "expect": EXPECT}, ["expect"], "what is asked next")
SITUATION = ASKING | {"name": NAME, "time": INSTANT, "seed": Whole(0, 2**64 - 1)}
CASE = Object(SITUATION | {"expect": EXPECT, "then": ListOf(THEN, 0, 1000)},
              ["name", "request", "expect"], "a test")
SUITE = Object({
    "config": Text("a file", None, "fastgw.yaml", 4096),
    "tests": ListOf(CASE, 1, 10_000),
}, ["tests"])
SITUATION_SHAPE = Object(SITUATION, ["request"], "a request and who sends it")


def read_suite(file: str) -> Suite:
    """The tests of ``file``. Raises the first ConfigError of it."""
    values, reading = _read(file, SUITE)
    cases = tuple(_case(item, f"tests[{i}]", reading) for i, item in enumerate(values["tests"]))
    names: dict[str, int] = {}
    for i, case in enumerate(cases):
        if case.name in names:
            reading.fail(f"tests[{i}].name", f"two tests are named '{case.name}'",
                         "give each its own name")
        names.setdefault(case.name, i)
    if reading.errors:
        raise reading.errors[0]
    config = os.path.join(os.path.dirname(file), values.get("config", "fastgw.yaml"))
    return Suite(config, cases)


def read_situation(file: str) -> Case:
    """One request: YAML as in a test, without what is expected, or a raw HTTP/1.1 message.

    Raises ConfigError.
    """
    text = _text(file)
    first = text.split(b"\n", 1)[0].rstrip(b"\r")
    if first.endswith((b" HTTP/1.1", b" HTTP/1.0")):
        return Case(file, Place(file, 1, 1, ""), Asked(raw=text))
    values, reading = _read(file, SITUATION_SHAPE, text)
    case = _case(values, "", reading)
    if reading.errors:
        raise reading.errors[0]
    return case


def _text(file: str) -> bytes:
    try:
        with open(file, "rb") as source:
            return source.read()
    except OSError as error:
        raise ConfigError(f"cannot read it: {error.strerror}", file=file) from None


def _read(file: str, shape: Object, text: bytes | None = None) -> tuple[dict[str, Any], Reading]:
    reading = Reading(file)
    root = read_document(_text(file) if text is None else text, file, os.environ)
    values = shape.read(root, "", reading)
    if values is INVALID:
        raise reading.errors[0]
    return values, reading


def _case(item: dict[str, Any], path: str, reading: Reading) -> Case:
    case = Case(item.get("name", ""), reading.place(path), _asked(item["request"]),
                item.get("key"), item.get("time"), seed=item.get("seed"), reading=reading)
    case = _asking(case, item, path, reading)
    then, before = [], case
    for number, after in enumerate(item.get("then", ())):
        at = f"{path}.then[{number}]"
        before = _asking(replace(before, place=reading.place(at), repeat=1), after, at, reading)
        then.append(before)
    return replace(case, then=tuple(then))


def _asking(case: Case, item: dict[str, Any], path: str, reading: Reading) -> Case:
    """``case`` with what ``item`` says otherwise."""
    said: dict[str, Any] = {name: item[name] for name in ("key", "client_ip", "repeat")
                            if name in item}
    if "provider" in item or "answer" in item:
        if "provider" in item and "answer" in item:
            reading.fail(f"{path}.answer", "both provider and answer say what is answered",
                         "remove one: `provider` is for the mock, `answer` is instead of it")
        said |= {"provider": item.get("provider", ""),
                 "answer": _answer(item["answer"], f"{path}.answer", reading)
                 if "answer" in item else None}
    if "request" in item:
        said["request"] = _asked(item["request"])
    return replace(case, **said, after_ns=item.get("after", 0),
                   expect=_expected(item.get("expect", {})))


def _asked(asked: dict[str, Any]) -> Asked:
    headers = {name.lower(): value for name, value in asked.get("headers", {}).items()}
    body = asked.get("body", b"")
    if body:
        headers.setdefault("content-type", "application/json")
    return Asked(asked.get("method", "POST" if "body" in asked else "GET"), asked["path"],
                 tuple(headers.items()), body)


def _expected(expect: dict[str, Any]) -> Expected:
    lists: dict[str, Any] = {name: tuple(expect[name]) for name in ("matched", "unmatched", "body")
             if name in expect}
    if "headers" in expect:
        lists["headers"] = {name.lower(): value for name, value in expect["headers"].items()}
    return Expected(**expect | lists)


def _answer(given: dict[str, Any], path: str, reading: Reading) -> Answer:
    headers = {name.lower(): value for name, value in given.get("headers", {}).items()}
    events = given.get("events")
    if events is not None and "body" in given:
        reading.fail(f"{path}.body", "both body and events", "remove one: events are a stream")
    for name in ("content-length", "transfer-encoding", "connection"):
        if name in headers:
            reading.fail(f"{path}.headers", f"{name} is written by the stage itself", "remove it")
    kind = "application/json" if events is None else "text/event-stream"
    headers.setdefault("content-type", kind)
    return Answer(given.get("status", 200), tuple(headers.items()), given.get("body", b""),
                  tuple(events) if events is not None else None)
