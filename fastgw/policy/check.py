"""`fastgw check`: everything that a load would refuse, and what people may regret."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from fastgw.config import Config, examine
from fastgw.config.model import Expression, Limit
from fastgw.errors import ConfigError
from fastgw.policy.compiler import compile_expression
from fastgw.policy.lint import lint
from fastgw.policy.policy import SCALARS, Policy
from fastgw.policy.scope import Scope


def check(path: str | os.PathLike[str], env: Mapping[str, str] | None = None,
          ) -> tuple[list[ConfigError], list[ConfigError]]:
    """(errors, warnings) of the configuration in a file, its expressions included."""
    config, errors, warnings = examine(path, env)
    if config is None:
        return errors, warnings
    scope = Scope()
    for expression, wanted in expressions(config):
        try:
            compile_expression(expression, scope, wanted)
        except ConfigError as error:
            errors.append(error)
    if errors:
        return errors, warnings
    try:
        policy = Policy(config)
    except ConfigError as error:
        return [error], warnings
    return [], warnings + policy.warnings + lint(config)


def expressions(config: Config) -> Iterator[tuple[Expression, tuple[str, ...]]]:
    """Every expression of a configuration with the types it may have."""
    for label in config.labels:
        yield label.expression, SCALARS
    for rule in config.rules:
        for expression in rule.expressions:
            yield expression, ("bool",)
        for action in rule.actions:
            if isinstance(action, Limit):
                for part in action.bucket_key:
                    yield part, SCALARS
