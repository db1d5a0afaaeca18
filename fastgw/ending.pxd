# How every exchange ends: the answer cut or refused, books closed, limits settled.

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from fastgw.ceilings cimport Ceilings
from fastgw.detect.detector cimport Detector, Phase as DetectPhase
from fastgw.exchange cimport Exchange, Receiver
from fastgw.explain.refusal cimport Explainer
from fastgw.identity.facts cimport Facts
from fastgw.identity.keys cimport KeyTable
from fastgw.instead cimport Instead
from fastgw.ledger.journal cimport Journal
from fastgw.limit.limits cimport Limits
from fastgw.limit.queue cimport Queue
from fastgw.native.bpe cimport fgw_bpe_vocabulary
from fastgw.native.policy cimport fgw_amounts
from fastgw.native.books cimport fgw_books
from fastgw.native.counters cimport fgw_counters
from fastgw.native.detect cimport fgw_detect_report
from fastgw.native.demand cimport fgw_known_names
from fastgw.native.json cimport fgw_json
from fastgw.native.record cimport fgw_record_close
from fastgw.native.wheel cimport fgw_wheel
from fastgw.policy.policy cimport Policy
from fastgw.sayings cimport Sayings
from fastgw.stream.answer cimport AnswerTexts
from fastgw.stream.batch cimport Batch
from fastgw.upstream.route cimport Routes
from fastgw.usage.expect cimport Expect
from fastgw.usage.tokenizers cimport Tokenizers


cdef class Endings(Receiver):
    cdef:
        Policy policy
        KeyTable keys
        Routes routes
        Limits limits
        Ceilings ceilings        # what pace and caps take of a request
        Queue queue              # None: no limit lets requests wait
        readonly int waker       # eventfd by which other processes wake this queue; -1: none
        bint serving             # the queue will be served behind this callback
        Expect expect            # what requests will use, as learned in this worker
        Tokenizers tokenizers
        Journal journal
        Facts facts
        AnswerTexts texts
        Batch batch
        object loop
        object log
        Explainer explainer      # renders refusals
        Instead instead          # what else would pass
        object refusals          # listener.refusal.Refusals: the gateway's rarer words
        list names               # texts of the limits, for the names of new buckets
        object _segment          # keeps the counters mapped
        fgw_wheel wheel
        fgw_json scan
        fgw_known_names known_names  # of models and users, with their hashes
        Exchange spare           # the first of those to use again, by spare_next
        int n_spare
        readonly int active      # exchanges between head and settlement
        double retry_credit      # retries that the budget allows now
        double retry_share
        Sayings sayings          # what rules say beyond the verdict
        list overrides           # upstream.route.Route by number of the rules' `route` actions
        bint restricts_models    # some rule or key says which models may be asked
        Detector detector        # what `detect` actions do
        list holding             # exchanges whose events wait to be decided
        fgw_amounts used         # by the exchange that is being ended
        list parked              # exchanges that wait for a slice of a limit of the fleet
        list running             # those that `active` counts, in no order; then None
        fgw_counters *workers    # the counters of all workers, this one's among them
        uint32_t n_workers
        uint32_t slot            # of this one
        uint64_t due_ns          # the loop's next timer of 100 ms; 0: none yet
        fgw_books dropped        # attempts counted here whose CLOSE the ledger had no room for

    cdef int _record_findings(
        self, Exchange x, DetectPhase phase, const fgw_detect_report *report) except -1
    cdef int _publish_cut(self) except -1
    cdef int _publish_buffered(self) except -1
    # Whether its answer is an open stream from here on.
    cdef int _stream(self, Exchange x, bint open) except -1
    cdef int _begin(self, Exchange x) except -1
    cdef int _leave(self, Exchange x) except -1
    cdef int _end_drain(self, Exchange x, int code) except -1
    cdef int _leave_drain(self, Exchange x) except -1
    cdef int _leave_slots(self, Exchange x) except -1
    cdef int _settle(self, Exchange x, int fate) except -1
    cdef int _tell_refused(
        self, Exchange x, const fgw_record_close *last, bint posted) except -1
    cdef size_t _client_id(self, Exchange x) except? 0
    cdef int _drop_connection(self, Exchange x) except -1
    cdef dict _where(self, Exchange x)
    cdef int _break(self, Exchange x, int code) except -1
    # The tokenizer of the model that is asked; `known` as Tokenizers.of has it.
    cdef const fgw_bpe_vocabulary *_vocabulary_of(self, Exchange x, bint *known) except? NULL
    # The same model's name; valid as long as x.
    # Before the body goes: what its texts are, where no provider will tell.
    cdef int _count_prompt(self, Exchange x) except -1
    cdef int _estimate_output(self, Exchange x, fgw_record_close *close) except -1
    cdef int _close_attempt(
        self, Exchange x, int fate, bint final, fgw_record_close *close) except -1
