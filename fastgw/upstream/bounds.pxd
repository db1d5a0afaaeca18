# The most that a request can come to at any candidate that may still be asked.
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint64_t

from fastgw.exchange cimport Exchange
from fastgw.native.price cimport fgw_price
from fastgw.upstream.route cimport Candidate

# The name of the model that this candidate would be asked for, or takes by itself where the
# request names none; length 0: nobody knows.
cdef const uint8_t *model_of(Exchange x, Candidate candidate, size_t *length) noexcept

# The price of the model that this candidate would be asked for; NULL: unknown.
cdef const fgw_price *price_of(Exchange x, Candidate candidate) noexcept

# Output tokens of one answer that none of their models passes; `otherwise` where unknown.
cdef uint64_t output_most(Exchange x, uint64_t otherwise) noexcept

# Nano-dollars that no more than these tokens cost at the dearest of those with a price.
cdef int64_t dearest(Exchange x, uint64_t input, uint64_t output, bint writes) noexcept

# The most output tokens that cost no more than `room_nano` wherever the request goes.
cdef uint64_t output_within(
    Exchange x, uint64_t input, uint64_t room_nano, bint writes) noexcept

cdef enum Unpriced:
    PRICED = 0                   # all of them
    OTHER_UNPRICED = 1           # some, but not the chosen one
    CHOSEN_UNPRICED = 2

# Whether one of them has no price; `close`: they are closed to this request.
cdef Unpriced unpriced(Exchange x, bint close) noexcept
