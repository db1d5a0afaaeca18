# The record that travels: one request and its response, through all phases.
#
# It is data. Phases read what earlier ones wrote and write their own part; nothing here decides.
# Slices are offsets into `bytes`, the connection's buffer, which may move while a body is read.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from fastgw.native.counters cimport fgw_counters
from fastgw.native.dialect cimport fgw_ask, fgw_edits, fgw_route
from fastgw.native.dialect_meter cimport fgw_meter
from fastgw.native.hold cimport fgw_hold
from fastgw.native.json cimport fgw_json_names
from fastgw.native.http1 cimport fgw_head, fgw_http1_limits, fgw_lines
from fastgw.native.policy cimport fgw_amounts, fgw_effects
from fastgw.native.price cimport fgw_price
from fastgw.native.record cimport fgw_dims, fgw_limit_trace, fgw_request_id
from fastgw.wire.link cimport Link, Scratch


cpdef enum Phase:
    HEAD = 0
    DIALECT = 1
    AUTHENTICATE = 2
    BODY = 3
    IDENTIFY = 4
    POLICY = 5
    ROUTE = 6
    LIMIT = 7
    UPSTREAM = 8
    STREAM = 9
    USAGE = 10
    SETTLE = 11
    EXPLAIN = 12


cdef class Client(Link):
    # A client's connection, as the journey knows it. The listener implements it.
    cdef:
        bint close_after             # the current exchange is the connection's last one
        uint8_t address[16]          # IPv6, or IPv4 mapped
        bytes address_text
        bytes credential             # the last that was found good on this connection,
        object principal             # whose it is,
        object key_table             # and by which table (identity.keys.KeyTable)

    # The exchange is settled: on to the next request, or close.
    cdef int finished(self, Exchange x, bint keep_alive) except -1
    # A refusal is about to be written: decides close_after.
    cdef int will_refuse(self, Exchange x) except -1
    # The peer is not there any more: close. The request itself stays, but for its body.
    cdef int leave(self, Exchange x) except -1
    # A refusal was sent, perhaps before the body was read.
    cdef int refused(self, Exchange x) except -1


cdef class Receiver:
    # Who has the exchanges in hand: the journey. Connections on both sides tell it what happens.
    cdef:
        Scratch scratch              # where idle connections receive
        fgw_counters *counters       # of this worker
        fgw_http1_limits head_limits
        fgw_lines lines              # of heads, read before: on both sides of the gateway
        fgw_json_names members       # names of those of requests and answers, read before
        uint64_t body_max            # bytes
        bint half_close              # a client's FIN behind a request is no farewell
        readonly bint draining       # from now on every answer closes its connection
        uint64_t now_ns              # CLOCK_BOOTTIME as last looked at: at most 100 ms old
        uint64_t skipped_ns          # of a rehearsal: now_ns is so far ahead of the clock
        uint64_t wall_offset_ns      # CLOCK_REALTIME minus CLOCK_BOOTTIME, 100 ms old at most

    # Look at the clock: where a duration is measured. Time-outs take now_ns as it is.
    cdef uint64_t look(self) noexcept

    # The client's connection.
    cdef Exchange take_exchange(self, Client client, uint64_t now_ns)
    cdef int give_back(self, Exchange x) except -1
    cdef int refuse_head(self, Exchange x) except -1
    cdef int arrive(self, Exchange x) except -1
    cdef int decide(self, Exchange x) except -1
    cdef int refuse(self, Exchange x, int code) except -1
    cdef int client_gone(self, Exchange x) except -1
    cdef int client_blocked(self, Exchange x) except -1
    cdef int client_writable(self, Exchange x) except -1

    # The provider's connection.
    cdef int on_connected(self, Exchange x) except -1
    cdef int on_connect_failed(self, Exchange x, int code, object why) except -1
    cdef int on_head(self, Exchange x, fgw_head *head, const uint8_t *bytes) except -1
    cdef int on_body(self, Exchange x, const uint8_t *bytes, size_t length) except -1
    cdef int on_raw(self, Exchange x, const uint8_t *raw, size_t plain_to, bint ends) except -1
    cdef int on_flush(self, Exchange x) except -1
    # An event would bring what is delivered to `count` output tokens, beyond x.edge_output. 1: the
    # edge was moved, let it pass; 0: it must not.
    cdef int on_edge(self, Exchange x, uint64_t count) except -1
    # So it did not: the answer ends here.
    cdef int on_cut(self, Exchange x) except -1
    # Events wait until it is known what they are part of: look after it.
    cdef int on_held(self, Exchange x) except -1
    cdef int on_end(self, Exchange x) except -1
    cdef int on_lost(self, Exchange x, int code, object why) except -1
    cdef int on_wait(self, Exchange x, Link connection, uint64_t now_ns) except -1

    # Both.
    cdef int arm(self, Link link, uint64_t deadline_ns) except -1
    cdef int disarm(self, Link link) except -1
    cdef int failed(self, Exchange x, object exception) except -1
    cdef int report(self, object exception) except -1


cdef class Said:
    # What rules have to say beyond the verdict; only exchanges of which some rule says more.
    cdef:
        bytes to_provider            # lines of fields that rules added to the request, or None
        bytes to_client              # … and to the answer
        bytes kept                   # facts that nobody can fill in again (Policy.remember)
        bytes asked                  # the same as the request left them, for a further attempt
        list late_rules              # of the response phase, for the decision record
        uint16_t logs[8]             # FGW_LISTED_MAX: as effects have them, both phases
        int n_logs
        # What `detect` has found so far, in request and answer
        uint32_t found               # kinds, a bit each
        uint64_t finds
        bint redacted                # some were replaced,
        bint acted                   # or denied: an enforced action has found them


