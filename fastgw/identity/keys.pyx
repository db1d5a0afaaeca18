"""Phase AUTHENTICATE: from a credential to the principal whose key it is.

Only hashes of keys are kept. The table is open-addressed by the first bytes of the digest, which
an attacker cannot choose without choosing the whole digest; the comparison takes the same time
wherever two digests differ.
"""

import orjson

cimport cython
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from fastgw.native.hash cimport (
    FGW_SHA256_BYTES,
    fgw_equal_constant_time,
    fgw_sha256,
    fgw_sha256_fast,
    fgw_sha256_is_fast,
)


@cython.final
cdef class Principal:
    """Who a request is made for: an access key, its owner and its tags."""

    def __init__(self, str id, *, dict owner=None, dict tags=None, object part=None,
                 uint64_t expires_wall_ns=0):
        self.id = id
        self.id_text = id.encode()
        self.owner = dict(owner or {})
        self.tags = dict(tags or {})
        self.part = part
        self.expires_wall_ns = expires_wall_ns
        self.account = orjson.dumps(
            {"id": id, "owner": self.owner, "tags": self.tags}, option=orjson.OPT_SORT_KEYS
        )

    def bind(self, uint64_t account_hash):
        """Give it its name in the ledger (ledger.journal.name_hash of ``account``)."""
        self.account_hash = account_hash


@cython.final
cdef class KeyTable:
    """All access keys of a policy version, by the SHA-256 of the key.

    ``entries`` are (digest of 32 bytes, Principal). ``anonymous`` is the principal of requests
    without a credential where the gateway is open.
    """

    def __cinit__(self, list entries, Principal anonymous=None):
        cdef uint32_t size = 16
        cdef uint32_t at
        cdef bytes digest
        while size < 2 * len(entries):
            size *= 2
        self._slots = <KeySlot *>calloc(size, sizeof(KeySlot))
        if self._slots == NULL:
            raise MemoryError()
        self._mask = size - 1
        self._principals = []
        self._fast = fgw_sha256_is_fast()
        self.anonymous = anonymous
        for digest, principal in entries:
            if len(digest) != FGW_SHA256_BYTES:
                raise ValueError("a key's digest has 32 bytes")
            at = self._start(digest)
            while self._slots[at].number:
                at = (at + 1) & self._mask
            memcpy(self._slots[at].digest, <const uint8_t *>digest, FGW_SHA256_BYTES)
            self._principals.append(<Principal?>principal)
            self._slots[at].number = <uint32_t>len(self._principals)

    def __dealloc__(self):
        free(self._slots)

    cdef uint32_t _start(self, const uint8_t *digest) noexcept:
        cdef uint32_t first
        memcpy(&first, digest, sizeof(first))
        return first & self._mask

    cdef Principal find(self, const uint8_t *credential, size_t length):
        """The principal of this credential, or None."""
        cdef uint8_t digest[32]
        cdef uint32_t at
        if self._fast:
            fgw_sha256_fast(credential, length, digest)
        else:
            fgw_sha256(credential, length, digest)
        at = self._start(digest)
        while self._slots[at].number:
            if fgw_equal_constant_time(self._slots[at].digest, digest, FGW_SHA256_BYTES):
                return <Principal>self._principals[self._slots[at].number - 1]
            at = (at + 1) & self._mask
        return None

    def principal(self, bytes credential):
        """``find`` for Python callers (the CLI, tests)."""
        return self.find(credential, <size_t>len(credential))
