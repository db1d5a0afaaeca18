"""Records as Python sees them: read for `explain`, built for the supervisor and for tests.

Sizes and offsets are those of csrc/fgw_record.h; tests/ledger/test_records.py has gcc's word for
it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

REQUEST, OPEN, CLOSE, NAME, REFUSED, GRANT, HELD = 1, 2, 3, 4, 5, 6, 7
VERSION = 3
UNBOUNDED = 2**64 - 1

NAME_ACCOUNT, NAME_MODEL, NAME_PROVIDER, NAME_RULE, NAME_LIMIT, NAME_BUCKET = 1, 2, 3, 4, 5, 6
NAME_USER, NAME_LABEL, NAME_REASON, NAME_POLICY, NAME_REQUEST, NAME_PROVIDER_KEY = range(7, 13)
NAME_ADMIN, NAME_FINDING, NAME_NOTE, NAME_QUOTE = 13, 14, 15, 16
CLOSE_ASKED = 1  # a flag of a CLOSE's head
HELD_SETTLED = 1  # a flag of a HELD's

FATE_DELIVERED, FATE_CUT_BY_CLIENT, FATE_CUT_BY_CAP, FATE_FAILED_BEFORE_FIRST_BYTE = 1, 2, 3, 4
FATE_FAILED_IN_STREAM, FATE_RETRIED_AWAY, FATE_WORKER_LOST = 5, 6, 7

PROVENANCE_NONE, PROVENANCE_PROVIDER, PROVENANCE_COUNTED, PROVENANCE_ESTIMATED = 0, 1, 2, 3

HEAD = struct.Struct("<IBBHQIHHQQ")
DIMS = struct.Struct("<5Q4Q4B4x")
TOKENS = struct.Struct("<8Q")
REQUEST_BODY = struct.Struct("<QQ16sIIIHHQQ4BHBB13IIQ")
RULE = struct.Struct("<QBBHIq")
LIMIT = struct.Struct("<2Q7Q5BxH")
OPEN_BODY = struct.Struct("<QQQBB6x")
AMOUNT = struct.Struct("<3Q")
HELD_BODY = struct.Struct("<QBB6x")
CLOSE_BODY = struct.Struct("<4QqIHH8BII4Q16I")
UNITS = struct.Struct("<6Q")
NAME_BODY = struct.Struct("<2QBBHI")
REFUSED_BODY = struct.Struct("<QQHHIQ")
PHASES_SIZE = 16 * 4
GRANT_BODY = struct.Struct("<2Q5Q2B6x")

BODY = HEAD.size + DIMS.size
_FLAGS_AT = 6
_FITTED, _UNBOUNDED = 1, 2  # enum fgw_request_flag


@dataclass(slots=True)
class RequestId:
    """Names a request for ever."""

    generation: int
    worker: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.generation:08x}-{self.worker:02x}-{self.sequence:010x}"

    @classmethod
    def parse(cls, text: str) -> RequestId:
        """From `x-fastgw-request-id`. Raises ValueError."""
        parts = text.strip().split("-")
        if len(parts) != 3:
            raise ValueError(f"{text!r} is no request id (it looks like 00000001-00-000000000a)")
        try:
            generation, worker, sequence = (int(part, 16) for part in parts)
        except ValueError:
            raise ValueError(f"{text!r} is no request id: not hexadecimal") from None
        if not (0 <= generation < 2**32 and 0 <= worker < 2**16 and 0 <= sequence < 2**63):
            raise ValueError(f"{text!r} is no request id: a number is too large")
        return cls(generation, worker, sequence)


@dataclass(slots=True)
class Dims:
    """Name hashes that usage is summed by; 0: none."""

    account: int = 0
    model: int = 0
    provider: int = 0
    upstream_model: int = 0
    user: int = 0
    labels: tuple[int, int, int, int] = (0, 0, 0, 0)
    dialect: int = 0
    operation: int = 0
    stream: int = 0
    tier: int = 0  # enum fgw_tier, of a CLOSE

    def pack(self) -> bytes:
        return DIMS.pack(
            self.account,
            self.model,
            self.provider,
            self.upstream_model,
            self.user,
            *self.labels,
            self.dialect,
            self.operation,
            self.stream,
            self.tier,
        )

    @classmethod
    def unpack(cls, raw: bytes, at: int = 0) -> Dims:
        words = DIMS.unpack_from(raw, at)
        return cls(*words[:5], words[5:9], *words[9:])  # type: ignore[call-arg]


@dataclass(slots=True)
class Head:
    size: int
    kind: int
    sequence: int
    id: RequestId
    wall_ns: int


def head(raw: bytes, at: int = 0) -> Head:
    size, kind, _, _, sequence, generation, worker, _, number, wall_ns = HEAD.unpack_from(raw, at)
    return Head(size, kind, sequence, RequestId(generation, worker, number), wall_ns)


def split(records: bytes) -> Iterator[bytes]:
    """The records of a span, one by one."""
    at = 0
    while at < len(records):
        (size,) = struct.unpack_from("<I", records, at)
        if size < HEAD.size:
            raise ValueError("not whole records")
        yield records[at : at + size]
        at += size


def is_quote(raw: bytes) -> bool:
    """Whether a record is what the provider of an attempt said of its usage."""
    return raw[4] == NAME and raw[HEAD.size + 16] == NAME_QUOTE


def _head(kind: int, size: int, id: RequestId, wall_ns: int, flags: int = 0) -> bytes:
    return HEAD.pack(
        size, kind, VERSION, flags, 0, id.generation, id.worker, 0, id.sequence, wall_ns
    )


@dataclass(slots=True)
class RuleTrace:
    rule: int
    action: int = 0
    enforced: int = 1
    code: int = 0
    value: int = 0


@dataclass(slots=True)
class LimitTrace:
    identity: tuple[int, int]
    rule: int
    used: int = 0
    held: int = 0
    limit: int = 0
    taken: int = 0
    wait_ns: int = 0
    reset_ns: int = 0
    unit: int = 0
    verdict: int = 1
    enforced: int = 1
    algorithm: int = 0  # enum fgw_algorithm; 0: of a writer that did not say
    flags: int = 0  # enum fgw_trace_flag
    place: int = 0  # in the queue, when it was refused; 0: in none


@dataclass(slots=True)
class Request:
    id: RequestId
    wall_ns: int
    dims: Dims = field(default_factory=Dims)
    policy_version: int = 0
    client_request_id: int = 0
    client_ip: bytes = bytes(16)
    input_bytes: int = 0
    input_estimate: int = 0
    output_max: int = 0
    status: int = 0
    code: int = 0
    rule: int = 0
    reason: int = 0
    verdict: int = 0
    phase: int = 0
    rules: list[RuleTrace] = field(default_factory=list)
    limits: list[LimitTrace] = field(default_factory=list)
    rules_total: int = 0
    sampled: int = 0
    tools: int = 0
    phase_us: tuple[int, ...] = (0,) * 13
    answers: int = 0  # n; 0: of a build that did not say
    input_high: int = 0  # what caps take of the input; 0: the same
    fitted: bool = False  # output_max is what a cap had left
    unbounded: bool = False  # nothing bounds its use, but the caps let it pass

    def pack(self) -> bytes:
        body = REQUEST_BODY.pack(
            self.policy_version,
            self.client_request_id,
            self.client_ip,
            self.input_bytes,
            self.input_estimate,
            self.output_max,
            self.status,
            self.code,
            self.rule,
            self.reason,
            self.verdict,
            self.phase,
            len(self.rules),
            len(self.limits),
            self.rules_total or len(self.rules),
            self.sampled,
            self.tools,
            *(*self.phase_us, *[0] * 13)[:13],
            self.answers,
            self.input_high,
        )
        body += b"".join(
            RULE.pack(r.rule, r.action, r.enforced, r.code, 0, r.value) for r in self.rules
        )
        body += b"".join(
            LIMIT.pack(
                *one.identity,
                one.rule,
                one.used,
                one.held,
                one.limit,
                one.taken,
                one.wait_ns,
                one.reset_ns,
                one.unit,
                one.verdict,
                one.enforced,
                one.algorithm,
                one.flags,
                one.place,
            )
            for one in self.limits
        )
        flags = _FITTED * self.fitted | _UNBOUNDED * self.unbounded
        first = _head(REQUEST, BODY + len(body), self.id, self.wall_ns, flags)
        return first + self.dims.pack() + body

    @classmethod
    def unpack(cls, raw: bytes) -> Request:
        first = head(raw)
        words = REQUEST_BODY.unpack_from(raw, BODY)
        n_rules, n_limits = words[12], words[13]
        flags = HEAD.unpack_from(raw)[3]
        at = BODY + REQUEST_BODY.size
        rules = []
        for _ in range(n_rules):
            rule, action, enforced, code, _, value = RULE.unpack_from(raw, at)
            rules.append(RuleTrace(rule, action, enforced, code, value))
            at += RULE.size
        limits = []
        for _ in range(n_limits):
            one = LIMIT.unpack_from(raw, at)
            limits.append(LimitTrace((one[0], one[1]), *one[2:]))
            at += LIMIT.size
        return cls(  # type: ignore[call-arg]
            first.id,
            first.wall_ns,
            Dims.unpack(raw, HEAD.size),
            *words[:12],
            rules,
            limits,
            *words[14:17],
            tuple(words[17:30]),
            *words[30:],
            bool(flags & _FITTED),
            bool(flags & _UNBOUNDED),
        )


@dataclass(slots=True)
class Open:
    id: RequestId
    wall_ns: int
    attempt: int = 1
    dims: Dims = field(default_factory=Dims)
    provider_key: int = 0
    input_high: int = 0
    output_high: int = UNBOUNDED
    held: list[tuple[int, int, int]] = field(default_factory=list)  # identity (2), amount

    def pack(self) -> bytes:
        body = OPEN_BODY.pack(
            self.provider_key, self.input_high, self.output_high, self.attempt, len(self.held)
        ) + b"".join(AMOUNT.pack(*one) for one in self.held)
        return _head(OPEN, BODY + len(body), self.id, self.wall_ns) + self.dims.pack() + body

    @classmethod
    def unpack(cls, raw: bytes) -> Open:
        first = head(raw)
        key, input_high, output_high, attempt, n_held = OPEN_BODY.unpack_from(raw, BODY)
        start = BODY + OPEN_BODY.size
        held = [AMOUNT.unpack_from(raw, start + at * AMOUNT.size) for at in range(n_held)]
        return cls(
            first.id,
            first.wall_ns,
            attempt,
            Dims.unpack(raw, HEAD.size),
            key,
            input_high,
            output_high,
            held,
        )


@dataclass(slots=True)
class Held:
    """What an open attempt holds of its caps, other than its OPEN says. ``settled``: its worker
    died, and the words were settled to this."""

    id: RequestId
    wall_ns: int
    attempt: int = 1
    output_high: int = UNBOUNDED
    held: list[tuple[int, int, int]] = field(default_factory=list)  # identity (2), amount
    settled: bool = False

    def pack(self) -> bytes:
        body = HELD_BODY.pack(self.output_high, self.attempt, len(self.held))
        body += b"".join(AMOUNT.pack(*one) for one in self.held)
        flags = HELD_SETTLED * self.settled
        return _head(HELD, HEAD.size + len(body), self.id, self.wall_ns, flags) + body

    @classmethod
    def unpack(cls, raw: bytes) -> Held:
        first = head(raw)
        output_high, attempt, n_held = HELD_BODY.unpack_from(raw, HEAD.size)
        start = HEAD.size + HELD_BODY.size
        held = [AMOUNT.unpack_from(raw, start + at * AMOUNT.size) for at in range(n_held)]
        settled = bool(raw[_FLAGS_AT] & HELD_SETTLED)
        return cls(first.id, first.wall_ns, attempt, output_high, held, settled)

    def upon(self, opened: Open) -> Open:
        """The OPEN of its attempt, with these amounts in place of its own."""
        amounts = {one[:2]: one[2] for one in self.held}
        held = [(*one[:2], amounts.get(one[:2], one[2])) for one in opened.held]
        return replace(opened, output_high=self.output_high, held=held)


@dataclass(slots=True)
class Tokens:
    """Tokens by class, disjoint."""

    input: int = 0
    cached_input: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0
    audio_input: int = 0
    audio_output: int = 0
    image_input: int = 0
    image_output: int = 0


@dataclass(slots=True)
class Units:
    """What is billed and is no token. ``audio_ms``: sound, by its length."""

    images: int = 0
    audio_ms: int = 0
    characters: int = 0
    searches: int = 0


@dataclass(slots=True)
class Close:
    """``cost_nano_usd`` None: price unknown. ``output_high`` UNBOUNDED: no bound known."""

    id: RequestId
    wall_ns: int
    attempt: int = 1
    fate: int = FATE_DELIVERED
    dims: Dims = field(default_factory=Dims)
    tokens: Tokens = field(default_factory=Tokens)
    input_low: int = 0
    input_high: int = 0
    output_low: int = 0
    output_high: int = 0
    cost_nano_usd: int | None = None
    price_version: int = 0
    status: int = 0
    code: int = 0
    provenance: int = PROVENANCE_NONE
    input_provenance: int = PROVENANCE_NONE
    output_provenance: int = PROVENANCE_NONE
    final: int = 1
    events: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    started_ns: int = 0
    phase_us: tuple[int, ...] = (0,) * 16
    flags: int = CLOSE_ASKED
    overrun_tokens: int = 0
    overrun_nano_usd: int = 0
    units: Units = field(default_factory=Units)
    input_basis: int = 0
    output_basis: int = 0

    def pack(self) -> bytes:
        tokens, units = self.tokens, self.units
        body = TOKENS.pack(
            tokens.input,
            tokens.cached_input,
            tokens.cache_write,
            tokens.cache_write_1h,
            tokens.output,
            tokens.reasoning,
            tokens.audio_input,
            tokens.audio_output,
        ) + CLOSE_BODY.pack(
            self.input_low,
            self.input_high,
            self.output_low,
            self.output_high,
            -1 if self.cost_nano_usd is None else self.cost_nano_usd,
            self.price_version,
            self.status,
            self.code,
            self.fate,
            self.provenance,
            self.input_provenance,
            self.output_provenance,
            self.attempt,
            self.final,
            self.input_basis,
            self.output_basis,
            self.events,
            self.overrun_tokens,
            self.bytes_in,
            self.bytes_out,
            self.started_ns,
            self.overrun_nano_usd,
            *self.phase_us,
        ) + UNITS.pack(
            tokens.image_input, tokens.image_output,
            units.images, units.audio_ms, units.characters, units.searches,
        )
        first = _head(CLOSE, BODY + len(body), self.id, self.wall_ns, self.flags)
        return first + self.dims.pack() + body

    @classmethod
    def unpack(cls, raw: bytes) -> Close:
        first = head(raw)
        if len(raw) < BODY + TOKENS.size + CLOSE_BODY.size:
            # Of a build that did not book overruns: phase_us stood where they stand now.
            raw = raw[:-PHASES_SIZE] + bytes(8) + raw[-PHASES_SIZE:]
        units_at = BODY + TOKENS.size + CLOSE_BODY.size
        units = UNITS.unpack_from(raw, units_at) if len(raw) > units_at else (0,) * 6
        words = CLOSE_BODY.unpack_from(raw, BODY + TOKENS.size)
        (fate, provenance, of_input, of_output, attempt, final) = words[8:14]
        return cls(  # type: ignore[call-arg]
            first.id,
            first.wall_ns,
            attempt,
            fate,
            Dims.unpack(raw, HEAD.size),
            Tokens(*TOKENS.unpack_from(raw, BODY), *units[:2]),
            *words[:4],
            None if words[4] < 0 else words[4],
            *words[5:8],
            provenance,
            of_input,
            of_output,
            final,
            words[16],
            *words[18:21],
            tuple(words[22:]),
            int.from_bytes(raw[_FLAGS_AT : _FLAGS_AT + 2], "little"),
            words[17],
            words[21],
            Units(*units[2:]),
            *words[14:16],
        )


@dataclass(slots=True)
class Name:
    space: int
    hash0: int
    hash1: int
    text: str
    id: RequestId = field(default_factory=lambda: RequestId(0, 0, 0))
    wall_ns: int = 0

    def pack(self) -> bytes:
        text = self.text.encode()
        body = NAME_BODY.pack(self.hash0, self.hash1, self.space, 0, len(text), 0)
        body += text + bytes(-len(text) % 8)
        return _head(NAME, HEAD.size + len(body), self.id, self.wall_ns) + body

    @classmethod
    def unpack(cls, raw: bytes) -> Name:
        first = head(raw)
        hash0, hash1, space, _, length, _ = NAME_BODY.unpack_from(raw, HEAD.size)
        start = HEAD.size + NAME_BODY.size
        text = raw[start : start + length].decode(errors="replace")
        return cls(space, hash0, hash1, text, first.id, first.wall_ns)


@dataclass(slots=True)
class Refused:
    id: RequestId
    wall_ns: int
    rule: int = 0
    account: int = 0
    code: int = 0
    status: int = 0
    count: int = 0

    def pack(self) -> bytes:
        body = REFUSED_BODY.pack(self.rule, self.account, self.code, self.status, 0, self.count)
        return _head(REFUSED, HEAD.size + len(body), self.id, self.wall_ns) + body

    @classmethod
    def unpack(cls, raw: bytes) -> Refused:
        first = head(raw)
        rule, account, code, status, _, count = REFUSED_BODY.unpack_from(raw, HEAD.size)
        return cls(first.id, first.wall_ns, rule, account, code, status, count)


GRANT_ALL = 2**64 - 1


@dataclass(slots=True)
class Grant:
    """A limit's word changed from outside. ``amount`` GRANT_ALL: all of it set to unused."""

    wall_ns: int
    identity: tuple[int, int]
    rule: int = 0
    admin: int = 0
    amount: int = 0
    before: int = 0
    after: int = 0
    unit: int = 0
    algorithm: int = 0

    def pack(self) -> bytes:
        body = GRANT_BODY.pack(
            *self.identity,
            self.rule,
            self.admin,
            self.amount,
            self.before,
            self.after,
            self.unit,
            self.algorithm,
        )
        return _head(GRANT, HEAD.size + len(body), RequestId(0, 0, 0), self.wall_ns) + body

    @classmethod
    def unpack(cls, raw: bytes) -> Grant:
        first, second, *rest = GRANT_BODY.unpack_from(raw, HEAD.size)
        return cls(head(raw).wall_ns, (first, second), *rest)


Record = Request | Open | Close | Name | Refused | Grant | Held
_KINDS: dict[int, Any] = {
    REQUEST: Request,
    OPEN: Open,
    CLOSE: Close,
    NAME: Name,
    REFUSED: Refused,
    GRANT: Grant,
    HELD: Held,
}


def unpack_record(raw: bytes) -> Record:
    """One whole record. Raises ValueError where its kind is unknown."""
    kind = _KINDS.get(raw[4])
    if kind is None:
        raise ValueError(f"record kind {raw[4]} is unknown")
    unpacked: Record = kind.unpack(raw)
    return unpacked
