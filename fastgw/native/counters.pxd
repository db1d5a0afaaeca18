# csrc/fgw_counters.h, name for name. No logic lives here.
from libc.stdint cimport uint16_t, uint32_t, uint64_t

from fastgw.native.books cimport fgw_books, fgw_cut
from fastgw.native.policy cimport fgw_drain


cdef extern from "fgw_counters.h" nogil:
    enum fgw_counter:
        FGW_COUNT_REQUESTS
        FGW_COUNT_ALLOWED
        FGW_COUNT_DENIED
        FGW_COUNT_STATUS_1XX
        FGW_COUNT_STATUS_2XX
        FGW_COUNT_STATUS_3XX
        FGW_COUNT_STATUS_4XX
        FGW_COUNT_STATUS_5XX
        FGW_COUNT_ATTEMPTS
        FGW_COUNT_RETRIES
        FGW_COUNT_FATE
        FGW_COUNT_EVENTS
        FGW_COUNT_BYTES_FROM_CLIENT
        FGW_COUNT_BYTES_TO_CLIENT
        FGW_COUNT_BYTES_FROM_UPSTREAM
        FGW_COUNT_BYTES_TO_UPSTREAM
        FGW_COUNT_TOKENS
        FGW_COUNT_UNITS
        FGW_COUNT_COST_NANO_USD
        FGW_COUNT_COST_UNKNOWN
        FGW_COUNT_INTERVALS
        FGW_COUNT_INTERVAL_WIDTH
        FGW_COUNT_OVERRUN_TOKENS
        FGW_COUNT_REFUSALS_SAMPLED_OUT
        FGW_COUNT_CONNECTIONS
        FGW_COUNT_CONNECTIONS_REFUSED
        FGW_COUNT_UPSTREAM_CONNECTS
        FGW_COUNT_UPSTREAM_CONNECT_FAILURES
        FGW_COUNT_UPSTREAM_REUSED
        FGW_COUNT_TIMEOUTS
        FGW_COUNT_CLIENT_ABORTS
        FGW_COUNT_UPSTREAM_ABORTS
        FGW_COUNT_PAUSES_UPSTREAM
        FGW_COUNT_LIMITS_TAKEN
        FGW_COUNT_LIMITS_REFUSED
        FGW_COUNT_TABLE_INSERTS
        FGW_COUNT_HOLDS_FULL
        FGW_COUNT_EXCEPTIONS
        FGW_COUNT_CODES_LOST
        FGW_COUNT_OVERRUN_NANO_USD
        FGW_COUNT_LIMITS_FITTED
        FGW_COUNT_UNBOUNDED
        FGW_COUNT_SHADOWS
        FGW_COUNT_SHADOW_LIMITS
        FGW_GAUGES
        FGW_COUNT_DRAINS
        FGW_COUNT_DRAINED
        FGW_COUNT_TOTALS_UNEQUAL
        FGW_COUNT_UNREAD
        FGW_COUNT_DRAIN_TOKENS
        FGW_COUNT_DRAIN_SECONDS
        FGW_COUNT_DRAIN_BROKEN
        FGW_COUNT_DRAIN_FULL
        FGW_GAUGE_CONNECTIONS
        FGW_GAUGE_REQUESTS
        FGW_GAUGE_STREAMS
        FGW_GAUGE_UPSTREAM_CONNECTIONS
        FGW_GAUGE_UPSTREAM_IDLE
        FGW_GAUGE_BUFFERED_BYTES
        FGW_GAUGE_WAITING
        FGW_GAUGE_DRAINS
        FGW_COUNTERS

    enum fgw_histogram:
        FGW_HISTOGRAM_OVERHEAD
        FGW_HISTOGRAM_CONNECT
        FGW_HISTOGRAM_FIRST_BYTE
        FGW_HISTOGRAM_TOTAL
        FGW_HISTOGRAM_REFUSAL
        FGW_HISTOGRAM_LOOP
        FGW_HISTOGRAMS

    enum fgw_ratio:
        FGW_RATIO_INPUT
        FGW_RATIO_OUTPUT
        FGW_RATIOS

    const int FGW_HISTOGRAM_BUCKETS
    const int FGW_RATIO_BUCKETS
    const int FGW_CODES
    const int FGW_SHADOW_RULES

    struct fgw_code_count:
        uint64_t code
        uint64_t count

    struct fgw_counted_times:
        uint64_t bucket[31]  # FGW_HISTOGRAM_BUCKETS
        uint64_t sum_us

    struct fgw_counted_ratios:
        uint64_t bucket[15]  # FGW_RATIO_BUCKETS
        uint64_t sum

    struct fgw_shadow_count:
        uint64_t rule
        uint64_t actions
        uint64_t limits

    struct fgw_counters:
        uint64_t value[128]           # FGW_COUNTERS
        fgw_code_count codes[64]      # FGW_CODES
        fgw_counted_times histograms[6]  # FGW_HISTOGRAMS
        fgw_counted_ratios ratios[2]     # FGW_RATIOS
        fgw_shadow_count shadows[128]    # FGW_SHADOW_RULES
        fgw_cut cut

    void fgw_count(fgw_counters *counters, unsigned int which, uint64_t n) noexcept
    void fgw_count_code(fgw_counters *counters, uint16_t code) noexcept
    void fgw_count_shadow(fgw_counters *counters, uint64_t rule, int limit) noexcept
    void fgw_count_time(fgw_counters *counters, unsigned int histogram, uint64_t ns) noexcept
    void fgw_count_ratio(
        fgw_counters *counters, unsigned int ratio, uint64_t reported, uint64_t estimated
    ) noexcept
    void fgw_counters_books(const fgw_counters *counters, fgw_books *books) noexcept
    int fgw_drain_begin(fgw_counters *all, uint32_t workers, uint32_t own,
                        const fgw_drain *drain) noexcept
    void fgw_drain_end(fgw_counters *own, const fgw_drain *drain) noexcept
    void fgw_counters_sum(fgw_counters *sum, const fgw_counters *counters) noexcept
    void fgw_counters_reset_gauges(fgw_counters *counters) noexcept
