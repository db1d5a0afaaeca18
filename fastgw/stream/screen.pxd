# Events that are looked at before they go on: held until what they may be part of is decided.
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from fastgw.native.detect cimport (
    fgw_detect_cuts,
    fgw_detect_job,
    fgw_detect_report,
    fgw_screen,
)


cdef class Screen:
    cdef:
        fgw_detect_job *_job         # the worker's
        fgw_detect_report report
        fgw_detect_cuts _cuts
        fgw_screen _screen
        uint32_t look                # kinds, a bit each
        uint32_t deny
        uint8_t *_held               # the stream from `_base` on
        size_t _length
        size_t _room
        size_t _scanned              # of them, whole events
        uint32_t _base
        uint32_t *_ends              # of those events
        uint32_t _n_ends
        uint32_t _ends_room
        uint8_t *out                 # what may go
        size_t _out_room
        bint denied                  # something came that must not pass

    cdef int begin(self, fgw_detect_job *job, uint32_t look, uint32_t redact,
                   uint32_t deny) except -1
    cdef int add(self, const uint8_t *bytes, size_t length) except -1
    # What was added since the last one is an event: look at it. `hide`: it is not for the client.
    cdef int end_event(self, bint hide) except -1
    # Nothing follows: what is undecided ends as it is.
    cdef int finish(self) except -1
    # Let go what is undecided: what is a find as it stands is one; what it turns out to be part of
    # is known from there on only.
    cdef int let_out(self) except -1
    # Moves what may go to `out`: how many bytes.
    cdef Py_ssize_t release(self) except -1
    cdef bint holds(self) noexcept
    # Of an event that has not ended.
    cdef bint has_unfinished(self) noexcept
    cdef void drop_unfinished(self) noexcept
    cdef int _grow(self) except -1
    cdef int _arm(self) except -1
    cdef uint32_t _first_denied(self) noexcept
    cdef void _forget(self, size_t ready, uint32_t events) noexcept
