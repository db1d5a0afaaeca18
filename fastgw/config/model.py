"""What a configuration is once it is loaded: frozen, typed, checked, without a secret in its repr.

Durations are nanoseconds (``*_ns``), sizes bytes, rates exact integers. Every part that can be
wrong later (an expression) remembers its ``Place``, so that an error can still point at it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from types import MappingProxyType

Block = IPv4Network | IPv6Network
NOTHING: Mapping[str, str] = MappingProxyType({})

# Vendors of the openai wire dialect: the rows of fastgw.dialect.vendors.
VENDORS = ("azure", "mistral", "deepseek", "groq", "xai", "openrouter", "together", "perplexity",
           "vllm")


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
    """``limits:``, bytes, and numbers of downstream connections (of all workers together) and of
    buckets alive at once."""

    body: int = 32 << 20
    head: int = 32 << 10
    connections: int = 20000
    buckets: int = 32768


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
    dialect: str  # openai | anthropic | mistral | …
    base_url: str
    tls: bool
    host: str  # name or address, without brackets
    port: int
    prefix: str  # path before the provider's own paths: "" or "/v1", never a "/" at its end
    keys: tuple[ProviderKey, ...]
    timeouts: Timeouts = Timeouts()
    retries: Retries = Retries()
    api_version: str = ""  # Azure's dated paths, asked by this version; "": v1

    @property
    def wire(self) -> str:
        """The wire dialect: what clients of this provider speak."""
        return "openai" if self.dialect in VENDORS else self.dialect


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
    max_output: int | None = None  # tokens of one answer; None: as the price table says
    window: int | None = None  # `context`: tokens of input and output together; None: as there


@dataclass(frozen=True, slots=True)
class Access:
    """What a key may use. None: everything. Models are glob patterns."""

    models: tuple[str, ...] | None = None
    providers: tuple[str, ...] | None = None
    operations: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    """``capacity`` units per ``period_ns``; a token bucket holds ``capacity``."""

    unit: str  # requests | tokens | input_tokens | output_tokens | cost
    capacity: int  # of cost: micro-dollars
    period_ns: int


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A pace. ``name`` is the limit's identity, with unit, algorithm and period; capacity is not.

    ``cluster``: it holds over all nodes together; ``on_store_loss`` says what happens while their
    store is away: closed | local_share | open.
    """

    name: str
    rate: Rate
    bucket_key: tuple[Expression, ...] = ()
    algorithm: str = "token_bucket"  # or sliding_window, fixed_window
    on_store_loss: str = "closed"
    cluster: bool = False
    enforce: bool = True


@dataclass(frozen=True, slots=True)
class UsageCap:
    """An amount that a calendar window never passes. All but ``limit`` and ``alert_at`` name what
    is counted: ``name``, unit, window and time zone are the identity."""

    name: str
    unit: str  # as of a Rate
    limit: int  # of cost: micro-dollars
    window: str  # hour | day | week | month | total
    time_zone: str = "UTC"  # IANA name: where its days begin
    bucket_key: tuple[Expression, ...] = ()
    alert_at: tuple[float, ...] = ()  # fractions of the limit, rising, above 0, at most 1
    unbounded: str = "deny"  # or allow: requests whose use nothing bounds before it is known
    on_worker_lost: str = "ceiling"  # or progress: what a killed worker's request is charged
    on_store_loss: str = "closed"
    cluster: bool = False
    enforce: bool = True


@dataclass(frozen=True, slots=True)
class Queue:
    """Requests that may wait for a slot, and for how long."""

    max: int
    timeout_ns: int


@dataclass(frozen=True, slots=True)
class ConcurrencyLimit:
    """At most ``limit`` requests at the same time, on this node."""

    name: str
    limit: int
    bucket_key: tuple[Expression, ...] = ()
    queue: Queue | None = None  # None: refused at once
    enforce: bool = True


Limit = RateLimit | UsageCap | ConcurrencyLimit


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An access key: only the SHA-256 of its secret is kept."""

    id: str
    hash: bytes  # 32 bytes
    owner: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    tags: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    access: Access = Access()
    limits: tuple[Limit, ...] = ()  # without bucket_key: each counts for this key alone
    expires_at: int | None = None  # seconds since 1970; None: never


@dataclass(frozen=True, slots=True)
class Deny:
    status_code: int = 403
    message: Expression | None = None  # text with `${…}`
    enforce: bool = True


@dataclass(frozen=True, slots=True)
class CustomResponse:
    """The rule answers. ``body`` and the values of ``headers`` are text with `${…}`."""

    status_code: int = 200
    headers: Mapping[str, Expression] = field(default_factory=lambda: MappingProxyType({}))
    body: Expression | None = None
    enforce: bool = True


@dataclass(frozen=True, slots=True)
class RestrictIps:
    """Blocks of addresses, each as it was written and as what it means. ``deny`` wins."""

    allow: tuple[tuple[str, Block], ...] | None = None
    deny: tuple[tuple[str, Block], ...] = ()
    enforce: bool = True


@dataclass(frozen=True, slots=True)
class CapInput:
    max_input_tokens: int  # of the gateway's estimate
    enforce: bool = True


@dataclass(frozen=True, slots=True)
class RouteTo:
    """Other candidates than those of the model that was asked for. Only ``provider``: the
    client's own model there; only ``model``: an entry of `models`."""

    provider: str | None = None
    model: str | None = None
    candidates: tuple[Candidate, ...] = ()
    fallback: tuple[Candidate, ...] = ()
    enforce: bool = True


