# Refusals as bytes: the pieces of one policy version, put together by csrc/fgw_explain.c.
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from fastgw.exchange cimport Exchange
from fastgw.native.explain cimport (
    fgw_explain_code,
    fgw_explain_limit,
    fgw_explain_rule,
    fgw_refusal,
    fgw_text,
)


cdef struct RuleSlot:
    uint64_t hash
    fgw_explain_rule rule    # rule.line.length 0: empty


cdef class Explainer:
    cdef:
        list _kept               # what the texts below point into
        fgw_explain_code *_codes      # by number * DIALECTS + dialect
        uint16_t _code_at[1000]       # FGW code -> number of its entry
        fgw_explain_limit *_limits    # in the order of the policy's limits
        uint32_t _n_limits
        RuleSlot *_rules
        uint32_t _rules_mask
        fgw_text *_reasons            # in the order of the policy's messages
        uint32_t _n_reasons
        fgw_text _policy
        fgw_text _allow[8]            # by bits of fgw_route.methods
        fgw_text _parameter[3]
        uint32_t _head_max
        uint32_t _cap
        uint8_t *bytes                # the last answer; overwritten by the next
        readonly uint16_t status      # of the last answer
        bytes other_model             # what the next answer offers instead, as JSON text; or None

    # The answer to an exchange that ends with `code`, in `bytes`: its length. ValueError: a code
    # without an entry, or more than there is room for: defects both.
    cdef Py_ssize_t render(self, Exchange x, int code) except -1

    cdef bytes policy_line(self)
    cdef Py_ssize_t write(self, fgw_refusal *refusal, int code, int dialect) except -1
    cdef const fgw_explain_rule *rule_of(self, uint64_t hash) noexcept
    cdef int _keep(self, fgw_text *kept, bytes text) except -1
    cdef int _compile_codes(self) except -1
    cdef int _compile_limits(self, list specs) except -1
    cdef int _compile_rules(self, list names) except -1
    cdef int _compile_reasons(self, tuple messages) except -1
    cdef int _make_room(self) except -1
