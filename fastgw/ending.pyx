"""Phases USAGE, SETTLE and EXPLAIN: how every exchange ends, whatever happened before.

An exchange that reached a provider ends in ``_settle``, any other in ``refuse``; each of its
attempts in ``_close_attempt``. All three may be called from any phase.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from fastgw.codes cimport (
    CODE_ANSWERED,
    CODE_CUT_BY_CAP,
    CODE_CUT_BY_DETECT,
    CODE_CUT_BY_DRAIN,
    CODE_DRAINED,
    CODE_DRAINING,
    CODE_DRAIN_SECONDS,
    CODE_DRAIN_TOKENS,
    CODE_INTERNAL,
)
from fastgw.detect.detector cimport ON_EVENT
from fastgw.dialect.cut cimport cut_of
from fastgw.exchange cimport BODY, Client, Exchange, HEAD, SETTLE, body_of
from fastgw.identity.identify cimport field
from fastgw.identity.keys cimport Principal
from fastgw.ledger.entries cimport fill_close, post_quotes, post_refusal
from fastgw.native.counters cimport (
    FGW_COUNT_BYTES_TO_CLIENT,
    FGW_COUNT_BYTES_TO_UPSTREAM,
    FGW_COUNT_COST_NANO_USD,
    FGW_COUNT_COST_UNKNOWN,
    FGW_COUNT_DENIED,
    FGW_COUNT_DRAINED,
    FGW_COUNT_DRAIN_BROKEN,
    FGW_COUNT_DRAIN_SECONDS,
    FGW_COUNT_DRAIN_TOKENS,
    FGW_COUNT_EVENTS,
    FGW_COUNT_EXCEPTIONS,
    FGW_COUNT_FATE,
    FGW_COUNT_INTERVALS,
    FGW_COUNT_INTERVAL_WIDTH,
    FGW_COUNT_OVERRUN_NANO_USD,
    FGW_COUNT_OVERRUN_TOKENS,
    FGW_COUNT_REFUSALS_SAMPLED_OUT,
    FGW_COUNT_REQUESTS,
    FGW_COUNT_STATUS_1XX,
    FGW_COUNT_TOKENS,
    FGW_COUNT_TOTALS_UNEQUAL,
    FGW_COUNT_UNREAD,
    FGW_COUNT_UNITS,
    FGW_GAUGE_BUFFERED_BYTES,
    FGW_GAUGE_CONNECTIONS,
    FGW_GAUGE_DRAINS,
    FGW_GAUGE_REQUESTS,
    FGW_GAUGE_STREAMS,
    FGW_HISTOGRAM_LOOP,
    FGW_HISTOGRAM_REFUSAL,
    FGW_HISTOGRAM_TOTAL,
    fgw_count,
    fgw_count_code,
    fgw_count_shadow,
    fgw_count_time,
    fgw_counters_books,
    fgw_drain_end,
)
from fastgw.native.dialect cimport (
    FGW_ASK_INCLUDE_USAGE,
    FGW_ASK_TOOLS,
    FGW_ASK_UNBOUNDED,
    fgw_ask_pictures,
)
from fastgw.native.dialect_meter cimport FGW_REPORT_INPUT
from fastgw.ledger.journal cimport JOURNAL_DROPPED, hash_of
from fastgw.native.books cimport (
    fgw_books, fgw_books_close, fgw_books_less, fgw_cut_write
)
from fastgw.native.detect cimport fgw_detect_report
from fastgw.native.hold cimport fgw_hold_closed, fgw_hold_closing
from fastgw.native.http1 cimport FGW_H_X_REQUEST_ID
from fastgw.native.record cimport (
    FGW_BASIS_BYTES,
    FGW_BASIS_WRITING,
    FGW_FATE_CUT_BY_CAP,
    FGW_FATE_CUT_BY_CLIENT,
    FGW_FATE_DELIVERED,
    FGW_FATE_FAILED_BEFORE_FIRST_BYTE,
    FGW_FATE_FAILED_IN_STREAM,
    FGW_PROVENANCE_ESTIMATED,
    FGW_PROVENANCE_PROVIDER,
    FGW_UNITS_WORDS,
)
from fastgw.stream.relay cimport FRAMING_CLOSE, Relay
from fastgw.upstream.request cimport write_id
from fastgw.stream.media cimport unread_of
from fastgw.upstream.bounds cimport model_of
from fastgw.upstream.route cimport Candidate
from fastgw.usage.account cimport (
    account_cost, amounts, count_tokens, point_output, total_differs
)
from fastgw.upstream.connection cimport Connection
from fastgw.wire.link cimport SENT_CLOSED, SENT_QUEUED


cdef enum:
    CLIENT_ID_MAX = 200      # bytes of an x-request-id that go back
    COMPRESSED_BYTES = 10    # of a token, in a body
    BYTES_PER_TOKEN = 4      # of text, as fgw_ask_input_guess has it

cdef uint64_t TURN_NS = 100000000


cdef inline unsigned int drain_counter(int code) noexcept:
    if code == CODE_DRAINED:
        return FGW_COUNT_DRAINED
    if code == CODE_DRAIN_TOKENS:
        return FGW_COUNT_DRAIN_TOKENS
    return FGW_COUNT_DRAIN_SECONDS if code == CODE_DRAIN_SECONDS else FGW_COUNT_DRAIN_BROKEN


cdef class Endings(Receiver):
    """What every exchange ends in, once. Fields are set by Journey.__init__."""

    cdef int _drop_connection(self, Exchange x) except -1:
        """This exchange is done with its connection, and the connection with everything."""
        cdef Connection connection = <Connection>x.connection
        x.connection = None
        if connection is not None:
            self.disarm(connection)
            connection.discard()
        return 0

    cdef int _break(self, Exchange x, int code) except -1:
        """The answer cannot be finished: a cut must look like a cut (never a clean end)."""
        cdef Relay relay = <Relay>x.relay
        cdef bytes event
        x.code = <uint16_t>code
        if x.metered and relay.at_boundary(x):
            event = self.refusals.stream_error(
                x.route.dialect, x.route.operation, code, x.id_text[:x.id_length].decode(),
                x.meter.streaming, x.meter.events > 0,
            )
            self.batch.keep.append(event)
            relay.append(x, event, <size_t>len(event))
        relay.flush(x)
        x.client.close_after = True
        if relay.framing == FRAMING_CLOSE:
            x.client.reset()  # here a FIN would be a clean end
        return self._settle(
            x, FGW_FATE_CUT_BY_CAP if code == CODE_CUT_BY_CAP else FGW_FATE_FAILED_IN_STREAM
        )

    cdef int on_cut(self, Exchange x) except -1:
        """The edge of a cap: the next event is not passed on, the stream ends as its own API ends
        one that ran into its limit, and the provider is cut off."""
        cdef Relay relay = <Relay>x.relay
        cdef bytes ending
        cdef int sent
        if x.drains:
            return self._end_drain(x, CODE_CUT_BY_CAP)
        if relay.letting:
            # The beginning of this event has passed: no ending can follow it.
            self._drop_connection(x)
            return self._break(x, CODE_CUT_BY_CAP)
        x.code = CODE_CUT_BY_CAP
        if relay.screen is not None and relay.screen.denied:
            x.code = CODE_CUT_BY_DETECT
        ending = self.refusals.stream_end(self._where(x))
        self.batch.keep.append(ending)
        relay.append(x, ending, <size_t>len(ending))
        relay.end(x)
        sent = relay.flush(x)
        self._drop_connection(x)
        if sent == SENT_CLOSED:
            return self._settle(x, FGW_FATE_CUT_BY_CLIENT)
        x.answered = True
        if sent == SENT_QUEUED:
            return 0  # client_writable goes on
        return self._settle(x, FGW_FATE_CUT_BY_CAP)

    cdef dict _where(self, Exchange x):
        """What the ending of a stream is made from."""
        cdef dict where = cut_of(&x.meter)
        where["identity"] = where["identity"] or x.id_text[:x.id_length].decode()
        where["model"] = where["model"] or x.ask.model[:x.ask.model_bytes].decode()
        where["choices"] = x.ask.n
        where["usage"] = bool(x.ask.flags & FGW_ASK_INCLUDE_USAGE)
        where["input_tokens"] = x.input_estimate
        if x.meter.report.present >> FGW_REPORT_INPUT & 1:
            where["input_tokens"] = x.meter.report.value[<int>FGW_REPORT_INPUT]
        where["output_tokens"] = x.output_delivered
        where["filtered"] = x.code == CODE_CUT_BY_DETECT
        where["dialect"] = x.route.dialect
        where["operation"] = x.route.operation
        where["code"] = x.code
        where["request_id"] = x.id_text[:x.id_length].decode()
        return where

    # ------------------------------------------------------------------ USAGE, SETTLE
    cdef const fgw_bpe_vocabulary *_vocabulary_of(self, Exchange x, bint *known) except? NULL:
        cdef size_t length
        cdef const uint8_t *model = model_of(x, <Candidate>x.candidate, &length)
        return self.tokenizers.of(x.route.dialect, model, length, known)

    cdef int _count_prompt(self, Exchange x) except -1:
        cdef const fgw_bpe_vocabulary *vocabulary
        cdef const uint8_t *model
        cdef size_t length
        cdef bint known = False
        x.input_saved = x.input_basis = 0
        if (
            not x.asked or not x.generates or x.upstream_status >= 300 or x.candidate is None
            or x.ask.flags & FGW_ASK_UNBOUNDED
            or (x.metered and x.meter.report.present >> FGW_REPORT_INPUT & 1)
        ):
            return 0
        vocabulary = self._vocabulary_of(x, &known)
        if not self.tokenizers.hear(
            x.route.dialect, vocabulary, &self.scan, body_of(x), x.body_length
        ):
            return 0
        if known and (<Candidate>x.candidate).provider.openai:
            x.input_saved = self.tokenizers.saved()
        if x.ask.flags & FGW_ASK_TOOLS or fgw_ask_pictures(&x.ask):
            return 0  # what is more than text is known better from what providers have told
        model = model_of(x, <Candidate>x.candidate, &length)
        x.input_counted = x.input_guess - x.ask.text_bytes // BYTES_PER_TOKEN
        x.input_counted += self.tokenizers.asked(
            model, length, x.ask.text_bytes, &x.input_basis)
        return 0

    cdef int _estimate_output(self, Exchange x, fgw_record_close *close) except -1:
        """How much the text that has passed was, where no provider tells."""
        cdef const uint8_t *model
        cdef size_t length
        cdef uint64_t tokens
        cdef uint8_t basis = 0
        cdef unsigned int unread
        if not x.metered or close.output_provenance != FGW_PROVENANCE_ESTIMATED or (
            x.code == CODE_CUT_BY_CAP
        ):
            return 0
        model = model_of(x, <Candidate>x.candidate, &length)
        tokens = self.tokenizers.said(model, length, &x.meter, &basis)
        if not basis and not (<Relay>x.relay).readable():
            # Compressed so that nobody here reads it. Of 146 recorded answers under zlib, the
            # middle one has a token for ten bytes, eight in ten a third to four times as many.
            unread = unread_of((<Relay>x.relay).coding)
            fgw_count(self.counters, FGW_COUNT_UNREAD + unread, 1)
            tokens = x.body_sent // COMPRESSED_BYTES
            basis = FGW_BASIS_BYTES | <uint8_t>(unread << FGW_BASIS_WRITING)
        if basis:
            point_output(x, close, tokens, basis)
        return 0

    cdef int _close_attempt(
        self, Exchange x, int fate, bint final, fgw_record_close *close
    ) except -1:
        cdef uint64_t *tokens
        cdef uint64_t *units
        cdef unsigned int flags
        cdef int i
        memset(close, 0, sizeof(fgw_record_close))
        x.body_sent = (<Relay>x.relay).sent_bytes if x.head_sent else 0
        fill_close(x, close, fate, final, self.now_ns, self.now_ns + self.wall_offset_ns)
        if fate != FGW_FATE_DELIVERED and not x.client_gone:
            self._count_prompt(x)
        flags = count_tokens(x, close, x.asked, fate == FGW_FATE_DELIVERED or x.whole)
        if close.provenance == FGW_PROVENANCE_ESTIMATED:
            self._estimate_output(x, close)
        account_cost(x, close, flags)
        x.input_saved = x.input_basis = 0
        self.expect.learn(x, close, self.counters)
        if final:
            self.used = x.earlier
            if x.asked or fate != FGW_FATE_FAILED_BEFORE_FIRST_BYTE:
                amounts(x, close, &self.used)
            self.limits.intend(x.hold, &self.used)
        if not x.attempt_open:
            return 0
        x.attempt_open = False
        post_quotes(x, self.journal, close.head.wall_ns)
        fgw_hold_closing(x.hold, self.journal.main._ring.head)
        if self.journal.close(close, x.room) == JOURNAL_DROPPED:
            fgw_books_close(&self.dropped, close)
        fgw_hold_closed(x.hold)
        fgw_count(self.counters, FGW_COUNT_FATE + fate, 1)
        tokens = <uint64_t *>&close.tokens
        for i in range(8):
            if tokens[i]:
                fgw_count(self.counters, FGW_COUNT_TOKENS + i, tokens[i])
        if total_differs(x, close):
            fgw_count(self.counters, FGW_COUNT_TOTALS_UNEQUAL + x.meter.dialect, 1)
        units = <uint64_t *>&close.units
        for i in range(<int>FGW_UNITS_WORDS):
            if units[i]:
                fgw_count(self.counters, FGW_COUNT_UNITS + i, units[i])
        if close.cost_nano_usd < 0:
            fgw_count(self.counters, FGW_COUNT_COST_UNKNOWN, 1)
        elif close.cost_nano_usd:
            fgw_count(self.counters, FGW_COUNT_COST_NANO_USD, <uint64_t>close.cost_nano_usd)
        if close.overrun_tokens:
            fgw_count(self.counters, FGW_COUNT_OVERRUN_TOKENS, close.overrun_tokens)
            fgw_count(self.counters, FGW_COUNT_OVERRUN_NANO_USD, close.overrun_nano_usd)
        if x.metered and x.meter.events:
            fgw_count(self.counters, FGW_COUNT_EVENTS, x.meter.events)
        fgw_count(self.counters, FGW_COUNT_BYTES_TO_UPSTREAM, x.sent_bytes)
        fgw_count(self.counters, FGW_COUNT_BYTES_TO_CLIENT, x.body_sent)
        if close.provenance > FGW_PROVENANCE_PROVIDER:
            fgw_count(self.counters, FGW_COUNT_INTERVALS, 1)
            fgw_count(
                self.counters, FGW_COUNT_INTERVAL_WIDTH,
                close.input_high - close.input_low + close.output_high - close.output_low,
            )
        return 0

    cdef int _settle(self, Exchange x, int fate) except -1:
        """The exchange is over, whichever way: books, limits, then the next request."""
        cdef fgw_record_close close
        if not x.live:
            return 0
        x.phase = SETTLE
        self.look()
        if x.head_sent and (<Relay>x.relay).screen is not None:
            self._record_findings(x, ON_EVENT, &(<Relay>x.relay).screen.report)
        if x.hold != NULL:
            self._close_attempt(x, fate, True, &close)
            self.limits.settle(x.hold, &self.used, self.now_ns)
            self.limits.hold_release(x.hold)
            x.hold = NULL
            if self.sayings.shadow_limits:
                self.sayings.count_shadows(x)
            if x.said is not None:
                self.sayings.tell(x, &close, False)
        if x.status:
            fgw_count(self.counters, FGW_COUNT_STATUS_1XX + x.status // 100 - 1, 1)
        fgw_count_time(self.counters, FGW_HISTOGRAM_TOTAL, self.now_ns - x.began_ns)
        self._leave(x)
        x.client.finished(x, x.head.keep_alive)
        return 0

    cdef int _record_findings(
        self, Exchange x, DetectPhase phase, const fgw_detect_report *report
    ) except -1:
        """What `detect` actions have found: of which kind and where, beside the request."""
        cdef bytes text
        self.detector.remember(x, phase, report)
        for rule, effect, enforced, shadow, number in self.detector.findings(x, phase, report):
            if shadow:
                fgw_count_shadow(self.counters, number, False)
            text = self.refusals.finding(rule, effect, enforced)
            self.journal.name_finding(&x.id, text, <size_t>len(text))
        return 0

    cdef int _publish_cut(self) except -1:
        """Between two callbacks: what has been counted, and how far it has been posted. The
        recorder lays both side by side (fastgw.ledger.balance)."""
        cdef fgw_books counted
        fgw_counters_books(self.counters, &counted)
        fgw_books_less(&counted, &self.dropped)
        fgw_cut_write(
            &self.counters.cut, self.journal.generation, self.journal.main._ring.head, &counted
        )
        return 0

    cdef int _publish_buffered(self) except -1:
        """Ten times a second: what requests under way keep in memory."""
        cdef Exchange x
        cdef Py_ssize_t i
        cdef uint64_t kept = 0
        for i in range(self.active):
            x = <Exchange>self.running[i]
            kept += x.client.bytes_queued
            if not x.client_gone:
                kept += x.body_at + x.body_length
        fgw_count(
            self.counters, FGW_GAUGE_BUFFERED_BYTES,
            kept - self.counters.value[<int>FGW_GAUGE_BUFFERED_BYTES],
        )
        return 0

    cdef int _stream(self, Exchange x, bint open) except -1:
        if x.streams != open:
            x.streams = open
            fgw_count(self.counters, FGW_GAUGE_STREAMS, <uint64_t>(1 if open else -1))
        return 0

    def turned(self):
        """The loop's timer of 100 ms: how late it is, is how long something kept the loop."""
        cdef uint64_t now = self.look()
        if self.due_ns:
            fgw_count_time(
                self.counters, FGW_HISTOGRAM_LOOP, now - self.due_ns if now > self.due_ns else 0
            )
        self.due_ns = now + TURN_NS

    cdef int _begin(self, Exchange x) except -1:
        self.journal.next_id(&x.id)
        x.id_length = write_id(x, x.id_text)
        x.live = True
        x.place_running = self.active
        if x.place_running == len(self.running):
            self.running.append(x)
        else:
            self.running[x.place_running] = x
        self.active += 1
        fgw_count(self.counters, FGW_COUNT_REQUESTS, 1)
        fgw_count(self.counters, FGW_GAUGE_REQUESTS, 1)
        return 0

    cdef int _leave(self, Exchange x) except -1:
        cdef Exchange last
        x.live = False
        self.active -= 1
        last = <Exchange>self.running[self.active]
        last.place_running = x.place_running
        self.running[x.place_running] = last
        self.running[self.active] = None
        fgw_count(self.counters, FGW_GAUGE_REQUESTS, <uint64_t>-1)
        if x.streams:
            self._stream(x, False)
        if x.drains:
            self._leave_drain(x)
        if self.queue is not None:
            self._leave_slots(x)
        return 0

    cdef int _end_drain(self, Exchange x, int code) except -1:
        """An answer without a client is over: read to its end, or `code` says what ended it."""
        cdef Client _client = x.client  # by now the exchange alone may hold it, and lets go of it
        self._drop_connection(x)
        if x.code == 0 or code == CODE_CUT_BY_CAP:
            x.code = <uint16_t>code
        fgw_count(self.counters, drain_counter(code), 1)
        self._settle(x, FGW_FATE_CUT_BY_CLIENT)
        return 0

    cdef int _leave_drain(self, Exchange x) except -1:
        x.drains = False
        fgw_drain_end(self.counters, x.effects.drain)
        fgw_count(self.counters, FGW_GAUGE_DRAINS, <uint64_t>-1)
        return 0

    cdef int _leave_slots(self, Exchange x) except -1:
        """Out of the queue; and who waits for what it held is served behind this callback."""
        self.queue.leave(x, self.now_ns)
        if self.queue.freed(x, self.now_ns) and not self.serving:
            self.serving = True
            self.loop.call_soon(self.serve_queue)
        return 0

    # ------------------------------------------------------------------ refusals
    cdef int refuse(self, Exchange x, int code) except -1:
        """Answer in the dialect's own shape, record it, give back what was taken (law 5)."""
        cdef fgw_record_close close
        cdef const fgw_record_close *last = NULL
        cdef Py_ssize_t length = 0
        cdef size_t client_id
        cdef bytes own = None
        cdef bint posted = True
        cdef uint64_t now = self.look()
        if not x.live:
            self._begin(x)
        x.refused = True
        x.code = <uint16_t>code
        self.used = x.earlier  # an attempt that was asked and retried away may have cost something
        client_id = self._client_id(x)
        if x.n_traces and x.attempt == 0:
            self.limits.sum_held(x.traces, x.n_traces)
        x.client.will_refuse(x)
        if code == CODE_ANSWERED:
            own = self.sayings.answer(x, self.explainer)
        else:
            length = self.explainer.render(x, code)
            x.status = self.explainer.status
        if x.attempt_open:
            self._close_attempt(x, FGW_FATE_FAILED_BEFORE_FIRST_BYTE, True, &close)
            last = &close
        elif x.attempt == 0:
            if x.principal is not None:
                x.dims.account = (<Principal>x.principal).account_hash
            x.dims.dialect = x.route.dialect
            x.dims.operation = x.route.operation
            if x.reason is None and x.effects.message:
                x.reason_hash = self.policy.reason(x.effects.message)
            posted = post_refusal(
                x, self.journal, self.policy.version_hash, x.client.address, x.reason_hash, now
            )
            if posted:
                if client_id:
                    self.journal.name_request(&x.id, x.client_id, client_id, True)
            else:
                fgw_count(self.counters, FGW_COUNT_REFUSALS_SAMPLED_OUT, 1)
        if x.hold != NULL:
            self.limits.settle(x.hold, &self.used, now)
            self.limits.hold_release(x.hold)
            x.hold = NULL
        if x.attempt == 0:
            fgw_count(self.counters, FGW_COUNT_DENIED, 1)
        fgw_count_code(self.counters, x.code)
        fgw_count(self.counters, FGW_COUNT_STATUS_1XX + x.status // 100 - 1, 1)
        fgw_count_time(self.counters, FGW_HISTOGRAM_REFUSAL, now - x.began_ns)
        self._tell_refused(x, last, posted)
        self.batch.forget()
        if own is not None:
            x.client.send_bytes(own, <size_t>len(own))
        else:
            x.client.send_bytes(self.explainer.bytes, <size_t>length)
        self._leave(x)
        return x.client.refused(x)

    cdef int _tell_refused(
        self, Exchange x, const fgw_record_close *last, bint posted
    ) except -1:
        if posted and x.reason_hash == 0 and (x.reason is not None or x.effects.message):
            self.sayings.tell_reason(x)
        if self.sayings.shadow_limits:
            self.sayings.count_shadows(x)
        if x.said is not None and posted:
            self.sayings.tell(x, last, x.attempt == 0)
        return 0

    cdef size_t _client_id(self, Exchange x) except? 0:
        """A client's own x-request-id: recorded, and kept in the answer where it is harmless."""
        cdef size_t length = 0, i
        x.client_id_length = 0
        if x.phase > HEAD:
            length = field(x, FGW_H_X_REQUEST_ID, &x.client_id)
        if length == 0:
            return 0
        x.client_request_id = hash_of(x.client_id, length)
        if length > CLIENT_ID_MAX:
            return length
        for i in range(length):
            if not 0x20 < x.client_id[i] < 0x7f:
                return length
        x.client_id_length = <uint32_t>length
        return length

    cdef int failed(self, Exchange x, object exception) except -1:
        """Law 11: a defect of ours fails one exchange, not the worker."""
        self.report(exception)
        fgw_count(self.counters, FGW_COUNT_EXCEPTIONS, 1)
        if not x.live:
            return x.client.abort()
        self._drop_connection(x)
        self.batch.forget()
        x.code = CODE_INTERNAL
        x.effects.status = 0
        if x.drains:
            return self._end_drain(x, CODE_INTERNAL)
        if x.head_sent:
            x.client.reset()
            return self._settle(x, FGW_FATE_FAILED_IN_STREAM)
        x.client.close_after = True
        try:
            return self.refuse(x, CODE_INTERNAL)
        except Exception as further:
            # Not even that can be said: it ends without an answer, but it ends, and is settled.
            self.report(further)
            x.client.reset()
            return self._settle(x, FGW_FATE_FAILED_BEFORE_FIRST_BYTE)

    cdef int report(self, object exception) except -1:
        self.log.error(
            "exchange failed", error=type(exception).__name__,
            where=self.refusals.where(exception),
        )
        return 0

    def count_connections(self, int open_now):
        fgw_count(
            self.counters, FGW_GAUGE_CONNECTIONS,
            <uint64_t>open_now - self.counters.value[<int>FGW_GAUGE_CONNECTIONS],
        )

    def drain(self):
        """From now on every answer closes its connection."""
        self.draining = True

    def abort_all(self):
        """The drain deadline has passed: end every exchange, as a cut, recorded with its code."""
        cdef Exchange x
        for x in self.running[:self.active]:
            if not x.live:
                continue
            self._drop_connection(x)
            if x.drains:
                self._end_drain(x, CODE_CUT_BY_DRAIN)
            elif x.head_sent:
                self._break(x, CODE_CUT_BY_DRAIN)
            elif x.phase >= BODY:
                x.client.close_after = True
                self.refuse(x, CODE_DRAINING)
