# What one attempt cost, from what was read of it.
from libc.stdint cimport uint8_t, uint64_t

from fastgw.exchange cimport Exchange
from fastgw.native.policy cimport fgw_amounts
from fastgw.native.record cimport fgw_record_close, fgw_tokens

# Fills tokens, intervals and provenance of `close`. `asked`: bytes went to the provider. `whole`:
# its answer was read to its end. Returns the meter's flags, for account_cost.
cdef unsigned int count_tokens(
    Exchange x, fgw_record_close *close, bint asked, bint whole) noexcept

# The point of an output that nobody told, within its interval; its basis as in the record.
cdef void point_output(
    Exchange x, fgw_record_close *close, uint64_t point, uint8_t basis) noexcept

# Cost and overrun, once all tokens are in.
cdef void account_cost(Exchange x, fgw_record_close *close, unsigned int flags) noexcept

# The same numbers by unit, for the limits: of this attempt and of those before it.
cdef void amounts(Exchange x, const fgw_record_close *close, fgw_amounts *actual) noexcept

# To be called with the CLOSE of an attempt that another follows.
cdef void add_earlier(Exchange x, const fgw_record_close *close) noexcept

# Whether its provider told a total that is not what was read of it, in and out.
cdef bint total_differs(Exchange x, const fgw_record_close *close) noexcept

# All that went in, all that came out, whatever their class.
cdef inline uint64_t input_of(const fgw_record_close *close) noexcept:
    cdef const fgw_tokens *tokens = &close.tokens
    return (
        tokens.input + tokens.cached_input + tokens.cache_write + tokens.cache_write_1h
        + tokens.audio_input + close.units.image_input
    )


cdef inline uint64_t output_of(const fgw_record_close *close) noexcept:
    cdef const fgw_tokens *tokens = &close.tokens
    return tokens.output + tokens.reasoning + tokens.audio_output + close.units.image_output
