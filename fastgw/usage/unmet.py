"""`fastgw check`: entries of `prices.file` that hold for nobody, or whose names look mistyped.

Such an entry does nothing, and what it was meant for costs null or the shipped price. Where an
entry holds is certain: at providers of this configuration, or nowhere. Which models there are is
certain only with `models_strict`; else any name may be asked for, and what is reported is a name
of this house (prices go by the provider's), or one that is nearly that of a model known here, but
for its version: prices of new models are what such a file is for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from fnmatch import fnmatchcase

from fastgw.config.model import Candidate, Config, Provider, RouteTo
from fastgw.config.shape import Reading, did_you_mean
from fastgw.dialect.vendors import VENDORS
from fastgw.errors import ConfigError
from fastgw.usage.prices import Entry, load_prices, read_table

_NEAR = 0.85  # of difflib: `gpt-4o-mimi` is .91 of `gpt-4o-mini`
_VERSION = re.compile(r"\d+([.\-]\d+)*")


def unmet(config: Config) -> list[ConfigError]:
    """Warnings, with file, line and key. Raises ConfigError: the file is no price table."""
    if config.prices is None:
        return []
    with open(config.prices.file, "rb") as source:
        entries, reading = read_table(source.read(), config.prices.file)
    for at, entry in enumerate(entries):
        where = f"prices[{at}]"
        told = len(reading.warnings)
        _look_at_places(config, entry, where, reading)
        providers = [one for one in config.providers if _is_about(entry, one)]
        if len(reading.warnings) > told:
            continue  # nothing of it can be right
        if not providers:
            reading.warn(where, "no provider is all that this entry asks for",
                         "name it in `providers` alone")
            continue
        _look_at_models(config, entry, providers, where, reading)
    return reading.warnings


def _home(provider: Provider) -> str:
    vendor = VENDORS.get(provider.dialect)
    return vendor.host if vendor else ""


def _hosts(provider: Provider) -> tuple[str, ...]:
    home = _home(provider)
    return (provider.host, home) if home else (provider.host,)


def _is_about(entry: Entry, provider: Provider) -> bool:
    return entry.is_about(provider.wire, _hosts(provider), provider.id)


def _look_at_places(config: Config, entry: Entry, where: str, reading: Reading) -> None:
    ids = [provider.id for provider in config.providers]
    wires = sorted({provider.wire for provider in config.providers})
    hosts = sorted({host for provider in config.providers for host in _hosts(provider)})
    for at, name in enumerate(entry.providers):
        if name not in ids:
            reading.warn(f"{where}.providers[{at}]", f"no provider is named '{name}'",
                         did_you_mean(name, ids)[0])
    for at, pattern in enumerate(entry.hosts):
        if not any(fnmatchcase(host, pattern) for host in hosts):
            reading.warn(f"{where}.hosts[{at}]", f"no provider is asked at '{pattern}'",
                         did_you_mean(pattern, hosts)[0])
    if entry.dialect and entry.dialect not in wires:
        reading.warn(f"{where}.dialect", f"no provider speaks '{entry.dialect}'",
                     did_you_mean(entry.dialect, wires)[0])


def _asked_for(config: Config) -> Iterable[Candidate]:
    """All models of which the configuration says where they are asked for, and how."""
    for model in config.models:
        yield from (*model.candidates, *model.fallback)
    for rule in config.rules:
        for action in rule.actions:
            if isinstance(action, RouteTo):
                yield from (*action.candidates, *action.fallback)
                if action.provider and action.model:
                    yield Candidate(action.provider, action.model)


def _look_at_models(config: Config, entry: Entry, providers: list[Provider], where: str,
                    reading: Reading) -> None:
    ids = {provider.id for provider in providers}
    named = sorted({one.model for one in _asked_for(config) if one.provider in ids})
    shipped = [pattern for provider in providers for pattern, _ in load_prices().rows(
        provider.wire, provider.host, provider.id, _home(provider))]
    known = named if config.models_strict else [*named, *dict.fromkeys(shipped)]
    houses = {model.id: model for model in config.models}
    for at, pattern in enumerate(entry.models):
        if any(fnmatchcase(name, pattern) or fnmatchcase(pattern, name) for name in known):
            continue
        path = f"{where}.models[{at}]"
        if pattern in houses:
            theirs = dict.fromkeys(one.model for one in houses[pattern].candidates)
            reading.warn(path, f"'{pattern}' is a name of this configuration's `models`: prices "
                         "go by the name at the provider", "write " + ", ".join(theirs))
        elif config.models_strict:
            reading.warn(path, f"no model is asked for as '{pattern}', and models_strict is on",
                         did_you_mean(pattern, known)[0])
        elif (near := _nearly(pattern, known)) is not None:
            reading.warn(path, f"no model is known as '{pattern}'", f"did you mean '{near}'?")


def _nearly(pattern: str, known: list[str]) -> str | None:
    """The known name of which this is a slip of the pen; None: it is none, or another version."""
    near = get_close_matches(pattern.lower(), known, 5, _NEAR)
    if any(_unversioned(one) == _unversioned(pattern) for one in near):
        return None
    return near[0] if near else None


def _unversioned(name: str) -> str:
    return _VERSION.sub("0", name.lower()).rstrip("*-")
