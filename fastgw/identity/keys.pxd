# Access keys to principals: one SHA-256 and one probe a request.
from libc.stdint cimport uint8_t, uint32_t, uint64_t


cdef class Principal:
    cdef readonly:
        str id
        bytes account         # JSON {"id","owner","tags"}: the key as it is now
        dict owner
        dict tags
        object part           # what policy compiled for this key (fastgw.policy.PrincipalPart)
    cdef:
        bytes id_text
        uint64_t account_hash
        uint64_t expires_wall_ns   # 0: never


cdef struct KeySlot:
    uint8_t digest[32]
    uint32_t number           # of the principal + 1; 0: empty


cdef class KeyTable:
    cdef:
        list _principals      # keeps them alive; slots hold numbers
        KeySlot *_slots
        uint32_t _mask
        bint _fast            # the processor computes SHA-256 itself
        readonly Principal anonymous  # who is served without a key, or None

    cdef uint32_t _start(self, const uint8_t *digest) noexcept
    cdef Principal find(self, const uint8_t *credential, size_t length)
