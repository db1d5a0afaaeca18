"""The tokens of a text, exactly as OpenAI's models count them (csrc/fgw_bpe.h).

The vocabularies ship with the package, so nothing is fetched at run time. Each is loaded at its
first use and stays: 11.8 MB for o200k_base, 6.1 MB for cl100k_base, shared by all who fork later.
"""

import hashlib
import re
import zlib
from importlib import resources

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free, realloc

from fastgw.native.bpe cimport (
    FGW_BPE_CL100K,
    FGW_BPE_O200K,
    fgw_bpe_count,
    fgw_bpe_feed,
    fgw_bpe_finish,
    fgw_bpe_now,
    fgw_bpe_start,
    fgw_bpe_tokens,
    fgw_bpe_vocabulary,
    fgw_bpe_vocabulary_build,
    fgw_bpe_vocabulary_measure,
)

# name: (how text is cut, SHA-256 of the file as its publisher gives it)
ENCODINGS = {
    "o200k_base": (
        FGW_BPE_O200K, "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"),
    "cl100k_base": (
        FGW_BPE_CL100K, "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"),
}
# Models by how their names begin, the first that fits; fine-tuned ones are `ft:model:…`.
MODELS = (
    (re.compile(r"(?:gpt-4o|gpt-4\.1|gpt-4\.5|gpt-5|chatgpt-4o|o[134])(?![0-9a-z])"),
     "o200k_base"),
    (re.compile(r"(?:gpt-4|gpt-3\.5|gpt-35|text-embedding-3|text-embedding-ada-002)(?![0-9a-z.])"),
     "cl100k_base"),
)
cdef dict LOADED = {}


def encoding_of(str model) -> str | None:
    """The encoding of a model of OpenAI's, by its name; None for models of others.

    Azure's names of deployments are free, so they are known only where they begin as the model's.
    """
    name = model.rpartition("/")[2].removeprefix("ft:")
    for pattern, encoding in MODELS:
        if pattern.match(name):
            return encoding
    return None


def published(str encoding) -> bytes:
    """The file of an encoding as its publisher gives it. ValueError where ours is damaged."""
    packed = resources.files("fastgw.usage").joinpath(f"vocabularies/{encoding}.tiktoken.gz")
    text = zlib.decompress(packed.read_bytes(), wbits=31)
    if hashlib.sha256(text).hexdigest() != ENCODINGS[encoding][1]:
        raise ValueError(f"the vocabulary {encoding} of this installation is damaged")
    return text


cdef class Vocabulary:
    """One encoding's tokens and merges, ready for counting."""

    def __cinit__(self, str encoding not None):
        cdef bytes text = published(encoding)
        cdef const char *start = PyBytes_AS_STRING(text)
        cdef size_t length = <size_t>PyBytes_GET_SIZE(text)
        cdef unsigned int kind = ENCODINGS[encoding][0]
        cdef int64_t size = fgw_bpe_vocabulary_measure(start, length)
        cdef int failed
        self.name = encoding
        if size < 0:
            raise ValueError(f"{encoding} is no vocabulary")
        # Not Python's allocator: so large a piece gets pages of its own, which a fork shares.
        self.blob = <fgw_bpe_vocabulary *>calloc(1, <size_t>size)
        if self.blob == NULL:
            raise MemoryError
        with nogil:
            failed = fgw_bpe_vocabulary_build(self.blob, <size_t>size, kind, start, length)
        if failed:
            raise ValueError(f"{encoding} is no vocabulary")
        # What only building needed goes back; it is relocatable, and shrinks where it is.
        cdef void *kept = realloc(self.blob, <size_t>self.blob.size)
        if kept != NULL:
            self.blob = <fgw_bpe_vocabulary *>kept

    def __dealloc__(self):
        free(self.blob)

    @property
    def size(self) -> int:
        """Bytes of memory."""
        return self.blob.size


cpdef Vocabulary vocabulary_of(str model_or_encoding):
    """The vocabulary of a model or encoding, or None where it is not known."""
    cdef str name = model_or_encoding
    if name not in ENCODINGS:
        name = encoding_of(name)
    if name is None:
        return None
    if name not in LOADED:
        LOADED[name] = Vocabulary(name)
    return LOADED[name]


cpdef Vocabulary loaded_vocabulary(str encoding):
    """The vocabulary of an encoding, or None where nobody has loaded it."""
    return LOADED.get(encoding)


cdef Vocabulary required(str model_or_encoding):
    cdef Vocabulary found = vocabulary_of(model_or_encoding)
    if found is None:
        raise LookupError(f"the tokens of {model_or_encoding!r} are not known here")
    return found


cdef class Counter:
    """Counts the tokens of a text that comes in slices of bytes, cut anywhere."""

    def __cinit__(self, str model_or_encoding not None):
        """LookupError where the model's encoding is not known."""
        self._vocabulary = required(model_or_encoding)
        self._count = <fgw_bpe_count *>PyMem_Calloc(1, sizeof(fgw_bpe_count))
        if self._count == NULL:
            raise MemoryError

    def __dealloc__(self):
        PyMem_Free(self._count)

    def feed(self, bytes piece not None) -> None:
        """Take the next bytes of the text."""
        fgw_bpe_feed(self._count, self._vocabulary.blob,
                     <const uint8_t *>PyBytes_AS_STRING(piece), <size_t>PyBytes_GET_SIZE(piece))

    @property
    def tokens(self) -> int:
        """At least so many, however the text goes on; after `finish` exactly so many."""
        return fgw_bpe_tokens(self._count)

    @property
    def now(self) -> int:
        """Exactly so many, if the text ended here."""
        return fgw_bpe_now(self._count, self._vocabulary.blob)

    def finish(self) -> int:
        """End the text; its count. The counter is ready for another text."""
        cdef uint64_t tokens = fgw_bpe_finish(self._count, self._vocabulary.blob)
        fgw_bpe_start(self._count)
        return tokens


def count(text: str | bytes, str model_or_encoding not None) -> int:
    """Tokens of `text`; special tokens count as the text that they look like.

    Bytes that are no UTF-8, and lone surrogates, count as U+FFFD each. LookupError where the
    model's encoding is not known.
    """
    cdef Vocabulary vocabulary = required(model_or_encoding)
    cdef fgw_bpe_count counter
    cdef bytes raw
    if isinstance(text, str):
        try:
            raw = text.encode()
        except UnicodeEncodeError:
            # As tiktoken: pairs of surrogates become their character, lone ones U+FFFD.
            raw = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
    else:
        raw = text
    cdef const uint8_t *start = <const uint8_t *>PyBytes_AS_STRING(raw)
    cdef size_t length = <size_t>PyBytes_GET_SIZE(raw)
    cdef uint64_t tokens
    fgw_bpe_start(&counter)
    with nogil:
        fgw_bpe_feed(&counter, vocabulary.blob, start, length)
        tokens = fgw_bpe_finish(&counter, vocabulary.blob)
    return tokens
