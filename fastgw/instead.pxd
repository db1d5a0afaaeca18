# Another model that would pass now, for a request that limits refused.
from libc.stdint cimport uint64_t

from fastgw.exchange cimport Exchange
from fastgw.identity.facts cimport Facts
from fastgw.limit.limits cimport Limits
from fastgw.native.policy cimport fgw_effects
from fastgw.policy.policy cimport Policy, PrincipalPart
from fastgw.upstream.route cimport Route, Routes


cdef class Instead:
    cdef:
        Policy policy
        Routes routes
        readonly list models     # (name, its route, its name as JSON text), in the order written
        fgw_effects effects      # of the model that is tried

    # Its name as JSON text without quotes; None: none of those tried. Reads facts as they were
    # filled for this exchange, and leaves them so. Takes nothing.
    cdef bytes find(self, Exchange x, Facts facts, Limits limits, uint64_t now_ns)

    cdef bint serves(self, Exchange x, Route route, PrincipalPart part) except -1
