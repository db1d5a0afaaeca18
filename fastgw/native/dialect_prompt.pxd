# csrc/fgw_dialect_prompt.h, name for name. No logic lives here.
from libc.stdint cimport uint8_t, uint64_t

from fastgw.native.bpe cimport fgw_bpe_vocabulary
from fastgw.native.json cimport fgw_json
from fastgw.native.writing cimport fgw_writing_count

cdef extern from "fgw_dialect_prompt.h" nogil:
    struct fgw_prompt:
        uint64_t bytes
        uint64_t tokens
        uint64_t strings
        fgw_writing_count writing

    void fgw_prompt_count(
        fgw_prompt *prompt, fgw_json *json, uint8_t dialect,
        const fgw_bpe_vocabulary *vocabulary, const uint8_t *body, size_t length
    ) noexcept
    uint64_t fgw_prompt_saved(const fgw_prompt *prompt) noexcept
