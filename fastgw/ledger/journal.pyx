"""What a worker writes: requests, attempts, refusals, names. Contract in journal.pxd."""

cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from fastgw.ledger.ring cimport Ring
from fastgw.native.clock cimport fgw_clock_wall_ns
from fastgw.native.hash cimport fgw_siphash64
from fastgw.native.record cimport (
    FGW_LIMITS_MAX, FGW_NAME_BUCKET, FGW_NAME_FINDING, FGW_NAME_KEY0, FGW_NAME_KEY1, FGW_NAME_NOTE,
    FGW_NAME_QUOTE, FGW_NAME_REQUEST, FGW_RECORD_CLOSE, FGW_RECORD_HELD, FGW_RECORD_OPEN,
    FGW_RECORD_REQUEST, FGW_RECORD_VERSION, FGW_RULES_MAX, fgw_limit_trace, fgw_record,
    fgw_record_close, fgw_record_held, fgw_record_open, fgw_record_request, fgw_request_id,
    fgw_rule_trace,
)
from fastgw.native.refusals cimport (
    fgw_pacer, fgw_pacer_take, fgw_refusals, fgw_refusals_add, fgw_refusals_flush,
    fgw_refusals_recover, fgw_refusals_sample,
)
from fastgw.native.ring cimport (
    FGW_RING_DROPPED_CLOSE, FGW_RING_DROPPED_NAME, FGW_RING_DROPPED_OPEN, FGW_RING_DROPPED_REQUEST,
    FGW_RING_REFUSALS_MERGED, FGW_RING_REFUSALS_SEEN, FGW_RING_REFUSED_OPEN, fgw_record_check,
    fgw_ring_claim, fgw_ring_count, fgw_ring_publish, fgw_ring_refusals, fgw_ring_reserve,
    fgw_ring_unreserve,
)

# Names remembered as posted: 2,048 sets of 4 ways, 64 KiB. Forgetting one only posts it again.
cdef enum:
    SEEN_SETS = 2048
    SEEN_WAYS = 4

cdef uint32_t CLOSE_BYTES = sizeof(fgw_record_close)
# An OPEN with all its holds: what request() sets aside for the first attempt, beside the close.
cdef uint32_t OPEN_BYTES = sizeof(fgw_record_open)
cdef uint32_t HELD_BYTES = sizeof(fgw_record_held)
cdef uint64_t[2] NAME_KEY
NAME_KEY[0] = FGW_NAME_KEY0
NAME_KEY[1] = FGW_NAME_KEY1


cdef inline uint64_t hash_text(const uint8_t *text, size_t length) noexcept nogil:
    return fgw_siphash64(<const uint8_t *>NAME_KEY, text, length) if length else 0


cdef uint64_t hash_of(const uint8_t *text, size_t length) noexcept nogil:
    return hash_text(text, length)


def name_hash(text):
    cdef bytes raw = text.encode() if isinstance(text, str) else bytes(text)
    return hash_text(<const uint8_t *>raw, len(raw))


cdef inline void stamp(fgw_record *head, uint8_t kind, uint32_t size) noexcept nogil:
    head.kind = kind
    head.version = FGW_RECORD_VERSION
    head.size = size


cdef inline fgw_record_request *claim_request(
    Ring ring, uint32_t rules, uint32_t limits
) noexcept nogil:
    # Head and arrays go straight into the ring: nothing is put together elsewhere first.
    return <fgw_record_request *>fgw_ring_claim(
        &ring._ring,
        <uint32_t>(sizeof(fgw_record_request)
                   + min(rules, <uint32_t>FGW_RULES_MAX) * sizeof(fgw_rule_trace)
                   + min(limits, <uint32_t>FGW_LIMITS_MAX) * sizeof(fgw_limit_trace)),
        0,
    )


cdef inline void publish_request(
    Ring ring, fgw_record_request *claim, const fgw_rule_trace *rules,
    const fgw_limit_trace *limits,
) noexcept nogil:
    claim.n_rules = min(claim.n_rules, <uint8_t>FGW_RULES_MAX)
    claim.n_limits = min(claim.n_limits, <uint8_t>FGW_LIMITS_MAX)
    cdef size_t rules_bytes = claim.n_rules * sizeof(fgw_rule_trace)
    cdef uint8_t *behind = <uint8_t *>claim + sizeof(fgw_record_request)
    claim.head.kind = FGW_RECORD_REQUEST
    claim.head.version = FGW_RECORD_VERSION
    if rules_bytes:
        memcpy(behind, rules, rules_bytes)
    if claim.n_limits:
        memcpy(behind + rules_bytes, limits, claim.n_limits * sizeof(fgw_limit_trace))
    fgw_ring_publish(&ring._ring, 0)


