"""Phase IDENTIFY: how many tokens a request will be, in constant time; and what to learn of it.

A worker learns for itself, and forgets when it ends: the first few answers of a model say enough.
The rules are in csrc/fgw_estimate.h; the error is the histogram `estimate_ratio` of /metrics.
"""

cimport cython
from libc.stdlib cimport calloc, free

from fastgw.native.counters cimport FGW_RATIO_INPUT, FGW_RATIO_OUTPUT, fgw_count_ratio
from fastgw.native.dialect cimport (
    FGW_ASK_UNBOUNDED,
    FGW_ROUTE_BODY,
    FGW_ROUTE_CAPPABLE,
    fgw_ask_pictures,
)
from fastgw.native.estimate cimport (
    fgw_estimate,
    fgw_estimate_input,
    fgw_estimate_learn_input,
    fgw_estimate_learn_output,
    fgw_estimate_output,
    fgw_estimates_find,
    fgw_estimates_place,
)
from fastgw.native.record cimport FGW_FATE_DELIVERED, FGW_PROVENANCE_PROVIDER
from fastgw.usage.account cimport input_of, output_of


@cython.final
cdef class Expect:
    def __cinit__(self):
        self._table = <fgw_estimates *>calloc(1, sizeof(fgw_estimates))
        if self._table == NULL:
            raise MemoryError()

    def __dealloc__(self):
        free(self._table)

    cdef void estimate(self, Exchange x) noexcept:
        cdef const fgw_estimate *known = fgw_estimates_find(self._table, x.model_hash)
        cdef uint64_t output
        x.input_estimate = x.output_expected = 0
        if x.route.flags & FGW_ROUTE_BODY:
            x.input_estimate = fgw_estimate_input(
                known, x.input_guess, fgw_ask_pictures(&x.ask)
            )
        if x.route.flags & FGW_ROUTE_CAPPABLE:
            output = fgw_estimate_output(known) * x.ask.n
            x.output_expected = output if output < x.output_bound else x.output_bound

    cdef void learn(
        self, Exchange x, const fgw_record_close *close, fgw_counters *counters
    ) noexcept:
        cdef fgw_estimate *place
        cdef uint64_t tokens
        if close.fate != FGW_FATE_DELIVERED or close.provenance != FGW_PROVENANCE_PROVIDER:
            return
        if not x.route.flags & FGW_ROUTE_BODY or x.ask.flags & FGW_ASK_UNBOUNDED:
            return  # the body says too little of what the provider read
        place = fgw_estimates_place(self._table, x.model_hash)
        if place == NULL:
            return
        tokens = input_of(close)
        fgw_count_ratio(counters, FGW_RATIO_INPUT, tokens, x.input_estimate)
        fgw_estimate_learn_input(place, x.input_guess, fgw_ask_pictures(&x.ask), tokens)
        if x.route.flags & FGW_ROUTE_CAPPABLE:
            tokens = output_of(close)
            fgw_count_ratio(counters, FGW_RATIO_OUTPUT, tokens, x.output_expected)
            fgw_estimate_learn_output(place, (tokens + x.ask.n - 1) // x.ask.n, x.output_max)
