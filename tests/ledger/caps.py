"""Traffic under caps, made up for tests, with books in the plainest way there is."""

from __future__ import annotations

import random
from collections import Counter

from fastgw.ledger.journal import name_hash
from fastgw.ledger.records import (
    CLOSE_ASKED,
    FATE_CUT_BY_CLIENT,
    FATE_DELIVERED,
    FATE_FAILED_BEFORE_FIRST_BYTE,
    FATE_RETRIED_AWAY,
    GRANT_ALL,
    NAME_BUCKET,
    Close,
    Grant,
    LimitTrace,
    Name,
    Open,
    Request,
    RequestId,
    Tokens,
)
from fastgw.ledger.vocabulary import UNITS
from tests.ledger.fabricate import T0, close, dims, pace

CAP = 3  # fgw_algorithm
HOUR = 3600 * 10**9
WINDOW_END = T0 // HOUR * HOUR + HOUR


def identity(number: int) -> tuple[int, int]:
    return number * 0x9E3779B97F4A7C15 % 2**64, (number << 60 | 0xF0) % 2**64


def packed(words: tuple[int, int]) -> bytes:
    return b"".join(word.to_bytes(8, "little") for word in words)


def name(number: int, text: str = "team month", key: str = "a") -> bytes:
    bucket = f'{{"name": "{text}", "unit": "tokens", "key": ["{key}"], "limit": 1000}}'
    return Name(NAME_BUCKET, *identity(number), bucket).pack()


def trace(number: int, unit: str, wall_ns: int = T0, *, taken: int = 1, limit: int = 1000,
          **more) -> LimitTrace:
    return LimitTrace(
        identity(number), name_hash("team month"), used=taken, limit=limit, taken=taken,
        reset_ns=WINDOW_END - wall_ns, unit=UNITS.index(unit), algorithm=CAP, **more,
    )


def used(unit: str, closed: Close, held: int) -> int:
    if unit == "cost" and closed.cost_nano_usd is None:
        return held
    tokens = closed.tokens
    input = (tokens.input + tokens.cached_input + tokens.cache_write + tokens.cache_write_1h
             + tokens.audio_input)
    output = tokens.output + tokens.reasoning + tokens.audio_output
    return {
        "requests": int(bool(closed.final and (
            closed.flags & CLOSE_ASKED or closed.fate != FATE_FAILED_BEFORE_FIRST_BYTE))),
        "tokens": input + output,
        "input_tokens": input,
        "output_tokens": output,
        "cost": -(-(closed.cost_nano_usd or 0) // 1000),
    }[unit]


class Capped:
    """A worker whose requests draw from caps 0 … 4, one of each unit, and from a pace.

    ``settled``: what the books say of each cap. ``open``: {(id, attempt): {cap: held}}."""

    UNITS = UNITS[:5]

    def __init__(self, seed: int, generation: int = 1) -> None:
        self._random = random.Random(seed)
        self._generation = generation
        self._sequence = 0
        self.settled: Counter[int] = Counter()
        self.open: dict[tuple[int, int], dict[int, int]] = {}
        self._waiting: list[tuple[RequestId, int, dict[int, int]]] = []

    def step(self) -> list[bytes]:
        """A request begins, an attempt ends, or a grant is made."""
        if self._waiting and self._random.random() < 0.5:
            return self._end(self._waiting.pop(self._random.randrange(len(self._waiting))))
        return self._begin()

    def _begin(self) -> list[bytes]:
        draw = self._random
        self._sequence += 1
        id = RequestId(self._generation, 0, self._sequence)
        caps = {cap: draw.randrange(1, 500) for cap in range(5) if draw.random() < 0.6}
        traces = [pace(), *(trace(cap, self.UNITS[cap], taken=held)
                            for cap, held in caps.items())]
        if draw.random() < 0.1:
            return [Request(id, T0, dims(), verdict=1, status=429, limits=traces).pack()]
        request = Request(id, T0, dims(), limits=traces).pack()
        return [request, self._open(id, 1, caps)]

    def _open(self, id: RequestId, attempt: int, caps: dict[int, int]) -> bytes:
        self.open[id.sequence, attempt] = caps
        self._waiting.append((id, attempt, caps))
        held = [(*pace().identity, 1), *((*identity(cap), n) for cap, n in caps.items())]
        return Open(id, T0, attempt, dims(), 7, 4096, 512, held).pack()

    def _end(self, one: tuple[RequestId, int, dict[int, int]]) -> list[bytes]:
        id, attempt, caps = one
        draw, tokens = self._random, [self._random.randrange(300) for _ in range(8)]
        del self.open[id.sequence, attempt]
        again = attempt < 3 and draw.random() < 0.2
        asked = draw.random() < 0.8
        if not asked:
            tokens = [0] * 8
        closed = close(
            id, tokens=Tokens(*tokens), attempt=attempt, final=int(not again),
            cost_nano_usd=draw.choice((None, 0, 999, 1001, 123_456)) if asked else 0,
            fate=FATE_RETRIED_AWAY if again else
            FATE_DELIVERED if asked else
            draw.choice((FATE_FAILED_BEFORE_FIRST_BYTE, FATE_CUT_BY_CLIENT)),
            flags=CLOSE_ASKED if asked else 0,
        )
        for cap, held in caps.items():
            self.settled[cap] += used(self.UNITS[cap], closed, held)
        return [closed.pack(), *([self._open(id, attempt + 1, caps)] if again else [])]

    def grant(self, cap: int, amount: int) -> bytes:
        """As the supervisor records it: of what is settled, at most so much is forgiven."""
        held = sum(one.get(cap, 0) for one in self.open.values())
        before = self.settled[cap] + held
        after = max(held, before - amount)
        self.settled[cap] -= before - after
        return Grant(
            T0, identity(cap), name_hash("team month"), name_hash("uid 0"),
            GRANT_ALL if amount > before else amount, before, after, cap, CAP,
        ).pack()

    def held(self) -> Counter[int]:
        total: Counter[int] = Counter()
        for caps in self.open.values():
            total.update(caps)
        return total
