"""A compiled expression: it owns the memory that its fgw_program points into."""
cimport cython
from libc.stdint cimport uint64_t

from fastgw.native.policy cimport fgw_value
from fastgw.native.rule cimport fgw_instruction, fgw_program


@cython.final
cdef class Program:
    cdef:
        fgw_program program         # verified
        readonly str type           # bool | int | double | string | null
        readonly uint64_t reads     # bit i: it reads facts[i]
        fgw_instruction *_code
        fgw_value *_constants
        list _texts                 # bytes that constants point into


# A Python value as a fact; None is an absent one. Strings go into `texts`, which must outlive it.
cdef int set_value(fgw_value *value, object content, list texts) except -1

# A result as Python has it; raises EvaluationError for an error.
cdef object get_value(const fgw_value *value)
