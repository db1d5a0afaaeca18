"""What an expression may read by where it stands: variables, results of actions, the answer.

    request    what the client asked, variables, results of actions before
    response   and the answer's head, who gave it, results of limits
    log        written at a request's end: what its phase may read, results of limits, usage
    end        rules of the response phase that read usage: they run when it is known
"""

from __future__ import annotations

import difflib

from fastgw.policy.lexer import ExpressionError
from fastgw.policy.results import OF_LIMITS, TYPES
from fastgw.policy.scope import Scope

ANSWER = {
    "res.status": "int", "upstream.provider": "string", "upstream.model": "string",
    "upstream.attempts": "int",
}
USAGE = {f"usage.{name}": "int" for name in (
    "input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens",
    "reasoning_tokens")} | {"usage.cost": "double"}
PHASES = ("request", "response", "log", "end")


class PolicyScope(Scope):
    """Names of one policy. ``phase`` changes as its rules are compiled; places never do."""

    def __init__(self) -> None:
        super().__init__()
        self.phase = "request"
        self.vars: dict[str, str] = {}  # set so far, with their types
        self.variables = _Names(self, self.variables)

    def declared(self, path: str, offset: int) -> tuple[str, str, str] | None:
        """(kind, name, type) of a dynamic fact with a name of its own; None: it is none."""
        root, _, name = path.partition(".")
        name = name.removeprefix("ngrok.") if root == "actions" else name
        if root == "vars" and name and "." not in name:
            return "vars", name, self._var(name, offset)
        if root == "actions" and name.count(".") == 1:
            return "actions", name, self._result(name, offset)
        if path in ANSWER:
            self._wants("the answer", ("response", "log", "end"), path, offset)
            return root, name, ANSWER[path]
        if path in USAGE:
            self._wants("usage", ("log", "end"), path, offset)
            return root, name, USAGE[path]
        return None

    def set_var(self, name: str, type: str) -> None:
        """A set-vars sets ``name``: from here on it may be read."""
        self.vars[name] = type if self.vars.get(name, type) == type else "string"

    def _var(self, name: str, offset: int) -> str:
        if name not in self.vars:
            near = difflib.get_close_matches(name, self.vars, 1, 0.6)
            hint = f"did you mean 'vars.{near[0]}'?" if near else "set it in a rule above"
            raise ExpressionError(f"no set-vars before has set '{name}'", offset, hint,
                                  offset + len("vars.") + len(name))
        return self.vars[name]

    def _result(self, name: str, offset: int) -> str:
        if name not in TYPES:
            near = difflib.get_close_matches(name, TYPES, 1, 0.6)
            action = name.partition(".")[0]
            here = [other for other in TYPES if other.startswith(action + ".")]
            hint = f"did you mean 'actions.{near[0]}'?" if near else (
                "it leaves " + ", ".join(here) if here else "")
            raise ExpressionError(f"no action leaves '{name}'", offset, hint,
                                  offset + len("actions.") + len(name))
        if name in OF_LIMITS and self.phase == "request":
            raise ExpressionError(
                f"'actions.{name}' is known only once limits are taken, behind all rules", offset,
                "read it in on_http_response, or in the metadata of a log action",
                offset + len("actions.") + len(name))
        return TYPES[name]

    def _wants(self, what: str, phases: tuple[str, ...], path: str, offset: int) -> None:
        if self.phase in phases:
            return
        where = "in on_http_response" if "response" in phases else (
            "in the metadata of a log action, or in expressions of on_http_response")
        raise ExpressionError(f"'{path}' is not known yet: {what} comes later", offset,
                              f"read it {where}", offset + len(path))


class _Names(dict):
    """The fixed variables, and those that get their place when they are first named."""

    def __init__(self, scope: PolicyScope, fixed) -> None:
        super().__init__(fixed)
        self._scope = scope

    def __contains__(self, path) -> bool:
        return super().__contains__(path) or self._scope.declared(path, 0) is not None

    def __missing__(self, path):
        kind, name, type = self._scope.declared(path, 0)
        return self._scope.place(kind, name, 0), type
