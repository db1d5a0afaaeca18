"""What a configuration is once it is loaded: frozen, typed, checked, without a secret in its repr.

Durations are nanoseconds (``*_ns``), sizes bytes, rates exact integers. Every part that can be
wrong later (an expression) remembers its ``Place``, so that an error can still point at it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: line and column count from 1, ``key`` is its path."""

    file: str
    line: int
    column: int
    key: str


class Secret:
    """A credential. Only ``reveal()`` shows it: not repr, str, format, pickle or JSON."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(("Secret", self._value))

    def __reduce__(self):
        raise TypeError("a Secret is not serialised")


@dataclass(frozen=True, slots=True)
class Expression:
    """CEL text and where its first character stands."""

    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class Listen:
    address: str = "127.0.0.1"
    port: int = 8080  # 0: any free one
    workers: int | None = None  # None: auto, one per core
    half_close: bool = False  # a client's FIN after a whole request does not mean it has gone


@dataclass(frozen=True, slots=True)
class Admin:
    address: str = "127.0.0.1"
    port: int = 9090
    token: Secret | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """``limits:``, bytes and a number of downstream connections (of all workers together)."""

    body: int = 32 << 20
    head: int = 32 << 10
    connections: int = 20000


@dataclass(frozen=True, slots=True)
class Label:
    """A dimension of usage: its name and the expression whose text is recorded."""

    name: str
    expression: Expression


@dataclass(frozen=True, slots=True)
class Timeouts:
    connect_ns: int = 2 * 10**9
    first_byte_ns: int = 60 * 10**9
    idle_ns: int = 60 * 10**9
    total_ns: int = 600 * 10**9


@dataclass(frozen=True, slots=True)
class Retries:
    """At most ``max`` further attempts, and never more than ``budget`` of the requests."""

    max: int = 2
    budget: float = 0.2  # share of requests, 0..1
    on_connect: bool = True
    on_statuses: tuple[int, ...] = (429, 500, 502, 503, 504, 529)


@dataclass(frozen=True, slots=True)
class ProviderKey:
    id: str
    value: Secret
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Provider:
    """``base_url`` as that provider's SDK takes it, also taken apart."""

    id: str
    dialect: str  # openai | anthropic
    base_url: str
    tls: bool
    host: str  # name or address, without brackets
    port: int
    prefix: str  # path before the provider's own paths: "" or "/v1", never a "/" at its end
    keys: tuple[ProviderKey, ...]
    timeouts: Timeouts = Timeouts()
    retries: Retries = Retries()


@dataclass(frozen=True, slots=True)
class Candidate:
    provider: str
    model: str
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Model:
    """What clients ask for, and who serves it: by weight, then ``fallback`` in order."""

    id: str
    candidates: tuple[Candidate, ...]
    fallback: tuple[Candidate, ...] = ()


@dataclass(frozen=True, slots=True)
class Access:
    """What a key may use. None: everything. Models are glob patterns."""

    models: tuple[str, ...] | None = None
    providers: tuple[str, ...] | None = None
    operations: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    """``capacity`` units per ``period_ns``; the bucket holds ``capacity``."""

    unit: str  # requests | tokens | input_tokens | output_tokens
    capacity: int
    period_ns: int


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An access key: only the SHA-256 of its secret is kept."""

    id: str
    hash: bytes  # 32 bytes
    owner: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    tags: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    access: Access = Access()
    limits: tuple[Rate, ...] = ()
    expires_at: int | None = None  # seconds since 1970; None: never


@dataclass(frozen=True, slots=True)
class Deny:
    status_code: int = 403
    message: str | None = None
    enforce: bool = True


@dataclass(frozen=True, slots=True)
class CapOutput:
    max_output_tokens: int
    enforce: bool = True


@dataclass(frozen=True, slots=True)
class RestrictModels:
    """Glob patterns. A model passes if ``allow`` is None or names it, and ``deny`` does not."""

    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] = ()
    enforce: bool = True


@dataclass(frozen=True, slots=True)
class RateLimit:
    """``name`` is the limit's identity, with unit, algorithm and period; capacity is not."""

    name: str
    rate: Rate
    bucket_key: tuple[Expression, ...] = ()
    algorithm: str = "token_bucket"
    enforce: bool = True


Action = Deny | CapOutput | RestrictModels | RateLimit


@dataclass(frozen=True, slots=True)
class Rule:
    """All ``expressions`` hold -> the actions act, in order. ``enforce: false``: only recorded."""

    name: str  # given, or its position: "on_http_request[3]"
    expressions: tuple[Expression, ...]
    actions: tuple[Action, ...]
    place: Place
    enforce: bool = True


@dataclass(frozen=True, slots=True)
class Config:
    """One whole, valid configuration."""

    file: str  # "" when it came from the environment
    providers: tuple[Provider, ...]
    listen: Listen = Listen()
    admin: Admin = Admin()
    data_dir: str = "./fastgw-data"
    shm_dir: str = "/dev/shm"
    store: str = "sqlite"
    on_ledger_full: str = "reject"  # or "drop"
    limits: Bounds = Bounds()
    labels: tuple[Label, ...] = ()
    models: tuple[Model, ...] = ()
    models_strict: bool = False
    keys: tuple[AccessKey, ...] = ()
    open: bool = False  # no access key is asked for: no `keys` section, or `auth: none`
    rules: tuple[Rule, ...] = ()  # policy.on_http_request
    version: str = ""  # 16 hex digits over the canonical content: the policy version
