"""The memory of a compiled policy: plain structs, so that deciding needs no Python.

    Policy ── rules[] ── actions[] ── patterns, bucket key programs
       │
       └──── PrincipalPart per access key: access patterns, demands whose identity never changes
"""
cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from fastgw.native.action cimport fgw_action, fgw_patterns
from fastgw.native.cel cimport fgw_cel_program
from fastgw.native.policy cimport fgw_demand
from fastgw.policy.blob cimport Blob
from fastgw.policy.program cimport Program

cdef struct plan_rule:
    uint64_t name           # name hash
    uint32_t n_expressions
    uint32_t n_actions
    const fgw_cel_program **expressions
    fgw_action *actions
    uint8_t enforced

cdef struct plan_part:
    fgw_patterns models
    fgw_patterns providers
    fgw_patterns operations
    uint64_t models_rule    # name hashes: "key team-a: access.models", …
    uint64_t providers_rule
    uint64_t operations_rule
    uint32_t n_demands
    fgw_demand demands[8]   # text_offset counts from `text`
    const uint8_t *text     # the key's id as a JSON array: all its demands have this one
    uint32_t text_length


@cython.final
cdef class Plan:
    """Owns blocks of memory, and the Python objects that they point into, until it goes."""

    cdef:
        list _kept
        list _rows              # (rows of programs not sealed yet: address, the Programs)
        void **_blocks
        size_t _n_blocks

    # Zeroed room for `count` things of `size` bytes (never NULL; count may be 0).
    cdef void *take(self, size_t count, size_t size) except NULL
    # The bytes of a text, and a pointer to them that lives as long as the plan.
    cdef const uint8_t *text(self, bytes text) except NULL
    cdef int patterns(self, fgw_patterns *patterns, object texts) except -1
    # What each Program points at, in a row.
    cdef const fgw_cel_program **programs(self, list programs) except NULL
    # What one Program points at; it lives as long as the plan.
    cdef const fgw_cel_program *program(self, Program program) except NULL
    # Moves the programs of all rows so far, and the rule index, into one sealed file, which lives as
    # long as the plan.
    cdef Blob seal(self, uint64_t version, bytes index)
