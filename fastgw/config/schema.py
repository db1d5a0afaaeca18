"""INTERFACE section 3, declared once: what a configuration may say, and what it may not say yet.

Fields of shape ``LATER`` are part of the interface but not of this version: they are refused at
their place, so that nobody believes in a limit that is not there.
"""

from __future__ import annotations

import importlib.util
from typing import Any

from fastgw.config import amounts
from fastgw.config.actions import ACTIONS as MORE_ACTIONS
from fastgw.config.actions import ELSEWHERE, EVENT, PHASES, RESPONSE, NotHere, TemplateText
from fastgw.config.document import Table
from fastgw.config.meanings import annotate
from fastgw.config.model import VENDORS, Secret
from fastgw.config.shape import (
    INVALID,
    Amount,
    Choice,
    ExpressionText,
    Flag,
    Later,
    ListOf,
    MapOf,
    Object,
    Parsed,
    SecretText,
    Shape,
    Text,
    TimeZone,
    Whole,
    describe,
    did_you_mean,
    join,
)

LATER = Later()
DURATION = Parsed(amounts.duration_ns, "a duration of 1ns to 400d", "30s, 500ms or 24h",
                  {"type": "string", "pattern": r"^(\d+(\.\d+)?(ns|us|ms|s|m|h|d))+$"})
SIZE = Parsed(amounts.size_bytes, "a size", "64KiB or 32MiB",
              {"anyOf": [{"type": "integer", "minimum": 1},
                         {"type": "string", "pattern": r"^\d+(B|KiB|MiB|GiB|kB|KB|MB|GB)?$"}]})
SHARE = Parsed(amounts.share, "a share of 0% to 100%", "20%",
               {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1},
                          {"type": "string", "pattern": r"^\d+(\.\d+)?\s?%$"}]})
FRACTION = Parsed(amounts.fraction, "a fraction above 0, at most 1", "0.8 or 80%", SHARE.schema())
ALLOWANCE = Parsed(amounts.allowance, "an amount per time", "60/1m or 250/month",
                   {"type": "string", "pattern": r"^\d+(\.\d+)?/\S+$"})
INSTANT = Parsed(amounts.instant_s, "a time with its offset", "2027-01-01T00:00:00Z",
                 {"type": "string", "format": "date-time"})

AGE = Parsed(amounts.age_ns, "a time of 1h to 100y, or forever", "30d or 3y",
             {"type": "string", "pattern": r"^(\d+[hdy]|forever)$"})

ID = Text("an id of letters, digits and . _ -", r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "team-a", 64)
MODEL = Text("a model's name without spaces", r"[!-~]+", "gpt-4o", 256)
PATTERN = Text("a model's name, * for any text", r"[!-~]+", '"claude-*"', 256)
NAME = Text("a name", None, "pace", 128)
TAG = r"[A-Za-z_][A-Za-z0-9_-]{0,63}"
TAGS = MapOf(Text("text", None, "free", 256), TAG, 32)
ADDRESS = Text("an IP address or host name", r"[A-Za-z0-9.:_-]+", "127.0.0.1", 255)
PORT = Whole(0, 65535)
WEIGHT = Whole(1, 1_000_000)

DIALECTS = ("openai", "anthropic", "gemini", "cohere", "ollama")
DIALECTS_LATER = ("bedrock",)
OPERATIONS = ("chat", "responses", "completions", "embeddings", "models", "messages",
              "count_tokens", "moderations", "images", "audio", "files", "batches", "realtime",
              "generate", "converse", "invoke", "rerank", "other")
UNITS = ("requests", "tokens", "input_tokens", "output_tokens", "cost")
ALGORITHMS = ("token_bucket", "sliding_window", "fixed_window")
ACTIONS_LATER: tuple[str, ...] = ()
DETECT_KINDS = ("api_key", "private_key", "payment_card", "us_ssn", "email", "phone", "iban",
                "jwt")


