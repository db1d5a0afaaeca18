"""The plan: everything compiled from the configuration, once, before any fork.

The supervisor builds it, so that a bad configuration stops the start; the zygote inherits it and
freezes it, so that all workers share its pages. It must own nothing that a fork breaks: no loop,
no thread, no socket, no TLS context (``begin_worker`` opens those).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fastgw.config.model import Candidate as Target
from fastgw.config.model import RestrictModels
from fastgw.dialect.vendors import VENDORS
from fastgw.explain.refusal import Explainer
from fastgw.identity.keys import KeyTable, Principal
from fastgw.ledger.journal import name_hash
from fastgw.listener.refusal import Refusals
from fastgw.policy.policy import Policy
from fastgw.stream.answer import AnswerTexts
from fastgw.upstream.pricing import PriceList
from fastgw.upstream.provider import DIALECTS, Provider, ProviderKey
from fastgw.upstream.route import Candidate, Route, Routes
from fastgw.usage.prices import Price, PriceTable, load_prices
from fastgw.usage.tokenizers import load_tokenizers

if TYPE_CHECKING:
    from fastgw.config.model import Config
    from fastgw.ledger.journal import Journal

# enum fgw_name_space (csrc/fgw_record.h)
MODEL, PROVIDER, LIMIT, POLICY, PROVIDER_KEY = 2, 3, 5, 10, 12
OUTPUT_UNITS = ("tokens", "output_tokens", "cost")  # an answer counts in these


class Plan:
    """What a worker needs to serve, compiled."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.policy = Policy(config)
        prices = load_prices(config.prices.file if config.prices else None)
        self.providers = [_provider(provider, prices) for provider in config.providers]
        self.routes = _routes(config, self.providers)
        self.overrides = _overrides(self.policy.routes, config, self.providers, self.routes)
        self.keys = _keys(config, self.policy)
        limits = self.policy.limits
        self.limit_specs = [spec.wish() | {"rule": name_hash(spec.name)} for spec in limits]
        self.bell = -1  # how workers wake the cluster's lessee: set before they are forked
        if any(spec.algorithm == "cap" and spec.unit in OUTPUT_UNITS for spec in limits):
            load_tokenizers()
        self.texts = AnswerTexts(
            self.policy.version, [spec.header_items() for spec in limits]
        )
        self.refusals = Refusals(self.policy)
        self.explainer = Explainer(self.policy)
        self.restricts_models = any(
            isinstance(action, RestrictModels) and action.enforce and rule.enforce
            for rule in config.rules for action in rule.actions
        ) or any(key.access.models is not None for key in config.keys)
        self.models_instead = [model.id for model in config.models] if _by_model(config) else []
        self.head_max = config.limits.head
        self.body_max = config.limits.body
        # Which worker a connection meets is chance, so each may take what is allowed in all.
        self.connections_per_worker = config.limits.connections
        self.retry_share = max(p.retries.budget for p in config.providers)

    def begin_worker(self, journal: Journal) -> None:
        """In the worker, after the fork: what belongs to one process, and names in the ledger."""
        for provider in self.providers:
            provider.open_tls()
            journal.post_name(PROVIDER, provider.id)
        for configured in self.config.providers:
            for key in configured.keys:
                journal.post_name(PROVIDER_KEY, key.id)
        for model in self.config.models:
            for candidate in (*model.candidates, *model.fallback):
                journal.post_name(MODEL, candidate.model)
        for space, hash0, text in self.policy.names():
            journal.post_name(space, text, hash0)
        journal.post_name(POLICY, self.policy.version, self.policy.version_hash)


    def describe(self) -> dict[str, object]:
        """policy.json: what readers of the data directory need to name what is counted."""
        parts = ("name", "unit", "algorithm", "capacity", "period_ns", "window", "time_zone",
                 "enforced")
        return {
            "version": self.policy.version,
            "labels": list(self.policy.labels),
            "shadows": _with_shadows(self.config),
            "limits": [{part: spec[part] for part in parts} for spec in self.limit_specs],
        }


