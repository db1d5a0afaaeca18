# csrc/fgw_bucket.h, name for name. No logic lives here.
from libc.stdint cimport int64_t, uint64_t


cdef extern from "fgw_bucket.h" nogil:
    const int64_t FGW_BUCKET_NEVER
    const int64_t FGW_BUCKET_GONE
    const uint64_t FGW_BUCKET_DEAD

    struct fgw_bucket:
        pass  # opaque: only C touches the atomic word

    struct fgw_quota:
        uint64_t capacity
        uint64_t period_ns
        uint64_t ns_per_unit

    int fgw_quota_init(fgw_quota *quota, uint64_t capacity, uint64_t period_ns) noexcept
    int64_t fgw_bucket_take(
        fgw_bucket *bucket, const fgw_quota *quota, uint64_t units, uint64_t now_ns,
        uint64_t *owed_until_ns) noexcept
    int64_t fgw_bucket_try(
        const fgw_bucket *bucket, const fgw_quota *quota, uint64_t units,
        uint64_t now_ns) noexcept
    int fgw_bucket_charge(
        fgw_bucket *bucket, const fgw_quota *quota, uint64_t units, uint64_t now_ns) noexcept
    int fgw_bucket_refund(
        fgw_bucket *bucket, const fgw_quota *quota, uint64_t units, uint64_t owed_until_ns,
        uint64_t now_ns) noexcept
    void fgw_bucket_peek(
        const fgw_bucket *bucket, const fgw_quota *quota, uint64_t now_ns, uint64_t *used,
        uint64_t *reset_ns) noexcept
    void fgw_bucket_restore(fgw_bucket *bucket, uint64_t full_at_ns) noexcept
    int fgw_bucket_set(fgw_bucket *bucket, uint64_t full_at_ns) noexcept
    int fgw_bucket_bury(fgw_bucket *bucket, uint64_t now_ns) noexcept