class Store(Shape):
    """`sqlite`, or a Postgres URL, which may carry a password that no error shows. Reads to None
    or a Secret."""

    wanted = "sqlite or a URL of Postgres"
    example = "postgresql://fastgw@127.0.0.1/fastgw"

    def take(self, node, path, reading):
        value = getattr(node, "value", None)
        if value == "sqlite":
            return None
        if isinstance(value, str) and value.startswith(("postgresql:", "postgres:")):
            if value.partition("://")[2].partition("/")[0].count("@") > 1:
                return reading.fail(path, "expected a URL with one @",
                                    "write an @ in a password as %40", node)
            if importlib.util.find_spec("psycopg") is None:
                return reading.fail(path, "needs psycopg", "pip install 'fastgw[postgres]'", node)
            return Secret(value)
        near = did_you_mean(str(value), ["sqlite"])
        hint = near[0] if near[1] else f"sqlite, or {self.example}"
        return reading.fail(path, f"expected {self.wanted}, got {describe(node)}", hint, node)

    def schema(self):
        return {"anyOf": [{"const": "sqlite"},
                          {"type": "string", "pattern": r"^postgres(ql)?://"}]}


class RetryOn(Whole):
    """`connect` or a status of 400 to 599."""

    def __init__(self) -> None:
        super().__init__(400, 599, {"connect": "connect"})


REGEX = Text("a regular expression", None, r"'EMP-\d{6}'", 1024, shown=False)
LIMIT = {"name": NAME, "bucket_key": ListOf(ExpressionText(), 0, 8), "enforce": Flag()}
SHARED = {"cluster": Flag(), "on_store_loss": Choice(("closed", "local_share", "open"))}

ACTIONS: dict[str, Object] = {
    "deny": Object({
        "status_code": Whole(400, 599),
        "message": TemplateText(1024),
        "enforce": Flag(),
    }),
    "cap-output": Object({"max_output_tokens": Whole(1, 2**53), "enforce": Flag()},
                         ["max_output_tokens"]),
    "restrict-models": Object({
        "allow": ListOf(PATTERN, 1),
        "deny": ListOf(PATTERN, 1),
        "enforce": Flag(),
    }),
    "rate-limit": Object(LIMIT | SHARED | {
        "unit": Choice(UNITS),
        "algorithm": Choice(ALGORITHMS),
        "capacity": Amount(),
        "per": DURATION,
        "rate": DURATION,  # ngrok's word for `per`
    }, ["name", "capacity"]),
    "usage-cap": Object(LIMIT | SHARED | {
        "unit": Choice(UNITS),
        "limit": Amount(),
        "window": Choice(amounts.WINDOWS),
        "time_zone": TimeZone(),
        "alert_at": ListOf(FRACTION, 0, 8),
        "unbounded": Choice(("allow", "deny")),
        "on_worker_lost": Choice(("ceiling", "progress")),
    }, ["name", "unit", "limit", "window"]),
    "concurrency-limit": Object(LIMIT | {
        "limit": Whole(1, 10**6),
        "queue": Object({"max": Whole(1, 10**6), "timeout": DURATION}, ["max", "timeout"]),
    }, ["name", "limit"]),
    **MORE_ACTIONS,
    "detect": Object({
        "kinds": ListOf(Choice(DETECT_KINDS), 1),
        "patterns": MapOf(REGEX, TAG, 16),
        "then": Choice(("deny", "redact", "log")),
        "enforce": Flag(),
    }, ["then"]),
}


class ActionShape(Shape):
    """``type`` says what ``config`` looks like. Reads to (type, config dict, enforce)."""

    wanted = "an action with type and config"

    def __init__(self, actions: dict[str, Object] | None = None) -> None:
        """``actions``: those that act in this phase, for who completes; an error for another one
        is that of fastgw.config.rules, which can say where it belongs."""
        self.actions = ACTIONS if actions is None else actions

    def take(self, node, path, reading):
        kind_node = node.entries.get("type") if isinstance(node, Table) else None
        if not isinstance(node, Table):
            message = f"expected {self.wanted}, got {describe(node)}"
            return reading.fail(path, message, "write {type: deny}, and config where it has one",
                                node)
        if kind_node is None:
            hint = "type: " + " | ".join(self.actions)
            return reading.fail(path, "an action needs its 'type'", hint, node)
        kind = kind_of(kind_node[1], join(path, "type"), reading)
        if kind is INVALID:
            return INVALID
        needs_config = ["config"] if ACTIONS[kind].required else []
        outer = Object({"type": Choice(ACTIONS), "config": ACTIONS[kind], "enforce": Flag()},
                       needs_config)
        values = outer.take(node, path, reading)
        if values is INVALID:
            return INVALID
        config = values.get("config", {})
        enforce = values.get("enforce", True) and config.pop("enforce", True)
        return kind, config, enforce

    def schema(self):
        return {"oneOf": [
            {"type": "object", "additionalProperties": False, "required": ["type"],
             "properties": {"type": {"const": kind}, "config": shape.schema(),
                            "enforce": {"type": "boolean"}}}
            for kind, shape in self.actions.items()]}


