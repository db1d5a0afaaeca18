"""READ FIRST. The journey of a request: every phase, in order.

    HEAD DIALECT AUTHENTICATE BODY IDENTIFY POLICY ROUTE LIMIT | UPSTREAM STREAM USAGE SETTLE

``arrive`` goes from DIALECT to BODY, ``decide`` from IDENTIFY to the request's first byte to the
provider; both run to completion inside one callback, unless LIMIT lets the request wait
(``fastgw.waiting``). What follows is in ``fastgw.attempts``:
``on_head`` and ``on_body`` are STREAM; in ``fastgw.ending``, ``_settle`` is USAGE and SETTLE. Each
phase is a room's function; here is only what happens next.
"""

import os
cimport cython
from libc.stdint cimport uint16_t, uint32_t, uint64_t, uint8_t
from libc.string cimport memcmp

from fastgw.codes cimport (
    CODE_CONNECTIONS_FULL, CODE_DENIED,
    CODE_INTERNAL,
    CODE_KEY_SCOPE,
    CODE_LEDGER_FULL,
    CODE_MODEL_RESTRICTED,
    CODE_MODEL_UNKNOWN,
    CODE_NO_CANDIDATE,
    CODE_PROVIDER_UNKNOWN,
)
from fastgw.ceilings cimport FIT_ALREADY, FIT_NOTHING, FIT_SMALLER, Ceilings, Fit
from fastgw.detect.detector cimport Detector, ON_REQUEST
from fastgw.exchange cimport (
    AUTHENTICATE,
    BODY,
    Client,
    DIALECT,
    Exchange,
    IDENTIFY,
    LIMIT,
    POLICY,
    ROUTE,
)
from fastgw.identity.facts cimport Facts
from fastgw.identity.identify cimport (
    authenticate, field, find_route, identify, identify_again)
