"""Which tokenizer counts an answer as it passes, where a cap has to know.

OpenAI's models have their own. Anthropic publishes none; its models make more tokens of the same
text than o200k_base does, so that this one's count is a lower bound of theirs. Those of others are
counted by it as well: on all recorded streams of some twenty vendors the provider told at least
99 % of its count (tests/usage/test_tokenizers.py), and as a rule a few per cent more. That is no
bound, so it decides where a stream ends, but the ledger calls the number *estimated*.

What the books say of an attempt whose number nobody told is that count by the ratio of the model's
family (`fastgw.usage.families`) for the kind of writing that it is; of a stream without a cap,
which nobody counts as it passes, of a sample (csrc/fgw_sample.h). The interval beside it is none
the narrower.
"""

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.string cimport memset

from fastgw.native.bpe cimport (
    fgw_bpe_count,
    fgw_bpe_feed,
    fgw_bpe_finish,
    fgw_bpe_start,
    fgw_bpe_vocabulary,
)
from fastgw.native.dialect cimport FGW_DIALECT_ANTHROPIC
from fastgw.native.dialect_meter cimport (
    FGW_METER_EVENT,
    fgw_meter_heard,
    fgw_meter_init,
    fgw_meter_keep,
    fgw_meter_next,
    fgw_meter_text_bytes,
)
from fastgw.native.dialect_prompt cimport fgw_prompt_count, fgw_prompt_saved
from fastgw.native.record cimport (
    FGW_BASIS_COUNTED,
    FGW_BASIS_RATE,
    FGW_BASIS_RATIO,
    FGW_BASIS_SAMPLED,
    FGW_BASIS_WRITING,
)
from fastgw.native.sample cimport fgw_sample
from fastgw.native.writing cimport (
    FGW_WRITINGS,
    fgw_writing,
    fgw_writing_count,
    fgw_writing_hear,
    fgw_writing_of,
    fgw_writing_tokens,
)
from fastgw.usage.tokens cimport Vocabulary, loaded_vocabulary, vocabulary_of

from fastgw.usage.families import ratios
from fastgw.usage.tokens import ENCODINGS, encoding_of

NEAREST = "o200k_base"

cdef enum:
    KNOWN_MAX = 1024    # models are named by clients


def load_tokenizers() -> None:
    """Before the fork, where some cap counts output: half a second, 18 MB shared by all."""
    for encoding in ENCODINGS:
        vocabulary_of(encoding)


@cython.final
cdef class Counting:
    """How the tokens of one model are found."""

    def __cinit__(self, str model not None):
        cdef object encoding = encoding_of(model)
        cdef list by_count, by_bytes
        cdef int i
        self.vocabulary = None if encoding is None else loaded_vocabulary(encoding)
        by_count, by_bytes = ratios(model)
        for i in range(<int>FGW_WRITINGS):
            self.ratios.by_count[i] = by_count[i]
            self.ratios.by_bytes[i] = by_bytes[i]


cdef inline uint8_t basis_of(
    Counting counting, bint counted, fgw_writing writing, bint sampled
) noexcept:
    cdef uint8_t basis = FGW_BASIS_RATE
    if counted:
        basis = FGW_BASIS_RATIO if counting.vocabulary is None else FGW_BASIS_COUNTED
    if sampled:
        basis |= FGW_BASIS_SAMPLED
    return basis | <uint8_t>(<unsigned int>writing << FGW_BASIS_WRITING)


