"""Paces thousands of streams with a timer a distinct duration.

Waits of one duration end in the order in which they began, so a queue and one loop timer do;
a timer an event would cost the mock more than the event (2 us against 0.2).
"""

from collections import deque

from fastgw.native.clock cimport fgw_clock_now_ns

# The loop counts in milliseconds: who is due within this much goes with this round.
cdef int64_t SLACK_NS = 300_000
# A stream further behind than this starts its beat anew instead of catching up in a burst.
cdef int64_t BEHIND_NS = 1_000_000_000


cdef class Turn:
    cdef int turn(self) except -1:
        raise TypeError("whoever waits says what its turn is")


cdef class Queue:
    cdef object waiting
    cdef object loop
    cdef bint armed

    def __init__(self, loop):
        self.loop = loop
        self.waiting = deque()

    cdef int arm(self) except -1:
        cdef Turn first = <Turn>self.waiting[0]
        cdef int64_t left = first.due_ns - fgw_clock_now_ns()
        self.armed = True
        self.loop.call_later(left / 1e9 if left > 0 else 0.0, self.fire)
        return 0

    def fire(self):
        cdef Turn waiter
        cdef int64_t now = fgw_clock_now_ns() + SLACK_NS
        cdef Py_ssize_t left = len(self.waiting)
        self.armed = False
        try:
            # No more than stood here at the start: a wait of 0 must not keep the loop to itself.
            while left > 0:
                waiter = <Turn>self.waiting[0]
                if not waiter.gone and waiter.due_ns > now:
                    break
                self.waiting.popleft()
                left -= 1
                if not waiter.gone:
                    waiter.turn()
        finally:
            if self.waiting and not self.armed:
                self.arm()


cdef class Pacer:
    def __init__(self, loop):
        self.loop = loop
        self.queues = {}

    cdef int wait(self, Turn waiter, int64_t from_ns, int64_t span_ns) except -1:
        cdef Queue queue = <Queue>self.queues.get(span_ns)
        cdef int64_t now = fgw_clock_now_ns()
        if queue is None:
            if len(self.queues) > 256:
                self.queues = {
                    span: old for span, old in self.queues.items() if (<Queue>old).waiting}
            queue = Queue(self.loop)
            self.queues[span_ns] = queue
        waiter.due_ns = (from_ns if now - from_ns < BEHIND_NS else now) + span_ns
        queue.waiting.append(waiter)
        if not queue.armed:
            queue.arm()
        return 0
