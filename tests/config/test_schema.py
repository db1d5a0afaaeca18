"""The schema knows the whole interface, and describes what this version takes.

Method: the JSON Schema is walked by a small validator of our own over good files and the broken
ones; the names of INTERFACE section 3 must each be known, as taken or as "not supported yet".
"""

import re
from pathlib import Path

import pytest
import yaml

from fastgw.config import json_schema
from fastgw.config.schema import ACTIONS, ACTIONS_LATER, OPERATIONS, ROOT, UNITS
from fastgw.config.shape import Later
from fastgw.config.starter import STARTER

ROOT_FOLDER = Path(__file__).resolve().parents[2]


def valid(schema, value):
    """As much of JSON Schema as ours uses."""
    if "not" in schema:
        return False
    for name in ("anyOf", "oneOf"):
        if name in schema:
            return any(valid(one, value) for one in schema[name])
    if "enum" in schema or "const" in schema:
        return value in schema.get("enum", [schema.get("const")])
    kinds = {
        "object": dict,
        "array": list,
        "string": str,
        "integer": int,
        "boolean": bool,
        "number": (int, float),
    }
    if not isinstance(value, kinds[schema["type"]]):
        return False
    if schema["type"] == "object":
        return (not set(schema.get("required", ())) - set(value)) and all(
            valid(
                schema.get("properties", {}).get(
                    name, schema["additionalProperties"] or {"not": {}}
                ),
                part,
            )
            for name, part in value.items()
        )
    if schema["type"] == "array":
        return len(value) >= schema.get("minItems", 0) and all(
            valid(schema["items"], part) for part in value
        )
    if schema["type"] == "string":
        return re.search(schema.get("pattern", ""), value) is not None
    return schema.get("minimum", value) <= value <= schema.get("maximum", value)


def test_the_starter_is_valid():
    assert valid(json_schema(), yaml.safe_load(STARTER))


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "providers: []",
        "providers: [{id: a}]",
        "{providers: [{id: a, dialect: openai, base_url: 'http://h'}], listen: {prot: 1}}",
        "{providers: [{id: a, dialect: gemini, base_url: 'http://h'}]}",
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
    assert {name for name, shape in ROOT.fields.items() if isinstance(shape, Later)} == {"export"}


def test_operations_and_units_are_those_of_the_kernels():
    header = (ROOT_FOLDER / "csrc/fgw_dialect_route.h").read_text()
    names = re.findall(r"FGW_OPERATION_(\w+)[,\s=]", header)

    assert set(OPERATIONS) == {name.lower() for name in names}
    for unit in UNITS:
        assert f"FGW_UNIT_{unit.upper()} " in (ROOT_FOLDER / "csrc/fgw_record.h").read_text()
