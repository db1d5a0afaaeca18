"""The schema knows the whole interface, and describes what this version takes.

Method: the JSON Schema is walked by the `jsonschema` library over good files and broken ones; the
names of INTERFACE section 3 must each be known, as taken or as "not supported yet".
"""

import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from fastgw.config import examine_text, json_schema, schema
from fastgw.config.meanings import MEANINGS, meaning_of
from fastgw.config.schema import (
    ACTIONS,
    ACTIONS_LATER,
    ALGORITHMS,
    DETECT_KINDS,
    OPERATIONS,
    ROOT,
    UNITS,
)
from fastgw.config.shape import Later
from fastgw.config.starter import STARTER

ROOT_FOLDER = Path(__file__).resolve().parents[2]


def valid(schema, value):
    return Draft202012Validator(schema).is_valid(value)


def test_it_is_a_schema_itself():
    Draft202012Validator.check_schema(json_schema())


def test_editors_are_told_what_is_wanted():
    listen = json_schema()["properties"]["listen"]["properties"]
    assert listen["port"]["description"] == (
        "TCP port; 0 takes a free one: a whole number from 0 to 65535")
    assert listen["address"]["description"] == (
        "Where to bind: an IP address or host name, for example 127.0.0.1")


def properties(schema, path=""):
    """(path, schema) of every key that a file may have."""
    for name, below in schema.get("properties", {}).items():
        if "not" in below:
            continue  # of ngrok's grammar, refused here
        yield f"{path}.{name}", below
        yield from properties(below, f"{path}.{name}")
    items = [schema["items"]] if "items" in schema else []
    for one in (*schema.get("oneOf", ()), *schema.get("anyOf", ()), *items):
        kind = one.get("properties", {}).get("type", {}).get("const", "")
        yield from properties(one, path + (f"<{kind}>" if kind else ""))


def test_every_key_says_what_it_is_for():
    found = list(properties(json_schema()))
    assert len(found) > 250
    assert [path for path, one in found if not meaning_of(path_of(path))] == []
    assert [path for path, one in found if not one.get("description")] == []


def path_of(text):
    return tuple(re.findall(r"[\w-]+", text))


def test_no_meaning_is_of_a_key_that_there_is_not():
    keys = {path_of(path)[-1] for path, _ in properties(json_schema())}
    assert [name for name in MEANINGS if name.rpartition(".")[2] not in keys] == []


def test_words_of_choice_are_offered():
    rules = json_schema()["properties"]["policy"]["properties"]["on_http_request"]["items"]
    actions = {one["properties"]["type"]["const"]: one["properties"]["config"]["properties"]
               for one in rules["properties"]["actions"]["items"]["oneOf"]}
    assert set(actions) == set(ACTIONS)
    assert actions["rate-limit"]["unit"]["enum"] == list(UNITS)
    assert actions["rate-limit"]["algorithm"]["enum"] == list(ALGORITHMS)
    assert actions["usage-cap"]["window"]["enum"] == ["hour", "day", "week", "month", "total"]
    assert actions["detect"]["kinds"]["items"]["enum"] == list(DETECT_KINDS)


def examples():
    """Every configuration that is shipped: files, and those in the README that name providers."""
    for name in ("benchmarks/fastgw.yaml", "benchmarks/refusing.yaml"):
        yield name, re.sub("@[A-Z_]+@", "8080", (ROOT_FOLDER / name).read_text())
    readme = (ROOT_FOLDER / "README.md").read_text()
    for i, text in enumerate(re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)):
        if not re.search("^(tests|version|services):", text, re.MULTILINE):
            yield f"README.md {i}", text


@pytest.mark.parametrize("name, text", examples())
def test_what_is_shipped_is_valid(name, text):
    written = yaml.safe_load(text)
    if "providers" not in written:  # a part of one
        written["providers"] = [{"id": "a", "dialect": "openai", "base_url": "http://h"}]
    assert [error.message for error in Draft202012Validator(json_schema()).iter_errors(written)
            ] == []


def test_the_starter_is_valid():
    assert valid(json_schema(), yaml.safe_load(STARTER))


LIMITS = """
providers: [{id: a, dialect: openai, base_url: "http://h"}]
prices: {file: prices.yaml}
cluster: {redis: "redis://h"}
alerts: {webhook: "https://h", secret: s}
models: [{id: m, candidates: [{provider: a, model: x}], max_output: 5, context: 9}]
keys: [{id: k, limits: {requests: 60/1m, cost: 0.25/month, tokens: 9/total, concurrency: 5}}]
policy:
  on_http_request:
    - actions:
        - type: rate-limit
          config: {name: a, unit: cost, capacity: 0.5, per: 1m, algorithm: sliding_window}
        - type: usage-cap
          config: {name: b, unit: cost, limit: 250.00, window: month, time_zone: Asia/Tokyo,
                   bucket_key: [key.id], alert_at: [0.5, 80%], unbounded: allow,
                   on_worker_lost: progress, on_store_loss: open, cluster: false, enforce: false}
        - type: concurrency-limit
          config: {name: c, limit: 5, queue: {max: 5, timeout: 5s}}
"""


