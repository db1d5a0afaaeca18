# What one attempt cost, from what was read of it.
from libc.stdint cimport uint64_t

from fastgw.exchange cimport Exchange
from fastgw.native.policy cimport fgw_amounts
from fastgw.native.record cimport fgw_record_close

# Fills tokens, intervals and provenance of `close`.
cdef void account(Exchange x, fgw_record_close *close, bint asked, bint whole) noexcept

# The same numbers by unit, for the limits. `close` is the last attempt's; earlier ones are in the
# hold.
cdef void amounts(const fgw_record_close *close, fgw_amounts *actual) noexcept
