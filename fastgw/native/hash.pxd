# native/hash.pxd: csrc/fgw_hash.h, name for name. No logic lives here.
from libc.stdint cimport uint8_t, uint64_t

cdef extern from "fgw_hash.h" nogil:
    const int FGW_SHA256_BYTES

    void fgw_sha256(const uint8_t *bytes, size_t length, uint8_t *digest) noexcept
    int fgw_sha256_is_fast() noexcept
    void fgw_sha256_fast(const uint8_t *bytes, size_t length, uint8_t *digest) noexcept
    uint64_t fgw_siphash64(const uint8_t *key, const uint8_t *bytes, size_t length) noexcept
    void fgw_siphash128(const uint8_t *key, const uint8_t *bytes, size_t length,
                        uint64_t *out) noexcept
    int fgw_equal_constant_time(const uint8_t *left, const uint8_t *right, size_t length) noexcept
