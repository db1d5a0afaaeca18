"""What is drawn from caps, out of the records that pass: so that a cap outlives shared memory.

    REQUEST   which of its limits are caps; each is one word of one window
    OPEN      what an attempt holds of them, until its CLOSE
    HELD      that it holds more by now; or what its cap's word was settled to, as its worker died
    CLOSE     what it used, in the cap's unit; where its worker was lost, all that it held
    GRANT     what was given back from outside

Only sums of a pass leave here; the store adds them up in the transaction that stores the records,
so each is counted as often as its record is stored: once.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcpy

from fastgw.native.limit cimport FGW_ALGORITHM_CAP
from fastgw.native.record cimport (
    FGW_CLOSE_ASKED, FGW_FATE_FAILED_BEFORE_FIRST_BYTE, FGW_FATE_WORKER_LOST, FGW_HELD_SETTLED,
    FGW_LIMIT_TAKEN, FGW_LIMITS_MAX, FGW_RECORD_CLOSE, FGW_RECORD_GRANT, FGW_RECORD_HELD,
    FGW_RECORD_OPEN, FGW_RECORD_REQUEST,
    FGW_UNIT_COST, FGW_UNIT_INPUT_TOKENS, FGW_UNIT_OUTPUT_TOKENS, FGW_UNIT_REQUESTS,
    FGW_UNIT_TOKENS, fgw_limit_trace, fgw_record, fgw_record_close, fgw_record_grant,
    fgw_record_held,
    fgw_record_open, fgw_record_request, fgw_request_id, fgw_rule_trace, fgw_tokens, fgw_units,
    fgw_close_units)

cdef enum:
    KEY_BYTES = sizeof(fgw_request_id) + 1  # and the attempt

# Every time zone's windows end at a quarter of an hour; a REQUEST's clock was read a little
# before the window was looked up, and rounding up takes that back.
cdef uint64_t QUARTER_NS = 900_000_000_000
# As in csrc/fgw_rollup.c: a number no real request reaches must not overflow a sum.
cdef uint64_t SANE_MAX = <uint64_t>1 << 48
KNOWN_MAX = 200_000


@cython.final
cdef class Cap:
    """One cap of one key in one window. ``used``: what this pass adds; may be negative."""

    cdef:
        readonly bytes identity         # 16 bytes, as in the shared table
        readonly uint64_t rule          # name hash of the limit's name
        readonly uint8_t unit
        readonly uint64_t limit
        readonly uint64_t window_end_ns  # CLOCK_REALTIME; 0: never over
        readonly int64_t used
        public int told                 # how many of its alerts are surely stored
        bint progress
        bint changed

    def words(self):
        """The identity as two numbers."""
        return (int.from_bytes(self.identity[:8], "little"),
                int.from_bytes(self.identity[8:], "little"))


@cython.final
cdef class Caps:
    """``find(identity) -> (rule, unit, limit, window end) | None`` asks the store. ``progress``:
    {(rule, unit)} of caps that charge a lost worker's request what it was seen to use."""

    cdef:
        object _find
        object _progress
        dict _known     # identity -> Cap, or None: no cap
        dict _opened    # id and attempt -> [(Cap, held, settled)]
        list _changed
        bint _any       # a cap was ever seen: else OPENs need no look

    def __init__(self, find, progress=frozenset(), *, bint some=True):
        self._find = find
        self._progress = progress
        self._known = {}
        self._opened = {}
        self._changed = []
        self._any = some

    @property
    def some(self):
        """Whether a cap was ever seen. Records are taken in for no other reason than caps."""
        return self._any

    def add(self, bytes records not None):
        """Take in whole records, in the order of their ring."""
        cdef const uint8_t *source = <const uint8_t *>PyBytes_AS_STRING(records)
        cdef size_t length = len(records), at = 0
        cdef const fgw_record *record
        while at < length:
            record = <const fgw_record *>(source + at)
            if record.kind == FGW_RECORD_REQUEST:
                self._request(<const fgw_record_request *>record)
            elif record.kind == FGW_RECORD_OPEN:
                if self._any:
                    self._open(<const fgw_record_open *>record)
            elif record.kind == FGW_RECORD_HELD:
                self._held(<const fgw_record_held *>record)
            elif record.kind == FGW_RECORD_CLOSE:
                if self._opened:
                    self._close(<const fgw_record_close *>record)
            elif record.kind == FGW_RECORD_GRANT:
                self._grant(<const fgw_record_grant *>record)
            at += record.size

    def changed(self):
        """The caps that this pass has seen for the first time or drawn from."""
        return self._changed

    def kept(self):
        """The store has them: the next pass begins."""
        cdef Cap cap
        for cap in self._changed:
            cap.used = 0
            cap.changed = False
        self._changed = []
        if len(self._known) > KNOWN_MAX:
            self._known = {}  # who holds of a cap keeps it; sums add up in the store anyway

    def held(self):
        """{identity: amount} of attempts that are open."""
        held = {}
        for entries in self._opened.values():
            for cap, amount, _ in entries:
                held[(<Cap>cap).identity] = held.get((<Cap>cap).identity, 0) + amount
        return held

    # ------------------------------------------------------------------ records

    cdef int _request(self, const fgw_record_request *request) except -1:
        cdef const fgw_limit_trace *traces = <const fgw_limit_trace *>(
            <const uint8_t *>request + sizeof(fgw_record_request)
            + request.n_rules * sizeof(fgw_rule_trace))
        cdef const fgw_limit_trace *trace
        cdef int i
        if request.verdict:
            return 0
        for i in range(request.n_limits):
            trace = &traces[i]
            if trace.algorithm == FGW_ALGORITHM_CAP and trace.verdict == FGW_LIMIT_TAKEN:
                self._see(trace, request.head.wall_ns)
        return 0

    cdef int _see(self, const fgw_limit_trace *trace, uint64_t wall_ns) except -1:
        cdef Cap cap = self._known.get((<const char *>trace.identity)[:16])
        cdef uint64_t end = 0
        if trace.reset_ns:
            end = (wall_ns + trace.reset_ns + QUARTER_NS - 1) // QUARTER_NS * QUARTER_NS
        if cap is None:
            cap = self._new((<const char *>trace.identity)[:16], trace.rule, trace.unit)
            self._any = True
        if cap.limit != trace.limit or end > cap.window_end_ns:
            cap.limit = trace.limit
            cap.window_end_ns = max(end, cap.window_end_ns)
            self._note(cap)
        return 0

    cdef Cap _new(self, bytes identity, uint64_t rule, uint8_t unit):
        cdef Cap cap = Cap.__new__(Cap)
        cap.identity = identity
        cap.rule = rule
        cap.unit = unit
        cap.progress = (rule, unit) in self._progress
        self._known[identity] = cap
        return cap

    cdef int _note(self, Cap cap) except -1:
        if not cap.changed:
            cap.changed = True
            self._changed.append(cap)
        return 0

    cdef Cap _cap_of(self, const uint64_t *words):
        """The cap with this identity, or None."""
        cdef bytes identity = (<const char *>words)[:16]
        cdef Cap cap
        try:
            return self._known[identity]
        except KeyError:
            pass
        row = self._find(identity)
        if row is None:
            self._known[identity] = None
            return None
        cap = self._new(identity, row[0], row[1])
        cap.limit, cap.window_end_ns = row[2], row[3]
        return cap

    cdef int _open(self, const fgw_record_open *opened) except -1:
        cdef list entries = None
        cdef Cap cap
        cdef int i
        for i in range(min(<int>opened.n_held, <int>FGW_LIMITS_MAX)):
            cap = self._cap_of(opened.held[i].identity)
            if cap is not None:
                if entries is None:
                    entries = []
                entries.append((cap, opened.held[i].amount, False))
        if entries is not None:
            self._opened[key_of(&opened.head.id, opened.attempt)] = entries
        return 0

    cdef int _held(self, const fgw_record_held *record) except -1:
        cdef list entries = self._opened.get(key_of(&record.head.id, record.attempt))
        cdef bint settled = record.head.flags & FGW_HELD_SETTLED
        cdef int i, at
        cdef Cap cap
        if entries is None:
            return 0
        for i in range(min(<int>record.n_held, <int>FGW_LIMITS_MAX)):
            identity = (<const char *>record.held[i].identity)[:16]
            for at in range(<int>len(entries)):
                cap = entries[at][0]
                if cap.identity == identity:
                    entries[at] = (cap, record.held[i].amount, settled)
        return 0

    cdef int _close(self, const fgw_record_close *close) except -1:
        cdef list entries = self._opened.pop(key_of(&close.head.id, close.attempt), None)
        cdef Cap cap
        cdef uint64_t amount
        if entries is None:
            return 0
        for entry in entries:
            cap = entry[0]
            if close.fate == FGW_FATE_WORKER_LOST and (entry[2] or not cap.progress):
                amount = entry[1]
            elif cap.unit == FGW_UNIT_COST and close.cost_nano_usd < 0:
                amount = entry[1]  # what has no price is charged as it was held
            else:
                amount = used_of(cap.unit, close)
            if amount:
                cap.used += <int64_t>min(amount, SANE_MAX)
                self._note(cap)
        return 0

    cdef int _grant(self, const fgw_record_grant *grant) except -1:
        cdef Cap cap
        if grant.algorithm != FGW_ALGORITHM_CAP:
            return 0
        cap = self._cap_of(grant.identity)
        if cap is not None:
            cap.used += <int64_t>(grant.after - grant.before)
            self._note(cap)
        return 0


