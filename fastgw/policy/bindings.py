"""Given values of variables as a program reads them: for `fastgw policy eval` and other tools.

A value is plain JSON, or typed as in ../shared/vectors/cel.jsonl ({"type": "uint", "value": 3}).
Names are written with dots ("ai.model") or nested ({"ai": {"model": …}}). What belongs to a
request has the request's types; any other name is declared as what it is given as.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from fastgw.policy.scope import FACTS_MAX, FIXED, PHASES, Scope
from fastgw.policy.types import Type, read

INT_MAX = 2**63 - 1
TYPES = ("null", "bool", "int", "uint", "double", "string", "bytes", "list", "map", "timestamp",
         "duration", "type")
MAPS, NAMES = PHASES["response"]
_OURS = {name: kind for name, kind in (*FIXED, *NAMES.items()) if name[0] != "."}
_ROOTS = frozenset(name.partition(".")[0] for name in (*_OURS, *MAPS))
PREFIXES = {members.kind: path for path, members in MAPS.items()} | {
    name.partition(".")[0]: name.partition(".")[0] for name in NAMES}
Value = dict[str, Any]


class Bindings:
    """``scope`` declares them; ``facts`` and ``sources`` are what a program then reads."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._values: dict[str, Value] = {}
        self._members: dict[str, dict[str, Value]] = {path: {} for path in MAPS}
        for name, value in given.items():
            self._bind(name, value)
        extra = [(name, declared(value)) for name, value in self._values.items()
                 if name not in _OURS]
        self.scope = Scope((*FIXED, *extra), MAPS, {}, FACTS_MAX)
        self.scope.named = dict(NAMES)

    def _bind(self, name: str, value: Any) -> None:
        if name in MAPS and isinstance(value, Mapping):
            entries = value["value"] if is_typed(value) else list(value.items())
            for key, member in entries:
                key = key["value"] if isinstance(key, Mapping) else key
                word = key.lower() if name.endswith("headers") else key
                self._members[name][word] = typed(member)
        elif name in _ROOTS and isinstance(value, Mapping) and not is_typed(value):
            for key, member in value.items():
                self._bind(f"{name}.{key}", member)
        else:
            path, _, last = name.rpartition(".")
            if path in MAPS and name not in _OURS:
                self._bind(path, {last: value})
                return
            self._values[name] = of_type(typed(value), _OURS.get(name))

    @property
    def facts(self) -> list[Value | None]:
        """In place order, those included that expressions of ``scope`` named so far."""
        found = [self._values.get(name) for name in self.scope.variables]
        for kind, name in self.scope.dynamic:
            path = PREFIXES[kind]
            value = self._members.get(path, {}).get(name)
            if value is None and "." in name:  # actions.rate_limit.limited
                first, _, rest = name.partition(".")
                value = entry(self._members[path].get(first), rest)
            found.append(value or self._values.get(f"{path}.{name}"))
        return found

    @property
    def sources(self) -> dict[int, list[tuple[str, str]]]:
        """Maps of the request by fgw_cel_source_id; the header lines too."""
        found: dict[int, list[tuple[str, str]]] = {}
        for path, members in MAPS.items():
            if members.source >= 0:
                found[members.source] = [
                    (name, str(value["value"])) for name, value in self._members[path].items()]
        found[HEADER_LINES] = found[0]
        return found


HEADER_LINES = 4  # FGW_CEL_SOURCE_HEADER_LINES


def entry(value: Value | None, name: str) -> Value | None:
    """The entry ``name`` of a map."""
    pairs = value["value"] if value and value["type"] == "map" else []
    return next((member for key, member in pairs if key["value"] == name), None)


def is_typed(value: Any) -> bool:
    """Whether ``value`` says its type itself."""
    return isinstance(value, Mapping) and value.get("type") in TYPES and (
        set(value) <= {"type", "value"} or "value_base64" in value or "seconds" in value)


def typed(value: Any) -> Value:
    """Plain JSON with its types. Raises ValueError for what is no value."""
    if is_typed(value):
        return dict(value)
    if value is None or isinstance(value, bool):
        return {"type": "null" if value is None else "bool", "value": value}
    if isinstance(value, int):
        return {"type": "int" if value <= INT_MAX else "uint", "value": value}
    if isinstance(value, float):
        return {"type": "double", "value": value}
    if isinstance(value, str):
        return {"type": "string", "value": value}
    if isinstance(value, list):
        return {"type": "list", "value": [typed(item) for item in value]}
    if isinstance(value, Mapping):
        return {"type": "map", "value": [[typed(key), typed(item)] for key, item in value.items()]}
    raise ValueError(f"no value: {value!r}")


def of_type(value: Value, kind: Type | None) -> Value:
    """``value`` as the declared type of its name, where JSON has no such type."""
    if kind is None or value["type"] == kind.name:
        return value
    if kind.name == "double" and value["type"] == "int":
        return {"type": "double", "value": float(value["value"])}
    if kind.name == "timestamp" and value["type"] in ("string", "int"):
        return timestamp(value["value"])
    raise ValueError(f"{value['value']!r} is {value['type']}, not {kind}")


def timestamp(moment: str | int) -> Value:
    """Of a text as RFC 3339 has it, or of seconds since 1970."""
    if isinstance(moment, int):
        return {"type": "timestamp", "seconds": moment, "nanos": 0}
    parsed = datetime.datetime.fromisoformat(moment)
    since = parsed.astimezone(datetime.UTC) - datetime.datetime.fromtimestamp(0, datetime.UTC)
    return {"type": "timestamp", "seconds": since.days * 86400 + since.seconds,
            "nanos": since.microseconds * 1000}


def declared(value: Value) -> Type:
    """The type that a given value declares its name as."""
    kinds = {"list": "list(dyn)", "map": "map(dyn, dyn)"}
    return read(kinds.get(value["type"], value["type"]))


