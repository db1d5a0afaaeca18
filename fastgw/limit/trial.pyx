"""One request's limits, driven from Python: for simulation, benches and tests.

The hot path calls Limits and the hold's functions itself; here are the same calls, in that order.
"""

from typing import NamedTuple

cimport cython
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from fastgw.limit.limits cimport Limits
from fastgw.native.hold cimport (
    fgw_hold, fgw_hold_amount, fgw_hold_closed, fgw_hold_closing, fgw_hold_opening,
    fgw_hold_progress, fgw_hold_sent)
from fastgw.native.policy cimport fgw_amounts, fgw_effects
from fastgw.native.record cimport FGW_LIMITS_MAX, FGW_UNITS, fgw_limit_trace, fgw_request_id

from fastgw.limit.limits import UNITS

NO_CAP = (1 << 64) - 1  # of room


class Trace(NamedTuple):
    """struct fgw_limit_trace."""

    identity: tuple[int, int]
    rule: int
    used: int
    held: int
    limit: int
    taken: int
    wait_ns: int
    reset_ns: int
    unit: int
    verdict: int
    enforced: bool
    flags: int


@cython.final
cdef class Trial:
    """A request that runs from its making to `release`, in a hold of its worker's arena."""

    cdef:
        Limits _limits
        fgw_hold *_hold
        fgw_effects _effects
        fgw_limit_trace _traces[FGW_LIMITS_MAX]
        readonly uint32_t inserted  # bit i: demand i's bucket was new

    def __cinit__(self, Limits limits not None, id=(1, 0, 1), wall_ns=0):
        cdef fgw_request_id whose
        memset(&whose, 0, sizeof(whose))
        whose.generation, whose.worker, whose.sequence = id
        self._limits = limits
        self._hold = limits.hold_acquire(&whose, wall_ns)
        if self._hold == NULL:
            raise MemoryError("no hold is free in this worker's arena")

    def take(self, demands, amounts, uint64_t now_ns, *, wall_ns=0, ceiling=None):
        """``demands``: (limit, identity, enforced) each; ``amounts`` by unit, those expected and,
        if not given apart as ``ceiling``, those at most. True if taken."""
        cdef fgw_amounts expected, most
        self._check()
        memset(&self._effects, 0, sizeof(self._effects))
        if len(demands) > FGW_LIMITS_MAX:
            raise ValueError(f"at most {FGW_LIMITS_MAX} limits at once")
        for at, (limit, identity, enforced) in enumerate(demands):
            self._effects.demands[<int>at].limit = limit
            self._effects.demands[<int>at].enforced = enforced
            self._effects.demands[<int>at].identity[0] = identity[0]
            self._effects.demands[<int>at].identity[1] = identity[1]
        self._effects.n_demands = len(demands)
        _amounts(&expected, amounts)
        _amounts(&most, amounts if ceiling is None else ceiling)
        return self._limits.take(&self._effects, &expected, &most, now_ns, wall_ns, self._hold,
                                 self._traces, &self.inserted) == 0

    def room(self, uint64_t now_ns=0, uint64_t wall_ns=0):
        """The least room that the caps of the last `take` leave, by unit, where there are any."""
        cdef uint64_t left[FGW_UNITS]
        self._limits.room(&self._effects, now_ns, wall_ns, left)
        return {unit: left[<int>at] for unit, at in UNITS.items() if left[<int>at] != NO_CAP}

    def draw(self, more, uint64_t now_ns=0):
        """Takes more for every cap held: True if all of them had room."""
        cdef fgw_amounts amounts
        self._check()
        _amounts(&amounts, more)
        return self._limits.draw(self._hold, &amounts, now_ns) == 0

    @property
    def traces(self):
        """What the last `take` left, one per demand."""
        return [Trace((t.identity[0], t.identity[1]), t.rule, t.used, t.held, t.limit, t.taken,
                      t.wait_ns, t.reset_ns, t.unit, t.verdict, bool(t.enforced), t.flags)
                for t in self._traces[:self._effects.n_demands]]

    @property
    def held(self):
        """What the hold holds now, by demand."""
        self._check()
        return [fgw_hold_amount(&self._hold.limits[at]) for at in range(self._hold.n_limits)]

    def open(self, attempt, *, input_estimate=0, input_high=0, output_high=0, provider_key=0,
             wall_ns=0, open_sequence=0):
        """An attempt begins: its OPEN record is about to be posted, as that one of the ring."""
        self._check()
        self._hold.input_estimate = input_estimate
        self._hold.input_high = input_high
        self._hold.output_high = output_high
        self._hold.provider_key = provider_key
        fgw_hold_opening(self._hold, attempt, wall_ns, open_sequence)

    def sent(self, bytes_in):
        self._check()
        fgw_hold_sent(self._hold, bytes_in)

    def progress(self, *, input_tokens=0, output_tokens=0, events=0, bytes_out=0):
        self._check()
        fgw_hold_progress(self._hold, input_tokens, output_tokens, events, bytes_out)

    def closing(self, close_sequence):
        """The attempt's CLOSE record is about to be posted, as that one of the ring."""
        self._check()
        fgw_hold_closing(self._hold, close_sequence)

    def closed(self):
        """The attempt's CLOSE record is posted."""
        self._check()
        fgw_hold_closed(self._hold)

    def intend(self, amounts):
        """The last CLOSE is about to be posted: what `settle` will be given."""
        cdef fgw_amounts actual
        self._check()
        _amounts(&actual, amounts)
        self._limits.intend(self._hold, &actual)

    def settle(self, amounts, uint64_t now_ns):
        cdef fgw_amounts actual
        self._check()
        _amounts(&actual, amounts)
        self._limits.settle(self._hold, &actual, now_ns)

    def release(self):
        self._check()
        self._limits.hold_release(self._hold)
        self._hold = NULL

    cdef int _check(self) except -1:
        if self._hold == NULL:
            raise ValueError("this trial was released")
        return 0


cdef int _amounts(fgw_amounts *into, amounts) except -1:
    memset(into, 0, sizeof(fgw_amounts))
    for unit, amount in amounts.items():
        into.by_unit[<int>UNITS[unit]] = amount
    return 0
