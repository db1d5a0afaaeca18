# csrc/fgw_dialect_voice.h, name for name. No logic lives here.
from libc.stdint cimport uint8_t, uint32_t

from fastgw.native.bpe cimport fgw_bpe_vocabulary

cdef extern from "fgw_dialect_voice.h" nogil:
    const uint32_t FGW_VOICES_MAX

    struct fgw_voices:
        const fgw_bpe_vocabulary *vocabulary
        uint32_t count
        uint8_t known

    size_t fgw_voices_size(uint32_t count) noexcept
    void fgw_voices_start(
        fgw_voices *voices, const fgw_bpe_vocabulary *vocabulary, uint32_t count, int known
    ) noexcept
