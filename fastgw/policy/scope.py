"""What names mean in an expression: facts by position, and maps whose members become facts.

A fixed fact stands at the place that csrc/fgw_policy.h gives it. `req.headers['x-a']`,
`key.tags.tier`, `res.status` get the next free place when an expression first names them; whoever
fills the facts array reads them off ``dynamic``. A map that is asked for as a whole, or for a
name that is only known when the expression runs, is read through fgw_cel_source.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from fastgw.policy.lexer import ExpressionError
from fastgw.policy.types import BOOL, DOUBLE, DYN, INT, STRING, TIMESTAMP, Type, read

# In the order of enum fgw_fact (a test compares). A name that begins with `.` is no variable:
# the machine's and the actions' own.
FIXED = (
    ("req.method", STRING), ("req.path", STRING), (".req.query", STRING),
    ("req.host", STRING), ("req.size", INT),
    ("conn.client_ip", STRING), ("conn.tls", BOOL),
    ("ai.dialect", STRING), ("ai.operation", STRING), ("ai.provider", STRING),
    ("ai.model", STRING), ("ai.user", STRING), ("ai.stream", BOOL), ("ai.tools", BOOL),
    ("ai.n", INT), ("ai.input_tokens", INT), ("ai.max_output_tokens", INT),
    ("key.id", STRING),
    ("time.now", TIMESTAMP), ("time.hour", INT), ("time.weekday", INT),
)
FACTS_MAX = 64  # FGW_FACTS_MAX
# Names of ngrok's Traffic Policy and of other gateways: how the same is said here.
ELSEWHERE = {
    "req.url.path": "req.path", "req.url.query": "req.query", "req.url.host": "req.host",
    "req.url": "req.path, req.host and req.query", "request": "req.*: req.method, req.path, …",
    "req.body": "ai.* (model, stream, tools, …); a `detect` looks at texts",
    "req.ip": "conn.client_ip", "conn.ip": "conn.client_ip", "client_ip": "conn.client_ip",
    "conn.remote_ip": "conn.client_ip", "conn.geo": "nowhere: no database of places comes with it",
    "key.name": "key.id", "model": "ai.model", "user": "ai.user",
    "response": "res.*: res.status, res.headers", "res.status_code": "res.status",
    "rate_limit": "actions.rate_limit.*, in on_http_response", "limit": "actions.rate_limit.*",
    "ai.tokens": "ai.input_tokens; what was used is usage.*",
}


@dataclass(frozen=True, slots=True)
class Members:
    """A map of the request: ``kind`` of its members among the dynamic facts, their type, and
    which fgw_cel_source_id has it as a whole (-1: none). A member's name has ``levels`` words."""

    kind: str
    type: Type = STRING
    source: int = -1
    levels: int = 1


REQUEST_MAPS = {
    "req.headers": Members("header", STRING, 0), "req.query": Members("query", STRING, 1),
    "key.tags": Members("tag", STRING, 2), "key.owner": Members("owner", STRING, 3),
    "vars": Members("vars", DYN), "actions": Members("actions", DYN, levels=2),
}
RESPONSE_MAPS = REQUEST_MAPS | {"res.headers": Members("res_header")}
# Dynamic facts that have a name of their own: only policies that read them pay a place.
RESPONSE_NAMES = {
    "res.status": INT, "upstream.provider": STRING, "upstream.model": STRING,
    "upstream.attempts": INT, "usage.input_tokens": INT, "usage.output_tokens": INT,
    "usage.cached_input_tokens": INT, "usage.cache_write_tokens": INT,
    "usage.reasoning_tokens": INT, "usage.cost": DOUBLE,
}
PHASES = {"request": (REQUEST_MAPS, {}), "response": (RESPONSE_MAPS, RESPONSE_NAMES),
          "event": (RESPONSE_MAPS, RESPONSE_NAMES)}
