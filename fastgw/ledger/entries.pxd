# Exchanges as records: one place that knows which field goes where.
from libc.stdint cimport uint8_t, uint64_t

from fastgw.exchange cimport Exchange
from fastgw.ledger.journal cimport Journal
from fastgw.native.record cimport fgw_record_close, fgw_record_open


# Posts the REQUEST of an admitted exchange; returns what Journal.request does.
cdef int post_request(Exchange x, Journal journal, uint64_t policy, const uint8_t *address,
                      uint64_t now_ns) noexcept
# Posts the refusal of `x` (refused, code, status, phase are set); False: it was only counted.
cdef bint post_refusal(Exchange x, Journal journal, uint64_t policy, const uint8_t *address,
                       uint64_t reason, uint64_t now_ns) noexcept
# Posts the OPEN of the attempt that x is about to make; returns what Journal.open does.
cdef int post_open(Exchange x, Journal journal, uint64_t key_hash, int room) noexcept
# Posts what the hold of x holds of its caps after a draw; `room` as Journal.reserve_held has said.
cdef void post_held(Exchange x, Journal journal, int room, uint64_t wall_ns) noexcept
# Posts what the provider of the attempt that ends said of its usage; before its CLOSE.
cdef void post_quotes(Exchange x, Journal journal, uint64_t wall_ns) noexcept
# Fills identity, fate and times of a CLOSE; tokens are usage's.
cdef void fill_close(Exchange x, fgw_record_close *close, int fate, bint final,
                     uint64_t now_ns, uint64_t wall_ns) noexcept
