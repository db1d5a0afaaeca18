"""From values that have the right shape to a ``Config`` that makes sense.

Each ``_build_*`` turns one section into its part of the model and reports what no shape can see:
names that nothing bears, twice the same id, a limit that means two things, a port open to all.
"""

from __future__ import annotations

import hashlib
import ipaddress
import itertools
import os
import time
from types import MappingProxyType
from typing import Any
from urllib.parse import SplitResult, urlsplit

from fastgw.config.actions import EVENT, PHASES, REQUEST, RESPONSE
from fastgw.config.limits import build_key_limits, check_names
from fastgw.config.model import (
    Access,
    AccessKey,
    Admin,
    Alerts,
    Bounds,
    Candidate,
    Cluster,
    Config,
    KafkaExport,
    Label,
    Listen,
    Model,
    Prices,
    Provider,
    ProviderKey,
    Retention,
    Retries,
    Secret,
    Timeouts,
    UsageCap,
    WebhookExport,
)
from fastgw.config.rules import Rules, check_provider
from fastgw.config.shape import Reading, did_you_mean

PLAIN = ("data_dir", "shm_dir", "store", "on_ledger_full", "models_strict")


def build_config(values: dict[str, Any], reading: Reading) -> Config:
    """Reports to ``reading``; the result is good only if no error was added."""
    providers = _build_providers(values["providers"], reading)
    clustered = "cluster" in values
    keys = _build_keys(values.get("keys", []), providers, clustered, reading)
    models = _build_models(values.get("models", []), providers, reading)
    building = Rules(providers, models, clustered, reading)
    phases = {phase: building.build(phase, values.get("policy", {}).get(phase, []))
              for phase in PHASES}
    rules = phases[REQUEST]
    check_names(rules, reading)
    config = Config(
        file=reading.file,
        providers=providers,
        listen=_build_listen(values.get("listen", {})),
        admin=Admin(**values.get("admin", {})),
        **{name: values[name] for name in PLAIN if name in values},
        limits=Bounds(**values.get("limits", {})),
        labels=tuple(Label(name, expression)
                     for name, expression in values.get("usage", {}).get("labels", {}).items()),
        prices=_build_prices(values.get("prices"), reading),
        cluster=_build_cluster(values.get("cluster"), reading),
        alerts=_build_alerts(values.get("alerts"), reading),
        retention=_build_retention(values.get("retention", {}), reading),
        exports=_build_exports(values.get("export", []), reading),
        models=models,
        keys=keys,
        open="keys" not in values,
        rules=rules,
        response_rules=phases[RESPONSE],
        event_rules=phases[EVENT],
    )
    _check_open(config, values, reading)
    _warn(config, reading)
    return config


def _build_listen(values: dict[str, Any]) -> Listen:
    half_close = values.pop("half_close", "close") == "allow"
    return Listen(**values, half_close=half_close)


def _build_prices(values: dict[str, Any] | None, reading: Reading) -> Prices | None:
    if values is None:
        return None
    # A configuration and its prices move together, so a relative path begins at the file.
    file = os.path.join(os.path.dirname(reading.file), values["file"])
    try:
        with open(file, "rb"):
            pass
    except OSError as error:
        reading.fail("prices.file", f"cannot read it: {error.strerror}",
                     f"it is looked for at {os.path.abspath(file)}")
    return Prices(file)


def _build_cluster(values: dict[str, Any] | None, reading: Reading) -> Cluster | None:
    if values is None:
        return None
    _check_url(values["redis"], "cluster.redis", ("redis", "rediss", "unix"), reading)
    return Cluster(**values)


def _build_alerts(values: dict[str, Any] | None, reading: Reading) -> Alerts | None:
    if values is None:
        return None
    parts = _check_url(values["webhook"], "alerts.webhook", ("https", "http"), reading)
    if parts and parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        reading.warn("alerts.webhook", "alerts go out unencrypted", "https://…")
    return Alerts(**values)