cdef inline bytes key_of(const fgw_request_id *id, uint8_t attempt):
    cdef char raw[KEY_BYTES]
    memcpy(raw, id, sizeof(fgw_request_id))
    raw[<int>sizeof(fgw_request_id)] = <char>attempt
    return PyBytes_FromStringAndSize(raw, KEY_BYTES)


cdef uint64_t used_of(uint8_t unit, const fgw_record_close *close) noexcept:
    """What an attempt has used, as its worker settles it (fastgw/usage/account.pyx)."""
    cdef const fgw_tokens *tokens = &close.tokens
    cdef fgw_units units
    fgw_close_units(close, &units)
    cdef uint64_t input = (tokens.input + tokens.cached_input + tokens.cache_write
                           + tokens.cache_write_1h + tokens.audio_input + units.image_input)
    cdef uint64_t output = (tokens.output + tokens.reasoning + tokens.audio_output
                            + units.image_output)
    if unit == FGW_UNIT_REQUESTS:
        # Refused before any provider was asked: such a request has cost nothing.
        asked = (close.head.flags & FGW_CLOSE_ASKED
                 or close.fate != FGW_FATE_FAILED_BEFORE_FIRST_BYTE)
        return 1 if close.final and asked else 0
    if unit == FGW_UNIT_INPUT_TOKENS:
        return input
    if unit == FGW_UNIT_OUTPUT_TOKENS:
        return output
    if unit == FGW_UNIT_TOKENS:
        return input + output
    if unit == FGW_UNIT_COST and close.cost_nano_usd > 0:
        return (<uint64_t>close.cost_nano_usd + 999) // 1000  # as csrc/fgw_price.h rounds
    return 0
