"""Which tokenizer counts an answer as it passes, where a cap has to know.

OpenAI's models have their own. Anthropic publishes none; its models make more tokens of the same
text than o200k_base does, so that this one's count is a lower bound of theirs. Those of others are
counted by it as well: on all recorded streams of some twenty vendors the provider told at least
99 % of its count (tests/usage/test_tokenizers.py), and as a rule a few per cent more. That is no
bound, so it decides where a stream ends, but the ledger calls the number *estimated*.
"""

cimport cython

from fastgw.native.bpe cimport fgw_bpe_vocabulary
from fastgw.native.dialect cimport FGW_DIALECT_ANTHROPIC
from fastgw.usage.tokens cimport Vocabulary, loaded_vocabulary, vocabulary_of

from fastgw.usage.tokens import ENCODINGS, encoding_of

NEAREST = "o200k_base"

cdef enum:
    KNOWN_MAX = 1024    # models are named by clients


def load_tokenizers() -> None:
    """Before the fork, where some cap counts output: half a second, 16 MB shared by all."""
    for encoding in ENCODINGS:
        vocabulary_of(encoding)


@cython.final
cdef class Tokenizers:
    """One per worker: what is known of the models that its streams have asked for."""

    def __cinit__(self):
        self._known = {}

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

    def name_of(self, int dialect, bytes model not None) -> str | None:
        """The encoding that is sure to count the answers of ``model``; None: NEAREST, unsurely."""
        cdef Vocabulary vocabulary = self._of(dialect, model)
        return None if vocabulary is None else vocabulary.name

    @property
    def known(self) -> int:
        """How many models are remembered."""
        return len(self._known)