def _build_retention(values: dict[str, int], reading: Reading) -> Retention:
    retention = Retention(**{name: age or None for name, age in values.items()})
    kept = [(name, getattr(retention, name)) for name in ("minutely", "hourly", "daily")]
    for (finer, age), (coarser, longer) in itertools.pairwise(kept):
        if longer is not None and (age is None or age > longer):
            named = coarser if coarser in values else finer
            reading.fail(f"retention.{named}", f"{coarser} sums begin where {finer} ones end: "
                         f"they are to be kept longer than those",
                         "retention: {minutely: 7d, hourly: 90d, daily: 3y}")
    return retention


def _build_exports(
    items: list[tuple[str, dict[str, Any]]], reading: Reading
) -> tuple[KafkaExport | WebhookExport, ...]:
    named = [{"name": kind} | values for kind, values in items]
    _unique(named, "export", reading, "name")
    made: list[KafkaExport | WebhookExport] = []
    for i, ((kind, _), values) in enumerate(zip(items, named, strict=True)):
        if kind == "kafka":
            if ("username" in values) != ("password" in values):
                reading.fail(f"export[{i}]", "username and password go together",
                             "add the other, or remove both")
            elif "password" in values and not values.get("tls"):
                reading.warn(f"export[{i}]", "the password goes out unencrypted", "tls: true")
            made.append(KafkaExport(**values | {"brokers": tuple(values["brokers"])}))
            continue
        parts = _check_url(values["url"], f"export[{i}].url", ("https", "http"), reading)
        if parts and parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            reading.warn(f"export[{i}].url", "attempts go out unencrypted", "https://…")
        made.append(WebhookExport(**values))
    return tuple(made)


def _check_url(url: Secret, path: str, schemes: tuple[str, ...],
               reading: Reading) -> SplitResult | None:
    """Says nothing of the URL itself: it may hold a password, or be one."""
    try:
        parts = urlsplit(url.reveal())
        _ = parts.port
    except ValueError:
        parts = None
    at = parts and (parts.path if parts.scheme == "unix" else parts.hostname)
    if parts is None or parts.scheme not in schemes or not at:
        begins = " or ".join(f"{scheme}://" for scheme in schemes)
        reading.fail(path, f"expected a URL that begins with {begins} and says where",
                     f"for example {schemes[0]}://127.0.0.1")
        return None
    return parts


def _unique(items: list[dict[str, Any]], section: str, reading: Reading, field="id") -> None:
    first: dict[str, int] = {}
    for i, item in enumerate(items):
        path = f"{section}[{i}].{field}"
        if item[field] in first:
            line = reading.place(f"{section}[{first[item[field]]}].{field}").line
            message = f"'{item[field]}' is here twice (first on line {line})"
            reading.fail(path, message, "give it another id, or remove one of them")
        first.setdefault(item[field], i)


def _build_providers(items: list[dict[str, Any]], reading: Reading) -> tuple[Provider, ...]:
    _unique(items, "providers", reading)
    providers = []
    for i, item in enumerate(items):
        path = f"providers[{i}]"
        tls, host, port, prefix = _take_url(item["base_url"], f"{path}.base_url", reading)
        keys = [{"id": f"key-{k + 1}"} | key for k, key in enumerate(item.get("keys", []))]
        _unique(keys, f"{path}.keys", reading)
        timeouts = {f"{name}_ns": value for name, value in item.get("timeouts", {}).items()}
        providers.append(Provider(
            id=item["id"], dialect=item["dialect"], base_url=item["base_url"],
            tls=tls, host=host, port=port, prefix=prefix,
            keys=tuple(ProviderKey(**key) for key in keys),
            timeouts=Timeouts(**timeouts),
            retries=_build_retries(item.get("retries", {})),
            api_version=item.get("api_version", ""),
        ))
        _check_azure(providers[-1], path, reading)
        if not keys and not is_loopback(host):
            reading.warn(f"{path}.keys", "no key: this provider is asked without a credential",
                         f'keys: [{{value: "${{env:{item["id"].upper()}_API_KEY}}"}}]')
    return tuple(providers)


