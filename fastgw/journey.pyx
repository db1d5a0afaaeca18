"""The journey of a request: every phase, in order, and nothing else.

    HEAD DIALECT AUTHENTICATE BODY IDENTIFY POLICY ROUTE LIMIT | UPSTREAM STREAM USAGE SETTLE

``arrive`` goes from DIALECT to BODY, ``decide`` from IDENTIFY to the request's first byte to the
provider; both run to completion inside one callback. Then the upstream connection calls: ``on_head``
and ``on_body`` are STREAM, ``_settle`` is USAGE and SETTLE. Each phase is a room's function; here is
only what happens next.
"""

import orjson

cimport cython
from libc.string cimport memcmp, memcpy, memset

from fastgw.codes cimport (
    CODE_CLIENT_GONE,
    CODE_CONNECTIONS_FULL,
    CODE_CUT_BY_DRAIN,
    CODE_DENIED,
    CODE_INTERNAL,
    CODE_KEY_SCOPE,
    CODE_LEDGER_FULL,
    CODE_MODEL_UNKNOWN,
    CODE_NO_CANDIDATE,
    CODE_PROVIDER_UNKNOWN,
    CODE_UPSTREAM_CONNECT,
    CODE_UPSTREAM_CUT,
    CODE_UPSTREAM_MALFORMED,
    CODE_UPSTREAM_TIMEOUT_CONNECT,
    CODE_UPSTREAM_TIMEOUT_FIRST_BYTE,
    CODE_UPSTREAM_TIMEOUT_IDLE,
    CODE_UPSTREAM_TIMEOUT_TOTAL,
)
from fastgw.exchange cimport (
    AUTHENTICATE,
    BODY,
    DIALECT,
    HEAD,
    IDENTIFY,
    LIMIT,
    POLICY,
    ROUTE,
    SETTLE,
    STREAM,
    UPSTREAM,
)
from fastgw.identity.identify cimport authenticate, field, find_route, identify
from fastgw.identity.keys cimport Principal
from fastgw.ledger.entries cimport fill_close, post_open, post_refusal, post_request
from fastgw.ledger.journal cimport JOURNAL_DROPPED, JOURNAL_FULL
from fastgw.limit.verdict cimport limit_code
from fastgw.native.clock cimport fgw_clock_now_ns, fgw_clock_wall_ns
from fastgw.native.counters cimport (
    FGW_COUNT_ALLOWED,
    FGW_COUNT_ATTEMPTS,
    FGW_COUNT_CLIENT_ABORTS,
    FGW_COUNT_DENIED,
    FGW_COUNT_EVENTS,
    FGW_COUNT_EXCEPTIONS,
    FGW_COUNT_FATE,
    FGW_COUNT_HOLDS_FULL,
    FGW_COUNT_PAUSES_UPSTREAM,
    FGW_COUNT_REQUESTS,
    FGW_COUNT_RETRIES,
    FGW_COUNT_STATUS_1XX,
    FGW_COUNT_TIMEOUTS,
    FGW_COUNT_TOKENS,
    FGW_COUNT_UPSTREAM_CONNECTS,
    FGW_COUNT_UPSTREAM_REUSED,
    FGW_GAUGE_REQUESTS,
    FGW_HISTOGRAM_FIRST_BYTE,
    FGW_HISTOGRAM_OVERHEAD,
    FGW_HISTOGRAM_REFUSAL,
    FGW_HISTOGRAM_TOTAL,
    fgw_count,
    fgw_count_code,
    fgw_count_time,
)
from fastgw.native.dialect cimport (
    FGW_ROUTE_METERED,
    FGW_SLICES_MAX,
    FGW_OPERATION_COUNT_TOKENS,
    fgw_edits_plan,
    fgw_edits_slices,
    fgw_slice,
    fgw_want,
)
from fastgw.native.dialect_meter cimport FGW_EVENT_DONE, FGW_EVENT_FINISH, fgw_meter_init
from fastgw.native.hold cimport (
    fgw_hold_closed,
    fgw_hold_closing,
    fgw_hold_first_byte,
    fgw_hold_open,
    fgw_hold_sent,
)
from fastgw.native.http1 cimport (
    FGW_FRAMING_CHUNKED,
    FGW_FRAMING_LENGTH,
    FGW_FRAMING_NONE,
    FGW_H_X_REQUEST_ID,
    FGW_M_HEAD,
)
from fastgw.native.policy cimport fgw_amounts
from fastgw.native.record cimport (
    FGW_FATE_CUT_BY_CLIENT,
    FGW_FATE_DELIVERED,
    FGW_FATE_FAILED_BEFORE_FIRST_BYTE,
    FGW_FATE_FAILED_IN_STREAM,
    FGW_FATE_RETRIED_AWAY,
    FGW_NAME_LABEL,
    FGW_NAME_MODEL,
    FGW_NAME_USER,
    FGW_UNIT_INPUT_TOKENS,
    FGW_UNIT_OUTPUT_TOKENS,
    FGW_UNIT_REQUESTS,
    FGW_UNIT_TOKENS,
)
from fastgw.native.wheel cimport (
    fgw_timer,
    fgw_wheel_advance,
    fgw_wheel_arm,
    fgw_wheel_disarm,
    fgw_wheel_init,
    fgw_wheel_pop,
)
from fastgw.policy.policy cimport PrincipalPart
from fastgw.stream.answer cimport write_answer_head
from fastgw.stream.batch cimport BATCH_HEAD_BYTES
from fastgw.stream.media cimport coding_of, is_event_stream
from fastgw.stream.relay cimport (
    FRAMING_CHUNKED,
    FRAMING_CLOSE,
    FRAMING_LENGTH,
    FRAMING_NONE,
    Framing,
    Relay,
)
from fastgw.upstream.provider cimport Provider, ProviderKey
from fastgw.upstream.request cimport write_head, write_id
from fastgw.usage.account cimport account, amounts
from fastgw.wire.link cimport SENT_CLOSED, SENT_QUEUED, iovec
from fastgw.listener.downstream cimport Downstream

