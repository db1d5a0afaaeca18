"""Phase LIMIT: which code a refusal has. The worst one speaks: what waiting cannot cure."""

from fastgw.codes cimport (
    CODE_LIMIT_CONCURRENCY,
    CODE_LIMIT_COST,
    CODE_LIMIT_NEVER,
    CODE_LIMIT_REQUESTS,
    CODE_LIMIT_STORE_LOST,
    CODE_LIMIT_TABLE_FULL,
    CODE_LIMIT_TOKENS,
)
from fastgw.native.record cimport (
    FGW_LIMIT_NEVER,
    FGW_LIMIT_REFUSED,
    FGW_LIMIT_TABLE_FULL,
    FGW_TRACE_LOST,
    FGW_UNIT_COST,
    FGW_UNIT_REQUESTS,
    FGW_UNIT_SLOTS,
)


cdef int limit_code(Exchange x) noexcept:
    cdef int i, unit
    cdef int code = CODE_LIMIT_REQUESTS
    cdef unsigned long long longest = 0
    for i in range(x.n_traces):
        if not x.traces[i].enforced:
            continue  # a shadow refuses nobody
        if x.traces[i].verdict == FGW_LIMIT_TABLE_FULL:
            x.effects.rule = x.effects.demands[i].rule
            return CODE_LIMIT_TABLE_FULL
        if x.traces[i].verdict == FGW_LIMIT_NEVER:
            x.effects.rule = x.effects.demands[i].rule
            return CODE_LIMIT_NEVER
        if x.traces[i].verdict != FGW_LIMIT_REFUSED or x.traces[i].wait_ns < longest:
            continue
        longest = x.traces[i].wait_ns
        x.effects.rule = x.effects.demands[i].rule
        unit = x.traces[i].unit
        if x.traces[i].flags & FGW_TRACE_LOST:
            code = CODE_LIMIT_STORE_LOST
        elif unit == FGW_UNIT_REQUESTS:
            code = CODE_LIMIT_REQUESTS
        elif unit == FGW_UNIT_SLOTS:
            code = CODE_LIMIT_CONCURRENCY
        elif unit == FGW_UNIT_COST:
            code = CODE_LIMIT_COST
        else:
            code = CODE_LIMIT_TOKENS
    return code