from fastgw.identity.keys cimport Principal
from fastgw.instead cimport Instead
from fastgw.ledger.entries cimport post_request
from fastgw.ledger.journal cimport JOURNAL_FULL, Journal
from fastgw.limit.limits cimport Holds, Limits
from fastgw.limit.queue cimport Queue
from fastgw.limit.verdict cimport limit_code, limits_refusing
from fastgw.native.clock cimport fgw_clock_wall_ns
from fastgw.native.counters cimport (
    FGW_COUNT_ALLOWED,
    FGW_COUNT_HOLDS_FULL,
    FGW_COUNT_LIMITS_FITTED,
    FGW_COUNT_LIMITS_REFUSED,
    FGW_COUNT_LIMITS_TAKEN,
    FGW_COUNT_TABLE_INSERTS,
    FGW_COUNT_UNBOUNDED,
    FGW_HISTOGRAM_OVERHEAD,
    fgw_count,
    fgw_count_time,
)
from fastgw.native.demand cimport fgw_name_recall
from fastgw.native.dialect cimport (
    FGW_ASK_MORE_MODELS,
    FGW_OPERATION_COUNT_TOKENS,
    FGW_ROUTE_METERED,
)
from fastgw.native.http1 cimport FGW_H_X_REQUEST_ID
from fastgw.native.record cimport (
    FGW_NAME_ACCOUNT,
    FGW_NAME_LABEL,
    FGW_NAME_MODEL,
    FGW_NAME_REASON,
    FGW_NAME_USER,
    FGW_UNIT_COST,
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
from fastgw.policy.program cimport find_zone
from fastgw.policy.traced cimport run_traced
from fastgw.sayings cimport Sayings
from fastgw.shm.segment cimport Segment
from fastgw.stream.batch cimport Batch
from fastgw.stream.relay cimport Relay
from fastgw.upstream.route cimport Candidate, Route
from fastgw.usage.expect cimport Expect
from fastgw.usage.tokenizers cimport Tokenizers
from fastgw.wire.link cimport Link, Scratch

from fastgw.limit.queue import queues


cdef enum:
    SPARE_MAX = 256          # exchanges kept for the next requests
    FIT_TRIES = 3            # lost races for what a cap has left
    RETRY_CREDIT_MAX = 10    # retries that a burst of failures may use at once

cdef uint64_t PARK_NS = 500000000   # longer than a store that is merely slow
cdef double PARK_POLL_S = 0.002
cdef uint64_t HELD_NS = 500000000   # an event may wait so long for what it is part of


cdef uint64_t closed_to(PrincipalPart part, list candidates, list fallback):
    """Candidates at providers that this key may not use: a bit each, in their order."""
    cdef uint64_t closed = 0
    cdef Candidate candidate
    cdef int i
    cdef int weighted = <int>len(candidates)
    for i in range(weighted + <int>len(fallback)):
        candidate = <Candidate>(candidates[i] if i < weighted else fallback[i - weighted])
        if not part.allows_provider(
            candidate.provider.id_text, <uint32_t>len(candidate.provider.id_text)
        ):
            closed |= <uint64_t>1 << i
    return closed


@cython.final
cdef class Journey(Own):
    """All phases of one worker's requests. ``fastgw.listener.build`` puts it together."""

    def __init__(self, plan, *, Segment segment, int slot, Journal journal, loop, log, wakers=(),
                 asker=None):
        """``plan``: process.plan.Plan. The segment's counters and holds of ``slot`` are ours.
        ``wakers``: an eventfd for each worker, where there are several."""
        self.policy = plan.policy
        self.keys = plan.keys
        self.routes = plan.routes
        self.texts = plan.texts
        self.refusals = plan.refusals
        self.explainer = plan.explainer
        self.instead = Instead(self.policy, self.routes, plan.models_instead)
        self.tokenizers = Tokenizers()
        self.limits = Limits(plan.limit_specs, Holds(segment, slot), bell=plan.bell)
        self.queue = None
        self.waker = -1
        if queues(plan.limit_specs):
            self.queue = Queue(plan.limit_specs, self.limits.holds, wakers)
            self.waker = wakers[slot] if wakers else -1
        self.facts = Facts(
            self.policy.dynamic_facts, self.policy.facts_used, self.policy.sources_used
        )
        self.facts.source.zone = find_zone
        self.policy.reseed(int.from_bytes(os.urandom(8), "little"))
        self.ceilings = Ceilings(plan.limit_specs, self.limits)
        self.detector = Detector(self.policy.detects, self.policy.patterns.rows)
        self.holding = []
        self.expect = Expect()
        self.journal = journal
        self.loop = loop
        self.log = log
        self.batch = Batch()
        self.scratch = Scratch()
        self._belong(segment, slot)
        self.asker = asker
        self.overrides = plan.overrides
        self.sayings = Sayings(self.policy, self.facts, journal, log)
        self.sayings.counters = self.counters
        self.head_limits.head_max = <uint32_t>min(plan.head_max, 65535)
        self.head_limits.target_max = 8192
        self.head_limits.headers_max = 100
        self.scan.names = &self.members
        self.body_max = plan.body_max
        self.restricts_models = plan.restricts_models
        self.half_close = plan.config.listen.half_close
        self.retry_credit = RETRY_CREDIT_MAX
        self.retry_share = plan.retry_share
        self.parked = []
        self.running = []
        self.wall_offset_ns = fgw_clock_wall_ns() - self.look()
        fgw_wheel_init(&self.wheel, self.now_ns)
        plan.begin_worker(journal)

    # ------------------------------------------------------------------ exchanges and time
    cdef Exchange take_exchange(self, Client client, uint64_t now_ns):
        cdef Exchange x
        if self.spare is not None:  # (a list of one or none would be given new memory each time)
            x = self.spare
            self.spare = x.spare_next
            x.spare_next = None
            self.n_spare -= 1
        else:
            x = Exchange()
            x.relay = Relay(self.batch, self)
        x.reset()
        x.client = client
        x.began_ns = now_ns
        x.wall_ns = now_ns + self.wall_offset_ns
        return x

    cdef int give_back(self, Exchange x) except -1:
        x.client = None
        x.connection = None
        if self.n_spare < SPARE_MAX:
            x.spare_next = self.spare
            self.spare = x
            self.n_spare += 1
        return 0

    cdef int arm(self, Link link, uint64_t deadline_ns) except -1:
        fgw_wheel_arm(&self.wheel, &link.timer, deadline_ns)
        return 0

    cdef int disarm(self, Link link) except -1:
        fgw_wheel_disarm(&self.wheel, &link.timer)
        return 0

    def shift_wall(self, long long ns):
        """Requests from now on see the time of day ``ns`` later than it is: for rehearsals."""
        self.wall_shift_ns = <uint64_t>ns
        self.wall_offset_ns = fgw_clock_wall_ns() - self.now_ns + self.wall_shift_ns
        self.limits.roll(self.now_ns + self.wall_offset_ns)

    def tick(self):
        """Every 100 ms: time-outs, counts of refusals."""
        cdef uint64_t now = self.look()
        cdef fgw_timer *timer
        cdef Link link
        self.wall_offset_ns = fgw_clock_wall_ns() - now + self.wall_shift_ns
        self.limits.may_sum = True
        fgw_wheel_advance(&self.wheel, now)
        while True:
            timer = fgw_wheel_pop(&self.wheel)
            if timer == NULL:
                break
            link = <Link>timer.owner
            try:
                link.on_timer(now)
            except Exception as exception:
                link.on_failure(exception)
        if self.queue is not None:
            self._queue_tick(now)
        if self.holding:
            self._let_out(now)
        self.journal.flush(now)
        self._publish_buffered()
        self._publish_cut()

    cdef int on_held(self, Exchange x) except -1:
        self.holding.append(x)
        return 0

    cdef int _let_out(self, uint64_t now) except -1:
        """Events that wait for what never comes go on: they would wait for ever."""
        cdef Exchange x
        cdef Relay relay
        waiting, self.holding = self.holding, []
        for x in waiting:
            relay = <Relay>x.relay
            if not x.live or relay.screen is None or not relay.held_since_ns:
                continue
            if now - relay.held_since_ns < HELD_NS:
                self.holding.append(x)
                continue
            try:
                self.on_cut(x) if relay.let_out(x) else self.on_flush(x)
            except Exception as exception:
                self.failed(x, exception)
        return 0

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

    cdef int refuse_head(self, Exchange x) except -1:
        """Phase HEAD: the bytes are no request."""
        self._begin(x)
        x.status = x.head.status
        return self.refuse(x, self.refusals.head_code(x.head.error, x.head.status))

    # ------------------------------------------------------------------ IDENTIFY to LIMIT
    cdef int decide(self, Exchange x) except -1:
        """The request is whole: decide on it, and send it on or refuse it."""
        cdef int code
        if self.draining:
            x.client.close_after = True
        x.phase = IDENTIFY
        code = identify(x, &self.scan)
        if code == 0:
            self._find_route(x)
            self.expect.estimate(x)
            x.phase = POLICY
            code = self._policy(x)
        if code == 0:
            x.phase = ROUTE
            code = self._route(x)
        if code == 0:
            x.phase = LIMIT
            code = self._limit(x) if self.queue is None else self._limit_in_turn(x)
        return self._decided(x, code)

    cdef int _decided(self, Exchange x, int code) except -1:
        if code == WAITS or code == PARKED:
            return 0  # fastgw.waiting, or look_at_parked, goes on with it
        if code:
            return self.refuse(x, code)
        return self._admit(x)

    cdef int _park(self, Exchange x, uint64_t now) except -1:
        """A slice is on its way from the fleet's store: wait for it a moment, holding nothing.
        Returns 0 if nothing is awaited, or once that was long enough."""
        if not self.limits.waits(x.traces, x.n_traces):
            return 0
        if x.parked_until_ns == 0:
            x.parked_until_ns = now + PARK_NS
        if not x.parked and now >= x.parked_until_ns:
            return 0
        self.limits.hold_release(x.hold)
        x.hold = NULL
        if x.parked:
            return 1  # in the queue it is tried by others, too
        x.parked = True
        if not self.parked:
            self.loop.call_later(PARK_POLL_S, self.look_at_parked)
        self.parked.append(x)
        return 1

    def look_at_parked(self):
        """Every 2 ms while any request waits for a slice."""
        cdef Exchange x
        waiting, self.parked = self.parked, []
        for x in waiting:
            if not x.live or not x.parked:
                continue  # it ended meanwhile; the same object may serve another request
            x.parked = False
            try:
                self.limits.do_without(self.look() >= x.parked_until_ns)
                if x.waits:
                    self._try(x)
                else:
                    code = self._limit(x) if self.queue is None else self._limit_in_turn(x)
                    self._decided(x, code)
                self.limits.do_without(False)
            except Exception as exception:
                self.limits.do_without(False)
                self.failed(x, exception)

    cdef int _policy(self, Exchange x) except -1:
        cdef PrincipalPart part = <PrincipalPart>(<Principal>x.principal).part
        cdef int code
        self.facts.fill(x, x.client.address_text)
        if self.policy.tracer is None:
            self.policy.run(self.facts.values, &self.facts.source, part, &x.effects)
        else:
            run_traced(self.policy, self.facts.values, &self.facts.source, part, &x.effects)
        self._dims(x)
        if self.policy.says:
            self.sayings.after_policy(x)
        if x.effects.denied:
            return x.effects.code or CODE_DENIED
        if x.ask.flags & FGW_ASK_MORE_MODELS and self.restricts_models:
            # models[], fallbacks[]: names that no rule has looked at would be a way round.
            return CODE_MODEL_RESTRICTED
        if x.effects.detects:
            code = self._detect(x)
            if code:
                return code
        x.output_max = <uint64_t>x.ask.output_limit if x.ask.output_limit > 0 else 0
        if x.effects.output_max > 0:
            if x.output_max == 0 or <uint64_t>x.effects.output_max < x.output_max:
                x.output_max = <uint64_t>x.effects.output_max
                x.output_bound = x.output_max * x.ask.n
                x.limit_written = True
                x.rule_line = self.explainer.rule_line(x.effects.output_rule)
            if x.output_expected > x.output_bound:
                x.output_expected = x.output_bound
        return 0

    cdef int _detect(self, Exchange x) except -1:
        """A rule wants the texts looked at: the body may be denied, or be another from here on."""
        cdef int code = self.detector.request(x)
        if code:
            x.reason_hash = self.journal.name(
                FGW_NAME_REASON, <const uint8_t *>x.reason, <size_t>len(x.reason)
            )
            return code
        self._record_findings(x, ON_REQUEST, &self.detector.report)
        if x.screened is not None and identify_again(x, &self.scan):
            return CODE_INTERNAL
        return 0

    cdef int _dims(self, Exchange x) except -1:
        """What usage is summed by, as hashes; each name is posted once."""
        cdef uint8_t text[64]
        cdef uint32_t i, length
        cdef Principal principal
        principal = <Principal>x.principal
        x.dims.account = principal.account_hash
        self.journal.name_known(
            FGW_NAME_ACCOUNT, principal.account_hash, principal.account,
            <size_t>len(principal.account),
        )
        x.dims.dialect = x.route.dialect
        x.dims.operation = x.route.operation
        x.dims.stream = x.ask.flags & 1
        x.dims.model = x.model_hash
        self.journal.name_known(
            FGW_NAME_MODEL, x.model_hash, <const uint8_t *>x.ask.model, x.ask.model_bytes
        )
        if x.ask.user_bytes:
            x.dims.user = fgw_name_recall(
                &self.known_names, <const uint8_t *>x.ask.user, x.ask.user_bytes
            )
            self.journal.name_known(
                FGW_NAME_USER, x.dims.user, <const uint8_t *>x.ask.user, x.ask.user_bytes
            )
        for i in range(<uint32_t>len(self.policy.labels)):
            length = self.policy.label(
                i, self.facts.values, &self.facts.source, text, sizeof(text)
            )
            x.dims.label[i] = self.journal.name(FGW_NAME_LABEL, text, length)
        return 0

    cdef int _find_route(self, Exchange x) except -1:
        """Which route the request names, before rules look at it: in `provider/model` only what
        follows is the model, or every pattern for models could be passed by writing it so."""
        cdef size_t i
        cdef const uint8_t *model = <const uint8_t *>x.ask.model
        cdef Route route
        x.split_model = 0
        x.model_hash = fgw_name_recall(&self.known_names, model, x.ask.model_bytes)
        if x.pinned_length:
            x.path = self.routes.pinned(x.bytes + x.pinned_at, x.pinned_length)
            return 0
        if x.ask.model_bytes == 0:
            x.path = self.routes.any_of(x.route.dialect)
            return 0
        x.path = self.routes.find(x.model_hash, model, x.ask.model_bytes)
        if x.path is not None:
            return 0
        for i in range(x.ask.model_bytes):
            if model[i] == c"/":
                route = self.routes.pinned(model, i)
                if route is not None:
                    x.path = route
                    x.split_model = <uint16_t>(i + 1)
                break
        if x.path is None:
            x.path = self.routes.default(x.route.dialect)
        return 0

    cdef int _route(self, Exchange x) except -1:
        """Reads path. Writes candidate. Explains 404, 503."""
        cdef Route route = <Route>x.path
        cdef PrincipalPart part = <PrincipalPart>(<Principal>x.principal).part
        cdef Candidate candidate
        if x.effects.route:
            x.path = route = <Route>self.overrides[x.effects.route - 1]
            x.rule_line = self.explainer.rule_line(x.effects.rule)
        if route is None:
            if x.pinned_length:
                return CODE_PROVIDER_UNKNOWN
            return CODE_MODEL_UNKNOWN if self.routes.strict else CODE_NO_CANDIDATE
        if part is not None:
            x.passed = closed_to(part, route.candidates, route.fallback)
        candidate = route.choose(x.route.dialect, &x.passed)
        if candidate is None:
            return CODE_KEY_SCOPE if x.passed else CODE_NO_CANDIDATE
        x.candidate = candidate
        return 0

    cdef int _limit(self, Exchange x) except -1:
        """Reads effects.demands. Writes hold, traces. Explains 403, 429, 503."""
        cdef int refused, code
        cdef uint64_t now = self.look()
        x.decided_ns = now
        x.n_traces = 0  # of an earlier try
        if x.wall_ns >= self.limits.next_roll_ns:
            self.limits.roll(x.wall_ns)
        code = self.ceilings.bound(x)
        if code:
            return code
        x.hold = self.limits.hold_acquire(&x.id, x.wall_ns)
        if x.hold == NULL:
            fgw_count(self.counters, FGW_COUNT_HOLDS_FULL, 1)
            return CODE_CONNECTIONS_FULL
        self.ceilings.amounts(x)
        refused = self._take(x, now)
        if refused and self.limits.bell >= 0 and self._park(x, now):
            return PARKED
        if refused and self.ceilings.capped:
            refused = self._fit(x, now)
            if refused and self.limits.bell >= 0 and self._park(x, now):
                return PARKED  # what fits was not at hand, either
        if refused and x.waits:
            return limit_code(x, self.limits)  # it may wait on, so nobody is refused yet
        fgw_count(
            self.counters, FGW_COUNT_LIMITS_REFUSED if refused else FGW_COUNT_LIMITS_TAKEN,
            limits_refusing(x) if refused else x.n_traces,
        )
        if refused:
            self.explainer.other_model = self.instead.find(x, self.facts, self.limits, now)
            return limit_code(x, self.limits)
        x.hold.cost_held = x.ceiling.by_unit[<int>FGW_UNIT_COST]
        if x.unbounded:
            fgw_count(self.counters, FGW_COUNT_UNBOUNDED, 1)
        return 0

    cdef int _take(self, Exchange x, uint64_t now) except -1:
        cdef uint32_t inserted = 0
        cdef int refused = self.limits.take(
            &x.effects, &x.expected, &x.ceiling, now, x.wall_ns, x.hold, x.traces, &inserted
        )
        x.n_traces = x.effects.n_demands
        if inserted:
            self._name_buckets(x, inserted)
        return refused

    cdef int _fit(self, Exchange x, uint64_t now) except -1:
        """A cap has less left than the ceiling: the largest output limit that fits goes into the
        request. What is left may be another's by the time it is taken: then look again."""
        cdef uint64_t asked = x.output_max, bound = x.output_bound, expected = x.output_expected
        cdef bint written = x.limit_written
        cdef int _tries
        cdef Fit fit = FIT_SMALLER
        for _tries in range(FIT_TRIES):
            fit = self.ceilings.shrink(x, now)
            if fit == FIT_ALREADY:
                break  # what refused is no cap
            if fit == FIT_NOTHING:
                # The traces shall say what even one token of each answer would have needed.
                self.ceilings.limit_output(x, 1)
            if not self._take(x, now):
                fgw_count(self.counters, FGW_COUNT_LIMITS_FITTED, 1)
                x.fitted = True
                return 0
            if fit == FIT_NOTHING:
                break
        x.output_max, x.output_bound, x.limit_written = asked, bound, written
        x.output_expected = expected
        return 1

    cdef int _name_buckets(self, Exchange x, uint32_t inserted) except -1:
        """Once in a bucket's life: tell people what its word stands for."""
        cdef int i
        cdef bytes text, key
        for i in range(x.effects.n_demands):
            if not inserted >> i & 1:
                continue
            fgw_count(self.counters, FGW_COUNT_TABLE_INSERTS, 1)
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
        self._turn_to(x, <Candidate>x.candidate)
        x.room = post_request(
            x, self.journal, self.policy.version_hash, x.client.address,
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
