"""The rules of a policy: what no shape can see of their names, phases and actions."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

from fastgw.config.actions import EVENT, PHASES, REQUEST, RESPONSE
from fastgw.config.limits import KINDS, build_limit
from fastgw.config.model import (
    Action,
    AddHeaders,
    Candidate,
    CapInput,
    CapOutput,
    CustomResponse,
    Deny,
    Detect,
    Expression,
    LogMetadata,
    Model,
    OnAbort,
    Provider,
    RemoveHeaders,
    RestrictIps,
    RestrictModels,
    RouteTo,
    Rule,
    SetVars,
)
from fastgw.config.schema import DETECT_KINDS
from fastgw.config.shape import Reading, did_you_mean

_DRAIN = ("max_tokens", "max_seconds", "max_concurrent")


class Rules:
    """Builds the rules of all phases of one configuration; names are unique over all of them."""

    def __init__(self, providers: tuple[Provider, ...], models: tuple[Model, ...],
                 clustered: bool, reading: Reading) -> None:
        self.providers = {provider.id: provider.wire for provider in providers}
        self.models = [model.id for model in models]
        self.clustered = clustered
        self.reading = reading
        self._names: dict[str, str] = {}

    def build(self, phase: str, items: Sequence[dict[str, Any]]) -> tuple[Rule, ...]:
        """The rules of ``phase``, a key of PHASES."""
        return tuple(self._rule(phase, item, f"policy.{phase}[{i}]", f"{phase}[{i}]")
                     for i, item in enumerate(items))

    def _rule(self, phase: str, item: dict[str, Any], path: str, position: str) -> Rule:
        reading = self.reading
        name = item.get("name", position)
        first = self._names.setdefault(name, path)
        if first != path:
            line = reading.place(f"{first}.name").line
            reading.fail(f"{path}.name", f"two rules are named '{name}' (first on line {line})",
                         "give each rule its own name: records and metrics go by it")
        if not item.get("actions"):
            reading.warn(path, f"the rule '{name}' has no action", "it is only recorded")
        actions = []
        for k, (kind, config, enforce) in enumerate(item.get("actions", [])):
            at = f"{path}.actions[{k}]"
            if self._allowed(phase, kind, at):
                actions.append(self._action(kind, config, enforce, at))
        return Rule(name, tuple(item.get("expressions", [])), tuple(actions),
                    reading.place(path), item.get("enforce", True))

    def _allowed(self, phase: str, kind: str, path: str) -> bool:
        if kind in PHASES[phase]:
            return True
        where = [other for other in (REQUEST, RESPONSE, EVENT) if kind in PHASES[other]]
        self.reading.fail(f"{path}.type", f"{kind} does not act in {phase}",
                          f"write the rule under {' or '.join(where)}")
        return False

    def _action(self, kind: str, config: dict[str, Any], enforce: bool, path: str) -> Action:
        if kind in KINDS:
            return build_limit(kind, config, enforce, f"{path}.config", self.clustered,
                               self.reading)
        if kind in _PLAIN:
            return _PLAIN[kind](**config, enforce=enforce)
        builder = {"restrict-models": self._restrict_models, "restrict-ips": self._restrict_ips,
                   "custom-response": self._custom_response, "route": self._route,
                   "add-headers": self._add_headers, "remove-headers": self._remove_headers,
                   "detect": self._detect, "set-vars": self._set_vars, "log": self._log,
                   "on-abort": self._on_abort}
        return builder[kind](config, enforce, path)

    def _restrict_models(self, config: dict[str, Any], enforce: bool, path: str) -> Action:
        if not config:
            self.reading.fail(f"{path}.config", "neither allow nor deny", "allow: [gpt-4o]")
        allow = config.get("allow")
        return RestrictModels(tuple(allow) if allow else None, tuple(config.get("deny", ())),
                              enforce)

    def _restrict_ips(self, config: dict[str, Any], enforce: bool, path: str) -> Action:
        allow, deny = config.get("allow", []), config.get("deny", [])
        if not allow and not deny:
            self.reading.fail(f"{path}.config", "neither allow nor deny names a block",
                              "allow: [10.0.0.0/8]")
        return RestrictIps(tuple(allow) if allow else None, tuple(deny), enforce)

    def _custom_response(self, config: dict[str, Any], enforce: bool, path: str) -> Action:
        status = config.get("status_code", 200)
        if status in (204, 205, 304) and config.get("body") and config["body"].text:
            self.reading.fail(f"{path}.config.body", f"an answer with status {status} has no body",
                              "another status_code, or no body")
        return CustomResponse(status, MappingProxyType(config.get("headers", {})),
                              config.get("body"), enforce)

    def _route(self, config: dict[str, Any], enforce: bool, path: str) -> Action:
        at = f"{path}.config"
        provider, model = config.get("provider"), config.get("model")
        listed = [("candidates", entry) for entry in config.get("candidates", ())]
        listed += [("fallback", entry) for entry in config.get("fallback", ())]
        if provider is None and model is None and not config.get("candidates"):
            self.reading.fail(at, "it says neither provider, nor model, nor candidates",
                              "provider: openai, model: gpt-4o-mini")
        elif listed and (provider is not None or model is not None):
            self.reading.fail(at, "candidates, and a provider or model of their own beside them",
                              "remove one of the two")
        if provider is not None:
            self._provider(provider, f"{at}.provider")
        elif model is not None and model not in self.models:
            hint = did_you_mean(model, self.models)[0]
            self.reading.fail(f"{at}.model", f"no entry of `models` has the id '{model}'",
                              f"{hint}; or say which provider has it".removeprefix("; or "))
        served: dict[str, str] = {}
        number = dict.fromkeys(("candidates", "fallback"), 0)
        for name, entry in listed:
            where = f"{at}.{name}[{number[name]}].provider"
            number[name] += 1
            self._provider(entry["provider"], where, served)
        return RouteTo(provider, model,
                       tuple(Candidate(**entry) for entry in config.get("candidates", ())),
                       tuple(Candidate(**entry) for entry in config.get("fallback", ())), enforce)

    def _provider(self, id: str, path: str, served: dict[str, str] | None = None) -> None:
        check_provider(id, self.providers, {} if served is None else served, path, self.reading)

    def _add_headers(self, config: dict[str, Any], enforce: bool, path: str) -> Action:
        return AddHeaders(MappingProxyType(config["headers"]), enforce)

    def _remove_headers(self, config: dict[str, Any], enforce: bool, path: str) -> Action:
        return RemoveHeaders(tuple(name.lower() for name in config["headers"]), enforce)

    def _detect(self, config: dict[str, Any], enforce: bool, path: str) -> Action:
        patterns = config.get("patterns", {})
        if not config.get("kinds") and not patterns:
            self.reading.fail(f"{path}.config", "neither kinds nor patterns", "kinds: [api_key]")
        for name in patterns.keys() & set(DETECT_KINDS):
            self.reading.fail(f"{path}.config.patterns.{name}", f"'{name}' is a kind of its own",
                              "give the pattern another name")
        return Detect(tuple(config.get("kinds", ())), config["then"], enforce,
                      tuple((name, Expression(
                          text, self.reading.place(f"{path}.config.patterns.{name}")))
                          for name, text in patterns.items()))

    def _set_vars(self, config: dict[str, Any], enforce: bool, path: str) -> Action:
        return SetVars(MappingProxyType(config["vars"]), enforce)

    def _log(self, config: dict[str, Any], enforce: bool, path: str) -> Action:
        return LogMetadata(MappingProxyType(config["metadata"]), self.reading.place(path), enforce)

    def _on_abort(self, config: dict[str, Any], enforce: bool, path: str) -> Action:
        bounds = {name: config[name] for name in _DRAIN if name in config}
        if config["then"] == "cancel":
            for name in bounds:
                self.reading.fail(f"{path}.config.{name}", f"{name} bounds a drain, not a cancel",
                                  "remove it")
            return OnAbort("cancel", enforce)
        return OnAbort("drain", enforce, **bounds)


_PLAIN = {"deny": Deny, "cap-output": CapOutput, "cap-input": CapInput}


def check_provider(provider: str, dialects: dict[str, str], served: dict[str, str], path: str,
                   reading: Reading) -> None:
    """``served``: dialect -> a provider of it, over the candidates of one model so far."""
    dialect = dialects.get(provider)
    if dialect is None:
        hint = did_you_mean(provider, dialects)[0]
        reading.fail(path, f"no provider has the id '{provider}'", hint)
        return
    served.setdefault(dialect, provider)
    if len(served) > 1:
        first = next(iter(served))
        served.pop(dialect)
        message = f"two dialects ({first}, {dialect}): translation is not supported yet"
        reading.fail(path, message, f"keep to providers with dialect {first}")
