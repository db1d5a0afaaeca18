# The tokens of a text, as OpenAI's models count them.
cimport cython

from fastgw.native.bpe cimport fgw_bpe_count, fgw_bpe_vocabulary


@cython.final
cdef class Vocabulary:
    cdef:
        fgw_bpe_vocabulary *blob    # read-only once loaded: threads and forks share it
        readonly str name


@cython.final
cdef class Counter:
    cdef:
        Vocabulary _vocabulary
        fgw_bpe_count *_count


# The vocabulary of a model or encoding, or None. Loads it at its first use (a quarter of a second
# for o200k_base): ask before the fork for what workers will need.
cpdef Vocabulary vocabulary_of(str model_or_encoding)

# The same, of an encoding, but None where it is not loaded yet.
cpdef Vocabulary loaded_vocabulary(str encoding)
