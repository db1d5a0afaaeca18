"""Redis (or Valkey) as the fleet's store: the scripts beside this file, and nothing else.

Every change is one script, so atomic; all keys carry the prefix as hash tag, so that they share a
slot of a Redis Cluster. No call is repeated by the client library: a lease says all it has each
time, so the next one mends what the last left open.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, NamedTuple

LEASE_MS = 10_000
GRACE_MS = 3_000  # what other nodes have to say of a store that forgot; they enrol every second
TIMEOUT_S = 1.0
SCRIPTS = ("enroll", "lease", "leave")
NOBODY = (0, 0)  # no limit has this key


class StoreLost(Exception):
    """The store does not answer, or takes no writes. The text says why, without a credential."""


class Enrolment(NamedTuple):
    """``lapsed``: this node's slices were void. ``grace_ms``: nothing is granted for so long."""

    epoch: str
    lapsed: bool
    nodes: int
    grace_ms: int


class Call(NamedTuple):
    """What a node says of one account, and asks for. Sums are of this incarnation."""

    key: tuple[int, int]
    seq: int
    granted: int
    spent: int
    need: int
    want: int
    algorithm: int
    capacity: int
    period_us: int
    window_end_ms: int = 0
    keep_ms: int = 0  # 0: for ever
    previous: tuple[int, int] | None = None  # sliding window: the account of the one before


class Answer(NamedTuple):
    """``granted``: the sum now in force, or of 'stale' the greatest seq seen. ``left``: of the
    fleet's. ``wait_ms`` -1: more than the capacity was asked for."""

    status: str
    granted: int
    left: int
    wait_ms: int
    reissued: int
    nodes: int


class Store:
    """One node's connections. Several calls may be under way, but none may be cancelled: a reply
    that nobody read would be the next call's. Every read ends within ``timeout_s``."""

    def __init__(
        self, url: str, *, node: str, incarnation: int, prefix: str = "fastgw",
        lease_ms: int = LEASE_MS, grace_ms: int = GRACE_MS, timeout_s: float = TIMEOUT_S,
    ) -> None:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
        from redis.exceptions import RedisError

        self._lost: tuple[type[BaseException], ...] = (RedisError, OSError, TimeoutError)
        self.node = node
        self.lease_ms, self.grace_ms = lease_ms, grace_ms
        self._incarnation = str(incarnation)
        self._nodes = f"{{{prefix}}}:nodes"
        self._epoch_key = f"{{{prefix}}}:epoch"
        self._accounts = f"{{{prefix}}}:of:"
        self._texts = {
            name: files(__package__).joinpath("scripts", f"{name}.lua").read_text()
            for name in SCRIPTS
        }
        self._hashes: dict[str, str] = {}
        self._redis: Any = Redis.from_url(
            url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0), decode_responses=True, protocol=2,
        )

    async def enroll(self, remembered: str) -> Enrolment:
        """``remembered``: the epoch this node belongs to, '' if to none. Raises StoreLost."""
        epoch, lapsed, nodes, grace = (await self._run([(
            "enroll", [self._nodes, self._epoch_key],
            [self.node, self.lease_ms, remembered, uuid.uuid4().hex, self.grace_ms],
        )]))[0]
        return Enrolment(epoch, bool(lapsed), int(nodes), int(grace))

    async def lease(self, epoch: str, calls: Sequence[Call]) -> list[Answer]:
        """One answer a call. Raises StoreLost; then any of them may have happened, or none."""
        rows = await self._run([
            ("lease",
             [self._account(call.key), self._nodes, self._epoch_key,
              self._account(call.previous or NOBODY)],
             [self.node, epoch, call.seq, self._incarnation, call.granted, call.spent, call.need,
              call.want, call.algorithm, call.capacity, call.period_us, call.window_end_ms,
              call.keep_ms, self.grace_ms])
            for call in calls
        ])
        return [Answer(row[0], *(int(number) for number in row[1:])) for row in rows]

    async def leave(self) -> None:
        """This node has given everything back. Raises StoreLost."""
        await self._run([("leave", [self._nodes], [self.node])])

    async def close(self) -> None:
        await self._redis.aclose()

    def _account(self, key: tuple[int, int]) -> str:
        return f"{self._accounts}{key[0]:016x}{key[1]:016x}"

    async def _run(self, wanted: list[tuple[str, list[str], list[Any]]]) -> list[Any]:
        try:
            return await self._pipeline(wanted)
        except self._lost as error:
            # What else is pooled broke with it, or is about to answer something older.
            await self._redis.connection_pool.disconnect(inuse_connections=False)
            raise StoreLost(_reason(error)) from None

    async def _pipeline(self, wanted: list[tuple[str, list[str], list[Any]]]) -> list[Any]:
        from redis.exceptions import NoScriptError

        if not self._hashes:
            await self._load()
        for again in (False, True):
            pipe = self._redis.pipeline(transaction=False)
            for name, keys, values in wanted:
                pipe.evalsha(self._hashes[name], len(keys), *keys, *values)
            rows = await pipe.execute(raise_on_error=False)
            failed = [row for row in rows if isinstance(row, BaseException)]
            if not failed:
                return rows
            if again or not all(isinstance(row, NoScriptError) for row in failed):
                raise failed[0]
            await self._load()  # a restart, or SCRIPT FLUSH; seq: what ran does not count twice
        raise AssertionError

    async def _load(self) -> None:
        for name, text in self._texts.items():
            self._hashes[name] = await self._redis.script_load(text)


def _reason(error: BaseException) -> str:
    """The server's or the system's word; the library's own texts may quote the URL."""
    from redis.exceptions import ResponseError
    from redis.exceptions import TimeoutError as NoAnswer

    if isinstance(error, (TimeoutError, NoAnswer)):
        return "no answer in time"
    if isinstance(error, ResponseError):
        return str(error).partition(" script:")[0][:120]
    return type(error).__name__