cdef inline bint put_request(
    Ring ring, const fgw_record_request *record, const fgw_rule_trace *rules,
    const fgw_limit_trace *limits,
) noexcept nogil:
    cdef fgw_record_request *claim = claim_request(ring, record.n_rules, record.n_limits)
    if claim == NULL:
        return False
    memcpy(claim, record, sizeof(fgw_record_request))
    publish_request(ring, claim, rules, limits)
    return True


cdef inline bint is_new(const uint64_t *seen, uint64_t tag) noexcept nogil:
    cdef const uint64_t *ways = seen + (tag % SEEN_SETS) * SEEN_WAYS
    cdef int way
    for way in range(SEEN_WAYS):
        if ways[way] == tag:
            return False
    return True


cdef inline void remember(uint64_t *seen, uint64_t tag, uint32_t turn) noexcept nogil:
    cdef uint64_t *ways = seen + (tag % SEEN_SETS) * SEEN_WAYS
    cdef int way
    for way in range(SEEN_WAYS):
        if ways[way] == 0:
            ways[way] = tag
            return
    ways[turn % SEEN_WAYS] = tag


cdef inline void count_refusal(Journal journal, const fgw_record_request *record) noexcept nogil:
    if fgw_refusals_add(journal._counts, record):
        fgw_ring_count(&journal.refusals._ring, FGW_RING_REFUSALS_MERGED)


