# READ FIRST: the phases of a request, in order. One Journey per worker.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from fastgw.exchange cimport Exchange, Receiver
from fastgw.identity.facts cimport Facts
from fastgw.identity.keys cimport KeyTable
from fastgw.ledger.journal cimport Journal
from fastgw.limit.limits cimport Limits
from fastgw.native.counters cimport fgw_counters
from fastgw.native.http1 cimport fgw_head, fgw_http1_limits
from fastgw.native.json cimport fgw_json
from fastgw.native.record cimport fgw_record_close
from fastgw.native.wheel cimport fgw_wheel
from fastgw.policy.policy cimport Policy
from fastgw.stream.answer cimport AnswerTexts
from fastgw.stream.batch cimport Batch
from fastgw.upstream.connection cimport Connection
from fastgw.upstream.route cimport Candidate, Route, Routes
from fastgw.wire.link cimport Link, Scratch


cdef class Journey(Receiver):
    cdef:
        Policy policy
        KeyTable keys
        Routes routes
        Limits limits
        Journal journal
        Facts facts
        AnswerTexts texts
        Batch batch
        Scratch scratch
        object loop
        object log
        object refusals          # listener.refusal.Refusals: renders refusals, off the hot path
        list names               # texts of the limits, for the names of new buckets
        fgw_counters *counters
        object _segment          # keeps the counters mapped
        fgw_wheel wheel
        fgw_json scan
        fgw_http1_limits head_limits
        uint64_t body_max
        list spare               # exchanges to use again
        readonly int active      # exchanges between head and settlement
        double retry_credit      # retries that the budget allows now
        double retry_share
        readonly bint draining
        set running              # exchanges in the hands of the journey

    # The connection's side.
    cdef Exchange take_exchange(self, Link client, uint64_t now_ns)
    cdef int give_back(self, Exchange x) except -1
    cdef int arrive(self, Exchange x) except -1
    cdef int decide(self, Exchange x) except -1
    cdef int refuse(self, Exchange x, int code) except -1
    cdef int refuse_head(self, Exchange x) except -1
    cdef int client_gone(self, Exchange x) except -1
    cdef int client_blocked(self, Exchange x) except -1
    cdef int client_writable(self, Exchange x) except -1
    cdef int failed(self, Exchange x, object exception) except -1
    cdef int report(self, object exception) except -1

    # Time.
    cdef int arm(self, Link link, uint64_t deadline_ns) except -1
    cdef int disarm(self, Link link) except -1

    # The phases.
    cdef int _begin(self, Exchange x) except -1
    cdef int _leave(self, Exchange x) except -1
    cdef int _break(self, Exchange x, int code) except -1
    cdef bint _other(self, Exchange x)
    cdef object _view(self, Exchange x, int code)
    cdef int _policy(self, Exchange x) except -1
    cdef int _route(self, Exchange x) except -1
    cdef int _limit(self, Exchange x) except -1
    cdef int _admit(self, Exchange x) except -1
    cdef int _attempt(self, Exchange x) except -1
    cdef int _send(self, Exchange x) except -1
    cdef int _again(self, Exchange x, int code, bint same) except -1
    cdef int _give_up(self, Exchange x, int code) except -1
    cdef int _complete(self, Exchange x, int fate) except -1
    cdef int _settle(self, Exchange x, int fate) except -1
    cdef int _close_attempt(self, Exchange x, int fate, bint final, fgw_record_close *close) except -1
    cdef int _own(self, Exchange x) except -1
    cdef int _dims(self, Exchange x) except -1
    cdef int _name_buckets(self, Exchange x, uint32_t inserted) except -1
