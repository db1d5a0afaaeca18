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
from collections.abc import Iterable
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
from fastgw.policy.tracing import Seen
from fastgw.process.directory import read_instance
from fastgw.process.embedded import Embedded
from fastgw.rehearsal.cases import Case
from fastgw.rehearsal.provider import Given

ANSWER_S = 30.0
PREFIX = {"openai": "/v1"}  # what the mock's base URL of a dialect ends with
CREDENTIAL = {"anthropic": "x-api-key"}


class Played(NamedTuple):
    """What the client saw, and what the gateway says of it; of the last of a case's requests.

    ``seen``: every rule that was asked, in order; none where the request did not come so far.
    """

    status: int
    fields: dict[str, str]
    body: bytes
    decision: dict[str, Any] | None
    seen: tuple[Seen, ...] = ()


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
        self._port = port
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
        """Raises ConfigError if the case speaks of a key, a rule or a limit that nobody has."""
        rules = [rule.name for rules in (self._config.rules, self._config.response_rules,
                                         self._config.event_rules) for rule in rules]
        limits = limit_names(self._config)
        for one in (case, *case.then):
            expect = one.expect
            if one.key is not None and one.key not in self._secrets:
                raise _unknown(one, "key", f"no key has the id '{one.key}'", one.key,
                               self._secrets)
            named = [(f"{where}[{i}]", name) for where in ("matched", "unmatched")
                     for i, name in enumerate(getattr(expect, where))]
            named += [(f"effects.{name}", name) for name in expect.effects or ()]
            for where, name in named:
                if name not in rules:
                    raise _unknown(one, f"expect.{where}", f"no rule is named '{name}'", name,
                                   rules)
            for name in expect.limits or ():
                if name not in limits:
                    raise _unknown(one, f"expect.limits.{name}", f"no limit is named '{name}'",
                                   name, limits)
            name, known = expect.rule or "key ", [*rules, *limits]
            if name not in known and not name.startswith("key "):
                raise _unknown(one, "expect.rule", f"no rule or limit is named '{name}'", name,
                               known)

    async def play(self, case: Case) -> Played:
        """The last of ``play_all``."""
        return (await self.play_all(case))[-1]

    async def play_all(self, case: Case) -> list[Played]:
        """The case and what is asked then, on a gateway of its own on the running loop (uvloop's).
        """
        self.check(case)
        turns = (case, *case.then)
        if not any(turn.answer for turn in turns):
            return await self._play_all(turns, self._config, None)
        async with Given(self._port) as given:
            providers = (_mocked(one, given.port) for one in self._config.providers)
            config = dataclasses.replace(self._config, providers=tuple(providers))
            return await self._play_all(turns, config, given)

    async def _play_all(self, turns: tuple[Case, ...], config: Config,
                        given: Given | None) -> list[Played]:
        case = asked = turns[0]
        seen: list[Seen] = []
        shift_ns = 0
        journeys: list[Any] = []

        def begin(worker: Any) -> Any:
            listener = serve(worker)
            if case.seed is not None:
                worker.plan.policy.reseed(case.seed)
            worker.plan.policy.tracer = seen.append
            listener.peer = lambda transport: asked.client_ip  # type: ignore[method-assign]
            journeys.append(listener.journey)
            return listener

        played: list[Played] = []
        with tempfile.TemporaryDirectory(prefix="fastgw-rehearsal-") as directory:
            config = dataclasses.replace(config, data_dir=directory)
            running = Embedded(config, serve=begin, log=Log(level="error"),
                               loop=asyncio.get_running_loop())
            await running.start()
            try:
                if case.time_s is not None:
                    shift_ns = case.time_s * 10**9 - time.time_ns()
                for asked in turns:
                    shift_ns += asked.after_ns
                    journeys[0].skip(asked.after_ns)
                    journeys[0].shift_wall(shift_ns)
                    if given is not None:
                        given.answer = asked.answer
                    played.append(await self._play_one(asked, running.listen, directory, seen))
            finally:
                await running.stop(1.0)
                state = read_instance(Path(directory))
                shutil.rmtree((state or {"rings": ""})["rings"], ignore_errors=True)
        return played

    async def _play_one(self, turn: Case, listen: str, directory: str,
                        seen: list[Seen]) -> Played:
        settled = bool(self._config.response_rules)  # they run until the record is written
        for left in range(turn.repeat - 1, -1, -1):
            seen.clear()
            status, fields, body = await asyncio.to_thread(self._ask, listen, turn)
            request_id, decision = fields.get("x-fastgw-request-id", ""), None
            if request_id and (settled or left == 0):
                decision = await asyncio.to_thread(wait_for_decision, directory, request_id)
        return Played(status, fields, body, decision, tuple(seen))

    def _ask(self, listen: str, case: Case) -> tuple[int, dict[str, str], bytes]:
        host, _, port = listen.rpartition(":")
        message = case.message(listen, self._credential(case))
        with socket.create_connection((host, int(port)), ANSWER_S) as sock:
            sock.sendall(message)
            return _read_answer(sock, case)

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


def limit_names(config: Config) -> list[str]:
    """The limits of rules and keys, as records name them."""
    limits = [*(action for rule in config.rules for action in rule.actions
                if isinstance(action, Limit)), *(one for key in config.keys for one in key.limits)]
    return list(dict.fromkeys(limit.name for limit in limits))


def _unknown(case: Case, at: str, message: str, name: str, known: Iterable[str]) -> ConfigError:
    """A case that speaks of what nobody has could not fail, or not hold."""
    path = f"{case.place.key}.{at}" if case.place.key else at
    place = case.reading.place(path) if case.reading is not None else case.place
    return ConfigError(message, file=place.file, line=place.line, column=place.column, key=path,
                       suggestion=did_you_mean(name, known)[0])


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