def _check_azure(provider: Provider, path: str, reading: Reading) -> None:
    """Azure has two APIs: v1, and paths below deployments that are asked by dated versions."""
    if provider.dialect != "azure":
        if provider.api_version:
            reading.fail(f"{path}.api_version", "only Azure's API has dated versions",
                         "dialect: azure, or leave it out")
    elif provider.api_version:
        if provider.prefix.endswith("/v1") or "/deployments" in provider.prefix:
            reading.fail(f"{path}.base_url", "dated versions are asked below the resource itself",
                         "https://NAME.openai.azure.com, or leave out api_version")
    elif provider.prefix and not provider.prefix.endswith("/v1"):
        reading.fail(f"{path}.base_url", "without an api_version Azure's v1 API is asked",
                     "https://NAME.openai.azure.com/openai/v1, or an api_version")


def _build_retries(values: dict[str, Any]) -> Retries:
    given: dict[str, Any] = {name: values[name] for name in ("max", "budget") if name in values}
    if "on" in values:
        given["on_connect"] = "connect" in values["on"]
        given["on_statuses"] = tuple(sorted({on for on in values["on"] if on != "connect"}))
    return Retries(**given)


def _take_url(url: str, path: str, reading: Reading) -> tuple[bool, str, int, str]:
    """(tls, host, port, prefix). The only source of upstream hosts: a body never names one."""
    def refuse(why: str, hint: str) -> tuple[bool, str, int, str]:
        reading.fail(path, why, hint)
        return True, "invalid", 443, ""

    example = "for example https://api.openai.com/v1"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return refuse("not a URL", example)
    if parts.scheme not in ("http", "https") or not host:
        return refuse("a base_url begins with https:// or http:// and names a host", example)
    if parts.username is not None or parts.password is not None:
        return refuse("a credential in a base_url", "put it into `keys`")
    if "?" in url or "#" in url:
        return refuse("a base_url has no query and no fragment", example)
    if not _is_host(host) or port == 0 or not all("!" <= c <= "~" and c not in '"<>\\^`{|}'
                                                  for c in parts.path):
        return refuse("a host, port or path that no URL can have", example)
    prefix = parts.path.rstrip("/")
    if any(segment in ("", ".", "..") for segment in prefix.split("/")[1:]):
        return refuse("an empty or dot segment in the path", example)
    tls = parts.scheme == "https"
    return tls, host, port or (443 if tls else 80), prefix


def _is_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
        return True
    except ValueError:
        labels = host.rstrip(".").split(".")
        return len(host) <= 253 and not labels[-1].isdigit() and all(
            0 < len(label) <= 63 and label.replace("-", "a").replace("_", "a").isalnum()
            and label.isascii() and label[0] != "-" and label[-1] != "-" for label in labels)


def is_loopback(address: str) -> bool:
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


def _build_models(items: list[dict[str, Any]], providers: tuple[Provider, ...],
                  reading: Reading) -> tuple[Model, ...]:
    _unique(items, "models", reading)
    models = []
    for i, item in enumerate(items):
        path = f"models[{i}]"
        if not item["candidates"]:
            hint = "candidates: [{provider: …, model: …}]"
            reading.fail(f"{path}.candidates", f"no candidate serves '{item['id']}'", hint)
        dialects = {provider.id: provider.wire for provider in providers}
        served: dict[str, str] = {}
        for list_name in ("candidates", "fallback"):
            for k, candidate in enumerate(item.get(list_name, [])):
                at = f"{path}.{list_name}[{k}].provider"
                check_provider(candidate["provider"], dialects, served, at, reading)
        models.append(Model(
            item["id"],
            tuple(Candidate(**candidate) for candidate in item["candidates"]),
            tuple(Candidate(**candidate) for candidate in item.get("fallback", [])),
            item.get("max_output"), item.get("context"),
        ))
        if item.get("max_output", 0) > item.get("context", 2**53):
            reading.fail(f"{path}.max_output", "more than the model's whole context",
                         "context counts input and output together")
    return tuple(models)


