"""What an expression may read by where it stands: variables, results of actions, the answer.

    request    what the client asked, variables, results of actions before
    look       which `detect` looks at the answer: decided with the request, behind its rules
    response   and the answer's head, who gave it, results of limits
    log        written at a request's end: all of these, and usage
    end        rules of the response phase that read usage: they run when it is known
"""

from __future__ import annotations

import difflib

from fastgw.policy.lexer import ExpressionError
from fastgw.policy.results import OF_DETECT, OF_LIMITS, TYPES
from fastgw.policy.scope import Scope
from fastgw.policy.types import DYN, Type, read

PHASES = ("request", "look", "response", "log", "end")
BEFORE = ("request", "look")  # the answer
LOOK_HINT = ("what `detect` looks at in an answer is decided with the request: ask about that, or "
             "make two rules")
VOLATILE = ("vars", "actions")  # kinds of facts that rules themselves write


class PolicyScope(Scope):
    """Names of one policy. ``phase`` changes as its rules are compiled; places never do."""

    def __init__(self) -> None:
        super().__init__(phase="response")
        self.later = {}
        self.phase = "request"
        self.results = {name: read(kind) for name, kind in TYPES.items()}
        self.vars: dict[str, Type] = {}  # set so far, with their types
        self.changes = 0  # of ``vars``: the same text may mean something else after one

    def set_var(self, name: str, type: str) -> None:
        """A set-vars sets ``name``: from here on it may be read. ``type`` "": not known."""
        kind = read(type) if type else DYN
        kind = kind if self.vars.get(name, kind) == kind else DYN
        self.changes += self.vars.get(name) != kind
        self.vars[name] = kind

    def lasts(self, fact: int) -> bool:
        """Whether the fact at this place is the same for all rules of a run: none writes it."""
        return fact < self.fixed or self.dynamic[fact - self.fixed][0] not in VOLATILE

    def fact(self, path: str, offset: int) -> tuple[int, Type] | None:
        if path in self.named:
            self._known(path, offset)
        return super().fact(path, offset)

    def member(self, path: str, name: str, offset: int) -> tuple[int, Type]:
        place = super().member
        if path == "vars":
            if name not in self.vars:
                near = difflib.get_close_matches(name, self.vars, 1, 0.6)
                raise ExpressionError(
                    f"no set-vars before has set '{name}'", offset,
                    f"did you mean 'vars.{near[0]}'?" if near else "set it in a rule above")
            return place(path, name, offset)[0], self.vars[name]
        if path == "actions":
            self._result(name, offset)
        if path == "res.headers":
            self._known(path, offset)
        return place(path, name, offset)

    def _result(self, name: str, offset: int) -> None:
        if name not in TYPES:
            near = difflib.get_close_matches(name, TYPES, 1, 0.6)
            action = name.partition(".")[0]
            here = [other for other in TYPES if other.startswith(action + ".")]
            hint = f"did you mean 'actions.{near[0]}'?" if near else (
                "it leaves " + ", ".join(here) if here else
                "what it found is in the decision record; rules cannot read it"
                if action == "detect" else "actions are named with _: actions.deny.denied")
            raise ExpressionError(f"no action leaves '{name}'", offset, hint)
        if self.phase not in BEFORE or name not in OF_LIMITS | OF_DETECT:
            return
        when = "limits are taken" if name in OF_LIMITS else "the body has been looked at"
        raise ExpressionError(
            f"'actions.{name}' is known only once {when}, behind all rules", offset,
            LOOK_HINT if self.phase == "look" else
            "read it in on_http_response, or in the metadata of a log action")

    def _known(self, path: str, offset: int) -> None:
        usage = path.startswith("usage.")
        if self.phase in (("log", "end") if usage else ("response", "log", "end")):
            return
        what, where = ("the answer", "in on_http_response") if not usage else (
            "usage", "in the metadata of a log action, or in expressions of on_http_response")
        hint = LOOK_HINT if self.phase == "look" and not usage else f"read it {where}"
        raise ExpressionError(f"'{path}' is not known yet: {what} comes later", offset, hint,
                              offset + len(path))
