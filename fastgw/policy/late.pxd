# Facts that outlive the run that made them, and results that exist only behind it.
cimport cython
from libc.stdint cimport uint64_t

from fastgw.exchange cimport Said
from fastgw.native.policy cimport fgw_effects, fgw_value
from fastgw.native.record cimport fgw_limit_trace


@cython.final
cdef class Late:
    cdef:
        list _kept              # places of facts that only rules and answers write
        dict _results           # type of limit's word -> {name of a result: place}
        dict _answer            # name -> place: res.status, upstream.…, usage.…
        bint _looks             # results of `detect` are read
        list headers            # (place, name in lower case) of res.headers[…]
        list _limits            # LimitSpec, by number
        list _texts             # bytes that facts point into
        fgw_value _kinds[24]    # FGW_DETECT_ALL_MAX: what actions.detect.kinds points at

    # Of one exchange: what recall puts back, as long as nobody else ran in between.
    cdef bytes remember(self, const fgw_value *facts)
    cdef int recall(self, bytes kept, fgw_value *facts) except -1

    # Results of limits, from the request's traces.
    cdef int limits(self, const fgw_effects *effects, const fgw_limit_trace *traces, int count,
                    fgw_value *facts) except -1

    # Results of `detect` so far; `names` of kinds by their bit.
    cdef int detected(self, Said said, list names, fgw_value *facts) except -1

    # A fact by its name, where some rule reads it; None: absent.
    cdef int fill(self, str name, object value, fgw_value *facts) except -1
    cdef int put(self, int place, object value, fgw_value *facts) except -1

    # Texts that earlier calls have put into facts are not needed any more.
    cdef int begin(self) except -1