def _with_shadows(config: Config) -> list[str]:
    """Names of the rules of which something is not enforced."""
    return [rule.name for rule in (*config.rules, *config.response_rules, *config.event_rules)
            if not rule.enforce or any(not action.enforce for action in rule.actions)]


def _by_model(config: Config) -> bool:
    """Does some limit look at the model: in its bucket key, or in an expression of its rule?"""
    return any(
        "ai.model" in expression.text
        for rule in config.rules for action in rule.actions if hasattr(action, "bucket_key")
        for expression in (*rule.expressions, *action.bucket_key)
    )


def _provider(provider, prices: PriceTable) -> Provider:
    dialect, vendor = DIALECTS[provider.wire], VENDORS.get(provider.dialect)
    path, home = (vendor.path, vendor.host) if vendor else ("", "")
    keys = [
        ProviderKey(key.id, key.value.reveal(), dialect, weight=key.weight,
                    name_hash=name_hash(key.id), vendor=vendor)
        for key in provider.keys
    ]
    return Provider(
        provider.id, dialect, scheme="https" if provider.tls else "http", host=provider.host,
        port=provider.port, keys=keys,
        path=provider.prefix or ("" if provider.api_version else path),
        connect_ns=provider.timeouts.connect_ns, first_byte_ns=provider.timeouts.first_byte_ns,
        idle_ns=provider.timeouts.idle_ns, total_ns=provider.timeouts.total_ns,
        retries_max=provider.retries.max, retry_statuses=frozenset(provider.retries.on_statuses),
        retry_connect=provider.retries.on_connect, name_hash=name_hash(provider.id),
        prices=PriceList([
            (pattern, price.pack())
            for pattern, price in prices.rows(provider.wire, provider.host, provider.id, home)
        ]),
        vendor=vendor, api_version=provider.api_version,
    )


def _routes(config: Config, providers: list[Provider]) -> Routes:
    by_id = {provider.id: provider for provider in providers}

    def candidates(model, entries) -> list[Candidate]:
        found = []
        for entry in entries:
            provider = by_id[entry.provider]
            price = provider.prices.of(entry.model)
            found.append(Candidate(provider, entry.model.encode(), entry.weight,
                                   name_hash(entry.model), _overridden(price, model)))
        return found

    models = {
        model.id: Route(candidates(model, model.candidates), candidates(model, model.fallback))
        for model in config.models
    }
    return Routes(providers, models, config.models_strict)


def _overrides(rules, config: Config, providers: list[Provider], routes: Routes) -> list[Route]:
    """Where the `route` actions lead, in their order."""
    by_id = {provider.id: provider for provider in providers}

    def candidate(entry) -> Candidate:
        provider = by_id[entry.provider]
        return Candidate(provider, entry.model.encode(), entry.weight, name_hash(entry.model),
                         provider.prices.of(entry.model))

    found = []
    for rule in rules:
        if rule.candidates:
            found.append(Route([candidate(entry) for entry in rule.candidates],
                               [candidate(entry) for entry in rule.fallback]))
        elif rule.provider and rule.model:
            found.append(Route([candidate(Target(rule.provider, rule.model))]))
        elif rule.provider:
            found.append(routes.providers[rule.provider.encode()])
        else:
            found.append(routes.of_model(rule.model.encode()))
    return found


def _overridden(packed: bytes, model) -> bytes:
    """A price with what the configuration says of its model's size."""
    if model.max_output is None and model.window is None:
        return packed
    price = Price.unpack(packed) if packed else Price()
    return replace(
        price, output_max=model.max_output or price.output_max,
        window=model.window or price.window,
    ).pack()


def _keys(config: Config, policy: Policy) -> KeyTable:
    entries = []
    for key in config.keys:
        principal = Principal(
            key.id, owner=dict(key.owner), tags=dict(key.tags), part=policy.part(key.id),
            expires_wall_ns=(key.expires_at or 0) * 10**9,
        )
        principal.bind(name_hash(principal.account))
        entries.append((key.hash, principal))
    anonymous = None
    if config.open:
        anonymous = Principal("anonymous")
        anonymous.bind(name_hash(anonymous.account))
    return KeyTable(entries, anonymous)
