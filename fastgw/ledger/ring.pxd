"""A ring file as one process sees it: as producer (worker, supervisor) or consumer (recorder)."""
cimport cython
from libc.stdint cimport uint8_t, uint64_t

from fastgw.native.record cimport fgw_record, fgw_record_close, fgw_request_id
from fastgw.native.ring cimport fgw_ring, fgw_ring_facts


@cython.final
cdef class Ring:
    cdef:
        fgw_ring _ring
        void *_memory
        size_t _length
        readonly object path
        readonly bint producer

    # All return 0 when posted (or reserved), -1 when there is no room.

    # A whole record: size, kind, version, id, wall_ns filled in; sequence is set here.
    cdef int post(self, const fgw_record *record) noexcept nogil

    # NAME of at most 3,968 bytes; a longer text is cut. id may be NULL.
    cdef int post_name(
        self, uint8_t space, uint64_t hash0, uint64_t hash1, const uint8_t *text, size_t length,
        const fgw_request_id *id, uint64_t wall_ns,
    ) noexcept nogil

    # Room for one CLOSE, beside `also` bytes posted at once; post_close uses one such room up.
    cdef int reserve_close(self, uint64_t also) noexcept nogil
    cdef int post_close(self, const fgw_record_close *record) noexcept nogil

    cdef int _map(self, int fd) except -1
    cdef int _open(self, path, bint producer) except -1
    cdef int _facts(self, fgw_ring_facts *facts) except -1
    cdef int _check(self) except -1
