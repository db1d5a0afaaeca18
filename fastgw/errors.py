"""Everything that can go wrong, as stable numbers and a small tree of exceptions.

A number stands for ever: it is stored in the ledger, sent in `x-fastgw-code` as ``FGW-nnn`` and
branched on by clients. Its hundreds name the phase. Meaning, cause and remedy are in
`fastgw/explain/catalogue.yaml`; `fastgw/codes.pxd` has the same numbers for Cython.
"""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """FGW-nnn. Never renumber; never reuse."""

    # HEAD
    HEAD_MALFORMED = 101
    HEAD_TIMEOUT = 102
    TARGET_TOO_LONG = 103
    HEAD_TOO_LARGE = 104
    METHOD_NOT_IMPLEMENTED = 105
    VERSION_NOT_SUPPORTED = 106
    TRANSFER_CODING_UNKNOWN = 107
    HOST_INVALID = 108
    FRAMING_AMBIGUOUS = 109
    # DIALECT
    ROUTE_UNKNOWN = 201
    METHOD_NOT_ALLOWED = 202
    PROVIDER_UNKNOWN = 203
    # AUTHENTICATE
    KEY_MISSING = 301
    KEY_UNKNOWN = 302
    KEY_EXPIRED = 303
    KEY_REVOKED = 304
    KEY_AMBIGUOUS = 305
    KEY_SCOPE = 306
    # BODY
    LENGTH_REQUIRED = 401
    BODY_TOO_LARGE = 402
    MEDIA_TYPE = 403
    BODY_MALFORMED = 404
    BODY_TIMEOUT = 405
    EXPECTATION_FAILED = 406
    CONTENT_CODING = 407
    BODY_MEMORY_FULL = 408
    # IDENTIFY
    JSON_INVALID = 501
    JSON_NOT_OBJECT = 502
    JSON_DUPLICATE = 503
    MODEL_MISSING = 504
    MODEL_INVALID = 505
    STREAM_INVALID = 506
    N_INVALID = 507
    OUTPUT_LIMIT_INVALID = 508
    MODEL_UNKNOWN = 509
    FORM_AMBIGUOUS = 510
    # POLICY
    DENIED = 601
    MODEL_RESTRICTED = 602
    POLICY_FAILED = 603
    ANSWERED = 604
    ADDRESS_RESTRICTED = 605
    INPUT_TOO_LONG = 606
    FIELD_REFUSED = 607
    DETECTED = 608
    ANSWER_DETECTED = 609
    # ROUTE
    NO_CANDIDATE = 701
    DRAINING = 702
    LEDGER_FULL = 703
    CONNECTIONS_FULL = 704
    BREAKER_OPEN = 705
    # LIMIT
    LIMIT_REQUESTS = 801
    LIMIT_TOKENS = 802
    LIMIT_CONCURRENCY = 803
    LIMIT_CAP = 804
    LIMIT_COST = 805
    LIMIT_NEVER = 806
    LIMIT_TABLE_FULL = 807
    LIMIT_QUEUE_FULL = 808
    LIMIT_QUEUE_TIMEOUT = 809
    LIMIT_UNBOUNDED = 810
    LIMIT_STORE_LOST = 811
    LIMIT_PRICE_UNKNOWN = 812
    # UPSTREAM
    UPSTREAM_CONNECT = 901
    UPSTREAM_TLS = 902
    UPSTREAM_NAME = 903
    UPSTREAM_TIMEOUT_CONNECT = 904
    UPSTREAM_TIMEOUT_FIRST_BYTE = 905
    UPSTREAM_TIMEOUT_IDLE = 906
    UPSTREAM_TIMEOUT_TOTAL = 907
    UPSTREAM_MALFORMED = 908
    UPSTREAM_CUT = 909
    UPSTREAM_POOL_FULL = 910
    # STREAM
    CUT_BY_CAP = 951
    CUT_BY_DRAIN = 952
    CLIENT_GONE = 953
    CLIENT_STALLED = 954
    CUT_BY_DETECT = 955
    DRAINED = 956
    DRAIN_TOKENS = 957
    DRAIN_SECONDS = 958
    DRAIN_FULL = 959
    # Ourselves
    INTERNAL = 991
    WORKER_LOST = 992

    @property
    def text(self) -> str:
        """As people and clients see it: ``FGW-804``."""
        return f"FGW-{self.value:03d}"


class FastgwError(Exception):
    """Root of all. ``phase`` names where; ``status`` is what a client would be told."""

    phase: str = ""
    status: int = 500
    code: Code = Code.INTERNAL


class ConfigError(FastgwError):
    """The configuration cannot be used: nothing starts, nothing is swapped.

    ``line`` and ``column`` count from 1 (0: unknown); ``key`` is the path,
    ``policy.…[3].config.unit``.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str = "",
        line: int = 0,
        column: int = 0,
        key: str = "",
        suggestion: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.file = file
        self.line = line
        self.column = column
        self.key = key
        self.suggestion = suggestion

    def __str__(self) -> str:
        place = self.file
        if self.line:
            place += f":{self.line}:{self.column or 1}"
        parts = [part for part in (place, self.key, self.message) if part]
        text = ": ".join(parts)
        return f"{text} ({self.suggestion})" if self.suggestion else text


class DownstreamError(FastgwError):
    """The client broke the protocol, or is gone."""

    def __init__(
        self, message: str, *, status: int = 400, code: Code = Code.HEAD_MALFORMED
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class UpstreamError(FastgwError):
    """A provider did not answer as it should. ``retryable``: before any byte reached the
    client."""

    def __init__(
        self,
        message: str,
        *,
        endpoint: str = "",
        retryable: bool = False,
        status: int = 502,
        code: Code = Code.UPSTREAM_CONNECT,
    ) -> None:
        super().__init__(message)
        self.endpoint = endpoint
        self.retryable = retryable
        self.status = status
        self.code = code


class ShmError(FastgwError):
    """Shared memory is missing, full, foreign or damaged."""


class LedgerError(FastgwError):
    """The ledger cannot be opened, written or read. One clear line for people."""
