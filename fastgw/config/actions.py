"""What an action's ``config`` may say, beyond limits; and in which phase an action may stand."""

from __future__ import annotations

import ipaddress
import re

from fastgw.config.document import Scalar, Sequence, Table
from fastgw.config.model import Expression
from fastgw.config.shape import (
    INVALID,
    Choice,
    Flag,
    ListOf,
    MapOf,
    Object,
    Shape,
    Text,
    Whole,
    join,
)

REQUEST, RESPONSE, EVENT = "on_http_request", "on_http_response", "on_event_stream_message"
BOTH = ("deny", "custom-response", "add-headers", "remove-headers", "set-vars", "log")
PHASES = {
    REQUEST: (*BOTH, "restrict-models", "restrict-ips", "cap-input", "cap-output", "route",
              "rate-limit", "usage-cap", "concurrency-limit", "on-abort", "detect"),
    RESPONSE: (*BOTH, "detect"),
    EVENT: ("detect",),
}
# Actions of ngrok's grammar that are none here: what to write instead.
_HOSTED = "it belongs to ngrok's network; "
ELSEWHERE = {
    "ai-gateway": "providers and models are sections of their own; model choice is `route`, "
                  "ceilings are cap-input and cap-output",
    "circuit-breaker": "breaker: {…}, in the provider's entry",
    "forward-internal": _HOSTED + "write the provider as an entry of `providers`, then `route`",
    "close-connection": "deny",
    "sse-find-replace": "detect, with `then: redact`",
    "request-body-find-replace": "detect, with `then: redact`",
    "response-body-find-replace": "detect, with `then: redact`",
    "redirect": "custom-response with status_code: 302 and headers: {location: …}",
    "url-rewrite": "`route`, for the model; paths are those of the provider's API",
    "compress-response": "a reverse proxy in front compresses",
    "http-request": "no action calls out; decide with expressions over the request",
    "basic-auth": "access keys: `keys`",
    "jwt-validation": "access keys: `keys`",
    "oauth": _HOSTED + "access keys: `keys`",
    "openid-connect": _HOSTED + "access keys: `keys`",
    "saml": _HOSTED + "access keys: `keys`",
    "verify-webhook": "access keys: `keys`",
    "terminate-tls": "listen.tls",
    "owasp-crs-request": "a web application firewall in front does that",
    "owasp-crs-response": "a web application firewall in front does that",
}

# Field names that no rule may write. What is true of both directions comes first.
_HOP = frozenset((
    "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding",
    "upgrade", "proxy-authenticate", "proxy-authorization"))
_CREDENTIALS = frozenset((
    "authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "set-cookie",
    "set-cookie2"))
_FRAMING = frozenset(("content-length", "content-encoding", "host", "expect", "accept-encoding"))
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}"


def forbidden(name: str, adding: bool) -> str:
    """Why no rule may touch the field ``name`` (lower case); "" where it may."""
    if name in _HOP:
        return "it belongs to one connection and is never passed on"
    if name in _FRAMING:
        return "the gateway writes it: a wrong one would break the message's framing"
    if name.startswith("x-fastgw-") or name in ("ratelimit", "ratelimit-policy"):
        return "the gateway's own word"
    if name in _CREDENTIALS and adding:
        return "a credential: those of providers stand in `providers`"
    if name in _CREDENTIALS and name != "set-cookie":
        return "a client's credential: it never reaches a provider anyway"
    return ""


class TemplateText(Shape):
    """Text in which `${…}` stands for the value of a CEL expression. Reads to an Expression
    of the whole text; its own errors come later, when the policy is compiled."""

    wanted, example = "text", '"seen by ${key.id}"'

    def __init__(self, longest: int = 4096, lines: bool = False) -> None:
        self.longest, self.lines = longest, lines

    def take(self, node, path, reading):
        if not isinstance(node, Scalar) or node.value is None:
            return self.refuse(node, path, reading)
        value = node.value if isinstance(node.value, str) else node.written
        plain = value if not self.lines else re.sub(r"[\n\r\t]", "", value)
        if not isinstance(value, str) or len(value) > self.longest:
            return self.refuse(node, path, reading)
        if plain and not plain.isprintable():
            return reading.fail(path, "a control character", "write it without", node)
        return Expression(value, reading.place(path))

    def schema(self):
        return {"type": "string", "maxLength": self.longest}


class AnyScalar(Shape):
    """A variable's value: text with `${…}`, or a number or a boolean as YAML has it, which reads
    to the expression that it is."""

    wanted, example = "text, a number, true or false", '"${key.tags.tier}"'

    def take(self, node, path, reading):
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, bool):
            return Expression("${%s}" % str(value).lower(), reading.place(path))
        if isinstance(value, float) or (
                isinstance(value, int) and -(2**63) < value < 2**63):
            return Expression("${%r}" % value, reading.place(path))
        if isinstance(value, str):
            return TemplateText(8192, lines=True).take(node, path, reading)
        return self.refuse(node, path, reading)

    def schema(self):
        return {"type": ["string", "number", "boolean"]}


