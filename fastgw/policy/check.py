"""`fastgw check`: everything that a load would refuse, and what people may regret."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from fastgw.config import Config, examine
from fastgw.config.model import (
    Action,
    AddHeaders,
    CustomResponse,
    Deny,
    Detect,
    Expression,
    Limit,
    LogMetadata,
    SetVars,
)
from fastgw.errors import ConfigError
from fastgw.policy.compiler import compile_expression
from fastgw.policy.lint import lint
from fastgw.policy.phases import PolicyScope
from fastgw.policy.pieces import compile_pieces, type_of
from fastgw.policy.policy import SCALARS, Policy
from fastgw.policy.uncollected import uncollected


def check(path: str | os.PathLike[str], env: Mapping[str, str] | None = None,
          ) -> tuple[list[ConfigError], list[ConfigError]]:
    """(errors, warnings) of the configuration in a file, its expressions included."""
    config, errors, warnings = examine(path, env)
    if config is None:
        return errors, warnings
    scope = PolicyScope()
    for phase, expression, wanted, var in expressions(config):
        scope.phase = phase
        try:
            if wanted:
                compile_expression(expression, scope, wanted)
            else:
                kind = type_of(compile_pieces(expression, scope, bool(var)))
                if var:
                    scope.set_var(var, kind)
        except ConfigError as error:
            errors.append(error)
    if errors:
        return errors, warnings
    try:
        policy = Policy(config)
    except ConfigError as error:
        return [error], warnings
    with uncollected():
        return [], warnings + policy.warnings + lint(config)


def expressions(config: Config) -> Iterator[tuple[str, Expression, tuple[str, ...], str]]:
    """Every expression of a configuration: where it is evaluated (fastgw.policy.phases), the types
    it may have (none for text with `${…}`), and which variable it is the value of."""
    for label in config.labels:
        yield "request", label.expression, SCALARS, ""
    for phase, rules in (("request", config.rules), ("look", config.event_rules),
                         ("response", config.response_rules)):
        for rule in rules:
            # What looks at an answer is decided with the request.
            looks = any(isinstance(action, Detect) for action in rule.actions)
            for expression in rule.expressions:
                at = phase if phase != "response" else "look" if looks else "end"
                yield at, expression, ("bool",), ""
            for action in rule.actions:
                if isinstance(action, Limit):
                    for part in action.bucket_key:
                        yield phase, part, SCALARS, ""
                at = "log" if isinstance(action, LogMetadata) else phase
                for text in templates(action):
                    yield at, text, (), ""
                if isinstance(action, SetVars):
                    for name, text in action.vars.items():
                        yield phase, text, (), name


def templates(action: Action) -> Iterator[Expression]:
    """The texts with `${…}` of one action, but for values of variables."""
    if isinstance(action, Deny) and action.message is not None:
        yield action.message
    if isinstance(action, CustomResponse) and action.body is not None:
        yield action.body
    if isinstance(action, (CustomResponse, AddHeaders)):
        yield from action.headers.values()
    if isinstance(action, LogMetadata):
        yield from action.metadata.values()
