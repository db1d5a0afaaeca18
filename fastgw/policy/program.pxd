"""A compiled expression: it owns the memory that its fgw_cel_program lies in."""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from fastgw.native.cel cimport fgw_cel_program, fgw_cel_run
from fastgw.native.policy cimport fgw_value


@cython.final
cdef class Program:
    cdef:
        const fgw_cel_program *program  # verified; the whole of it lies in one block
        readonly bytes block            # that block, which must outlive whoever points into it
        readonly str type               # of the result where it is known, else ""
        readonly uint64_t reads         # bit i: it reads facts[i]
        readonly uint32_t sources       # bit i: it reads the map i of fgw_cel_source
        void *_memory

    # fgw_cel_eval: 1 or 0 where the result is a boolean, else -1; *result in any case.
    cdef int decide(self, fgw_cel_run *run, fgw_value *result) noexcept nogil


# A Python value as a fact; None is an absent one. Strings go into `texts`, which must outlive it.
cdef int set_value(fgw_value *value, object content, list texts) except -1

# A result as Python has it; raises EvaluationError for an error. A list or map holds those.
cdef object get_value(const fgw_value *value)

# A result as typed JSON; raises EvaluationError for an error.
cdef dict typed_value(const fgw_value *value)

# fgw_cel_source.zone: of the zones that this machine knows.
cdef int find_zone(const void *owner, const uint8_t *name, uint32_t length, int64_t seconds,
                   int32_t *offset) noexcept nogil
