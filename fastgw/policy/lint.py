"""`fastgw check`: what loads, and still is not what anybody meant.

Reads the typed expressions of a configuration that compiles; reports, never refuses. What it does
not understand (`conditions`) it is silent about.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

from fastgw.config import Config
from fastgw.config.model import Deny, Expression, Place, RestrictModels, Rule, SetVars
from fastgw.config.schema import OPERATIONS
from fastgw.errors import ConfigError
from fastgw.policy.compiler import compile_expression
from fastgw.policy.conditions import (
    Conditions,
    Interval,
    Values,
    conditions,
    covers,
    is_empty,
    meet,
)
from fastgw.policy.phases import PolicyScope
from fastgw.policy.program import glob_match

# What the dialects' operations generate: the ones that cost.
GENERATING = {
    "openai": ("chat", "responses", "completions", "embeddings"),
    "azure": ("chat", "responses", "completions", "embeddings"),
    "anthropic": ("messages",),
    "gemini": ("generate", "embeddings"),
    "ollama": ("chat", "generate", "embeddings"),
    "cohere": ("chat", "embeddings", "rerank"),
}
BOOLEANS = frozenset([True, False])


@dataclass(frozen=True, slots=True)
class _Read:
    """A rule with what its expressions ask."""

    rule: Rule
    asks: Conditions
    each: tuple[Conditions, ...]  # of every expression by itself


def lint(config: Config) -> list[ConfigError]:
    """Warnings, in the order of the file where there is one."""
    scope = PolicyScope()
    read = [_understood(rule, scope) for rule in config.rules]
    names = {at: name for name, (at, _) in scope.variables.items()}
    known = {at: _domain(name, config) for at, name in names.items()}
    domains = {at: domain for at, domain in known.items() if domain is not None}
    found = [*_rules(read, names, domains), *_coverage(config, read, scope),
             *_patterns(config)]
    return sorted(found, key=lambda warning: (warning.line or 0, warning.column or 0))


def _understood(rule: Rule, scope: PolicyScope) -> _Read:
    trees = [compile_expression(expression, scope, ("bool",))[1]
             for expression in rule.expressions]
    for action in rule.actions:
        if isinstance(action, SetVars):
            for name in action.vars:
                scope.set_var(name, "")
    return _Read(rule, _lasting(conditions(trees), scope),
                 tuple(_lasting(conditions([tree]), scope) for tree in trees))


def _lasting(asks: Conditions, scope: PolicyScope) -> Conditions:
    """Without what rules themselves write: it may be something else for the next rule."""
    facts = {fact: values for fact, values in asks.facts.items() if scope.lasts(fact)}
    return Conditions(facts, asks.exact and len(facts) == len(asks.facts), asks.never)


def _dialects(config: Config) -> tuple[str, ...]:
    """What clients may speak here: who speaks OpenAI's is asked by Azure's clients, too."""
    wires = dict.fromkeys(provider.wire for provider in config.providers)
    return (*wires, "azure") if "openai" in wires else tuple(wires)


def _domain(name: str, config: Config) -> Values | None:
    """All values that a fact can have; None: any."""
    dialects = frozenset[object](_dialects(config))
    domains: dict[str, Values] = {
        "time.hour": Interval(0, 23), "time.weekday": Interval(0, 6), "ai.n": Interval(1, None),
        "req.size": Interval(0, None), "ai.input_tokens": Interval(0, None),
        "ai.max_output_tokens": Interval(0, None), "ai.dialect": dialects,
        "ai.operation": frozenset(OPERATIONS), "ai.stream": BOOLEANS, "ai.tools": BOOLEANS,
        "conn.tls": BOOLEANS,
        "ai.provider": frozenset(["", *(provider.id for provider in config.providers)]),
    }
    if config.models_strict and name == "ai.model":
        return frozenset(model.id for model in config.models)
    return domains.get(name)


def _rules(read: list[_Read], names: dict[int, str],
           domains: dict[int, Values]) -> Iterator[ConfigError]:
    for number, one in enumerate(read):
        impossible = _impossible(one, names, domains)
        if impossible is not None:
            yield impossible
            continue
        for expression, asks in zip(one.rule.expressions, one.each, strict=True):
            if _always(asks, domains):
                yield _warning(expression.place, f"'{expression.text}' is always true",
                               "leave it out, or ask what was meant")
        before = next((earlier.rule for earlier in read[:number]
                       if _ends(earlier.rule) and _includes(earlier.asks, one.asks, domains)),
                      None)
        if before is not None:
            yield _warning(
                one.rule.place, f"the rule '{one.rule.name}' is never reached: '{before.name}' "
                f"(line {before.place.line}) ends every request that it could match",
                "put it before that rule, or narrow that one")


def _impossible(one: _Read, names: dict[int, str],
                domains: dict[int, Values]) -> ConfigError | None:
    """Why no request can match, if none can: the first expression that says so, else the rule."""
    for expression, asks in zip(one.rule.expressions, one.each, strict=True):
        if asks.never:
            return _never(one, expression, "it is always false")
        for fact, values in asks.facts.items():
            if is_empty(values) or fact in domains and is_empty(meet(values, domains[fact])):
                return _never(one, expression, *_why(names.get(fact, ""), values,
                                                      domains.get(fact)))
    for fact, values in one.asks.facts.items():
        if is_empty(values):
            name = names.get(fact, "one fact")
            return _warning(one.rule.place, f"the rule '{one.rule.name}' can never match: its "
                            f"expressions ask {name} for values that exclude each other",
                            "all expressions of a rule must hold: join alternatives by ||")
    return None


def _never(one: _Read, expression: Expression, why: str, hint: str = "") -> ConfigError:
    return _warning(expression.place,
                    f"the rule '{one.rule.name}' can never match: {why}", hint)


def _why(name: str, values: Values, domain: Values | None) -> tuple[str, str]:
    if isinstance(domain, Interval):
        bounds = f"{_number(domain.low)} or more" if domain.high is None else (
            f"{_number(domain.low)} to {_number(domain.high)}")
        return f"{name} is {bounds}", ""
    if domain is None or not isinstance(values, frozenset) or not values:
        return "the values exclude each other", "join alternatives by ||"
    wrong = str(min(values, key=str))
    known = sorted(str(value) for value in domain if value != "")
    near = difflib.get_close_matches(wrong, known, 1, 0.6)
    hint = f"did you mean '{near[0]}'?" if near else "it can be " + ", ".join(known)
    return f"{name} is never '{wrong}' here", hint


def _number(value: float | None) -> str:
    return "any" if value is None else f"{value:g}"


def _always(asks: Conditions, domains: dict[int, Values]) -> bool:
    return asks.exact and not asks.never and all(
        fact in domains and covers(values, domains[fact]) for fact, values in asks.facts.items())


def _ends(rule: Rule) -> bool:
    return rule.enforce and any(isinstance(action, Deny) and action.enforce
                                for action in rule.actions)


def _includes(earlier: Conditions, later: Conditions, domains: dict[int, Values]) -> bool:
    """Whether every request that ``later`` matches was matched by ``earlier`` before."""
    return earlier.exact and not earlier.never and all(
        covers(values, later.facts[fact]) if fact in later.facts
        else fact in domains and covers(values, domains[fact])
        for fact, values in earlier.facts.items())


def _coverage(config: Config, read: list[_Read], scope: PolicyScope) -> Iterator[ConfigError]:
    """Dialects and operations that cost, and that no rule says anything about."""
    acting = [one.asks for one in read if one.rule.actions and not one.asks.never]
    if not acting:
        return
    dialect_at, operation_at = scope.variables["ai.dialect"][0], scope.variables["ai.operation"][0]
    place = read[0].rule.place
    told: set[str] = set()
    for dialect in _dialects(config):
        bare = [operation for operation in GENERATING.get(dialect, ())
                if not any(_allows(asks, dialect_at, dialect)
                           and _allows(asks, operation_at, operation) for asks in acting)]
        if dialect == "azure" and told.issuperset(bare):
            continue  # it has been said of OpenAI's
        if dialect == "openai":
            told.update(bare)
        if bare:
            whole = len(bare) == len(GENERATING[dialect])
            said = "no rule covers " + ("" if whole else ", ".join(bare) + " of ")
            said += f"the dialect {dialect}"
            yield ConfigError(f"{said}: such requests pass without limit", file=place.file,
                              line=place.line, column=place.column, key="policy.on_http_request",
                              suggestion="add a rule without expressions, or one for them")


def _allows(asks: Conditions, fact: int, value: object) -> bool:
    return fact not in asks.facts or not is_empty(meet(frozenset([value]), asks.facts[fact]))


def _patterns(config: Config) -> Iterator[ConfigError]:
    """Allow-lists of models that allow none of those there are."""
    if not config.models_strict:
        return
    known = [model.id for model in config.models]
    for rule in config.rules:
        for action in rule.actions:
            for pattern in (isinstance(action, RestrictModels) and action.allow) or ():
                if not any(glob_match(pattern, name) for name in known):
                    near = difflib.get_close_matches(pattern, known, 1, 0.6)
                    yield _warning(
                        rule.place, f"the rule '{rule.name}' allows '{pattern}', but no model is "
                        "named so, and models_strict is on",
                        f"did you mean '{near[0]}'?" if near else "")


def _warning(place: Place, message: str, suggestion: str = "") -> ConfigError:
    return ConfigError(message, file=place.file, line=place.line, column=place.column,
                       key=place.key, suggestion=suggestion)
