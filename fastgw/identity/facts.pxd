# What rules may ask about a request, filled in just before they run.
from libc.stdint cimport uint8_t, uint64_t

from fastgw.exchange cimport Exchange
from fastgw.native.cel cimport fgw_cel_source
from fastgw.native.policy cimport fgw_value


cdef class Facts:
    cdef:
        fgw_value values[64]         # FGW_FACTS_MAX
        fgw_cel_source source        # maps of the request as a whole: read where a rule asks
        uint64_t used
        uint64_t sources             # bit i: some rule reads map i
        int count
        list headers                 # (fact, name in lower case) of req.headers[…]
        list queries                 # (fact, name) of req.query[…]
        list owned                   # (fact, kind, name) of key.tags.… and key.owner.…
        dict owned_values            # Principal -> list of bytes or None, in the order of `owned`
        list keep                    # texts that values point into
        Exchange x                   # whose facts these are, where `sources` asks for more
        dict maps                    # number of a map -> [(key, value), …], dict of them

    cdef int fill(self, Exchange x, bytes client_ip) except -1
    cdef int _headers(self, Exchange x) except -1
    cdef int _owned(self, Exchange x) except -1
    cdef int _queries(self, Exchange x) except -1
    cdef tuple entries(self, int number)
    cdef void _text(self, int fact, const uint8_t *bytes, size_t length) noexcept
    cdef void _number(self, int fact, int kind, long long number) noexcept

# Whether a field's name is `lower`, in any case.
cdef bint same_name(const uint8_t *name, const uint8_t *lower, size_t length) noexcept
