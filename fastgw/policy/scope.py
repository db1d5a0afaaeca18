"""What names mean in an expression: facts by position, and maps whose members become facts.

A fixed fact stands at the place that csrc/fgw_policy.h gives it. `req.headers['x-a']`,
`key.tags.tier`, `key.owner.team` get the next free place when an expression first names them;
whoever fills the facts array reads them off ``dynamic``.
"""

from __future__ import annotations

import difflib
import re

from fastgw.policy.lexer import ExpressionError

# In the order of enum fgw_fact (a test compares).
FIXED = (
    ("req.method", "string"), ("req.path", "string"), ("req.query", "string"),
    ("req.host", "string"), ("req.size", "int"),
    ("conn.client_ip", "string"), ("conn.tls", "bool"),
    ("ai.dialect", "string"), ("ai.operation", "string"), ("ai.provider", "string"),
    ("ai.model", "string"), ("ai.user", "string"), ("ai.stream", "bool"), ("ai.tools", "bool"),
    ("ai.n", "int"), ("ai.input_tokens", "int"), ("ai.max_output_tokens", "int"),
    ("key.id", "string"),
    ("time.now", "int"), ("time.hour", "int"), ("time.weekday", "int"),
)
MAPS = {"req.headers": "header", "key.tags": "tag", "key.owner": "owner"}
FACTS_MAX = 64  # FGW_FACTS_MAX
LATER = {
    "vars": "vars.* are not supported yet",
    "actions": "actions.* are not supported yet",
    "upstream": "upstream.* exists only in the response phase, which is not supported yet",
    "res": "res.* exists only in the response phase, which is not supported yet",
    "usage": "usage.* exists only in the response phase, which is not supported yet",
}
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class Scope:
    """Declared names, and the dynamic facts that were asked for so far."""

    def __init__(self, variables=FIXED, maps=MAPS, later=LATER, facts_max=FACTS_MAX) -> None:
        self.variables = {name: (index, kind) for index, (name, kind) in enumerate(variables)}
        self.maps = dict(maps)
        self.later = later
        self.facts_max = facts_max
        self.fixed = len(self.variables)
        self.dynamic: list[tuple[str, str]] = []

    @property
    def n_facts(self) -> int:
        return self.fixed + len(self.dynamic)

    def place(self, kind: str, name: str, offset: int) -> int:
        """The position of a member of a map: an old one, or the next."""
        if kind == "header":
            if not _HEADER.fullmatch(name):
                raise ExpressionError(f"{name!r} is no name of a header", offset)
            name = name.lower()
        key = (kind, name)
        if key not in self.dynamic:
            if self.n_facts >= self.facts_max:
                most = self.facts_max - self.fixed
                raise ExpressionError(
                    f"more than {most} different headers, tags and owners in one policy", offset)
            self.dynamic.append(key)
        return self.fixed + self.dynamic.index(key)

    def unknown(self, path: str, offset: int, end: int) -> ExpressionError:
        """Why ``path`` names nothing."""
        root = path.partition(".")[0]
        if root in self.later:
            return ExpressionError(self.later[root], offset, "", end)
        below = [name for name in (*self.variables, *self.maps) if name.startswith(path + ".")]
        if below:
            return ExpressionError(f"'{path}' has no value of its own", offset,
                                   "it has " + ", ".join(below), end)
        known = [*self.variables, *self.maps]
        near = difflib.get_close_matches(path, known, 1, 0.6)
        hint = f"did you mean '{near[0]}'?" if near else ""
        if not hint and known:
            roots = sorted({name.partition(".")[0] for name in known})
            hint = "there are " + ", ".join(f"{root}.*" for root in roots)
        return ExpressionError(f"unknown variable '{path}'", offset, hint, end)