@cython.final
cdef class Journal:
    """A worker's two rings; see journal.pxd."""

    def __cinit__(
        self, Ring main not None, Ring refusals not None, *, uint32_t generation, uint16_t worker,
        str on_full="reject",
    ):
        if on_full not in ("reject", "drop"):
            raise ValueError(f"on_ledger_full: {on_full!r} is neither 'reject' nor 'drop'")
        if not main.producer or not refusals.producer:
            raise ValueError("a journal writes: both rings must be opened as producer")
        self.main = main
        self.refusals = refusals
        self.generation = generation
        self.worker = worker
        self._drop = on_full == "drop"
        self._seen = <uint64_t *>calloc(SEEN_SETS * SEEN_WAYS, sizeof(uint64_t))
        self._pacer = <fgw_pacer *>calloc(1, sizeof(fgw_pacer))
        if self._seen == NULL or self._pacer == NULL:
            raise MemoryError()
        self._counts = <fgw_refusals *>fgw_ring_refusals(&refusals._ring)
        fgw_refusals_recover(self._counts, &refusals._ring)

    def __dealloc__(self):
        free(self._seen)
        free(self._pacer)

    cdef void next_id(self, fgw_request_id *id) noexcept nogil:
        self.requests += 1
        id.generation = self.generation
        id.worker = self.worker
        id.reserved = 0
        id.sequence = self.requests

    # -------------------------------------------------------------------- names

    cdef void name_known(
        self, uint8_t space, uint64_t hash0, const uint8_t *text, size_t length
    ) noexcept nogil:
        # Spaces are mixed in, since one text may be a model and a rule's name.
        cdef uint64_t tag = hash0 ^ (space * <uint64_t>0x9E3779B97F4A7C15)
        if tag == 0:  # marks an empty way
            tag = 1
        if hash0 == 0 or not is_new(self._seen, tag):
            return
        # Not remembered when there was no room: its next use posts it.
        if self.main.post_name(space, hash0, 0, text, length, NULL, fgw_clock_wall_ns()) == 0:
            self._seen_turn += 1
            remember(self._seen, tag, self._seen_turn)

    cdef uint64_t name(self, uint8_t space, const uint8_t *text, size_t length) noexcept nogil:
        cdef uint64_t hash0 = hash_text(text, length)
        self.name_known(space, hash0, text, length)
        return hash0

    cdef void name_bucket(
        self, const uint64_t *identity, const uint8_t *text, size_t length
    ) noexcept nogil:
        self.main.post_name(
            FGW_NAME_BUCKET, identity[0], identity[1], text, length, NULL, fgw_clock_wall_ns()
        )

    cdef uint64_t name_request(
        self, const fgw_request_id *id, const uint8_t *text, size_t length, bint refused
    ) noexcept nogil:
        cdef uint64_t hash0 = hash_text(text, length)
        if hash0 == 0:
            return 0
        if refused:
            self.refusals.post_name(
                FGW_NAME_REQUEST, hash0, 0, text, length, id, fgw_clock_wall_ns()
            )
        else:
            self.main.post_name(FGW_NAME_REQUEST, hash0, 0, text, length, id, fgw_clock_wall_ns())
        return hash0

    cdef void note(
        self, const fgw_request_id *id, const uint8_t *text, size_t length, bint refused
    ) noexcept nogil:
        if refused:
            self.refusals.post_name(FGW_NAME_NOTE, 0, 0, text, length, id, fgw_clock_wall_ns())
        else:
            self.main.post_name(FGW_NAME_NOTE, 0, 0, text, length, id, fgw_clock_wall_ns())

    cdef void name_finding(
        self, const fgw_request_id *id, const uint8_t *text, size_t length
    ) noexcept nogil:
        self.main.post_name(
            FGW_NAME_FINDING, hash_text(text, length), 0, text, length, id, fgw_clock_wall_ns()
        )

    cdef void quote(
        self, const fgw_request_id *id, int attempt, int place, const uint8_t *text, size_t length,
        uint64_t wall_ns,
    ) noexcept nogil:
        # Half of the ring is left to what must not be missing.
        if fgw_ring_reserve(&self.main._ring, 0, self.main._ring.size >> 1) != 0:
            fgw_ring_count(&self.main._ring, FGW_RING_DROPPED_NAME)
            return
        self.main.post_name(
            FGW_NAME_QUOTE, <uint64_t>attempt, <uint64_t>place, text, length, id, wall_ns
        )

    # ----------------------------------------------------------------- requests

    cdef fgw_record_request *begin_request(
        self, uint32_t rules, uint32_t limits, int *room
    ) noexcept nogil:
        # Largest REQUEST as `also`: what must fit is decided once, here.
        cdef uint64_t also = (
            sizeof(fgw_record_request) + FGW_RULES_MAX * sizeof(fgw_rule_trace)
            + FGW_LIMITS_MAX * sizeof(fgw_limit_trace)
        )
        cdef fgw_record_request *claim
        if fgw_ring_reserve(&self.main._ring, OPEN_BYTES + CLOSE_BYTES, also) == 0:
            room[0] = JOURNAL_ROOM
            return claim_request(self.main, rules, limits)
        if not self._drop:
            fgw_ring_count(&self.main._ring, FGW_RING_REFUSED_OPEN)
            room[0] = JOURNAL_FULL
            return NULL
        room[0] = JOURNAL_DROPPED
        claim = claim_request(self.main, rules, limits)
        if claim == NULL:
            fgw_ring_count(&self.main._ring, FGW_RING_DROPPED_REQUEST)
        return claim

    cdef void end_request(
        self, fgw_record_request *claim, const fgw_rule_trace *rules,
        const fgw_limit_trace *limits,
    ) noexcept nogil:
        claim.verdict = 0
        publish_request(self.main, claim, rules, limits)

    cdef int open(self, fgw_record_open *record, int room) noexcept nogil:
        if record.n_held > FGW_LIMITS_MAX:
            record.n_held = FGW_LIMITS_MAX
        cdef uint32_t size = <uint32_t>(
            <char *>&record.held[record.n_held] - <char *>record
        )
        cdef uint32_t aside = 0
        if room == JOURNAL_ROOM:
            aside = OPEN_BYTES
        elif fgw_ring_reserve(&self.main._ring, CLOSE_BYTES, size) != 0:
            if self._drop:
                fgw_ring_count(&self.main._ring, FGW_RING_DROPPED_OPEN)
                return JOURNAL_DROPPED
            fgw_ring_count(&self.main._ring, FGW_RING_REFUSED_OPEN)
            return JOURNAL_FULL
        stamp(&record.head, FGW_RECORD_OPEN, size)
        # Cannot fail: aside covers it, or the reservation just made left `size` free beside.
        memcpy(fgw_ring_claim(&self.main._ring, size, aside), record, size)
        fgw_ring_publish(&self.main._ring, aside)
        return JOURNAL_ROOM

    cdef int close(self, fgw_record_close *record, int opened) noexcept nogil:
        if opened == JOURNAL_ROOM:
            self.main.post_close(record)
            return JOURNAL_ROOM
        # on_ledger_full: drop, and the OPEN found no room. There may be some by now.
        stamp(&record.head, FGW_RECORD_CLOSE, CLOSE_BYTES)
        if self.main.post(&record.head) == 0:
            return JOURNAL_ROOM
        fgw_ring_count(&self.main._ring, FGW_RING_DROPPED_CLOSE)
        return JOURNAL_DROPPED

    cdef int reserve_held(self) noexcept nogil:
        if fgw_ring_reserve(&self.main._ring, HELD_BYTES, 0) == 0:
            return JOURNAL_ROOM
        return JOURNAL_DROPPED if self._drop else JOURNAL_FULL

    cdef void held(self, fgw_record_held *record, int room) noexcept nogil:
        cdef uint32_t size = <uint32_t>(
            <char *>&record.held[record.n_held] - <char *>record
        )
        if room != JOURNAL_ROOM:
            fgw_ring_count(&self.main._ring, FGW_RING_DROPPED_OPEN)
            return
        stamp(&record.head, FGW_RECORD_HELD, size)
        memcpy(fgw_ring_claim(&self.main._ring, size, HELD_BYTES), record, size)
        fgw_ring_publish(&self.main._ring, HELD_BYTES)

    cdef void abandon_held(self, int room) noexcept nogil:
        if room == JOURNAL_ROOM:
            fgw_ring_unreserve(&self.main._ring, HELD_BYTES)

    cdef void abandon(self, int room) noexcept nogil:
        if room == JOURNAL_ROOM:
            fgw_ring_unreserve(&self.main._ring, OPEN_BYTES + CLOSE_BYTES)

    # ----------------------------------------------------------------- refusals

    cdef bint refuse(
        self, fgw_record_request *record, const fgw_rule_trace *rules,
        const fgw_limit_trace *limits, uint64_t now_ns,
    ) noexcept nogil:
        fgw_ring_count(&self.refusals._ring, FGW_RING_REFUSALS_SEEN)
        record.verdict = 1
        record.sampled = 0
        if not fgw_pacer_take(self._pacer, record.dims.account, now_ns):
            if not fgw_refusals_sample(self._counts, record):
                count_refusal(self, record)
                return False
            record.sampled = 1
        if not put_request(self.refusals, record, rules, limits):
            count_refusal(self, record)
            return False
        return True

    cdef void flush(self, uint64_t now_ns) noexcept nogil:
        fgw_refusals_flush(self._counts, &self.refusals._ring, fgw_clock_wall_ns())

    # ------------------------------------------------------------- Python callers

    def post_name(self, uint8_t space, text, uint64_t hash0=0):
        cdef bytes raw = text.encode() if isinstance(text, str) else bytes(text)
        if hash0 == 0:
            hash0 = name_hash(raw)
        self.name_known(space, hash0, <const uint8_t *>raw, len(raw))
        return hash0

    def post(self, bytes record not None, int room=JOURNAL_DROPPED, uint64_t now_ns=0):
        # What the hot methods do, for records that Python built: tests, tools.
        cdef bytearray copy = bytearray(record)
        cdef uint8_t *raw = <uint8_t *>PyByteArray_AS_STRING(copy)
        cdef fgw_record *head = <fgw_record *>raw
        cdef fgw_record_request *request = <fgw_record_request *>raw
        cdef fgw_record_request *claim
        if len(record) < <Py_ssize_t>sizeof(fgw_record) or fgw_record_check(head, len(record)):
            raise ValueError("not one whole record")
        if head.kind == FGW_RECORD_OPEN:
            return self.open(<fgw_record_open *>raw, room)
        if head.kind == FGW_RECORD_CLOSE:
            return self.close(<fgw_record_close *>raw, room)
        if head.kind != FGW_RECORD_REQUEST:
            raise ValueError("neither a request nor an attempt")
        raw += sizeof(fgw_record_request)
        cdef const fgw_rule_trace *rules = <const fgw_rule_trace *>raw
        cdef const fgw_limit_trace *limits = <const fgw_limit_trace *>(
            raw + request.n_rules * sizeof(fgw_rule_trace)
        )
        if not request.verdict:
            claim = self.begin_request(request.n_rules, request.n_limits, &room)
            if claim != NULL:
                memcpy(claim, request, sizeof(fgw_record_request))
                self.end_request(claim, rules, limits)
            return room
        self.refuse(request, rules, limits, now_ns)
        return JOURNAL_ROOM

    def give_up(self, int room):
        self.abandon(room)

    def flush_now(self, uint64_t now_ns):
        self.flush(now_ns)

    def counters(self):
        total = {name: count + self.refusals.counters()[name]
                 for name, count in self.main.counters().items()}
        return total | {"requests": self.requests}
