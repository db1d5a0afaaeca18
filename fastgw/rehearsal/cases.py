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
        provider: status=503            # how the mock answers: as its x-mock header
        expect: {verdict: deny, status: 429, rule: free tier, headers: {retry-after: "*"}}

Each case has a gateway of its own: no case sees what another has spent.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from fastgw.config.document import Node, Scalar, Sequence, Table, read_document
from fastgw.config.model import Place
from fastgw.config.schema import ID, INSTANT, NAME
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
)
from fastgw.errors import ConfigError

FIELD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}"  # RFC 9110 section 5.6.2: token
TARGET = r"/[!-~]{0,4095}"
CODE = r"FGW-[0-9]{3}"


@dataclass(frozen=True, slots=True)
class Expected:
    """What is None is not looked at. ``headers``: text in which * is any text; None: absent."""

    verdict: str | None = None
    status: int | None = None
    code: str | None = None
    rule: str | None = None
    headers: Mapping[str, str | None] | None = None
    matched: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()
    body: tuple[str, ...] = ()  # texts that stand in it


@dataclass(frozen=True, slots=True)
class Case:
    """``request``: all of it, as it goes over the wire, less the credential of ``key``."""

    name: str
    place: Place
    request: Asked
    key: str | None = None
    time_s: int | None = None
    client_ip: str = "127.0.0.1"
    repeat: int = 1
    provider: str = ""
    expect: Expected = Expected()

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


ADDRESS = Parsed(address, "an IP address", "203.0.113.7", {"type": "string"})
REQUEST = Object({
    "method": Text("a method", r"[A-Z]{1,16}", "POST", 16),
    "path": Text("a path that begins with /", TARGET, "/v1/chat/completions", 4096),
    "headers": MapOf(Text("a field's value", None, "search", 4096), FIELD, 64),
    "body": Content(),
}, ["path"], "a request with its path")
EXPECT = Object({
    "verdict": Choice(("allow", "deny")),
    "status": Whole(100, 599),
    "code": Text("a code of `fastgw errors`", CODE, "FGW-806", 8),
    "rule": NAME,
    "headers": MapOf(FieldText(), FIELD, 64),
    "matched": ListOf(NAME, 0, 100),
    "unmatched": ListOf(NAME, 0, 100),
    "body": ListOf(Text("a text that stands in the answer", None, "not from here", 1024), 0, 32),
})
SITUATION = {
    "name": NAME,
    "key": ID,
    "time": INSTANT,
    "client_ip": ADDRESS,
    "request": REQUEST,
    "repeat": Whole(1, 10_000),
    "provider": Text("what the mock's x-mock takes", None, "status=503", 1024),
}
CASE = Object(SITUATION | {"expect": EXPECT}, ["name", "request", "expect"], "a test")
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
    return _case(values, "", reading)


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
    asked = item["request"]
    headers = {name.lower(): value for name, value in asked.get("headers", {}).items()}
    body = asked.get("body", b"")
    if body:
        headers.setdefault("content-type", "application/json")
    expect = item.get("expect", {})
    lists: dict[str, Any] = {name: tuple(expect[name]) for name in ("matched", "unmatched", "body")
             if name in expect}
    if "headers" in expect:
        lists["headers"] = {name.lower(): value for name, value in expect["headers"].items()}
    return Case(
        item.get("name", ""), reading.place(path),
        Asked(asked.get("method", "POST" if "body" in asked else "GET"), asked["path"],
              tuple(headers.items()), body),
        item.get("key"), item.get("time"), item.get("client_ip", "127.0.0.1"),
        item.get("repeat", 1), item.get("provider", ""), Expected(**expect | lists),
    )
