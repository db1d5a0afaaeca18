# Which vocabulary counts the answers of a model.
cimport cython
from libc.stdint cimport uint8_t

from fastgw.native.bpe cimport fgw_bpe_vocabulary
from fastgw.usage.tokens cimport Vocabulary


@cython.final
cdef class Tokenizers:
    cdef dict _known    # model: Vocabulary or None

    cdef Vocabulary _of(self, int dialect, bytes model)

    # `known`: it counts no more tokens than the provider; else it is the nearest that there is.
    # NULL: none is loaded, and nothing is loaded here.
    cdef const fgw_bpe_vocabulary *of(
        self, int dialect, const uint8_t *model, size_t length, bint *known) except? NULL
