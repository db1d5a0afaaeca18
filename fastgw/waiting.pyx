"""Phase LIMIT, where a request may wait for a slot: who is tried when, and what ends the wait.

The queue itself is fastgw.limit.queue. A waiting request is between LIMIT and UPSTREAM: each try
takes all its limits together anew, so whatever else has run out meanwhile refuses it then.
"""

from libc.stdint cimport uint64_t

from fastgw.codes cimport (
    CODE_CONNECTIONS_FULL,
    CODE_DRAINING,
    CODE_LIMIT_QUEUE_FULL,
    CODE_LIMIT_QUEUE_TIMEOUT,
)
from fastgw.exchange cimport Exchange
from fastgw.limit.queue cimport Keys, known, note
from fastgw.limit.verdict cimport limits_refusing
from fastgw.native.counters cimport FGW_COUNT_LIMITS_REFUSED, FGW_GAUGE_WAITING, fgw_count


cdef extern from "<unistd.h>" nogil:
    ssize_t read(int fd, void *bytes, size_t length)


cdef class Waiting(Attempts):
    """Fields are set by Journey.__init__."""

    cdef int _limit(self, Exchange x) except -1:
        raise TypeError("the journey takes limits")

    cdef int _admit(self, Exchange x) except -1:
        raise TypeError("the journey admits")

    # ------------------------------------------------------------------ one request
    cdef int _limit_in_turn(self, Exchange x) except -1:
        """Reads effects.demands. Writes what ``_limit`` does, or waits. Explains 429."""
        cdef int code
        cdef int at = self.queue.behind(x)
        cdef bint first = at < 0
        x.wanted_max = x.output_max
        x.wanted_bound = x.output_bound
        x.wanted_expected = x.output_expected
        x.wanted_written = x.limit_written
        if first or self.draining:
            code = self._limit(x)
            at = self.queue.blocked(x) if code else -1
            if at < 0 or self.draining:
                return code
            self.limits.hold_release(x.hold)
            x.hold = NULL
        if not self.queue.join(x, at, self.now_ns):
            return self._queue_full(x, at)
        self.explainer.other_model = None  # it is not refused, and nobody else is to be told
        if self.queue.is_new:
            self._name_place(x, at)
        # Once more: a slot may have been freed just before others could see that it is wanted.
        return self._limit_again(x) if first else WAITS

    cdef int _limit_again(self, Exchange x) except -1:
        """A waiting request's next try. It keeps its place while a slice of another limit is on
        its way, and while there is no hold for it: both are others' doing, and pass."""
        cdef int code, at
        # What an earlier try fitted to the room of that instant is not what was asked for.
        x.output_max = x.wanted_max
        x.output_bound = x.wanted_bound
        x.output_expected = x.wanted_expected
        x.limit_written = x.wanted_written
        x.fitted = False
        code = self._limit(x)
        if code == PARKED or code == CODE_CONNECTIONS_FULL:
            return WAITS
        at = self.queue.blocked(x) if code else -1
        if at < 0:
            if code:
                fgw_count(self.counters, FGW_COUNT_LIMITS_REFUSED, limits_refusing(x))
            self._leave_queue(x)
            return code
        self.limits.hold_release(x.hold)
        x.hold = NULL
        self.queue.wait_for(x, at)
        return WAITS

    cdef int _leave_queue(self, Exchange x) except -1:
        x.parked = False  # or it would be tried once more when it has gone on
        self.queue.leave(x, self.now_ns)
        return 0

    cdef int _queue_full(self, Exchange x, int at) except -1:
        cdef bytes reason
        cdef int code
        if not self.queue.place.limit:
            return CODE_CONNECTIONS_FULL  # its places were not even asked for: no hold is left
        reason = self.queue.reason(x, at, self.now_ns, True)
        if x.n_traces == 0:
            # It stood behind others and was not tried: a refusal tells of all limits.
            code = self._limit(x)
            if code == 0 or self.queue.blocked(x) < 0:
                return code
            reason = self.queue.reason(x, at, self.now_ns, True)
        x.reason = reason
        return CODE_LIMIT_QUEUE_FULL

    cdef int _name_place(self, Exchange x, int at) except -1:
        cdef bytes text = self.refusals.queue_name(
            x.effects.demands[at].limit,
            x.effects.key_text[
                x.effects.demands[at].text_offset:
                x.effects.demands[at].text_offset + x.effects.demands[at].text_length
            ],
        )
        self.journal.name_bucket(self.queue.place.identity, text, <size_t>len(text))
        return 0

    cdef int _try(self, Exchange x) except -1:
        """A waiting request's next try, and what follows if it waits no more."""
        cdef int code
        try:
            code = self._limit_again(x)
        except Exception as exception:
            self._leave_queue(x)  # or it would fail at every try
            self.failed(x, exception)
            return 0
        if code != WAITS:
            self._go_on(x, code)
        return code if code == WAITS else 0

    cdef int _go_on(self, Exchange x, int code) except -1:
        """What ``decide`` does behind LIMIT, for a request that has waited."""
        try:
            if code:
                self.refuse(x, code)
            else:
                self._admit(x)
        except Exception as exception:
            self.failed(x, exception)
        return 0

    # ------------------------------------------------------------------ the queue
    cdef int _serve(self) except -1:
        """Try those who wait, in order; of each bucket until the first that is refused."""
        cdef Exchange x = self.queue.head
        cdef Exchange next
        cdef Keys full, served
        cdef uint64_t key
        cdef int code, i
        full.count = served.count = 0
        self.look()
        while x is not None:
            next = x.queue_next
            key = x.waits_key
            if not known(&full, key):
                code = self._try(x)
                if code == WAITS:
                    note(&full, x.waits_key)
                else:
                    note(&served, key)
            if next is not None and not next.waits:
                next = self.queue.head  # it left while we were busy with the one before it
            x = next
        for i in range(served.count):
            if not known(&full, served.key[i]):
                # All that wait here have theirs, and there may be more: on to other workers.
                self.queue.wake(served.key[i])
        return 0

    def serve_queue(self):
        """Behind the callback in which a slot was freed."""
        self.serving = False
        self._serve()

    def woken(self):
        """Another process has freed a slot that somebody here waits for."""
        cdef uint64_t times
        read(self.waker, &times, sizeof(times))
        self._serve()

    cdef int _time_out(self, Exchange x) except -1:
        if x.n_traces == 0 and self._try(x) != WAITS:
            return 0  # it stood behind others all the time: a refusal tells of all limits
        x.reason = self.queue.reason(x, self.queue.waits_at(x), self.now_ns, False)
        self._leave_queue(x)
        return self._go_on(x, CODE_LIMIT_QUEUE_TIMEOUT)

    cdef int _queue_tick(self, uint64_t now_ns) except -1:
        """Every 100 ms: who has waited long enough; and a look in case a wake-up was lost."""
        cdef Exchange x
        if self.queue.length:
            self._serve()
        x = self.queue.head
        while x is not None:
            if now_ns < x.waits_until_ns:
                x = x.queue_next
                continue
            self._time_out(x)
            x = self.queue.head
        fgw_count(
            self.counters, FGW_GAUGE_WAITING,
            self.queue.length - self.counters.value[<int>FGW_GAUGE_WAITING],
        )
        return 0

    def drain(self):
        super().drain()
        cdef Exchange x
        if self.queue is None:
            return
        while self.queue.head is not None:
            x = self.queue.head
            self._leave_queue(x)
            self._go_on(x, CODE_DRAINING)

    @property
    def waiting(self):
        """Requests of this worker that wait for a slot."""
        return 0 if self.queue is None else self.queue.length
