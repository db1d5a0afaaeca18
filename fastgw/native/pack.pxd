# csrc/fgw_pack.h, name for name. No logic lives here.
from libc.stdint cimport int64_t, uint8_t


cdef extern from "fgw_pack.h" nogil:
    size_t FGW_PACK_ROOM(size_t length) noexcept
    struct fgw_packer:
        pass

    int64_t fgw_pack(const uint8_t *records, size_t length, uint8_t *out) noexcept
    int64_t fgw_unpacked_size(const uint8_t *packed, size_t length) noexcept
    int64_t fgw_unpack(
        const uint8_t *packed, size_t length, uint8_t *out, size_t room
    ) noexcept
