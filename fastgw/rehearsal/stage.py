"""The stage: one gateway for one case, all of it real but clock, client's address and providers.

Configuration, plan, policy, limits, ledger are what `serve` runs on, in a directory that is
deleted afterwards. Every provider is the mock. Keys get secrets of the stage's own, because
of theirs only the hashes are known.
"""

from __future__ import annotations

import asyncio
import dataclasses
import http.client
import os
import secrets
import shutil
import socket
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from fastgw.config import Config, examine
from fastgw.config.model import (
    AccessKey,
    ConcurrencyLimit,
    Limit,
    Provider,
    ProviderKey,
    RateLimit,
    Rule,
    Secret,
    UsageCap,
)
from fastgw.config.shape import did_you_mean
from fastgw.errors import ConfigError
from fastgw.ledger.query import wait_for_decision
from fastgw.listener import serve
from fastgw.log import Log
from fastgw.policy.tracing import Step
from fastgw.process.directory import read_instance
from fastgw.process.embedded import Embedded
from fastgw.rehearsal.cases import Case

ANSWER_S = 30.0
PREFIX = {"openai": "/v1"}  # what the mock's base URL of a dialect ends with
CREDENTIAL = {"anthropic": "x-api-key"}


Steps = dict[tuple[int, int], list[Step]]


class Played(NamedTuple):
    """What the client saw, and what the gateway says of it; of the last of a case's requests.

    ``steps``: of each expression, by number of its rule and its own, as policy.tracing has them;
    empty where the request did not come so far.
    """

    status: int
    fields: dict[str, str]
    body: bytes
    decision: dict[str, Any] | None
    steps: Steps


class AnyEnvironment(dict[str, str]):
    """Secrets are not at hand where policies are tested: any name has some value."""

    def __missing__(self, name: str) -> str:
        return f"rehearsed-{name.lower()}"

    def __contains__(self, name: object) -> bool:
        return True


def read_config(file: str) -> tuple[Config, list[ConfigError]]:
    """The configuration and its warnings; an unset variable is no error here. Raises the first
    ConfigError."""
    config, errors, warnings = examine(file, AnyEnvironment(os.environ))
    if config is None:
        raise errors[0]
    return config, warnings


class Stage:
    """Plays cases on one configuration, in front of a mock that serves on ``port``."""

    def __init__(self, config: Config, port: int) -> None:
        self._secrets = {key.id: f"fgw-{secrets.token_hex(16)}" for key in config.keys}
        self._config = dataclasses.replace(
            config,
            listen=dataclasses.replace(config.listen, address="127.0.0.1", port=0, workers=1),
            providers=tuple(_mocked(provider, port) for provider in config.providers),
            keys=tuple(self._known(key) for key in config.keys),
            rules=tuple(_alone(rule) for rule in config.rules),
            cluster=None, alerts=None, store=None,
        )

    def _known(self, key: AccessKey) -> AccessKey:
        return dataclasses.replace(
            key, hash=sha256(self._secrets[key.id].encode()).digest(),
            limits=tuple(_on_this_node(limit) for limit in key.limits))

    def check(self, case: Case) -> None:
        """Raises ConfigError if the case speaks of a key that nobody has."""
        if case.key is not None and case.key not in self._secrets:
            raise ConfigError(f"no key has the id '{case.key}'", file=case.place.file,
                              line=case.place.line, column=case.place.column, key=case.place.key,
                              suggestion=did_you_mean(case.key, self._secrets)[0])

    async def play(self, case: Case) -> Played:
        """A gateway for this case alone, on the running loop (uvloop's)."""
        self.check(case)
        steps: Steps = {}
        shift_ns = 0 if case.time_s is None else case.time_s * 10**9 - time.time_ns()

        def begin(worker: Any) -> Any:
            listener = serve(worker)
            listener.journey.shift_wall(shift_ns)
            worker.plan.policy.tracer = lambda rule, number, seen: steps.update(
                {(rule, number): seen})
            listener.peer = lambda transport: case.client_ip  # type: ignore[method-assign]
            return listener

        with tempfile.TemporaryDirectory(prefix="fastgw-rehearsal-") as directory:
            config = dataclasses.replace(self._config, data_dir=directory)
            running = Embedded(config, serve=begin, log=Log(level="error"),
                               loop=asyncio.get_running_loop())
            await running.start()
            try:
                answer = await asyncio.to_thread(self._ask, running.listen, case)
            finally:
                await running.stop(1.0)
                state = read_instance(Path(directory))
                shutil.rmtree((state or {"rings": ""})["rings"], ignore_errors=True)
            status, fields, body = answer
            request_id = fields.get("x-fastgw-request-id", "")
            decision = wait_for_decision(directory, request_id) if request_id else None
        return Played(status, fields, body, decision, steps)

    def _ask(self, listen: str, case: Case) -> tuple[int, dict[str, str], bytes]:
        host, _, port = listen.rpartition(":")
        message = case.message(listen, self._credential(case))
        answer: tuple[int, dict[str, str], bytes] = 0, {}, b""
        for _ in range(case.repeat):
            with socket.create_connection((host, int(port)), ANSWER_S) as sock:
                sock.sendall(message)
                answer = _read_answer(sock, case)
        return answer

    def _credential(self, case: Case) -> tuple[str, str] | None:
        if case.key is None:
            return None
        secret = self._secrets[case.key]
        if case.request.path.startswith("/v1/messages"):
            return CREDENTIAL["anthropic"], secret
        return "authorization", f"Bearer {secret}"


def _read_answer(sock: socket.socket, case: Case) -> tuple[int, dict[str, str], bytes]:
    answer = http.client.HTTPResponse(sock, method=case.request.method or None)
    try:
        answer.begin()
        fields: dict[str, str] = {}
        for name, value in answer.getheaders():
            before = fields.get(name.lower())
            fields[name.lower()] = value if before is None else f"{before}, {value}"
        body = answer.read()
        return answer.status, fields, body
    finally:
        answer.close()


def _mocked(provider: Provider, port: int) -> Provider:
    prefix = PREFIX.get(provider.dialect, "")
    return dataclasses.replace(
        provider, base_url=f"http://127.0.0.1:{port}{prefix}", tls=False, host="127.0.0.1",
        port=port, prefix=prefix,
        keys=tuple(ProviderKey(**_parts(key) | {"value": Secret("mock")})
                   for key in provider.keys))


def _parts(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def _alone(rule: Rule) -> Rule:
    return dataclasses.replace(rule, actions=tuple(
        _on_this_node(action) if isinstance(action, (RateLimit, UsageCap)) else action
        for action in rule.actions))


def _on_this_node(limit: Limit) -> Any:
    if isinstance(limit, ConcurrencyLimit):
        return limit
    return dataclasses.replace(limit, cluster=False)