def _build_keys(items: list[dict[str, Any]], providers: tuple[Provider, ...], clustered: bool,
                reading: Reading) -> tuple[AccessKey, ...]:
    _unique(items, "keys", reading)
    keys: list[AccessKey] = []
    seen: dict[bytes, str] = {}
    for i, item in enumerate(items):
        path = f"keys[{i}]"
        digest = _key_hash(item, path, reading)
        if digest in seen:
            reading.fail(path, f"the same secret as {seen[digest]}", "make a new one")
        seen.setdefault(digest, path)
        access = Access(**{name: tuple(patterns)
                           for name, patterns in item.get("access", {}).items()})
        known = [provider.id for provider in providers]
        for k, provider in enumerate(access.providers or ()):
            if provider not in known:
                hint = did_you_mean(provider, known)[0]
                reading.fail(f"{path}.access.providers[{k}]",
                             f"no provider has the id '{provider}'", hint)
        limits = build_key_limits(item.get("limits", {}), f"{path}.limits", clustered, reading)
        if item.get("expires") is not None and item["expires"] <= time.time():
            reading.warn(f"{path}.expires", f"the key '{item['id']}' has expired", "remove it")
        keys.append(AccessKey(
            item["id"], digest, MappingProxyType(item.get("owner", {})),
            MappingProxyType(item.get("tags", {})), access, limits, item.get("expires"),
        ))
    return tuple(keys)


def _key_hash(item: dict[str, Any], path: str, reading: Reading) -> bytes:
    if ("hash" in item) == ("value" in item):
        message = "both hash and value" if "hash" in item else "a key needs its hash, or value"
        remedy = 'hash: "sha256:…", as `printf %s SECRET | sha256sum` prints it'
        reading.fail(path, message, remedy)
        return path.encode()
    if "hash" in item:
        return bytes.fromhex(item["hash"].removeprefix("sha256:"))
    return hashlib.sha256(item["value"].reveal().encode()).digest()


def _check_open(config: Config, values: dict[str, Any], reading: Reading) -> None:
    if "auth" in values and "keys" in values:
        reading.fail("auth", "auth: none, and yet there are keys", "remove one of the two")
    elif config.open and "auth" not in values and not is_loopback(config.listen.address):
        message = f"without keys the gateway is open, and {config.listen.address} is not loopback"
        reading.fail("listen.address", message, "add keys, bind 127.0.0.1, "
                     "or say auth: none")
    if config.admin.token is None and not is_loopback(config.admin.address):
        message = f"an admin port without token on {config.admin.address}"
        reading.fail("admin.address", message, 'bind 127.0.0.1 or add token: "${env:NAME}"')
    listen, admin = config.listen, config.admin
    if listen.port and (listen.address, listen.port) == (admin.address, admin.port):
        reading.fail("admin.port", f"{admin.port} is the data port too", "take another port")


def _warn_of_unused(config: Config, reading: Reading) -> None:
    """Providers that no model uses, and where unnamed models of their dialect do not go."""
    used = {candidate.provider for model in config.models
            for candidate in (*model.candidates, *model.fallback)}
    first: dict[str, str] = {}
    for provider in config.providers:
        first.setdefault(provider.wire, provider.id)
    for i, provider in enumerate(config.providers):
        default = first[provider.wire]
        if provider.id in used or default == provider.id and not config.models_strict:
            continue
        why = ("models_strict is on" if config.models_strict
               else f"models without an entry go to '{default}'")
        reading.warn(f"providers[{i}].id",
                     f"no model uses the provider '{provider.id}', and {why}",
                     f"make it a candidate of a model; only {provider.id}/MODEL and "
                     f"/providers/{provider.id}/… reach it")


def _warn(config: Config, reading: Reading) -> None:
    if config.models_strict:
        known = {model.id for model in config.models}
        for i, key in enumerate(config.keys):
            for k, name in enumerate(key.access.models or ()):
                if "*" not in name and name not in known:
                    reading.warn(f"keys[{i}].access.models[{k}]",
                                 f"no model has the id '{name}', and models_strict is on",
                                 did_you_mean(name, known)[0])
    _warn_of_unused(config, reading)
    for i, provider in enumerate(config.providers):
        if not provider.tls and not is_loopback(provider.host) and provider.keys:
            reading.warn(f"providers[{i}].base_url", "the provider's key goes out unencrypted",
                         "https://…")
    if config.alerts and not any(isinstance(action, UsageCap) and action.alert_at
                                 for rule in config.rules for action in rule.actions):
        reading.warn("alerts", "no usage-cap asks for an alert", "alert_at: [0.8], in its config")
    if isinstance(config.admin.token, Secret) and len(config.admin.token.reveal()) < 16:
        reading.warn("admin.token", "the admin token is short", "openssl rand -hex 32")
