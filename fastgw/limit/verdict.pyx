"""Phase LIMIT: which code a refusal has. The worst one speaks: what waiting cannot cure."""

from libc.stdint cimport UINT64_MAX, uint64_t

from fastgw.codes cimport (
    CODE_LIMIT_CAP,
    CODE_LIMIT_CONCURRENCY,
    CODE_LIMIT_COST,
    CODE_LIMIT_NEVER,
    CODE_LIMIT_REQUESTS,
    CODE_LIMIT_STORE_LOST,
    CODE_LIMIT_TABLE_FULL,
    CODE_LIMIT_TOKENS,
)
from fastgw.native.limit cimport FGW_ALGORITHM_CAP
from fastgw.native.record cimport (
    FGW_LIMIT_NEVER,
    FGW_LIMIT_REFUSED,
    FGW_LIMIT_TABLE_FULL,
    FGW_TRACE_LOST,
    FGW_UNIT_COST,
    FGW_UNIT_REQUESTS,
    FGW_UNIT_SLOTS,
)


cdef int limits_refusing(Exchange x) noexcept:
    cdef int i, found = 0
    for i in range(x.n_traces):
        found += x.traces[i].enforced and (
            x.traces[i].verdict == FGW_LIMIT_REFUSED or x.traces[i].verdict == FGW_LIMIT_NEVER
            or x.traces[i].verdict == FGW_LIMIT_TABLE_FULL
        )
    return found


cdef inline bint lasts(Exchange x, Limits limits, int i) noexcept:
    """A cap without an end of its window: no wait helps, and none is known."""
    return x.traces[i].wait_ns == 0 and is_cap(x, limits, i)


cdef inline bint is_cap(Exchange x, Limits limits, int i) noexcept:
    cdef int limit = x.effects.demands[i].limit
    return (
        limit < <int>limits._limits.n_specs
        and limits._limits.specs[limit].algorithm == FGW_ALGORITHM_CAP
    )


cdef int limit_code(Exchange x, Limits limits) noexcept:
    cdef int i, unit
    cdef bint found = False
    cdef int code = CODE_LIMIT_REQUESTS
    cdef uint64_t wait, longest = 0
    for i in range(x.n_traces):
        if not x.traces[i].enforced:
            continue  # a shadow refuses nobody
        if x.traces[i].verdict == FGW_LIMIT_TABLE_FULL:
            x.effects.rule = x.effects.demands[i].rule
            return CODE_LIMIT_TABLE_FULL
        if x.traces[i].verdict == FGW_LIMIT_NEVER:
            x.effects.rule = x.effects.demands[i].rule
            return CODE_LIMIT_NEVER
        if x.traces[i].verdict != FGW_LIMIT_REFUSED:
            continue
        wait = UINT64_MAX if lasts(x, limits, i) else x.traces[i].wait_ns
        if found and wait <= longest:
            continue
        found = True
        longest = wait
        x.effects.rule = x.effects.demands[i].rule
        unit = x.traces[i].unit
        if x.traces[i].flags & FGW_TRACE_LOST:
            code = CODE_LIMIT_STORE_LOST
        elif is_cap(x, limits, i):
            code = CODE_LIMIT_CAP
        elif unit == FGW_UNIT_REQUESTS:
            code = CODE_LIMIT_REQUESTS
        elif unit == FGW_UNIT_SLOTS:
            code = CODE_LIMIT_CONCURRENCY
        elif unit == FGW_UNIT_COST:
            code = CODE_LIMIT_COST
        else:
            code = CODE_LIMIT_TOKENS
    return code