def kind_of(node: Any, path: str, reading: Any) -> Any:
    """The action that ``type`` names."""
    value = getattr(node, "value", None)
    if isinstance(value, str) and value in ELSEWHERE:
        return reading.fail(path, f"{value} is no action of this gateway", ELSEWHERE[value], node)
    return Choice(ACTIONS, ACTIONS_LATER).read(node, path, reading)


class Hash(Text):
    def __init__(self) -> None:
        super().__init__("sha256: and 64 hex digits", r"sha256:[0-9a-f]{64}",
                         "make one with `printf %s SECRET | sha256sum`", 71, shown=False)


EXPORTS = {
    "kafka": Object({
        "name": ID,
        "brokers": ListOf(Text("a broker's host:port", r"[A-Za-z0-9.:_\[\]-]+", "kafka-1:9092",
                               255), 1, 64),
        "topic": Text("a topic's name", r"[A-Za-z0-9._-]{1,249}", "fastgw.usage", 249),
        "tls": Flag(),
        "mechanism": Choice(("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")),
        "username": Text("a user's name", None, "fastgw", 256),
        "password": SecretText("a password"),
    }, ["brokers", "topic"]),
    "webhook": Object({"name": ID, "url": SecretText("a URL"), "secret": SecretText("a secret")},
                      ["url"]),
}


class ExportShape(Shape):
    """``type`` says what else there is. Reads to (type, values)."""

    wanted = "an export with type: kafka or webhook"
    example = "{type: webhook, url: https://…}"

    def take(self, node, path, reading):
        kind_node = node.entries.get("type") if isinstance(node, Table) else None
        if kind_node is None:
            return self.refuse(node, path, reading)
        kind = Choice(EXPORTS, ("otlp",)).read(kind_node[1], join(path, "type"), reading)
        if kind is INVALID:
            return INVALID
        shape = EXPORTS[kind]
        outer = Object({"type": Choice(EXPORTS), **shape.fields}, ["type", *shape.required])
        values = outer.take(node, path, reading)
        if values is INVALID:
            return INVALID
        if kind == "kafka" and importlib.util.find_spec("confluent_kafka") is None:
            return reading.fail(join(path, "type"), "kafka needs confluent-kafka",
                                "pip install 'fastgw[kafka]'", kind_node[1])
        return kind, {name: value for name, value in values.items() if name != "type"}

    def schema(self):
        return {"oneOf": [
            {"type": "object", "additionalProperties": False,
             "required": ["type", *shape.required],
             "properties": {"type": {"const": kind}, **shape.schema()["properties"]}}
            for kind, shape in EXPORTS.items()]}


LISTEN = Object({
    "address": ADDRESS, "port": PORT, "workers": Whole(1, 256, {"auto": None}),
    "half_close": Choice(("allow", "close")), "tls": LATER,
})
ADMIN = Object({"address": ADDRESS, "port": PORT, "token": SecretText("the admin token")})
LIMITS = Object({"body": SIZE, "head": SIZE, "connections": Whole(1, 10_000_000),
                 "buckets": Whole(1, 100_000_000)})
# What `fastgw usage --by` knows already; a label of that name could not be asked for.
GROUPS = ("key", "model", "provider", "upstream_model", "user", "dialect", "operation", "stream",
          "service_tier", "instance", "minute", "hour", "day")