cdef class Exchange:
    cdef:
        fgw_request_id id
        uint8_t id_text[48]
        size_t id_length
        uint64_t began_ns            # CLOCK_BOOTTIME, first byte of the head
        uint64_t wall_ns             # CLOCK_REALTIME, the same instant
        uint64_t decided_ns          # end of LIMIT
        uint64_t sent_ns             # request handed to the upstream
        uint64_t first_byte_ns       # first byte of the answer
        Phase phase

        # wire: the request
        Client client
        uint8_t *bytes               # the connection's buffer: head, then the body
        fgw_head head
        size_t body_at
        size_t body_length
        bytes screened               # the body with labels for what must not leave, or None

        # identity
        fgw_route route
        size_t path_at               # in `bytes`: the path without /providers/{id}
        size_t path_length
        size_t pinned_at             # the provider id of such a path
        size_t pinned_length
        object principal             # identity.keys.Principal
        fgw_ask ask
        uint64_t input_guess         # tokens, by bytes alone; without pictures
        uint64_t input_estimate      # tokens, with what was learned of the model
        uint64_t input_bound
        uint64_t input_saved         # of it: what this attempt's own tokenizer makes less
        uint64_t input_counted       # tokens of this attempt, as counted where nobody tells them,
        uint8_t input_basis          # and how (enum fgw_basis; 0: they are not)
        uint64_t output_bound        # tokens, all answers together
        uint64_t output_expected
        uint64_t output_max          # output limit in force, tokens an answer; 0: none
        bint limit_written           # the gateway puts output_max into the request
        uint64_t client_request_id   # name hash of the client's own x-request-id
        const uint8_t *client_id     # it itself, in a refusal; only if it can go into a head
        uint32_t client_id_length

        # policy and limits
        fgw_effects effects
        fgw_amounts expected
        fgw_amounts ceiling          # beyond it lies overrun
        bint bounded                 # a ceiling of tokens is known
        bint fitted                  # output_max is what a cap had left
        bint unbounded               # nothing bounds the input, but a cap lets it pass
        fgw_amounts earlier          # what attempts that were retried away have used
        fgw_limit_trace traces[8]
        uint8_t n_traces
        fgw_hold *hold
        bint parked                  # waits for a slice of a limit of the fleet
        uint64_t parked_until_ns

        # the queue for a slot (limit.queue)
        Exchange queue_next
        Exchange queue_before
        fgw_hold *place              # in the queue: all that a waiting request holds
        bint waits
        uint64_t waits_key           # the bucket that it waits for
        uint64_t waits_since_ns      # 0: it never waited
        uint64_t waits_until_ns
        uint64_t wanted_max          # output_max, output_bound, output_expected and limit_written
        uint64_t wanted_bound        # as they were before LIMIT
        uint64_t wanted_expected
        bint wanted_written
        Said said                    # or None
        bytes reason                 # in place of the catalogue's title, or None
        uint64_t reason_hash         # name hash of what the record tells of it, or 0

        # upstream
        object path                  # upstream.route.Route
        object candidate             # upstream.route.Candidate of this attempt
        const fgw_price *price       # of the model as this attempt asks for it; NULL: unknown
        uint64_t passed              # candidates tried, or not this key's: a bit each
        object provider_key          # upstream.provider.ProviderKey
        object connection            # upstream.connection.Connection of this attempt
        fgw_dims dims
        fgw_edits edits
        uint64_t model_hash          # name hash of the model as asked, 0: none
        uint16_t split_model         # "provider/model": where the model begins in ask.model
        int attempt
        bint attempt_open            # an OPEN without its CLOSE
        int room                     # what the journal set aside
        uint64_t sent_bytes          # of the request's body, in this attempt
        bint asked                   # bytes went to the provider in this attempt
        bint fresh                   # its connection must be a new one
        uint64_t attempt_wall_ns
        uint16_t upstream_status

        # stream and usage
        fgw_meter meter
        object relay                 # stream.relay.Relay
        uint64_t edge_output         # output tokens that what is held pays for; UINT64_MAX: no cap
        uint64_t output_delivered    # of a capped stream: output tokens that have passed, counted
        uint64_t output_certain      # the part of them that its provider is sure to count, too
        bint metered                 # a meter reads the answer
        bint generates               # the operation costs tokens
        bytes provider_line          # "x-fastgw-provider: …\r\n" and the model's, once routed
        bytes model_line
        bytes rule_line              # the rule that shaped the request
        bint head_sent               # a byte of the answer went to the client
        bint answered                # the whole answer was handed to the client
        uint64_t body_sent

        Exchange spare_next          # of those that wait to be used again
        # the end
        int place_running            # in Journey.running
        bint live                    # between the head's first byte and the end of SETTLE
        bint refused
        bint client_gone
        bint drains                  # its answer is read on without the client (fastgw.leaving)
        bint streams                 # its answer counts as an open stream
        bint unsent                  # the client was gone when bytes were sent to it
        bint whole                   # the provider's answer was read to its end
        uint64_t drain_until_ns
        uint64_t drain_edge          # output tokens as they are read
        uint64_t drain_bytes         # of a whole answer, that may still be read
        uint16_t status              # what the client got
        uint16_t code                # FGW code, 0: none

    cdef void reset(self) noexcept


cdef inline const uint8_t *body_of(Exchange x) noexcept:
    # The request's body as the provider gets it, edits apart: x.body_length bytes.
    return <const uint8_t *>x.screened if x.screened is not None else x.bytes + x.body_at
