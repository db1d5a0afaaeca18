"""Phase LIMIT: the queue for a slot of a concurrency limit.

A request that is refused by nothing but full concurrency limits with a ``queue`` waits, and holds
nothing of them: only its place in the queue. Places are a concurrency limit of their own, of
``queue.max``, so that they are counted over all workers, and free again when a worker dies.

::

    refused ──> join ──> waits ──> a slot is freed ──> all limits are tried anew ──> admitted
                 │         ├──> timeout, drain: refused             └─ still full: waits on
                 └ full    └──> client gone: as if it had never been here

First come, first served in one worker: exchanges are linked in the order in which they came, and
who arrives behind a waiting one for the same bucket does not try. Over workers approximately: each
shows since when its oldest request waits, and for which buckets (64 bits, so sometimes too many);
who frees a slot wakes the worker of the oldest. Should a wake-up be lost all the same, every
worker looks at its queue each 100 ms.
"""

cimport cython
from libc.stdint cimport uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

from fastgw.exchange cimport Exchange
from fastgw.limit.limits cimport Holds, Limits
from fastgw.native.policy cimport fgw_amounts, fgw_demand
from fastgw.native.record cimport (
    FGW_LIMIT_NEVER,
    FGW_LIMIT_REFUSED,
    FGW_LIMIT_TABLE_FULL,
    FGW_LIMIT_TAKEN,
    FGW_TRACE_WAITS,
    FGW_UNIT_SLOTS,
)
from fastgw.native.segment cimport fgw_segment_slot, fgw_worker_queue, fgw_worker_show_queue


cdef extern from "<unistd.h>" nogil:
    ssize_t write(int fd, const void *bytes, size_t length)


cdef enum:
    HOLDS_LEFT = 8           # of a worker's holds so great a part is never for places

cdef uint64_t PLACES = <uint64_t>0x7175657565000000    # what sets a queue's key off its limit's
cdef uint64_t SECOND = 1000000000


cdef uint64_t key_of(const fgw_demand *demand) noexcept:
    return demand.identity[0] ^ (demand.identity[1] << 1 | demand.identity[1] >> 63)


cdef bint known(const Keys *keys, uint64_t key) noexcept:
    cdef int i
    for i in range(keys.count):
        if keys.key[i] == key:
            return True
    return False


cdef void note(Keys *keys, uint64_t key) noexcept:
    if keys.count < KEYS_MAX and not known(keys, key):
        keys.key[keys.count] = key
        keys.count += 1


def queues(specs):
    """Whether any of these limits (``Limits``' specs) lets requests wait."""
    return any(spec.get("queue_max") and spec.get("enforced", True) for spec in specs)