@cython.final
cdef class Tokenizers:
    """One per worker: what is known of the models that its streams have asked for."""

    def __cinit__(self):
        self._known = {}

    def __dealloc__(self):
        PyMem_Free(self._prompt)

    cdef const fgw_bpe_vocabulary *of(
        self, int dialect, const uint8_t *model, size_t length, bint *known
    ) except? NULL:
        cdef Vocabulary vocabulary = self._of(dialect, model[:length])
        known[0] = vocabulary is not None
        if vocabulary is None:
            vocabulary = loaded_vocabulary(NEAREST)
        return NULL if vocabulary is None else vocabulary.blob

    cdef Vocabulary _of(self, int dialect, bytes model):
        if dialect == FGW_DIALECT_ANTHROPIC:
            return loaded_vocabulary(NEAREST)
        return self._counting(model).vocabulary

    cdef Counting _counting(self, bytes model):
        if model not in self._known:
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            self._known[model] = Counting(model.decode("utf-8", "replace"))
        return <Counting>self._known[model]

    cdef uint64_t said(
        self, const uint8_t *model, size_t length, const fgw_meter *meter, uint8_t *basis
    ) except? 0:
        cdef Counting counting = self._counting(model[:length])
        cdef Vocabulary vocabulary = counting.vocabulary
        cdef const fgw_sample *sample = meter.sample
        cdef uint64_t total = fgw_meter_text_bytes(meter)
        cdef uint64_t count = fgw_meter_heard(meter), heard = total
        cdef fgw_writing_count writing
        cdef fgw_bpe_count counter
        basis[0] = 0
        if sample == NULL or sample.length == 0:
            return 0
        memset(&writing, 0, sizeof(writing))
        fgw_writing_hear(&writing, sample.bytes, sample.length)
        if vocabulary is None:
            vocabulary = loaded_vocabulary(NEAREST)
        if count == 0 and vocabulary is not None:
            fgw_bpe_start(&counter)
            fgw_bpe_feed(&counter, vocabulary.blob, sample.bytes, sample.length)
            count, heard = fgw_bpe_finish(&counter, vocabulary.blob), sample.length
        basis[0] = basis_of(counting, count != 0, fgw_writing_of(&writing), heard < total)
        return fgw_writing_tokens(
            &counting.ratios, fgw_writing_of(&writing), count, heard, total)

    cdef uint64_t asked(
        self, const uint8_t *model, size_t length, uint64_t total, uint8_t *basis
    ) except? 0:
        cdef Counting counting = self._counting(model[:length])
        cdef fgw_prompt *prompt = self._prompt
        cdef fgw_writing writing = fgw_writing_of(&prompt.writing)
        basis[0] = basis_of(
            counting, prompt.tokens != 0, writing, prompt.tokens and prompt.bytes < total)
        return fgw_writing_tokens(
            &counting.ratios, writing, prompt.tokens, prompt.bytes, total)

    cdef uint64_t hear(
        self, int dialect, const fgw_bpe_vocabulary *vocabulary, fgw_json *scan,
        const uint8_t *body, size_t length
    ) except? 0:
        if self._prompt == NULL:
            self._prompt = <fgw_prompt *>PyMem_Malloc(sizeof(fgw_prompt))
            if self._prompt == NULL:
                raise MemoryError
        fgw_prompt_count(self._prompt, scan, <uint8_t>dialect, vocabulary, body, length)
        return self._prompt.bytes

    cdef uint64_t saved(self) noexcept:
        return fgw_prompt_saved(self._prompt)

    def counted(self, int dialect, str encoding not None, bytes body not None) -> tuple:
        """(bytes, tokens, saved) of the texts of a body, for tests; LookupError: not loaded."""
        cdef Vocabulary vocabulary = loaded_vocabulary(encoding)
        cdef fgw_json scan
        if vocabulary is None:
            raise LookupError(encoding)
        memset(&scan, 0, sizeof(scan))
        self.hear(dialect, vocabulary.blob, &scan, body, <size_t>len(body))
        return (self._prompt.bytes, self._prompt.tokens + self._prompt.strings, self.saved())

    def estimated(self, int dialect, int operation, int streaming, str model not None,
                  bytes body not None) -> tuple:
        """(tokens, basis, bytes of text) of an answer as far as it came, for tests."""
        cdef fgw_meter *meter = <fgw_meter *>PyMem_Malloc(sizeof(fgw_meter))
        cdef fgw_sample sample
        cdef bytes name = model.encode()
        cdef const uint8_t *start = body
        cdef size_t at = 0
        cdef uint8_t basis = 0
        if meter == NULL:
            raise MemoryError
        try:
            fgw_meter_init(meter, <uint8_t>dialect, <uint8_t>operation, streaming)
            fgw_meter_keep(meter, &sample)
            while fgw_meter_next(meter, start, <size_t>len(body), &at) == FGW_METER_EVENT:
                pass
            tokens = self.said(name, <size_t>len(name), meter, &basis)
            return tokens, basis, fgw_meter_text_bytes(meter)
        finally:
            PyMem_Free(meter)

    def name_of(self, int dialect, bytes model not None) -> str | None:
        """The encoding that is sure to count the answers of ``model``; None: NEAREST, unsurely."""
        cdef Vocabulary vocabulary = self._of(dialect, model)
        return None if vocabulary is None else vocabulary.name

    @property
    def known(self) -> int:
        """How many models are remembered."""
        return len(self._known)