class Vars(Shape):
    """Names to values, or (as ngrok has it) a list of mappings with one name each."""

    wanted, example = "a mapping of names to values", "vars: {tier: …}"
    names = MapOf(AnyScalar(), r"[A-Za-z_][A-Za-z0-9_]{0,63}", 32, "a mapping of names to values")

    def take(self, node, path, reading):
        if isinstance(node, Table):
            return self.names.take(node, path, reading)
        if not isinstance(node, Sequence):
            return self.refuse(node, path, reading)
        read = [self.names.read(item, f"{path}[{i}]", reading)
                for i, item in enumerate(node.items)]
        if INVALID in read:
            return INVALID
        return {name: value for one in read for name, value in one.items()}

    def schema(self):
        return {"anyOf": [self.names.schema(),
                          {"type": "array", "items": self.names.schema()}]}


class Fields(Shape):
    """Header fields to add: names that a rule may write, values with `${…}`."""

    wanted = "a mapping of field names to values"
    example = 'headers: {x-team: "${key.owner.team}"}'
    fields = MapOf(TemplateText(), _TOKEN, 32)

    def take(self, node, path, reading):
        values = self.fields.take(node, path, reading)
        if values is INVALID:
            return INVALID
        bad = [_refuse_name(name, join(path, name), reading, True) for name in values]
        return INVALID if any(bad) else values

    def schema(self):
        return self.fields.schema()


class FieldNames(ListOf):
    """Header fields to remove."""

    def __init__(self) -> None:
        super().__init__(Text("a field's name", _TOKEN, "x-powered-by", 128), 1, 32)

    def take(self, node, path, reading):
        names = super().take(node, path, reading)
        if names is INVALID:
            return INVALID
        bad = [_refuse_name(name, f"{path}[{i}]", reading, False)
               for i, name in enumerate(names)]
        return INVALID if any(bad) else names


def _refuse_name(name: str, path: str, reading, adding: bool) -> bool:
    why = forbidden(name.lower(), adding)
    if why:
        verb = "add" if adding else "remove"
        reading.fail(path, f"no rule can {verb} '{name}': {why}", "leave it out")
    return bool(why)


class Block(Shape):
    """A block of addresses, `10.0.0.0/8`; an address alone is a block of one."""

    wanted, example = "a block of IP addresses", "10.0.0.0/8"

    def take(self, node, path, reading):
        value = node.value if isinstance(node, Scalar) else None
        try:
            block = ipaddress.ip_network(value, strict=False) if isinstance(value, str) else None
        except ValueError:
            block = None
        if block is None:
            return self.refuse(node, path, reading)
        exact = value if "/" in value else str(block)
        if ipaddress.ip_address(exact.partition("/")[0]) != block.network_address:
            reading.warn(path, f"{value} begins inside of its block", f"write {block}")
        return value, block

    def schema(self):
        return {"type": "string", "format": "cidr"}


class NotHere(Shape):
    """A field that another product's grammar has: refused with what to write instead."""

    def __init__(self, why: str, remedy: str) -> None:
        self.why, self.remedy = why, remedy

    def take(self, node, path, reading):
        return reading.fail(path, self.why, self.remedy, node)

    def schema(self):
        return {"not": {}, "description": self.why}


_ID = Text("an id of letters, digits and . _ -", r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "team-a", 64)
_MODEL = Text("a model's name without spaces", r"[!-~]+", "gpt-4o", 256)
_TARGET: dict[str, Shape] = {"provider": _ID, "model": _MODEL}
_METADATA = MapOf(TemplateText(), r"[A-Za-z_][A-Za-z0-9_.-]{0,63}", 32)

ACTIONS: dict[str, Object] = {
    "custom-response": Object({
        "status_code": Whole(200, 599),
        "headers": Fields(),
        "body": TemplateText(32768, lines=True),
        "enforce": Flag(),
    }),
    "restrict-ips": Object({
        "allow": ListOf(Block(), 0, 100_000),
        "deny": ListOf(Block(), 0, 100_000),
        "ip_policies": NotHere("IP policies are kept by ngrok's account",
                               "write their blocks: allow: [203.0.113.0/24]"),
        "enforce": Flag(),
    }),
    "cap-input": Object({"max_input_tokens": Whole(1, 2**53), "enforce": Flag()},
                        ["max_input_tokens"]),
    "route": Object({
        **_TARGET,
        "candidates": ListOf(Object(_TARGET | {"weight": Whole(1, 1_000_000)},
                                    ["provider", "model"]), 1, 32),
        "fallback": ListOf(Object(_TARGET, ["provider", "model"]), 0, 32),
        "enforce": Flag(),
    }),
    "add-headers": Object({"headers": Fields(), "enforce": Flag()}, ["headers"]),
    "remove-headers": Object({"headers": FieldNames(), "enforce": Flag()}, ["headers"]),
    "set-vars": Object({"vars": Vars(), "enforce": Flag()}, ["vars"]),
    "log": Object({"metadata": _METADATA, "enforce": Flag()}, ["metadata"]),
    "on-abort": Object({
        "then": Choice(("cancel", "drain")),
        "max_tokens": Whole(1, 2**53),
        "max_seconds": Whole(1, 86_400),
        "max_concurrent": Whole(1, 10**6),
        "enforce": Flag(),
    }, ["then"]),
}
