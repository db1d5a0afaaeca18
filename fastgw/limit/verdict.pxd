# From refused limits to the code of the refusal.
from fastgw.exchange cimport Exchange

cdef int limit_code(Exchange x) noexcept