cdef enum:
    SPARE_MAX = 256          # exchanges kept for the next requests
    RETRY_CREDIT_MAX = 10    # retries that a burst of failures may use at once


@cython.final
cdef class Journey(Receiver):
    """All phases of one worker's requests. ``fastgw.listener.build`` puts it together."""

    def __cinit__(self):
        self.spare = []
        self.running = set()
        self.retry_credit = RETRY_CREDIT_MAX

    # ------------------------------------------------------------------ exchanges and time

    cdef Exchange take_exchange(self, Link client, uint64_t now_ns):
        cdef Exchange x
        if self.spare:
            x = <Exchange>self.spare.pop()
        else:
            x = Exchange()
            x.relay = Relay(self.batch)
        x.reset()
        x.client = client
        x.began_ns = now_ns
        x.wall_ns = fgw_clock_wall_ns()
        return x

    cdef int give_back(self, Exchange x) except -1:
        x.client = None
        x.connection = None
        if len(self.spare) < SPARE_MAX:
            self.spare.append(x)
        return 0

    cdef int arm(self, Link link, uint64_t deadline_ns) except -1:
        fgw_wheel_arm(&self.wheel, &link.timer, deadline_ns)
        return 0

    cdef int disarm(self, Link link) except -1:
        fgw_wheel_disarm(&self.wheel, &link.timer)
        return 0

    def tick(self):
        """Every 100 ms: time-outs, counts of refusals."""
        cdef uint64_t now = fgw_clock_now_ns()
        cdef fgw_timer *timer
        fgw_wheel_advance(&self.wheel, now)
        while True:
            timer = fgw_wheel_pop(&self.wheel)
            if timer == NULL:
                break
            (<Link>timer.owner).on_timer(now)
        self.journal.flush(now)

    # ------------------------------------------------------------------ HEAD to BODY

    cdef int arrive(self, Exchange x) except -1:
        """The head is whole. Returns 1 where the request was answered without its body."""
        cdef int code
        self._begin(x)
        if x.head.path.len > 8 and memcmp(x.bytes + x.head.path.off, b"/fastgw/", 8) == 0:
            return self._own(x)
        x.phase = DIALECT
        code = find_route(x)
        if code == 0:
            x.phase = AUTHENTICATE
            code = authenticate(x, self.keys)
        if code:
            self.refuse(x, code)
            return 1
        x.phase = BODY
        return 0

    cdef int _begin(self, Exchange x) except -1:
        self.journal.next_id(&x.id)
        x.id_length = write_id(x, x.id_text)
        x.live = True
        self.active += 1
        self.running.add(x)
        fgw_count(self.counters, FGW_COUNT_REQUESTS, 1)
        fgw_count(self.counters, FGW_GAUGE_REQUESTS, 1)
        return 0

    cdef int refuse_head(self, Exchange x) except -1:
        """Phase HEAD: the bytes are no request."""
        self._begin(x)
        x.status = x.head.status
        return self.refuse(x, self.refusals.head_code(x.head.error, x.head.status))

    cdef int _own(self, Exchange x) except -1:
        """The gateway's own paths: no provider, no record."""
        cdef bytes answer = self.refusals.own(
            x.bytes[x.head.path.off:x.head.path.off + x.head.path.len],
            x.bytes[x.head.method_text.off:x.head.method_text.off + x.head.method_text.len],
            x.id_text[:x.id_length], not x.head.keep_alive,
        )
        x.client.send_bytes(answer, <size_t>len(answer))
        x.refused = True
        self._leave(x)
        (<Downstream>x.client).refused(x)
        return 1

    # ------------------------------------------------------------------ IDENTIFY to LIMIT

    cdef int decide(self, Exchange x) except -1:
        """The request is whole: decide on it, and send it on or refuse it."""
        cdef int code
        if self.draining:
            (<Downstream>x.client).close_after = True
        x.phase = IDENTIFY
        code = identify(x, &self.scan)
        if code == 0:
            x.phase = POLICY
            code = self._policy(x)
        if code == 0:
            x.phase = ROUTE
            code = self._route(x)
        if code == 0:
            x.phase = LIMIT
            code = self._limit(x)
        if code:
            return self.refuse(x, code)
        return self._admit(x)

    cdef int _policy(self, Exchange x) except -1:
        cdef PrincipalPart part = <PrincipalPart>(<Principal>x.principal).part
        self.facts.fill(x, (<Downstream>x.client).address_text)
        self.policy.run(self.facts.values, part, &x.effects)
        self._dims(x)
        if x.effects.denied:
            return x.effects.code or CODE_DENIED
        x.output_max = <uint64_t>x.ask.output_limit if x.ask.output_limit > 0 else 0
        if x.effects.output_max > 0:
            if x.output_max == 0 or <uint64_t>x.effects.output_max < x.output_max:
                x.output_max = <uint64_t>x.effects.output_max
                x.output_bound = x.output_max * x.ask.n
                x.rule_line = self.refusals.rule_line(x.effects.output_rule)
            if x.output_expected > x.output_bound:
                x.output_expected = x.output_bound
        return 0

    cdef int _dims(self, Exchange x) except -1:
        """What usage is summed by, as hashes; each name is posted once."""
        cdef uint8_t text[64]
        cdef const uint8_t *value = NULL
        cdef uint32_t i, length
        x.dims.account = (<Principal>x.principal).account_hash
        x.dims.dialect = x.route.dialect
        x.dims.operation = x.route.operation
        x.dims.stream = x.ask.flags & 1
        x.dims.model = self.journal.name(
            FGW_NAME_MODEL, <const uint8_t *>x.ask.model, x.ask.model_bytes
        )
        if x.ask.user_bytes:
            x.dims.user = self.journal.name(
                FGW_NAME_USER, <const uint8_t *>x.ask.user, x.ask.user_bytes
            )
        for i in range(<uint32_t>len(self.policy.labels)):
            length = self.policy.label(i, self.facts.values, text, sizeof(text))
            x.dims.label[i] = self.journal.name(FGW_NAME_LABEL, text, length)
        return 0

    cdef int _route(self, Exchange x) except -1:
        """Reads ask, pinned. Writes path, candidate. Explains 404, 503."""
        cdef Route route = None
        cdef size_t i
        cdef const uint8_t *model = <const uint8_t *>x.ask.model
        cdef PrincipalPart part = <PrincipalPart>(<Principal>x.principal).part
        cdef Candidate candidate
        x.split_model = 0
        if x.pinned_length:
            route = self.routes.pinned(x.bytes + x.pinned_at, x.pinned_length)
            if route is None:
                return CODE_PROVIDER_UNKNOWN
        elif x.ask.model_bytes:
            route = self.routes.find(model, x.ask.model_bytes)
            if route is None:
                for i in range(x.ask.model_bytes):
                    if model[i] == c"/":
                        route = self.routes.pinned(model, i)
                        if route is not None:
                            x.split_model = <uint16_t>(i + 1)
                        break
            if route is None:
                route = self.routes.default(x.route.dialect)
                if route is None and self.routes.strict:
                    return CODE_MODEL_UNKNOWN
        else:
            route = self.routes.any_of(x.route.dialect)
        if route is None:
            return CODE_NO_CANDIDATE
        candidate = route.first(x.route.dialect)
        if candidate is None:
            return CODE_NO_CANDIDATE
        if part is not None and not part.allows_provider(
            candidate.provider.id_text, <uint32_t>len(candidate.provider.id_text)
        ):
            return CODE_KEY_SCOPE
        x.path = route
        x.candidate = candidate
        return 0

    cdef int _limit(self, Exchange x) except -1:
        """Reads effects.demands. Writes hold, traces. Explains 429, 503."""
        cdef uint32_t inserted = 0
        cdef int refused
        cdef uint64_t now = fgw_clock_now_ns()
        x.decided_ns = now
        x.hold = self.limits.hold_acquire(&x.id, x.wall_ns)
        if x.hold == NULL:
            fgw_count(self.counters, FGW_COUNT_HOLDS_FULL, 1)
            return CODE_CONNECTIONS_FULL
        memset(&x.expected, 0, sizeof(x.expected))
        x.expected.by_unit[<int>FGW_UNIT_REQUESTS] = 1
        x.expected.by_unit[<int>FGW_UNIT_INPUT_TOKENS] = x.input_estimate
        x.expected.by_unit[<int>FGW_UNIT_OUTPUT_TOKENS] = x.output_expected
        x.expected.by_unit[<int>FGW_UNIT_TOKENS] = x.input_estimate + x.output_expected
        refused = self.limits.take(
            &x.effects, &x.expected, now, x.hold, x.traces, &inserted
        )
        x.n_traces = x.effects.n_demands
        if inserted:
            self._name_buckets(x, inserted)
        if refused:
            return limit_code(x)
        return 0

    cdef int _name_buckets(self, Exchange x, uint32_t inserted) except -1:
        """Once in a bucket's life: tell people what its word stands for."""
        cdef int i
        cdef bytes text, key
        for i in range(x.effects.n_demands):
            if not inserted >> i & 1:
                continue
            key = x.effects.key_text[
                x.effects.demands[i].text_offset:
                x.effects.demands[i].text_offset + x.effects.demands[i].text_length
            ]
            text = self.refusals.bucket_name(
                x.effects.demands[i].limit, key, x.effects.demands[i].enforced
            )
            self.journal.name_bucket(x.traces[i].identity, text, <size_t>len(text))
        return 0

    cdef int _admit(self, Exchange x) except -1:
        """Record the admission (law: before anything is spent), then make the first attempt."""
        cdef const uint8_t *value = NULL
        cdef size_t length = field(x, FGW_H_X_REQUEST_ID, &value)
        if length:
            x.client_request_id = self.journal.name_request(&x.id, value, length, False)
        x.room = post_request(
            x, self.journal, self.policy.version_hash, (<Downstream>x.client).address,
            x.decided_ns,
        )
        if x.room == JOURNAL_FULL:
            return self.refuse(x, CODE_LEDGER_FULL)
        fgw_count(self.counters, FGW_COUNT_ALLOWED, 1)
        fgw_count_time(self.counters, FGW_HISTOGRAM_OVERHEAD, x.decided_ns - x.began_ns)
        x.generates = (
            x.route.flags & FGW_ROUTE_METERED
            and x.route.operation != FGW_OPERATION_COUNT_TOKENS
        )
        if self.retry_credit < RETRY_CREDIT_MAX:
            self.retry_credit += self.retry_share
        return self._attempt(x)

    # ------------------------------------------------------------------ UPSTREAM

    cdef int _attempt(self, Exchange x) except -1:
        """Open an attempt at x.candidate: its record first, then a connection."""
        cdef Candidate candidate = <Candidate>x.candidate
        cdef Provider provider = candidate.provider
        cdef ProviderKey key = provider.choose_key()
        cdef Connection connection
        cdef fgw_want want
        cdef int opened
        x.phase = UPSTREAM
        x.attempt += 1
        x.provider_key = key
        x.asked = False
        x.sent_bytes = 0
        x.upstream_status = 0
        x.first_byte_ns = 0
        x.metered = False
        x.dims.provider = provider.name_hash
        x.provider_line = provider.answer_line
        x.model_line = candidate.answer_line
        memset(&want, 0, sizeof(want))
        want.include_usage = 1
        if x.effects.output_max > 0:
            want.output_limit = <int64_t>x.output_max
        x.dims.upstream_model = x.dims.model
        if candidate.model:
            want.model = candidate.model
            want.model_bytes = <uint16_t>len(candidate.model)
            x.dims.upstream_model = candidate.model_hash
        elif x.split_model:
            want.model = x.ask.model + x.split_model
            want.model_bytes = x.ask.model_bytes - x.split_model
            x.dims.upstream_model = self.journal.name(
                FGW_NAME_MODEL, <const uint8_t *>want.model, want.model_bytes
            )
        if x.body_length and x.ask.body_bytes:
            fgw_edits_plan(&x.edits, &x.ask, &want)
        x.attempt_wall_ns = fgw_clock_wall_ns() if x.attempt > 1 else x.wall_ns
        opened = post_open(x, self.journal, key.name_hash if key is not None else 0, x.room)
        if opened == JOURNAL_FULL:
            x.attempt -= 1
            return self._give_up(x, CODE_LEDGER_FULL)
        x.room = opened
        x.attempt_open = True
        x.hold.dims = x.dims
        x.hold.input_high = x.input_bound
        x.hold.output_high = x.output_bound
        x.hold.input_estimate = x.input_estimate
        fgw_hold_open(x.hold, <uint8_t>x.attempt, x.attempt_wall_ns)
        fgw_count(self.counters, FGW_COUNT_ATTEMPTS, 1)
        while provider.idle:
            connection = <Connection>provider.idle.pop()
            if connection.is_open:
                fgw_count(self.counters, FGW_COUNT_UPSTREAM_REUSED, 1)
                x.connection = connection
                return self._send(x)
        fgw_count(self.counters, FGW_COUNT_UPSTREAM_CONNECTS, 1)
        connection = Connection(provider, self, x, self.scratch)
        x.connection = connection
        connection.connect(self.loop)
        return self.arm(connection, fgw_clock_now_ns() + provider.connect_ns)

    cdef int _send(self, Exchange x) except -1:
        """Write the request anew and send it on x.connection."""
        cdef Connection connection = <Connection>x.connection
        cdef fgw_slice slices[16]
        cdef iovec pieces[17]
        cdef int count = 0, i
        cdef uint64_t body = x.body_length
        cdef Py_ssize_t length
        if body:
            if x.edits.count:
                count = fgw_edits_slices(&x.edits, x.bytes + x.body_at, x.body_length, slices)
                body = <uint64_t>(<int64_t>body + x.edits.length_change)
            else:
                slices[0].bytes = x.bytes + x.body_at
                slices[0].length = x.body_length
                count = 1
        length = write_head(x, self.batch.head, BATCH_HEAD_BYTES, body)
        if length < 0:
            connection.discard()
            return self._give_up(x, CODE_INTERNAL)
        pieces[0].iov_base = self.batch.head
        pieces[0].iov_len = <size_t>length
        for i in range(count):
            pieces[i + 1].iov_base = <void *>slices[i].bytes
            pieces[i + 1].iov_len = slices[i].length
        x.asked = True
        x.sent_bytes = body
        fgw_hold_sent(x.hold, body)
        x.sent_ns = x.decided_ns
        if connection.begin(x, pieces, count + 1) == SENT_CLOSED:
            return self.on_lost(x, CODE_UPSTREAM_CUT, None)
        return self.arm(
            connection, connection.activity_ns + connection.provider.first_byte_ns
        )

    cdef int on_connected(self, Exchange x) except -1:
        return self._send(x)

    cdef int on_connect_failed(self, Exchange x, int code, object why) except -1:
        x.connection = None
        return self._again(x, code, (<Candidate>x.candidate).provider.retry_connect)

    cdef int on_lost(self, Exchange x, int code, object why) except -1:
        """The connection broke, or what came on it was no HTTP."""
        cdef Connection connection = <Connection>x.connection
        cdef bint stale = connection is not None and connection.reused and not connection.answered
        x.connection = None
        if connection is not None:
            self.disarm(connection)
        if x.head_sent:
            return self._break(x, code)
        return self._again(x, code, stale)

    cdef int _again(self, Exchange x, int code, bint same) except -1:
        """Before the first byte to the client: another attempt, or the end.

        ``same``: the candidate itself may be asked again (it was never reached, or an idle
        connection had just been closed by it).
        """
        cdef Candidate failed = <Candidate>x.candidate
        cdef Candidate candidate = None
        cdef fgw_record_close close
        if x.attempt <= failed.provider.retries_max and self.retry_credit >= 1 and not x.client_gone:
            candidate = (<Route>x.path).after(x.route.dialect, x.attempt)
            if candidate is None or candidate is failed:
                candidate = failed if same else None
        if candidate is None:
            return self._give_up(x, code)
        self.retry_credit -= 1
        fgw_count(self.counters, FGW_COUNT_RETRIES, 1)
        x.code = <uint16_t>code
        self._close_attempt(x, FGW_FATE_RETRIED_AWAY, False, &close)
        x.code = 0
        x.room = JOURNAL_DROPPED
        x.candidate = candidate
        return self._attempt(x)

    cdef int _give_up(self, Exchange x, int code) except -1:
        """No byte went to the client, and none will come from a provider."""
        return self.refuse(x, code)

    # ------------------------------------------------------------------ STREAM

    cdef int on_head(self, Exchange x, fgw_head *head, const uint8_t *bytes) except -1:
        cdef Downstream client = <Downstream>x.client
        cdef Connection connection = <Connection>x.connection
        cdef Provider provider = connection.provider
        cdef Relay relay = <Relay>x.relay
        cdef Framing framing
        cdef bint events, hide, close
        cdef int coding
        cdef Py_ssize_t length
        x.upstream_status = head.status
        x.first_byte_ns = connection.activity_ns
        fgw_hold_first_byte(x.hold, x.first_byte_ns)
        fgw_count_time(self.counters, FGW_HISTOGRAM_FIRST_BYTE, x.first_byte_ns - x.decided_ns)
        if head.status >= 400 and head.status in provider.retry_statuses and (
            x.attempt <= provider.retries_max
        ) and self.retry_credit >= 1 and self._other(x):
            connection.discard()
            self.disarm(connection)
            x.connection = None
            return self._again(x, CODE_NO_CANDIDATE, False)
        x.phase = STREAM
        x.status = head.status
        events = is_event_stream(head, bytes)
        coding = coding_of(head, bytes)
        hide = x.edits.hide_usage and events and head.status < 300
        x.metered = x.route.flags & FGW_ROUTE_METERED and head.status < 300
        if head.framing == FGW_FRAMING_NONE:
            framing = FRAMING_LENGTH if head.content_length == 0 else FRAMING_NONE
        elif head.framing == FGW_FRAMING_LENGTH and not (hide and events):
            framing = FRAMING_LENGTH
        elif x.head.minor == 1:
            framing = FRAMING_CHUNKED
        else:
            framing = FRAMING_CLOSE
            client.close_after = True
        if x.metered:
            fgw_meter_init(&x.meter, x.route.dialect, x.route.operation, events)
            x.meter.hide_usage = hide
        relay.begin(
            x, framing, head.framing == FGW_FRAMING_CHUNKED, x.metered, hide, coding
        )
        close = client.close_after or self.draining
        client.close_after = close
        length = write_answer_head(
            x, self.texts, head, bytes, self.batch.head, BATCH_HEAD_BYTES, framing, close,
            relay.inflating,
        )
        if length < 0:
            connection.discard()
            self.disarm(connection)
            x.connection = None
            return self._give_up(x, CODE_UPSTREAM_MALFORMED)
        self.batch.push(self.batch.head, <size_t>length)
        x.head_sent = True
        return 0

    cdef bint _other(self, Exchange x):
        """Another candidate could be asked instead."""
        cdef Route route = <Route>x.path
        return len(route.candidates) + len(route.fallback) > x.attempt

    cdef int on_body(self, Exchange x, const uint8_t *bytes, size_t length) except -1:
        return (<Relay>x.relay).body(x, bytes, length)

    cdef int on_raw(self, Exchange x, const uint8_t *raw, size_t plain_to, bint ends) except -1:
        return (<Relay>x.relay).end_of_read(x, raw, plain_to, ends)

    cdef int on_flush(self, Exchange x) except -1:
        cdef int sent
        if not x.head_sent:
            return 0
        sent = (<Relay>x.relay).flush(x)
        if sent == SENT_QUEUED:
            fgw_count(self.counters, FGW_COUNT_PAUSES_UPSTREAM, 1)
            (<Connection>x.connection).pause_read()
        elif sent == SENT_CLOSED:
            self.client_gone(x)
        return 0

    cdef int on_end(self, Exchange x) except -1:
        """The provider's answer is whole."""
        cdef Relay relay = <Relay>x.relay
        cdef Connection connection = <Connection>x.connection
        cdef int sent
        relay.finish(x)
        sent = relay.flush(x)
        self.disarm(connection)
        x.connection = None
        connection.release()
        if sent == SENT_CLOSED:
            return self._settle(x, FGW_FATE_CUT_BY_CLIENT)
        x.answered = True
        if sent == SENT_QUEUED:
            return 0  # delivered is what the client's socket took: client_writable goes on
        return self._settle(x, FGW_FATE_DELIVERED)

    cdef int _break(self, Exchange x, int code) except -1:
        """The answer cannot be finished: a cut must look like a cut (never a clean end)."""
        cdef Relay relay = <Relay>x.relay
        cdef bytes event
        x.code = <uint16_t>code
        if x.metered and relay.at_boundary(x):
            event = self.refusals.stream_error(
                x.route.dialect, x.route.operation, code, x.id_text[:x.id_length]
            )
            self.batch.keep.append(event)
            relay.append(x, event, <size_t>len(event))
        relay.flush(x)
        (<Downstream>x.client).close_after = True
        if relay.framing == FRAMING_CLOSE:
            x.client.abort()  # here a FIN would be a clean end
        return self._settle(x, FGW_FATE_FAILED_IN_STREAM)

    # ------------------------------------------------------------------ the client's side of it

    cdef int client_blocked(self, Exchange x) except -1:
        if x.connection is not None:
            (<Connection>x.connection).pause_read()
        return 0

    cdef int client_writable(self, Exchange x) except -1:
        if x.answered:
            return self._settle(x, FGW_FATE_DELIVERED)
        if x.connection is not None:
            (<Connection>x.connection).resume_read()
        return 0

    cdef int client_gone(self, Exchange x) except -1:
        """``on-abort: cancel``: the provider is cut off at once, what passed is settled."""
        cdef Connection connection = <Connection>x.connection
        cdef int fate = FGW_FATE_CUT_BY_CLIENT
        if not x.live:
            return 0
        x.client_gone = True
        fgw_count(self.counters, FGW_COUNT_CLIENT_ABORTS, 1)
        x.connection = None
        if connection is not None:
            self.disarm(connection)
            connection.discard()
        if x.metered and x.meter.ever & FGW_EVENT_DONE and not x.client.bytes_queued:
            fate = FGW_FATE_DELIVERED  # it had read the last event: FIN after it is no abort
        elif x.code == 0:
            x.code = CODE_CLIENT_GONE
        self.batch.forget()
        x.client.close()
        return self._settle(x, fate)

    cdef int on_sent(self, Exchange x) except -1:
        return 0

    cdef int on_wait(self, Exchange x, Link link, uint64_t now_ns) except -1:
        """The connection's time-out: find out which, and whether it is really over."""
        cdef Connection connection = <Connection>link
        cdef Provider provider = connection.provider
        cdef uint64_t deadline, wait
        cdef int code
        if not connection.is_open:
            deadline, code = 0, CODE_UPSTREAM_TIMEOUT_CONNECT
        elif not connection.answered:
            deadline = connection.activity_ns + provider.first_byte_ns
            code = CODE_UPSTREAM_TIMEOUT_FIRST_BYTE
        else:
            deadline = connection.activity_ns + provider.idle_ns
            code = CODE_UPSTREAM_TIMEOUT_IDLE
            if not connection.reading:
                deadline = now_ns + provider.idle_ns  # it is we who do not read
        if x.began_ns + provider.total_ns < deadline:
            deadline = x.began_ns + provider.total_ns
            code = CODE_UPSTREAM_TIMEOUT_TOTAL
        if deadline > now_ns:
            return self.arm(connection, deadline)
        fgw_count(self.counters, FGW_COUNT_TIMEOUTS, 1)
        connection.discard()
        x.connection = None
        if x.head_sent:
            return self._break(x, code)
        return self._again(x, code, False)

    # ------------------------------------------------------------------ USAGE, SETTLE

    cdef int _close_attempt(
        self, Exchange x, int fate, bint final, fgw_record_close *close
    ) except -1:
        cdef uint64_t *tokens
        cdef int i
        memset(close, 0, sizeof(fgw_record_close))
        x.body_sent = (<Relay>x.relay).sent_bytes if x.head_sent else 0
        fill_close(x, close, fate, final, fgw_clock_now_ns(), fgw_clock_wall_ns())
        account(x, close, x.asked, fate == FGW_FATE_DELIVERED)
        if x.attempt_open:
            x.attempt_open = False
            fgw_hold_closing(x.hold, self.journal.main._ring.head)
            self.journal.close(close, x.room)
            fgw_hold_closed(x.hold)
        fgw_count(self.counters, FGW_COUNT_FATE + fate, 1)
        tokens = <uint64_t *>&close.tokens
        for i in range(8):
            if tokens[i]:
                fgw_count(self.counters, FGW_COUNT_TOKENS + i, tokens[i])
        if x.metered and x.meter.events:
            fgw_count(self.counters, FGW_COUNT_EVENTS, x.meter.events)
        return 0

    cdef int _settle(self, Exchange x, int fate) except -1:
        """The exchange is over, whichever way: books, limits, then the connection's next request."""
        cdef fgw_record_close close
        cdef fgw_amounts used
        if not x.live:
            return 0
        x.phase = SETTLE
        if x.hold != NULL:
            self._close_attempt(x, fate, True, &close)
            amounts(&close, &used)
            used.by_unit[<int>FGW_UNIT_INPUT_TOKENS] += x.hold.progress.earlier_input
            self.limits.settle(x.hold, &used, fgw_clock_now_ns())
            self.limits.hold_release(x.hold)
            x.hold = NULL
        if x.status:
            fgw_count(self.counters, FGW_COUNT_STATUS_1XX + x.status // 100 - 1, 1)
        fgw_count_time(
            self.counters, FGW_HISTOGRAM_TOTAL, fgw_clock_now_ns() - x.began_ns
        )
        self._leave(x)
        (<Downstream>x.client).finished(x, x.head.keep_alive)
        return 0

    cdef int _leave(self, Exchange x) except -1:
        x.live = False
        self.active -= 1
        self.running.discard(x)
        fgw_count(self.counters, FGW_GAUGE_REQUESTS, <uint64_t>-1)
        return 0

    # ------------------------------------------------------------------ refusals

    cdef int refuse(self, Exchange x, int code) except -1:
        """Answer in the dialect's own shape, record it, give back what was taken (law 5)."""
        cdef fgw_record_close close
        cdef fgw_amounts nothing
        cdef bytes answer
        cdef uint64_t now = fgw_clock_now_ns()
        if not x.live:
            self._begin(x)
        x.refused = True
        x.code = <uint16_t>code
        answer = self.refusals.render(self._view(x, code))
        x.status = <uint16_t>self.refusals.status
        if x.attempt_open:
            self._close_attempt(x, FGW_FATE_FAILED_BEFORE_FIRST_BYTE, True, &close)
        elif x.attempt == 0:
            if x.principal is not None:
                x.dims.account = (<Principal>x.principal).account_hash
            x.dims.dialect = x.route.dialect
            x.dims.operation = x.route.operation
            post_refusal(
                x, self.journal, self.policy.version_hash, (<Downstream>x.client).address,
                0, now,
            )
        if x.hold != NULL:
            memset(&nothing, 0, sizeof(nothing))
            if x.asked:
                amounts(&close, &nothing)
            self.limits.settle(x.hold, &nothing, now)
            self.limits.hold_release(x.hold)
            x.hold = NULL
        if x.attempt == 0:
            fgw_count(self.counters, FGW_COUNT_DENIED, 1)
        fgw_count_code(self.counters, x.code)
        fgw_count(self.counters, FGW_COUNT_STATUS_1XX + x.status // 100 - 1, 1)
        fgw_count_time(self.counters, FGW_HISTOGRAM_REFUSAL, now - x.began_ns)
        self.batch.forget()
        x.client.send_bytes(answer, <size_t>len(answer))
        self._leave(x)
        return (<Downstream>x.client).refused(x)

    cdef object _view(self, Exchange x, int code):
        """What a refusal's text is made of, as Python objects: off the hot path."""
        cdef int i
        cdef list limits = []
        for i in range(x.n_traces):
            limits.append((
                x.effects.demands[i].limit, x.traces[i].used, x.traces[i].limit,
                x.traces[i].taken, x.traces[i].wait_ns, x.traces[i].reset_ns,
                x.traces[i].verdict, x.traces[i].enforced,
            ))
        return {
            "code": code,
            "status": x.status if x.phase == HEAD else x.effects.status,
            "dialect": x.route.dialect,
            "operation": x.route.operation,
            "request_id": x.id_text[:x.id_length].decode(),
            "rule": x.effects.rule if code < 801 else 0,
            "message": x.effects.message,
            "limits": limits,
            "close": (<Downstream>x.client).close_after or not x.head.keep_alive,
            "head_only": x.head.method == FGW_M_HEAD,
            "model": x.ask.model[:x.ask.model_bytes],
            "allow": x.route.methods,
            "attempts": x.attempt,
            "output_max": x.output_max,
            "input_estimate": x.input_estimate,
        }

    cdef int failed(self, Exchange x, object exception) except -1:
        """Law 11: a defect of ours fails one exchange, not the worker."""
        cdef Connection connection = <Connection>x.connection
        self.report(exception)
        fgw_count(self.counters, FGW_COUNT_EXCEPTIONS, 1)
        if not x.live:
            return x.client.abort()
        if connection is not None:
            x.connection = None
            self.disarm(connection)
            connection.discard()
        self.batch.forget()
        x.code = CODE_INTERNAL
        if x.head_sent:
            x.client.abort()
            return self._settle(x, FGW_FATE_FAILED_IN_STREAM)
        (<Downstream>x.client).close_after = True
        return self.refuse(x, CODE_INTERNAL)

    cdef int report(self, object exception) except -1:
        self.log.error(
            "exchange failed", error=type(exception).__name__,
            where=self.refusals.where(exception),
        )
        return 0

    def abort_all(self):
        """The drain deadline has passed: end every exchange, recorded as ended by it."""
        cdef Exchange x
        for x in list(self.running):
            if not x.live:
                continue
            x.code = CODE_CUT_BY_DRAIN
            self.client_gone(x)