USAGE = Object({"labels": MapOf(ExpressionText(), TAG, 4, taken=GROUPS)})

PROVIDER = Object({
    "id": ID,
    "dialect": Choice(DIALECTS + VENDORS, DIALECTS_LATER),
    "base_url": Text("a URL", None, "https://api.openai.com/v1", 1024, shown=False),
    "api_version": Text("a dated version of Azure's API (v1 needs none)",
                        r"\d{4}-\d{2}-\d{2}(-preview)?", "'2024-10-21'", 32),
    "keys": ListOf(Object({"id": ID, "value": SecretText("the provider's key"), "weight": WEIGHT},
                          ["value"])),
    "timeouts": Object({"connect": DURATION, "first_byte": DURATION, "idle": DURATION,
                        "total": DURATION}),
    "retries": Object({"max": Whole(0, 10), "budget": SHARE, "on": ListOf(RetryOn())}),
    "breaker": LATER,
}, ["id", "dialect", "base_url"])

CANDIDATE = Object({"provider": ID, "model": MODEL, "weight": WEIGHT}, ["provider", "model"])
MODEL_ENTRY = Object({
    "id": MODEL,
    "candidates": ListOf(CANDIDATE, 0, 32),
    "fallback": ListOf(Object({"provider": ID, "model": MODEL}, ["provider", "model"]), 0, 32),
    "max_output": Whole(1, 2**53),
    "context": Whole(1, 2**53),
}, ["id", "candidates"])

KEY = Object({
    "id": ID,
    "hash": Hash(),
    "value": SecretText("the key itself"),
    "owner": TAGS,
    "tags": TAGS,
    "access": Object({"models": ListOf(PATTERN, 1), "providers": ListOf(ID, 1),
                      "operations": ListOf(Choice(OPERATIONS), 1)}),
    "limits": Object({unit: ALLOWANCE for unit in UNITS} | {"concurrency": Whole(1, 10**6)}),
    "expires": INSTANT,
}, ["id"])


def rule_of(action: ActionShape) -> Object:
    return Object({
        "name": NAME,
        "expressions": ListOf(ExpressionText(), 0, 64),
        "actions": ListOf(action, 0, 64),
        "enforce": Flag(),
    })


RULE, RESPONSE_RULE, EVENT_RULE = (
    rule_of(ActionShape({kind: ACTIONS[kind] for kind in kinds}))
    for kinds in (ACTIONS, PHASES[RESPONSE], PHASES[EVENT]))

ROOT = Object({
    "listen": LISTEN,
    "admin": ADMIN,
    "data_dir": Text("a directory", None, "./fastgw-data", 4096),
    "shm_dir": Text("a directory", None, "/dev/shm", 4096),
    "store": Store(),
    "retention": Object({what: AGE for what in ("decisions", "minutely", "hourly", "daily")}),
    "on_ledger_full": Choice(("reject", "drop")),
    "limits": LIMITS,
    "usage": USAGE,
    "prices": Object({"file": Text("a file", None, "prices.yaml", 4096)}, ["file"]),
    "export": ListOf(ExportShape(), 0, 16),
    "cluster": Object({"redis": SecretText("the store's URL"), "prefix": ID}, ["redis"]),
    "alerts": Object({"webhook": SecretText("a URL"), "secret": SecretText("a secret")},
                     ["webhook"]),
    "providers": ListOf(PROVIDER, 1),
    "models": ListOf(MODEL_ENTRY),
    "models_strict": Flag(),
    "auth": Choice(("none",)),
    "keys": ListOf(KEY),
    "policy": Object({
        "on_http_request": ListOf(RULE), "on_http_response": ListOf(RESPONSE_RULE),
        "on_event_stream_message": ListOf(EVENT_RULE),
        "on_tcp_connect": NotHere("connections have no policy here",
                                  "restrict-ips or deny, under on_http_request"),
    }),
}, ["providers"])


def json_schema() -> dict[str, Any]:
    """What `fastgw schema` prints: JSON Schema 2020-12 of a configuration file."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "fastgw configuration",
        **ROOT.schema(),
    }
    annotate(schema)
    return schema