@dataclass(frozen=True, slots=True)
class AddHeaders:
    headers: Mapping[str, Expression]  # values are text with `${…}`
    enforce: bool = True


@dataclass(frozen=True, slots=True)
class RemoveHeaders:
    headers: tuple[str, ...]
    enforce: bool = True


@dataclass(frozen=True, slots=True)
class SetVars:
    """Text with `${…}`; one that is nothing but that has the type of its expression."""

    vars: Mapping[str, Expression]
    enforce: bool = True


@dataclass(frozen=True, slots=True)
class LogMetadata:
    metadata: Mapping[str, Expression]
    place: Place
    enforce: bool = True


@dataclass(frozen=True, slots=True)
class OnAbort:
    """``then``: cancel or drain; the bounds are a drain's. Nothing is drained without bounds."""

    then: str = "cancel"
    enforce: bool = True
    max_tokens: int = 4096  # of output, beyond what had been read when the client went
    max_seconds: int = 60
    max_concurrent: int = 100  # of this action, over all workers


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
class Detect:
    """Secrets and personal numbers in texts. ``kinds``: names of fastgw.detect.kinds.

    ``then``: deny, redact (a label stands in their place) or log.
    """

    kinds: tuple[str, ...]
    then: str
    enforce: bool = True
    patterns: tuple[tuple[str, Expression], ...] = ()  # (name, RE2 pattern)


Action = (Deny | CustomResponse | CapOutput | CapInput | RestrictModels | RestrictIps | RouteTo
          | AddHeaders | RemoveHeaders | SetVars | LogMetadata | OnAbort | Limit | Detect)


@dataclass(frozen=True, slots=True)
class Rule:
    """All ``expressions`` hold -> the actions act, in order. ``enforce: false``: only recorded."""

    name: str  # given, or its position: "on_http_request[3]"; one name in all phases
    expressions: tuple[Expression, ...]
    actions: tuple[Action, ...]
    place: Place
    enforce: bool = True


@dataclass(frozen=True, slots=True)
class Prices:
    """A file that overrides the shipped price table: a path that can be opened from here."""

    file: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """The store that limits of several nodes share. Its URL may hold a password."""

    redis: Secret
    prefix: str = "fastgw"  # of all keys there


@dataclass(frozen=True, slots=True)
class Alerts:
    """Who is told when a cap's fraction is reached. Many such URLs are a credential themselves."""

    webhook: Secret
    secret: Secret | None = None  # signs what is sent


DAY_NS = 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what is kept, in nanoseconds; None: for ever. Of usage the sums move on: by the
    minute, then by the hour, then by the day, then they go."""

    decisions: int | None = 30 * DAY_NS
    minutely: int | None = 7 * DAY_NS
    hourly: int | None = 90 * DAY_NS
    daily: int | None = 3 * 365 * DAY_NS


KEEP_ALL = Retention(None, None, None, None)


@dataclass(frozen=True, slots=True)
class KafkaExport:
    """Attempts to a topic. ``name`` is that of its cursor: kept, it goes on where it was."""

    name: str
    brokers: tuple[str, ...]
    topic: str
    tls: bool = False
    mechanism: str = "SCRAM-SHA-512"
    username: str | None = None
    password: Secret | None = None


@dataclass(frozen=True, slots=True)
class WebhookExport:
    """Attempts to a URL, which is often a credential itself."""

    name: str
    url: Secret
    secret: Secret | None = None  # signs what is sent


@dataclass(frozen=True, slots=True)
class Config:
    """One whole, valid configuration."""

    file: str  # "" when it came from the environment
    providers: tuple[Provider, ...]
    listen: Listen = Listen()
    admin: Admin = Admin()
    data_dir: str = "./fastgw-data"
    shm_dir: str = "/dev/shm"
    store: Secret | None = None  # a database's URL; None: SQLite below data_dir
    retention: Retention = Retention()
    exports: tuple[KafkaExport | WebhookExport, ...] = ()
    on_ledger_full: str = "reject"  # or "drop"
    limits: Bounds = Bounds()
    labels: tuple[Label, ...] = ()
    prices: Prices | None = None
    cluster: Cluster | None = None
    alerts: Alerts | None = None
    models: tuple[Model, ...] = ()
    models_strict: bool = False
    keys: tuple[AccessKey, ...] = ()
    open: bool = False  # no access key is asked for: no `keys` section, or `auth: none`
    rules: tuple[Rule, ...] = ()  # policy.on_http_request
    response_rules: tuple[Rule, ...] = ()  # policy.on_http_response
    event_rules: tuple[Rule, ...] = ()  # policy.on_event_stream_message
    version: str = ""  # 16 hex digits over the canonical content: the policy version

    @property
    def shares_records(self) -> bool:
        """Records go where other gateways' may go as well."""
        return self.store is not None or bool(self.exports)