def test_limits_of_every_kind_are_valid():
    assert valid(json_schema(), yaml.safe_load(LIMITS))


@pytest.mark.parametrize(
    "wrong",
    [
        ("window: month", "window: monthly"),
        ("limit: 250.00", "limit: many"),
        ("limit: 5", "limit: 0.5"),
        ("limit: 5, ", ""),
        ("timeout: 5s", "timeout: 5"),
        ("alert_at: [0.5", "alert_at: [1.5"),
        ("0.25/month", "month"),
        ("concurrency: 5", "concurrency: many"),
        ("{file: prices.yaml}", "{}"),
        ("algorithm: sliding_window", "algorithm: leaky"),
    ],
)
def test_limits_that_a_load_refuses_the_schema_refuses(wrong):
    assert wrong[0] in LIMITS

    assert not valid(json_schema(), yaml.safe_load(LIMITS.replace(*wrong)))


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "providers: []",
        "providers: [{id: a}]",
        "{providers: [{id: a, dialect: openai, base_url: 'http://h'}], listen: {prot: 1}}",
        "{providers: [{id: a, dialect: bedrock, base_url: 'http://h'}]}",
        "{providers: [{id: a, dialect: openai, base_url: 'http://h'}], prices: {}}",
        "{providers: [{id: a, dialect: openai, base_url: 'http://h'}], listen: {port: 70000}}",
    ],
)
def test_what_a_load_refuses_the_schema_refuses(text):
    assert not valid(json_schema(), yaml.safe_load(text))


def test_every_name_of_the_interface_is_known():
    assert set(ROOT.fields) >= {
        "listen",
        "admin",
        "data_dir",
        "shm_dir",
        "store",
        "on_ledger_full",
        "limits",
        "usage",
        "prices",
        "export",
        "cluster",
        "alerts",
        "providers",
        "models",
        "models_strict",
        "keys",
        "policy",
    }
    assert set(ACTIONS) | set(ACTIONS_LATER) == {
        "deny",
        "custom-response",
        "restrict-models",
        "restrict-ips",
        "rate-limit",
        "usage-cap",
        "concurrency-limit",
        "cap-input",
        "cap-output",
        "route",
        "add-headers",
        "remove-headers",
        "set-vars",
        "detect",
        "on-abort",
        "log",
    }
    assert {name for name, shape in ROOT.fields.items() if isinstance(shape, Later)} == set()


def test_operations_and_units_are_those_of_the_kernels():
    header = (ROOT_FOLDER / "csrc/fgw_dialect_route.h").read_text()
    names = re.findall(r"FGW_OPERATION_(\w+)[,\s=]", header)

    assert set(OPERATIONS) == {name.lower() for name in names}
    for unit in UNITS:
        assert f"FGW_UNIT_{unit.upper()} " in (ROOT_FOLDER / "csrc/fgw_record.h").read_text()


@pytest.mark.parametrize(("module", "setting", "remedy"), [
    ("psycopg", "store: postgresql://127.0.0.1/ledger", "pip install 'fastgw[postgres]'"),
    ("confluent_kafka", "export: [{type: kafka, brokers: ['b:9092'], topic: t}]",
     "pip install 'fastgw[kafka]'"),
])
def test_a_missing_extra_is_an_error_at_its_place(monkeypatch, module, setting, remedy):
    find = schema.importlib.util.find_spec
    monkeypatch.setattr(schema.importlib.util, "find_spec",
                        lambda name: None if name == module else find(name))
    _, errors, _ = examine_text(
        "providers: [{id: p, dialect: openai, base_url: 'http://127.0.0.1:1'}]\n" + setting, "x")
    (error,) = errors
    assert error.line == 2 and error.suggestion == remedy and "needs" in error.message


def test_a_retention_is_a_time_or_for_ever():
    config, _, _ = examine_text(
        "providers: [{id: p, dialect: openai, base_url: 'http://127.0.0.1:1'}]\n"
        "retention: {decisions: 12h, daily: forever}\n", "x")
    assert config is not None
    assert config.retention.decisions == 12 * 3600 * 10**9 and config.retention.daily is None
    assert config.retention.minutely == 7 * 86400 * 10**9
