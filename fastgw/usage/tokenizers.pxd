# Which vocabulary counts the answers of a model.
cimport cython
from libc.stdint cimport uint8_t, uint64_t

from fastgw.native.bpe cimport fgw_bpe_vocabulary
from fastgw.native.dialect_prompt cimport fgw_prompt
from fastgw.native.json cimport fgw_json
from fastgw.usage.tokens cimport Vocabulary


@cython.final
cdef class Tokenizers:
    cdef:
        dict _known             # model: Vocabulary or None
        fgw_prompt *_prompt     # NULL before the first

    cdef Vocabulary _of(self, int dialect, bytes model)

    # `known`: it counts no more tokens than the provider; else it is the nearest that there is.
    # NULL: none is loaded, and nothing is loaded here.
    cdef const fgw_bpe_vocabulary *of(
        self, int dialect, const uint8_t *model, size_t length, bint *known) except? NULL

    # How many tokens fewer a body's input has at most than by its bytes, as its texts are counted
    # by that tokenizer. Looks at the first 24 KiB (FGW_PROMPT_HEARD). `scan`: scratch.
    cdef uint64_t saved(
        self, int dialect, const fgw_bpe_vocabulary *vocabulary, fgw_json *scan,
        const uint8_t *body, size_t length) except? 0
