# Which vocabulary counts the answers of a model.
cimport cython
from libc.stdint cimport uint8_t, uint64_t

from fastgw.native.bpe cimport fgw_bpe_vocabulary
from fastgw.native.dialect_meter cimport fgw_meter
from fastgw.native.dialect_prompt cimport fgw_prompt
from fastgw.native.json cimport fgw_json
from fastgw.native.writing cimport fgw_ratios
from fastgw.usage.tokens cimport Vocabulary


@cython.final
cdef class Counting:
    cdef:
        Vocabulary vocabulary   # the model's own, loaded; or None
        fgw_ratios ratios       # of its family


@cython.final
cdef class Tokenizers:
    cdef:
        dict _known             # model: Counting
        fgw_prompt *_prompt     # NULL before the first

    cdef Vocabulary _of(self, int dialect, bytes model)
    cdef Counting _counting(self, bytes model)

    # `known`: it counts no more tokens than the provider; else it is the nearest that there is.
    # NULL: none is loaded, and nothing is loaded here.
    cdef const fgw_bpe_vocabulary *of(
        self, int dialect, const uint8_t *model, size_t length, bint *known) except? NULL

    # Estimated tokens of what an answer has said so far, and on what basis (enum fgw_basis); 0 and
    # 0: nothing of it was kept, or it has said nothing.
    cdef uint64_t said(
        self, const uint8_t *model, size_t length, const fgw_meter *meter, uint8_t *basis
    ) except? 0

    # Hears the texts in the first 24 KiB of a body (FGW_PROMPT_HEARD). Returns how many bytes they
    # are. `scan`: scratch. `vocabulary`: NULL where none is loaded.
    cdef uint64_t hear(
        self, int dialect, const fgw_bpe_vocabulary *vocabulary, fgw_json *scan,
        const uint8_t *body, size_t length) except? 0

    # Of the body that was heard last: how many tokens fewer its input has at most than by its
    # bytes, as its texts are counted by that vocabulary.
    cdef uint64_t saved(self) noexcept

    # And of its texts, `total` bytes, the estimated tokens; `basis` as above.
    cdef uint64_t asked(
        self, const uint8_t *model, size_t length, uint64_t total, uint8_t *basis) except? 0