@cython.final
cdef class Queue:
    """One worker's queue. ``wakers``: an eventfd for each worker slot, none where there is one."""

    def __cinit__(self, specs, Holds holds not None, wakers=()):
        cdef QueueRule *rule
        self._segment = holds.segment
        self._worker = holds.worker
        self._rules = <QueueRule *>calloc(len(specs) + 1, sizeof(QueueRule))
        if self._rules == NULL:
            raise MemoryError
        places = []
        for at, spec in enumerate(specs):
            if not spec.get("queue_max"):
                continue
            rule = &self._rules[<Py_ssize_t>at]
            rule.timeout_ns = max(1, spec["queue_timeout_ns"])
            rule.capacity = spec["capacity"]
            rule.places = <uint32_t>len(places)
            places.append({**spec, "capacity": spec["queue_max"], "queue_max": 0})
        self._places = Limits(places, holds)
        memset(&self._asked, 0, sizeof(self._asked))
        self._asked.n_demands = 1
        if len(wakers):
            if len(wakers) != self._segment.map.workers:
                raise ValueError("a waker for each worker, or none")
            self._wakers = <int *>malloc(len(wakers) * sizeof(int))
            if self._wakers == NULL:
                raise MemoryError
            for at, fd in enumerate(wakers):
                self._wakers[<Py_ssize_t>at] = fd

    def __dealloc__(self):
        free(self._rules)
        free(self._wakers)

    cdef int behind(self, Exchange x) noexcept:
        cdef Exchange other = self.head
        cdef fgw_demand *demand
        cdef int i
        while other is not None:
            for i in range(x.effects.n_demands):
                demand = &x.effects.demands[i]
                if (demand.enforced and self._rules[demand.limit].timeout_ns
                        and key_of(demand) == other.waits_key):
                    return i
            other = other.queue_next
        return -1

    cdef int blocked(self, Exchange x) noexcept:
        cdef int i, verdict
        cdef int found = -1
        for i in range(x.n_traces):
            verdict = x.traces[i].verdict
            if not x.traces[i].enforced:
                continue
            if verdict == FGW_LIMIT_NEVER or verdict == FGW_LIMIT_TABLE_FULL:
                return -1
            if verdict == FGW_LIMIT_REFUSED and not x.traces[i].flags & FGW_TRACE_WAITS:
                if self._rules[x.effects.demands[i].limit].timeout_ns == 0:
                    return -1
                if found < 0:
                    found = i
        return found

    cdef int waits_at(self, Exchange x) noexcept:
        cdef int i
        for i in range(x.effects.n_demands):
            if key_of(&x.effects.demands[i]) == x.waits_key:
                return i
        return 0

    cdef bint join(self, Exchange x, int at, uint64_t now_ns) noexcept:
        cdef const fgw_demand *demand = &x.effects.demands[at]
        cdef fgw_demand *place = &self._asked.demands[0]
        cdef QueueRule *rule = &self._rules[demand.limit]
        cdef fgw_amounts one
        cdef uint32_t inserted = 0
        memset(&one, 0, sizeof(one))
        one.by_unit[<int>FGW_UNIT_SLOTS] = 1
        place[0] = demand[0]
        place.identity[1] ^= PLACES
        place.limit = <uint16_t>rule.places
        memset(&self.place, 0, sizeof(self.place))
        self.is_new = False
        if self._places.holds.free <= self._places.holds.size // HOLDS_LEFT:
            return False  # who waits must not take what those who run need, or nobody runs
        x.place = self._places.hold_acquire(&x.id, x.wall_ns)
        if x.place == NULL:
            return False
        if self._places.take(
            &self._asked, &one, &one, now_ns, x.wall_ns, x.place, &self.place, &inserted
        ):
            self._places.hold_release(x.place)
            x.place = NULL
            return False
        self.is_new = inserted != 0
        x.waits = True
        x.waits_since_ns = now_ns
        x.waits_until_ns = now_ns + rule.timeout_ns
        x.waits_key = key_of(demand)
        x.queue_before = self.tail
        x.queue_next = None
        if self.tail is None:
            self.head = x
        else:
            self.tail.queue_next = x
        self.tail = x
        self.length += 1
        self._show()
        return True

    cdef void wait_for(self, Exchange x, int at) noexcept:
        cdef uint64_t key = key_of(&x.effects.demands[at])
        if key != x.waits_key:
            x.waits_key = key
            self._show()

    cdef void leave(self, Exchange x, uint64_t now_ns) noexcept:
        cdef fgw_amounts nothing
        if not x.waits:
            return
        x.waits = False
        if x.queue_before is None:
            self.head = x.queue_next
        else:
            x.queue_before.queue_next = x.queue_next
        if x.queue_next is None:
            self.tail = x.queue_before
        else:
            x.queue_next.queue_before = x.queue_before
        x.queue_next = x.queue_before = None
        self.length -= 1
        memset(&nothing, 0, sizeof(nothing))
        self._places.settle(x.place, &nothing, now_ns)
        self._places.hold_release(x.place)
        x.place = NULL
        self._show()

    cdef void _show(self) noexcept:
        """Tell the other workers since when, and for what, requests wait here."""
        cdef Exchange x = self.head
        cdef uint64_t keys = 0
        while x is not None:
            keys |= <uint64_t>1 << (x.waits_key & 63)
            x = x.queue_next
        fgw_worker_show_queue(
            fgw_segment_slot(&self._segment.map, self._worker),
            0 if self.head is None else self.head.waits_since_ns, keys,
        )

    cdef bint freed(self, Exchange x, uint64_t now_ns) noexcept:
        cdef const fgw_demand *demand
        cdef QueueRule *rule
        cdef uint64_t held = now_ns - x.decided_ns
        cdef bint ours = False
        cdef int i
        for i in range(x.n_traces):
            demand = &x.effects.demands[i]
            rule = &self._rules[demand.limit]
            if (rule.timeout_ns == 0 or not demand.enforced
                    or x.traces[i].verdict != FGW_LIMIT_TAKEN):
                continue
            rule.busy_ns = held if rule.busy_ns == 0 else (7 * rule.busy_ns + held) // 8
            ours |= self.wake(key_of(demand))
        return ours

    cdef bint wake(self, uint64_t key) noexcept:
        cdef Exchange x = self.head
        cdef uint64_t since, keys, oldest = <uint64_t>-1
        cdef uint64_t one = 1
        cdef uint32_t worker
        cdef int other = -1
        while x is not None and x.waits_key != key:
            x = x.queue_next
        if x is not None:
            oldest = x.waits_since_ns
        if self._wakers != NULL:
            for worker in range(self._segment.map.workers):
                if worker == self._worker:
                    continue
                since = fgw_worker_queue(fgw_segment_slot(&self._segment.map, worker), &keys)
                if since and since < oldest and keys >> (key & 63) & 1:
                    oldest = since
                    other = <int>worker
        if other >= 0:
            # It fails only where the counter is full: then the worker has not slept since.
            write(self._wakers[other], &one, sizeof(one))
            return False
        return x is not None

    cdef bytes reason(self, Exchange x, int at, uint64_t now_ns, bint full):
        cdef const fgw_demand *demand = &x.effects.demands[at]
        cdef QueueRule *rule = &self._rules[demand.limit]
        cdef Exchange other = self.head
        cdef uint64_t position = 1, wait
        if full:
            position = self.place.used + 1
        else:
            while other is not None and other is not x:
                position += other.waits_key == x.waits_key
                other = other.queue_next
        wait = rule.busy_ns * ((position + rule.capacity - 1) // rule.capacity)
        if at < x.n_traces:
            x.traces[at].wait_ns = wait
            x.traces[at].place = <uint16_t>min(position, 0xffff)
        soon = f", which takes about {(wait + SECOND - 1) // SECOND} s" if wait else ""
        if full:
            return (f"all slots ({rule.capacity}) are taken and the queue is full: this request "
                    f"would be number {position} in it{soon}").encode()
        waited = (now_ns - x.waits_since_ns) / SECOND
        return (f"no slot became free within {waited:.1f} s: this request was number {position} "
                f"of its worker's queue{soon}").encode()
