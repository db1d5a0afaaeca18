"""The memory of a compiled policy: plain structs, so that deciding needs no Python.

    Policy ── rules[] ── actions[] ── patterns, bucket key programs
       │
       └──── PrincipalPart per access key: access patterns, demands whose identity never changes
"""
cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from fastgw.native.cel cimport fgw_cel_program
from fastgw.native.policy cimport fgw_demand
from fastgw.policy.blob cimport Blob

cdef struct plan_patterns:
    # Globs; `given` 0: nobody wrote any, everything passes.
    const uint8_t **texts
    uint32_t *lengths
    uint32_t count
    uint8_t given

cdef struct plan_action:
    uint8_t type            # enum fgw_action
    uint8_t enforced        # the rule's and the action's own
    uint16_t status         # DENY
    uint16_t message        # DENY: index into Policy.messages + 1
    uint16_t limit          # limits: index into Policy.limits
    int64_t value           # CAP_OUTPUT: tokens; limits: capacity, traced; DETECT: its index
    plan_patterns allow     # RESTRICT_MODELS
    plan_patterns deny
    const uint8_t *prefix   # limits: their part of the identity
    uint32_t prefix_length
    uint32_t n_keys
    uint32_t addresses      # bit i: key i is the client's address
    const fgw_cel_program **keys

cdef struct plan_rule:
    uint64_t name           # name hash
    uint32_t n_expressions
    uint32_t n_actions
    const fgw_cel_program **expressions
    plan_action *actions
    uint8_t enforced

cdef struct plan_part:
    plan_patterns models
    plan_patterns providers
    plan_patterns operations
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
    cdef int patterns(self, plan_patterns *patterns, object texts) except -1
    # What each Program points at, in a row.
    cdef const fgw_cel_program **programs(self, list programs) except NULL
    # Moves the programs of all rows so far, and the rule index, into one sealed file, which lives as
    # long as the plan.
    cdef Blob seal(self, uint64_t version, bytes index)
