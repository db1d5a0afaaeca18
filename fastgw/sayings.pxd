# What rules say of an exchange beyond the verdict: fields, answers, late rules, logs.
from libc.stdint cimport uint8_t

from fastgw.exchange cimport Exchange
from fastgw.explain.refusal cimport Explainer
from fastgw.identity.facts cimport Facts
from fastgw.ledger.journal cimport Journal
from fastgw.native.counters cimport fgw_counters
from fastgw.native.http1 cimport fgw_head
from fastgw.native.policy cimport fgw_effects
from fastgw.native.record cimport fgw_record_close
from fastgw.policy.policy cimport Policy


cdef class Sayings:
    cdef:
        Policy policy
        Facts facts
        Journal journal
        object log
        dict names               # hash of a rule's name -> its text
        fgw_counters *counters
        list kinds               # names of what `detect` looks for, by their bits
        bint shadow_limits       # some limit is not enforced
        fgw_effects effects      # of rules that run behind the request

    # Behind Policy.run: carry out what said and effects have.
    cdef int after_policy(self, Exchange x) except -1

    # An answer's head has come: the rules of the response phase. 0, or the code of a refusal.
    cdef int before_answer(self, Exchange x, fgw_head *head, const uint8_t *source) except -1

    # A refusal was recorded: with the words that a rule has made of it.
    cdef int tell_reason(self, Exchange x) except -1

    # Limits that are not enforced and would have refused, counted. Once a request.
    cdef int count_shadows(self, Exchange x) except -1

    # The answer of a custom-response, whole.
    cdef bytes answer(self, Exchange x, Explainer explainer)

    # The end: rules that read usage, logs. `close` is NULL where no attempt was made.
    cdef int tell(self, Exchange x, const fgw_record_close *close, bint refused) except -1

    cdef int _count(self, const fgw_effects *effects) except -1
    cdef int _fill_head(self, Exchange x, fgw_head *head, const uint8_t *source) except -1
    cdef int _fill_usage(self, const fgw_record_close *close) except -1
    cdef int _refill(self, Exchange x, const fgw_record_close *close) except -1
    cdef int _keep_rules(self, Exchange x, list kept) except -1
    cdef int _note(self, Exchange x, dict note, bint refused) except -1
