"""Records, rings and data directories made up for tests: no gateway, no clock.

`Traffic` is a worker on paper: it makes the records of whole requests and keeps its own books of
them, in the plainest way there is, so that the ledger's sums have something to be held against.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from fastgw.ledger.journal import name_hash
from fastgw.ledger.records import (
    FATE_DELIVERED,
    NAME_ACCOUNT,
    NAME_BUCKET,
    NAME_LABEL,
    NAME_LIMIT,
    NAME_MODEL,
    NAME_PROVIDER,
    NAME_RULE,
    PROVENANCE_PROVIDER,
    Close,
    Dims,
    LimitTrace,
    Name,
    Open,
    Request,
    RequestId,
    RuleTrace,
    Tokens,
)
from fastgw.ledger.ring import Ring
from fastgw.policy.limits import LimitSpec

MINUTE = 60 * 10**9
T0 = 1_800_000_000 * 10**9 // MINUTE * MINUTE  # 2027-01-15, at a full minute
PACE = (0x1111111111111111, 0xF222222222222222)


def account(key: str, team: str = "a", tier: str = "free") -> str:
    return orjson.dumps({"id": key, "owner": {"team": team}, "tags": {"tier": tier}}).decode()


def dims(key: str = "k1", model: str = "gpt-4o", provider: str = "openai", **more: Any) -> Dims:
    return Dims(
        account=name_hash(account(key)) if key else 0,
        model=name_hash(model),
        provider=name_hash(provider),
        upstream_model=name_hash(model),
        dialect=1,
        operation=1,
        **more,
    )


def names(
    *, keys: tuple[str, ...] = ("k1", "k2"), models: tuple[str, ...] = ("gpt-4o",)
) -> list[bytes]:
    """NAME records for all that the functions here use."""
    pairs = [(NAME_ACCOUNT, account(key)) for key in keys]
    pairs += [(NAME_MODEL, model) for model in models]
    pairs += [(NAME_PROVIDER, "openai"), (NAME_RULE, "per-key pace"), (NAME_LIMIT, "pace")]
    pairs += [(NAME_LABEL, "search"), (NAME_RULE, "no robots")]
    made = [Name(space, name_hash(text), 0, text).pack() for space, text in pairs]
    bucket = LimitSpec("pace", "requests", "token_bucket", 60, 60 * 10**9, True).bucket_text(
        b'["k1"]', True
    )
    return [*made, Name(NAME_BUCKET, *PACE, bucket.decode()).pack()]


def pace(used: int = 1, verdict: int = 1, **more: int) -> LimitTrace:
    return LimitTrace(
        PACE, name_hash("pace"), used=used, limit=60, taken=1, verdict=verdict, **more
    )


def request(id: RequestId, wall_ns: int = T0, **more) -> Request:
    more.setdefault("dims", dims())
    more.setdefault("rules", [RuleTrace(name_hash("per-key pace"), action=2)])
    more.setdefault("limits", [pace()])
    return Request(id, wall_ns, **more)


def close(id: RequestId, wall_ns: int = T0, *, input: int = 10, output: int = 5, **more) -> Close:
    more.setdefault("dims", dims())
    more.setdefault("tokens", Tokens(input=input, output=output))
    more.setdefault("cost_nano_usd", 1000)
    return Close(
        id,
        wall_ns,
        input_low=input,
        input_high=input,
        output_low=output,
        output_high=output,
        status=200,
        provenance=PROVENANCE_PROVIDER,
        input_provenance=PROVENANCE_PROVIDER,
        output_provenance=PROVENANCE_PROVIDER,
        started_ns=wall_ns,
        **more,
    )


@dataclass
class Traffic:
    """Random requests of one worker, and its books: Counter of requests, denied, attempts,
    tokens."""

    seed: int
    generation: int = 1
    worker: int = 0
    keys: tuple[str, ...] = ("k1", "k2")
    sequence: int = 0
    books: Counter = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def one(self) -> list[bytes]:
        """All records of one request, in the order a worker posts them."""
        draw = self._random
        self.sequence += 1
        id = RequestId(self.generation, self.worker, self.sequence)
        wall = T0 + self.sequence * 10**6
        what = dims(draw.choice(self.keys))
        self.books["requests"] += 1
        if draw.random() < 0.1:
            self.books["denied"] += 1
            return [request(id, wall, dims=what, verdict=1, status=429, code=801).pack()]
        records = [
            request(
                id, wall, dims=what, phase_us=tuple(draw.randrange(200) for _ in range(13))
            ).pack()
        ]
        attempts = 1 + (draw.random() < 0.1)
        for number in range(1, attempts + 1):
            opened = Open(id, wall, number, what, 7, 4096, 512, [(*PACE, 1)])
            tokens, last = draw.randrange(2000), number == attempts
            closed = close(
                id,
                wall + 5000,
                input=tokens,
                output=tokens // 3,
                dims=what,
                attempt=number,
                fate=FATE_DELIVERED if last else 6,
                final=int(last),
                bytes_out=draw.randrange(10_000),
            )
            self.books["attempts"] += 1
            self.books["input"] += tokens
            self.books["output"] += tokens // 3
            records += [opened.pack(), closed.pack()]
        return records


def rings(folder: Path, slot: int = 0, size: int = 1 << 20) -> Ring:
    """A worker's main ring, opened as producer."""
    folder.mkdir(parents=True, exist_ok=True)
    return Ring.open(folder / f"ring-{slot:02d}-main", size, slot=slot)


def post_all(ring: Ring, records: list[bytes]) -> None:
    for record in records:
        assert ring.post_bytes(record), "the ring is full"