_NOT_YET = {root: f"{root}.* exists only in the response phase"
            for root in ("upstream", "res", "usage")}
LATER = {"vars": "vars.* are not supported yet", "actions": "actions.* are not supported yet"}
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class Scope:
    """Declared names of a ``phase``, and the dynamic facts that were asked for so far.

    ``variables``: (name, type) of each fact in order; without, those of a request. Then ``maps``
    are its maps too, unless others are given.
    """

    def __init__(self, variables=None, maps=None, later=None, facts_max=FACTS_MAX, *,
                 phase: str = "request") -> None:
        ours = variables is None
        known_maps, named = PHASES[phase] if ours else ({}, {})
        known_later = (LATER if phase != "request" else LATER | _NOT_YET) if ours else {}
        self.variables: dict[str, tuple[int, Type]] = {
            name: (index, read(kind) if isinstance(kind, str) else kind)
            for index, (name, kind) in enumerate(FIXED if ours else variables)}
        self.maps: dict[str, Members] = dict(known_maps if maps is None else maps)
        self.named: dict[str, Type] = dict(named)
        self.results: dict[str, Type] = {}  # of actions, 'rate_limit.limited': dyn if not here
        self.later = known_later if later is None else later
        self.facts_max = facts_max
        self.fixed = len(self.variables)
        self.dynamic: list[tuple[str, str]] = []

    @property
    def n_facts(self) -> int:
        return self.fixed + len(self.dynamic)

    @property
    def names(self) -> list[str]:
        """Everything that an expression may name."""
        return [name for name in (*self.variables, *self.named, *self.maps) if name[0] != "."]

    def fact(self, path: str, offset: int) -> tuple[int, Type] | None:
        """Place and type of the variable ``path``, None if it is none."""
        if path in self.variables:
            return self.variables[path]
        if path in self.named:
            kind, _, name = path.partition(".")
            return self.place(kind, name, offset), self.named[path]
        return None

    def member(self, path: str, name: str, offset: int) -> tuple[int, Type]:
        """Place and type of the member ``name`` of the map ``path``."""
        members = self.maps[path]
        kind = self.results.get(name, DYN) if members.kind == "actions" else members.type
        return self.place(members.kind, name, offset), kind

    def place(self, kind: str, name: str, offset: int) -> int:
        """The position of a dynamic fact: an old one, or the next."""
        if kind in ("header", "res_header"):
            if not _HEADER.fullmatch(name):
                raise ExpressionError(f"{name!r} is no name of a header", offset,
                                      "letters, digits and -: req.headers['x-a']")
            name = name.lower()
        key = (kind, name)
        if key not in self.dynamic:
            if self.n_facts >= self.facts_max:
                most = self.facts_max - self.fixed
                raise ExpressionError(
                    f"more than {most} different headers, tags and owners in one policy", offset,
                    "ask for fewer: rules may share one that says what they need")
            self.dynamic.append(key)
        return self.fixed + self.dynamic.index(key)

    def unknown(self, path: str, offset: int, end: int) -> ExpressionError:
        """Why ``path`` names nothing."""
        root = path.partition(".")[0]
        if root in self.later:
            return ExpressionError(self.later[root], offset,
                                   "see `fastgw schema` for what this version takes", end)
        known = self.names
        below = [name for name in known if name.startswith(path + ".")]
        if below:
            return ExpressionError(f"'{path}' has no value of its own", offset,
                                   "it has " + ", ".join(below), end)
        near = difflib.get_close_matches(path, known, 1, 0.6)
        hint = f"did you mean '{near[0]}'?" if near else ""
        hint = next((f"here that is {here}" for name, here in ELSEWHERE.items()
                     if f"{path}.".startswith(name + ".")), hint)
        if not hint and known:
            roots = sorted({name.partition(".")[0] for name in known})
            hint = "there are " + ", ".join(f"{root}.*" for root in roots)
        return ExpressionError(f"unknown variable '{path}'", offset, hint, end)
