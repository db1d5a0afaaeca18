# From refused limits to the code of the refusal.
from fastgw.exchange cimport Exchange
from fastgw.limit.limits cimport Limits

# Reads traces. Writes effects.rule, that of the limit that speaks: never, else the longest wait.
cdef int limit_code(Exchange x, Limits limits) noexcept

# How many limits stood in the way.
cdef int limits_refusing(Exchange x) noexcept
