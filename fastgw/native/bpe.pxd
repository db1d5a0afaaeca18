# csrc/fgw_bpe.h and csrc/fgw_bpe_vocabulary.h, name for name. No logic lives here.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t


cdef extern from "fgw_bpe_vocabulary.h" nogil:
    const int FGW_BPE_CL100K
    const int FGW_BPE_O200K

    struct fgw_bpe_vocabulary:
        uint64_t size
        uint32_t kind
        uint32_t tokens

    int64_t fgw_bpe_vocabulary_measure(const char *text, size_t length) noexcept
    int fgw_bpe_vocabulary_build(
        fgw_bpe_vocabulary *vocabulary, size_t room, unsigned int kind,
        const char *text, size_t length
    ) noexcept


cdef extern from "fgw_bpe.h" nogil:
    struct fgw_bpe_count:
        pass

    void fgw_bpe_start(fgw_bpe_count *counter) noexcept
    void fgw_bpe_feed(
        fgw_bpe_count *counter, const fgw_bpe_vocabulary *vocabulary,
        const uint8_t *bytes, size_t length
    ) noexcept
    uint64_t fgw_bpe_tokens(const fgw_bpe_count *counter) noexcept
    uint64_t fgw_bpe_now(
        const fgw_bpe_count *counter, const fgw_bpe_vocabulary *vocabulary
    ) noexcept
    uint64_t fgw_bpe_finish(
        fgw_bpe_count *counter, const fgw_bpe_vocabulary *vocabulary
    ) noexcept
