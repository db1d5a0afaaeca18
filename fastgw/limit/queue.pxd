# Requests that wait for a slot of a concurrency limit: first come, first served in each worker.
cimport cython
from libc.stdint cimport uint32_t, uint64_t

from fastgw.exchange cimport Exchange
from fastgw.limit.limits cimport Limits
from fastgw.native.policy cimport fgw_demand, fgw_effects
from fastgw.native.record cimport fgw_limit_trace
from fastgw.shm.segment cimport Segment


cdef enum:
    KEYS_MAX = 16            # buckets of one pass that are known to be full, or were served

cdef struct QueueRule:       # of one limit
    uint64_t timeout_ns      # 0: it has no queue
    uint64_t capacity        # slots
    uint64_t busy_ns         # how long a slot is held, a moving average; 0: not known
    uint32_t places          # index of the limit that counts the queue's places

cdef struct Keys:
    int count
    uint64_t key[KEYS_MAX]


@cython.final
cdef class Queue:
    cdef:
        readonly uint32_t length
        Exchange head
        Exchange tail
        Limits _places
        Segment _segment
        uint32_t _worker
        QueueRule *_rules
        int *_wakers                 # eventfds, one a worker; NULL: nobody else waits
        fgw_effects _asked           # one demand: for a place
        fgw_limit_trace place        # of the last join
        bint is_new                  # its word in the table is new, and has no name yet

    # The demand behind whose waiting requests x has to stand; -1: it may try.
    cdef int behind(self, Exchange x) noexcept
    # Of a refused x the demand that it may wait for; -1: something refuses that has no queue (a
    # slice of a fleet's limit that is on its way refuses nothing yet).
    cdef int blocked(self, Exchange x) noexcept
    # The demand that a waiting x waits for.
    cdef int waits_at(self, Exchange x) noexcept
    # Take a place and stand last. False: there is none left, or (place.limit is 0) no hold for it.
    cdef bint join(self, Exchange x, int at, uint64_t now_ns) noexcept
    # Waiting on, for another bucket perhaps.
    cdef void wait_for(self, Exchange x, int at) noexcept
    # Out of the queue, whatever comes next. Harmless if it does not wait.
    cdef void leave(self, Exchange x, uint64_t now_ns) noexcept
    # x has given its slots back. True: the next one stands in this worker's queue.
    cdef bint freed(self, Exchange x, uint64_t now_ns) noexcept
    # Wake who has waited longest for a bucket. True: that is a request of this worker.
    cdef bint wake(self, uint64_t key) noexcept
    # Why it is refused, for people: position and the time that it will take.
    cdef bytes reason(self, Exchange x, int at, uint64_t now_ns, bint full)
    cdef void _show(self) noexcept


cdef uint64_t key_of(const fgw_demand *demand) noexcept
cdef bint known(const Keys *keys, uint64_t key) noexcept
cdef void note(Keys *keys, uint64_t key) noexcept
