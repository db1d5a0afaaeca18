"""Which tokenizer counts an answer as it passes, where a cap has to know.

OpenAI's models have their own. Anthropic publishes none; its models make more tokens of the same
text than o200k_base does, so that this one's count is a lower bound of theirs. Those of others are
counted by it as well: on all recorded streams of some twenty vendors the provider told at least
99 % of its count (tests/usage/test_tokenizers.py), and as a rule a few per cent more. That is no
bound, so it decides where a stream ends, but the ledger calls the number *estimated*.
"""

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.string cimport memset

from fastgw.native.bpe cimport fgw_bpe_vocabulary
from fastgw.native.dialect cimport FGW_DIALECT_ANTHROPIC
from fastgw.native.dialect_prompt cimport fgw_prompt_count, fgw_prompt_saved
from fastgw.usage.tokens cimport Vocabulary, loaded_vocabulary, vocabulary_of

from fastgw.usage.tokens import ENCODINGS, encoding_of

NEAREST = "o200k_base"

cdef enum:
    KNOWN_MAX = 1024    # models are named by clients


def load_tokenizers() -> None:
    """Before the fork, where some cap counts output: half a second, 18 MB shared by all."""
    for encoding in ENCODINGS:
        vocabulary_of(encoding)


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
        cdef object encoding
        if dialect == FGW_DIALECT_ANTHROPIC:
            return loaded_vocabulary(NEAREST)
        if model not in self._known:
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            encoding = encoding_of(model.decode("utf-8", "replace"))
            self._known[model] = None if encoding is None else loaded_vocabulary(encoding)
        return self._known[model]

    cdef uint64_t saved(
        self, int dialect, const fgw_bpe_vocabulary *vocabulary, fgw_json *scan,
        const uint8_t *body, size_t length
    ) except? 0:
        if self._prompt == NULL:
            self._prompt = <fgw_prompt *>PyMem_Malloc(sizeof(fgw_prompt))
            if self._prompt == NULL:
                raise MemoryError
        fgw_prompt_count(self._prompt, scan, <uint8_t>dialect, vocabulary, body, length)
        return fgw_prompt_saved(self._prompt)

    def counted(self, int dialect, str encoding not None, bytes body not None) -> tuple:
        """(bytes, tokens, saved) of the texts of a body, for tests; LookupError: not loaded."""
        cdef Vocabulary vocabulary = loaded_vocabulary(encoding)
        cdef fgw_json scan
        cdef uint64_t saved
        if vocabulary is None:
            raise LookupError(encoding)
        memset(&scan, 0, sizeof(scan))
        saved = self.saved(dialect, vocabulary.blob, &scan, body, <size_t>len(body))
        return self._prompt.bytes, self._prompt.tokens, saved

    def name_of(self, int dialect, bytes model not None) -> str | None:
        """The encoding that is sure to count the answers of ``model``; None: NEAREST, unsurely."""
        cdef Vocabulary vocabulary = self._of(dialect, model)
        return None if vocabulary is None else vocabulary.name

    @property
    def known(self) -> int:
        """How many models are remembered."""
        return len(self._known)
