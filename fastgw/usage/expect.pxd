# What a request will probably use, as learned from those before it.
from libc.stdint cimport uint64_t

from fastgw.exchange cimport Exchange
from fastgw.native.counters cimport fgw_counters
from fastgw.native.estimate cimport fgw_estimates
from fastgw.native.record cimport fgw_record_close


cdef class Expect:
    cdef fgw_estimates *_table

    # Reads model_hash, ask, input_guess, output_bound. Writes input_estimate, output_expected.
    cdef void estimate(self, Exchange x) noexcept

    # A provider's own final numbers for a whole answer: to be learned from, and counted against
    # what was expected. Others teach nothing.
    cdef void learn(
        self, Exchange x, const fgw_record_close *close, fgw_counters *counters) noexcept
