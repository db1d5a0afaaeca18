"""A compiled policy in a sealed memory file, mapped read-only."""
cimport cython
from libc.stdint cimport uint32_t, uint64_t

from fastgw.native.blob cimport fgw_blob
from fastgw.native.cel cimport fgw_cel_program
from fastgw.native.index cimport fgw_index


@cython.final
cdef class Blob:
    cdef:
        const fgw_blob *_block          # the mapping; a fork inherits it
        readonly size_t size            # of the file
        readonly int descriptor         # for whoever is no child; closed with the blob

    cdef int _map(self, int descriptor) except -1
    cdef const fgw_index *index(self) noexcept nogil
    cdef const fgw_cel_program *program(self, uint32_t i) noexcept nogil
