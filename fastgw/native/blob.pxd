# native/blob.pxd: csrc/fgw_blob.h, name for name. No logic lives here.
from libc.stddef cimport size_t
from libc.stdint cimport uint32_t, uint64_t


cdef extern from "fgw_blob.h" nogil:
    const uint32_t FGW_BLOB_MAGIC
    const uint32_t FGW_BLOB_LAYOUT

    struct fgw_blob:
        uint32_t magic
        uint32_t layout
        uint64_t checksum
        uint64_t version
        uint32_t size
        uint32_t index_at
        uint32_t index_size
        uint32_t programs_at
        uint32_t n_programs

    void fgw_blob_close(fgw_blob *blob) noexcept
    int fgw_blob_verify(const void *block, size_t size) noexcept
