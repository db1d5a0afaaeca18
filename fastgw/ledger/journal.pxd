"""What a worker writes: requests, attempts, refusals, names. Hot; nothing here takes the GIL."""
cimport cython
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from fastgw.ledger.ring cimport Ring
from fastgw.native.record cimport (
    fgw_limit_trace, fgw_record_close, fgw_record_held, fgw_record_open, fgw_record_request,
    fgw_request_id, fgw_rule_trace,
)
from fastgw.native.refusals cimport fgw_pacer, fgw_refusals

# What begin_request() and open() answer; kept by the exchange and handed to the next call.
cdef enum:
    JOURNAL_FULL = -1    # on_ledger_full: reject. Refuse the request: CODE_LEDGER_FULL
    JOURNAL_DROPPED = 0  # on_ledger_full: drop. Go on; counted
    JOURNAL_ROOM = 1     # recorded, and room for what must follow is set aside


# The name hash of a text; 0 of an empty one.
cdef uint64_t hash_of(const uint8_t *text, size_t length) noexcept nogil


@cython.final
cdef class Journal:
    cdef:
        readonly Ring main
        readonly Ring refusals
        readonly uint32_t generation
        readonly uint16_t worker
        readonly uint64_t requests      # ids given out
        bint _drop
        uint64_t *_seen                 # names already posted, by (space, hash)
        uint32_t _seen_turn
        fgw_pacer *_pacer
        fgw_refusals *_counts           # in the refusals ring's header: survives a kill

    # The id of the next request of this worker.
    cdef void next_id(self, fgw_request_id *id) noexcept nogil

    # The name hash of a text (0 for an empty one); posts NAME when this worker first uses it.
    # Texts above 3,968 bytes are hashed whole and stored cut.
    cdef uint64_t name(self, uint8_t space, const uint8_t *text, size_t length) noexcept nogil
    # Posts the NAME of a hash known before (compiled policy), if this worker has not yet.
    cdef void name_known(
        self, uint8_t space, uint64_t hash0, const uint8_t *text, size_t length
    ) noexcept nogil
    # FGW_NAME_BUCKET: the text of a limit's identity; call it when this worker inserted the word.
    cdef void name_bucket(
        self, const uint64_t *identity, const uint8_t *text, size_t length
    ) noexcept nogil
    # FGW_NAME_FINDING: what `detect` found in a request or its answer, beside its other records.
    cdef void name_finding(
        self, const fgw_request_id *id, const uint8_t *text, size_t length
    ) noexcept nogil
    # FGW_NAME_REQUEST: the client's own id. Belongs to one request, so it is not remembered.
    cdef uint64_t name_request(
        self, const fgw_request_id *id, const uint8_t *text, size_t length, bint refused
    ) noexcept nogil

    # FGW_NAME_NOTE: JSON text that stays with one request.
    cdef void note(
        self, const fgw_request_id *id, const uint8_t *text, size_t length, bint refused
    ) noexcept nogil

    # FGW_NAME_QUOTE: what the provider of an attempt said of its usage, before that one's CLOSE.
    # Missing (and counted, dropped_name) where less than half of the ring is free.
    cdef void quote(
        self, const fgw_request_id *id, int attempt, int place, const uint8_t *text, size_t length,
        uint64_t wall_ns,
    ) noexcept nogil

    # All below: the caller has zeroed the record and filled head.id, head.wall_ns and the body;
    # size, kind, version and sequence are filled in here.

    # An admitted request with so many traces of rules and limits: where its record is to be
    # filled in, all 256 bytes of it, or NULL where nothing is stored of it (by `room`).
    # JOURNAL_ROOM: room for the first attempt's OPEN and CLOSE is set aside as well.
    cdef fgw_record_request *begin_request(
        self, uint32_t rules, uint32_t limits, int *room
    ) noexcept nogil
    # It is: posts it. Its n_rules and n_limits are those it was begun with.
    cdef void end_request(
        self, fgw_record_request *claim, const fgw_rule_trace *rules,
        const fgw_limit_trace *limits,
    ) noexcept nogil

    # Before the first byte (or connect) of each attempt. room: what begin_request() said, for the
    # first attempt, JOURNAL_DROPPED for later ones, which set their own room aside.
    cdef int open(self, fgw_record_open *record, int room) noexcept nogil

    # opened: the answer of open(). With JOURNAL_ROOM this cannot fail.
    cdef int close(self, fgw_record_close *record, int opened) noexcept nogil

    # Before a cap is drawn on beyond what the attempt's OPEN says: sets room aside for the HELD.
    # JOURNAL_FULL: it must not be drawn.
    cdef int reserve_held(self) noexcept nogil
    # The draw succeeded: posts what is held now. room: the answer of reserve_held().
    cdef void held(self, fgw_record_held *record, int room) noexcept nogil
    # It did not.
    cdef void abandon_held(self, int room) noexcept nogil

    # Instead of open(): the admitted request ends without any attempt; gives its room back.
    cdef void abandon(self, int room) noexcept nogil

    # A refused request (verdict is set here): posted whole up to 1,000/s a key and 100/s without
    # one, beyond that one marked sample and an exact count. `now_ns`: any steady clock. False: it
    # was only counted.
    cdef bint refuse(
        self, fgw_record_request *record, const fgw_rule_trace *rules,
        const fgw_limit_trace *limits, uint64_t now_ns,
    ) noexcept nogil

    # Posts counts of refusals; to be called every 100 ms and before the worker ends.
    cdef void flush(self, uint64_t now_ns) noexcept nogil
