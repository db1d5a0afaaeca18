"""The record that travels, and who hears of its upstream connection."""

cimport cython
from libc.stdint cimport UINT64_MAX
from libc.string cimport memset

from fastgw.native.clock cimport fgw_clock_now_ns


ABSTRACT = "the listener implements a Client, the journey a Receiver"


cdef class Client(Link):
    """A client's connection; the listener implements it."""

    cdef int finished(self, Exchange x, bint keep_alive) except -1:
        raise TypeError(ABSTRACT)

    cdef int will_refuse(self, Exchange x) except -1:
        raise TypeError(ABSTRACT)

    cdef int leave(self, Exchange x) except -1:
        raise TypeError(ABSTRACT)

    cdef int refused(self, Exchange x) except -1:
        raise TypeError(ABSTRACT)


cdef class Receiver:
    """What both connections of an exchange call; the journey implements it."""

    cdef uint64_t look(self) noexcept:
        self.now_ns = fgw_clock_now_ns() + self.skipped_ns
        return self.now_ns

    def skip(self, uint64_t ns):
        """From now on the clock of limits and time-outs is ``ns`` further on: for rehearsals."""
        self.skipped_ns += ns
        self.look()

    cdef Exchange take_exchange(self, Client client, uint64_t now_ns):
        raise TypeError(ABSTRACT)

    cdef int give_back(self, Exchange x) except -1:
        raise TypeError(ABSTRACT)

    cdef int refuse_head(self, Exchange x) except -1:
        raise TypeError(ABSTRACT)

    cdef int arrive(self, Exchange x) except -1:
        raise TypeError(ABSTRACT)

    cdef int decide(self, Exchange x) except -1:
        raise TypeError(ABSTRACT)

    cdef int refuse(self, Exchange x, int code) except -1:
        raise TypeError(ABSTRACT)

    cdef int client_gone(self, Exchange x) except -1:
        raise TypeError(ABSTRACT)

    cdef int client_blocked(self, Exchange x) except -1:
        raise TypeError(ABSTRACT)

    cdef int client_writable(self, Exchange x) except -1:
        raise TypeError(ABSTRACT)

    cdef int on_connected(self, Exchange x) except -1:
        raise TypeError(ABSTRACT)

    cdef int on_connect_failed(self, Exchange x, int code, object why) except -1:
        raise TypeError(ABSTRACT)

    cdef int on_head(self, Exchange x, fgw_head *head, const uint8_t *bytes) except -1:
        raise TypeError(ABSTRACT)

    cdef int on_body(self, Exchange x, const uint8_t *bytes, size_t length) except -1:
        raise TypeError(ABSTRACT)

    cdef int on_raw(self, Exchange x, const uint8_t *raw, size_t plain_to, bint ends) except -1:
        raise TypeError(ABSTRACT)

    cdef int on_flush(self, Exchange x) except -1:
        raise TypeError(ABSTRACT)

    cdef int on_edge(self, Exchange x, uint64_t count) except -1:
        raise TypeError(ABSTRACT)

    cdef int on_cut(self, Exchange x) except -1:
        raise TypeError(ABSTRACT)

    cdef int on_end(self, Exchange x) except -1:
        raise TypeError(ABSTRACT)

    cdef int on_lost(self, Exchange x, int code, object why) except -1:
        raise TypeError(ABSTRACT)

    cdef int on_wait(self, Exchange x, Link connection, uint64_t now_ns) except -1:
        raise TypeError(ABSTRACT)

    cdef int on_held(self, Exchange x) except -1:
        raise TypeError(ABSTRACT)

    cdef int arm(self, Link link, uint64_t deadline_ns) except -1:
        raise TypeError(ABSTRACT)

    cdef int disarm(self, Link link) except -1:
        raise TypeError(ABSTRACT)

    cdef int failed(self, Exchange x, object exception) except -1:
        raise TypeError(ABSTRACT)

    cdef int report(self, object exception) except -1:
        raise TypeError(ABSTRACT)


@cython.final
cdef class Said:
    """What rules have to say of an exchange beyond the verdict."""


@cython.final
cdef class Exchange:
    """One request and its response. A worker keeps a few to reuse: ``reset`` makes one as new."""

    cdef void reset(self) noexcept:
        """Clear what a phase may read before it is written; large parts are left as they are."""
        memset(&self.id, 0, sizeof(self.id))
        memset(&self.dims, 0, sizeof(self.dims))
        memset(&self.route, 0, sizeof(self.route))
        self.id_length = 0
        self.decided_ns = self.sent_ns = self.first_byte_ns = 0
        self.phase = HEAD
        self.body_at = self.body_length = 0
        self.path_at = self.path_length = self.pinned_at = self.pinned_length = 0
        self.principal = None
        self.ask.model_bytes = self.ask.user_bytes = 0
        self.ask.flags = self.ask.tier = 0
        self.ask.tiers = 1  # the standard one alone, until a body says more
        self.input_guess = self.input_estimate = self.input_bound = self.output_bound = 0
        self.limit_written = self.fitted = self.bounded = self.unbounded = False
        memset(&self.earlier, 0, sizeof(self.earlier))
        self.price = NULL
        self.output_expected = self.output_max = self.input_saved = 0
        self.client_request_id = 0
        self.client_id_length = 0
        self.effects.n_rules = self.effects.n_demands = 0
        self.effects.rules_total = 0
        self.effects.denied = 0
        self.effects.rule = self.effects.output_rule = 0
        self.effects.status = self.effects.code = self.effects.message = 0
        self.effects.output_max = 0
        self.effects.route = self.effects.shadows = 0
        self.effects.n_logs = self.effects.n_removed = self.effects.spoken = 0
        self.effects.detects = 0
        self.effects.drain = NULL
        self.n_traces = 0
        self.hold = NULL
        self.parked = False
        self.parked_until_ns = 0
        self.waits = False
        self.waits_since_ns = 0
        self.reason = self.screened = self.said = None
        self.reason_hash = 0
        self.path = self.candidate = self.provider_key = self.connection = None
        self.edits.count = 0
        self.edits.hide_usage = 0
        self.edits.length_change = 0
        self.attempt = 0
        self.attempt_open = False
        self.room = self.sent_bytes = 0
        self.asked = False
        self.fresh = False
        self.passed = 0
        self.attempt_wall_ns = 0
        self.upstream_status = 0
        self.metered = self.generates = False
        self.edge_output = UINT64_MAX
        self.output_delivered = self.output_certain = 0
        self.provider_line = self.model_line = self.rule_line = None
        self.head_sent = self.answered = False
        self.body_sent = 0
        self.refused = self.client_gone = self.unsent = self.streams = False
        self.drains = self.whole = False
        self.status = self.code = 0
