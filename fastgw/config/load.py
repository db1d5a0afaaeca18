"""What the operator writes, to what the gateway runs on: the only door into a ``Config``."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

from fastgw.config.build import build_config
from fastgw.config.document import read_document
from fastgw.config.model import Block, Config, Expression, Place, Provider, ProviderKey, Secret
from fastgw.config.schema import ROOT
from fastgw.config.shape import INVALID, Reading
from fastgw.errors import ConfigError

ENVIRONMENT_PROVIDERS = (
    ("OPENAI_API_KEY", "openai", True, "api.openai.com", "/v1"),
    ("ANTHROPIC_API_KEY", "anthropic", True, "api.anthropic.com", ""),
    ("GEMINI_API_KEY", "gemini", True, "generativelanguage.googleapis.com", ""),
)


def load(path: str | os.PathLike[str], env: Mapping[str, str] | None = None) -> Config:
    """The configuration in a file. Raises the first ConfigError; `examine` has them all."""
    config, errors, _ = examine(path, env)
    if config is None:
        raise errors[0]
    return config


def examine(path: str | os.PathLike[str], env: Mapping[str, str] | None = None,
            ) -> tuple[Config | None, list[ConfigError], list[ConfigError]]:
    """(configuration or None, errors, warnings). Expressions are not compiled here."""
    file = os.fspath(path)
    try:
        with open(file, "rb") as source:
            text = source.read()
    except OSError as error:
        hint = "fastgw init writes a starter" if isinstance(error, FileNotFoundError) else ""
        what = f"cannot read it: {error.strerror}"
        return None, [ConfigError(what, file=file, suggestion=hint)], []
    return examine_text(text, file, env)


def examine_text(text: bytes | str, file: str, env: Mapping[str, str] | None = None,
                 ) -> tuple[Config | None, list[ConfigError], list[ConfigError]]:
    """`examine` of text that is at hand; ``file`` names it in errors."""
    reading = Reading(file)
    try:
        root = read_document(text, file, os.environ if env is None else env)
    except ConfigError as error:
        return None, [error], []
    values = ROOT.read(root, "", reading)
    if values is INVALID:
        return None, reading.errors, []
    config = build_config(values, reading)
    if reading.errors:
        return None, reading.errors, reading.warnings
    return with_version(config), [], reading.warnings


def from_environment(env: Mapping[str, str] | None = None) -> Config:
    """What `serve` runs on without a file: a provider for each key in the environment.

    Raises ConfigError where there is none. Open, so it must stay on loopback.
    """
    env = os.environ if env is None else env
    providers = []
    for variable, dialect, tls, host, prefix in ENVIRONMENT_PROVIDERS:
        value = env.get(variable, "").strip()
        if not value:
            continue
        if not all("!" <= character <= "~" for character in value):
            raise ConfigError(f"{variable} holds characters that no key has", key=variable)
        key = ProviderKey("environment", Secret(value))
        providers.append(Provider(dialect, dialect, f"https://{host}{prefix}", tls, host, 443,
                                  prefix, (key,)))
    if not providers:
        names = [variable for variable, *_ in ENVIRONMENT_PROVIDERS]
        raise ConfigError("no configuration, and no provider's key in the environment",
                          suggestion=f"export {', '.join(names[:-1])} or {names[-1]}, or write "
                          "a file with `fastgw init` and start with -c")
    return with_version(Config(file="", providers=tuple(providers), open=True))


def with_version(config: Config) -> Config:
    """``config`` with ``version``: 16 hex digits that change with its meaning, not its layout.

    Comments, order of keys, places and secrets do not count.
    """
    canonical = json.dumps(canonical_content(config), sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(canonical.encode()).hexdigest()[:16]
    return dataclasses.replace(config, version=digest)


def canonical_content(value: Any) -> Any:
    """A configuration as plain JSON values, without secrets: what `/api/config` shows."""
    if isinstance(value, Secret):
        return "(secret)"
    if isinstance(value, Expression):
        return value.text
    if isinstance(value, bytes):
        return "sha256:" + value.hex()
    if isinstance(value, Block):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        content = {}
        for field in dataclasses.fields(value):
            part = getattr(value, field.name)
            if not isinstance(part, Place) and field.name not in ("file", "version"):
                content[field.name] = canonical_content(part)
        if type(value).__name__ in _ACTION_TYPES:
            content["type"] = _ACTION_TYPES[type(value).__name__]
        return content
    if isinstance(value, Mapping):
        return {str(name): canonical_content(part) for name, part in value.items()}
    if isinstance(value, (tuple, list)):
        return [canonical_content(part) for part in value]
    return value


_ACTION_TYPES = {"Deny": "deny", "CapOutput": "cap-output", "RestrictModels": "restrict-models",
                 "RateLimit": "rate-limit", "UsageCap": "usage-cap",
                 "ConcurrencyLimit": "concurrency-limit", "CustomResponse": "custom-response",
                 "RestrictIps": "restrict-ips", "CapInput": "cap-input", "RouteTo": "route",
                 "AddHeaders": "add-headers", "RemoveHeaders": "remove-headers",
                 "SetVars": "set-vars", "LogMetadata": "log", "OnAbort": "on-abort",
                 "Detect": "detect"}
