"""Counters of all workers, summed on read: for /metrics, `status`, `top` and the books' checks.

A reader never stops a writer, so sums of different counters may be an event apart.
"""

from typing import NamedTuple

from libc.string cimport memset

from fastgw.native.counters cimport (
    FGW_CODES, FGW_COUNT_ALLOWED, FGW_COUNT_ATTEMPTS,
    FGW_COUNT_BYTES_FROM_CLIENT, FGW_COUNT_BYTES_FROM_UPSTREAM, FGW_COUNT_BYTES_TO_CLIENT,
    FGW_COUNT_BYTES_TO_UPSTREAM, FGW_COUNT_CLIENT_ABORTS, FGW_COUNT_CODES_LOST,
    FGW_COUNT_DRAINED, FGW_COUNT_DRAINS, FGW_COUNT_DRAIN_BROKEN, FGW_COUNT_DRAIN_FULL,
    FGW_COUNT_DRAIN_SECONDS, FGW_COUNT_DRAIN_TOKENS, FGW_GAUGE_DRAINS,
    FGW_COUNT_CONNECTIONS, FGW_COUNT_CONNECTIONS_REFUSED, FGW_COUNT_COST_NANO_USD,
    FGW_COUNT_COST_UNKNOWN, FGW_COUNT_DENIED, FGW_COUNT_EVENTS,
    FGW_COUNT_EXCEPTIONS, FGW_COUNT_FATE, FGW_COUNT_HOLDS_FULL, FGW_COUNT_INTERVALS,
    FGW_COUNT_INTERVAL_WIDTH, FGW_COUNT_LIMITS_REFUSED,
    FGW_COUNT_LIMITS_TAKEN, FGW_COUNT_LIMITS_FITTED, FGW_COUNT_OVERRUN_NANO_USD,
    FGW_COUNT_OVERRUN_TOKENS, FGW_COUNT_TOTALS_UNEQUAL, FGW_COUNT_UNBOUNDED, FGW_COUNT_SHADOWS,
    FGW_COUNT_UNREAD,
    FGW_COUNT_SHADOW_LIMITS, FGW_SHADOW_RULES,
    FGW_COUNT_PAUSES_UPSTREAM, FGW_COUNT_REFUSALS_SAMPLED_OUT,
    FGW_COUNT_REQUESTS, FGW_COUNT_RETRIES, FGW_COUNT_STATUS_1XX, FGW_COUNT_STATUS_2XX,
    FGW_COUNT_STATUS_3XX, FGW_COUNT_STATUS_4XX, FGW_COUNT_STATUS_5XX,
    FGW_COUNT_TABLE_INSERTS, FGW_COUNT_TIMEOUTS, FGW_COUNT_TOKENS, FGW_COUNT_UNITS,
    FGW_COUNT_UPSTREAM_ABORTS,
    FGW_COUNT_UPSTREAM_CONNECTS, FGW_COUNT_UPSTREAM_CONNECT_FAILURES,
    FGW_COUNT_UPSTREAM_REUSED, FGW_GAUGE_BUFFERED_BYTES, FGW_GAUGE_CONNECTIONS,
    FGW_GAUGE_REQUESTS, FGW_GAUGE_STREAMS, FGW_GAUGE_UPSTREAM_CONNECTIONS,
    FGW_GAUGE_UPSTREAM_IDLE, FGW_GAUGE_WAITING, FGW_HISTOGRAM_BUCKETS, FGW_HISTOGRAM_CONNECT,
    FGW_HISTOGRAM_FIRST_BYTE, FGW_HISTOGRAM_LOOP, FGW_HISTOGRAM_OVERHEAD,
    FGW_HISTOGRAM_REFUSAL, FGW_HISTOGRAM_TOTAL, FGW_RATIO_BUCKETS, FGW_RATIO_INPUT,
    FGW_RATIO_OUTPUT, fgw_count, fgw_count_code, fgw_count_time,
    fgw_counters, fgw_counters_sum)
from fastgw.shm.segment cimport Segment

UNREAD = ("", "br", "zstd", "other", "broken")  # enum fgw_unread
# The names of metrics, as /metrics and the admin API have them.
COUNTERS = {
    "requests": FGW_COUNT_REQUESTS,
    "allowed": FGW_COUNT_ALLOWED,
    "denied": FGW_COUNT_DENIED,
    "status_1xx": FGW_COUNT_STATUS_1XX,
    "status_2xx": FGW_COUNT_STATUS_2XX,
    "status_3xx": FGW_COUNT_STATUS_3XX,
    "status_4xx": FGW_COUNT_STATUS_4XX,
    "status_5xx": FGW_COUNT_STATUS_5XX,
    "attempts": FGW_COUNT_ATTEMPTS,
    "retries": FGW_COUNT_RETRIES,
    "events": FGW_COUNT_EVENTS,
    "bytes_from_client": FGW_COUNT_BYTES_FROM_CLIENT,
    "bytes_to_client": FGW_COUNT_BYTES_TO_CLIENT,
    "bytes_from_upstream": FGW_COUNT_BYTES_FROM_UPSTREAM,
    "bytes_to_upstream": FGW_COUNT_BYTES_TO_UPSTREAM,
    "cost_nano_usd": FGW_COUNT_COST_NANO_USD,
    "cost_unknown": FGW_COUNT_COST_UNKNOWN,
    "intervals": FGW_COUNT_INTERVALS,
    "interval_width": FGW_COUNT_INTERVAL_WIDTH,
    "overrun_tokens": FGW_COUNT_OVERRUN_TOKENS,
    "overrun_nano_usd": FGW_COUNT_OVERRUN_NANO_USD,
    "refusals_sampled_out": FGW_COUNT_REFUSALS_SAMPLED_OUT,
    "connections": FGW_COUNT_CONNECTIONS,
    "connections_refused": FGW_COUNT_CONNECTIONS_REFUSED,
    "upstream_connects": FGW_COUNT_UPSTREAM_CONNECTS,
    "upstream_connect_failures": FGW_COUNT_UPSTREAM_CONNECT_FAILURES,
    "upstream_reused": FGW_COUNT_UPSTREAM_REUSED,
    "timeouts": FGW_COUNT_TIMEOUTS,
    "client_aborts": FGW_COUNT_CLIENT_ABORTS,
    "upstream_aborts": FGW_COUNT_UPSTREAM_ABORTS,
    "pauses_upstream": FGW_COUNT_PAUSES_UPSTREAM,
    "limits_taken": FGW_COUNT_LIMITS_TAKEN,
    "limits_refused": FGW_COUNT_LIMITS_REFUSED,
    "limits_fitted": FGW_COUNT_LIMITS_FITTED,
    "unbounded": FGW_COUNT_UNBOUNDED,
    "shadows": FGW_COUNT_SHADOWS,
    "shadow_limits": FGW_COUNT_SHADOW_LIMITS,
    "table_inserts": FGW_COUNT_TABLE_INSERTS,
    "holds_full": FGW_COUNT_HOLDS_FULL,
    "exceptions": FGW_COUNT_EXCEPTIONS,
    "codes_lost": FGW_COUNT_CODES_LOST,
    "drains": FGW_COUNT_DRAINS,
    "drained": FGW_COUNT_DRAINED,
    "drains_cut_by_tokens": FGW_COUNT_DRAIN_TOKENS,
    "drains_cut_by_seconds": FGW_COUNT_DRAIN_SECONDS,
    "drains_broken": FGW_COUNT_DRAIN_BROKEN,
    "drains_refused": FGW_COUNT_DRAIN_FULL,
}
GAUGES = {
    "connections_open": FGW_GAUGE_CONNECTIONS,
    "requests_running": FGW_GAUGE_REQUESTS,
    "streams_open": FGW_GAUGE_STREAMS,
    "upstream_open": FGW_GAUGE_UPSTREAM_CONNECTIONS,
    "upstream_idle": FGW_GAUGE_UPSTREAM_IDLE,
    "bytes_buffered": FGW_GAUGE_BUFFERED_BYTES,
    "requests_waiting": FGW_GAUGE_WAITING,
    "drains_running": FGW_GAUGE_DRAINS,
}
HISTOGRAMS = {
    "overhead": FGW_HISTOGRAM_OVERHEAD,
    "connect": FGW_HISTOGRAM_CONNECT,
    "first_byte": FGW_HISTOGRAM_FIRST_BYTE,
    "total": FGW_HISTOGRAM_TOTAL,
    "refusal": FGW_HISTOGRAM_REFUSAL,
    "loop": FGW_HISTOGRAM_LOOP,
}
RATIOS = {"input": FGW_RATIO_INPUT, "output": FGW_RATIO_OUTPUT}
FATES = ("open", "delivered", "cut_by_client", "cut_by_cap", "failed_before_first_byte",
         "failed_in_stream", "retried_away", "worker_lost")
TOKENS = ("input", "cached_input", "cache_write", "cache_write_1h", "output", "reasoning",
          "audio_input", "audio_output")
# The order of struct fgw_units; the first two are classes of tokens.
IMAGE_TOKENS = ("image_input", "image_output")
UNITS = ("images", "audio_ms", "characters", "searches")
# Upper bounds of the histogram buckets but the last, which is open.
BUCKETS_US = tuple(1 << bucket for bucket in range(FGW_HISTOGRAM_BUCKETS - 1))
# The same of reported tokens by estimated ones, in hundredths (FGW_RATIO_BOUNDS).
BUCKETS_RATIO = (10, 25, 50, 70, 80, 90, 95, 100, 105, 110, 125, 150, 200, 400)


class Times(NamedTuple):
    """How often a time fell below each of BUCKETS_US (and, last, above), and the times' sum."""

    counts: tuple[int, ...]
    sum_us: int


class Ratios(NamedTuple):
    """How often a ratio was at most each of BUCKETS_RATIO (and, last, above), and their sum."""

    counts: tuple[int, ...]
    sum_hundredths: int


class Totals(NamedTuple):
    counters: dict[str, int]
    gauges: dict[str, int]
    fates: dict[str, int]   # of attempts
    tokens: dict[str, int]  # by class
    units: dict[str, int]  # what is billed and is no token
    totals_unequal: tuple[int, ...]  # by number of the dialect: providers' totals that are no sums
    unread: dict[str, int]  # by why: attempts whose answer was compressed, and not read
    codes: dict[int, int]   # refusals by FGW code
    times: dict[str, Times]
    ratios: dict[str, Ratios]  # tokens reported / estimated
    shadows: dict[int, tuple[int, int]]  # by a rule's name hash: actions, limits


def total(Segment segment):
    """All workers, those that died included."""
    cdef fgw_counters summed
    memset(&summed, 0, sizeof(summed))
    for worker in range(segment.workers):
        fgw_counters_sum(&summed, segment.counters_of(worker))
    return _totals(&summed)


def of_worker(Segment segment, Py_ssize_t worker):
    cdef fgw_counters summed
    memset(&summed, 0, sizeof(summed))
    fgw_counters_sum(&summed, segment.counters_of(worker))
    return _totals(&summed)


def count(Segment segment, Py_ssize_t worker, str name, n=1):
    """Counts from Python. One writer per worker's block: that worker, or its sweeper."""
    segment._check_writable()
    which = COUNTERS[name] if name in COUNTERS else GAUGES[name]
    fgw_count(segment.counters_of(worker), which, n & 0xFFFFFFFFFFFFFFFF)


def count_fate(Segment segment, Py_ssize_t worker, str fate):
    segment._check_writable()
    fgw_count(segment.counters_of(worker), FGW_COUNT_FATE + FATES.index(fate), 1)


def count_code(Segment segment, Py_ssize_t worker, code):
    segment._check_writable()
    fgw_count_code(segment.counters_of(worker), code)


def count_time(Segment segment, Py_ssize_t worker, str name, ns):
    segment._check_writable()
    fgw_count_time(segment.counters_of(worker), HISTOGRAMS[name], ns)


cdef _totals(const fgw_counters *summed):
    times = {}
    for name, which in HISTOGRAMS.items():
        counts = tuple([summed.histograms[<int>which].bucket[bucket]
                        for bucket in range(FGW_HISTOGRAM_BUCKETS)])
        times[name] = Times(counts, summed.histograms[<int>which].sum_us)
    ratios = {}
    for name, which in RATIOS.items():
        counts = tuple([summed.ratios[<int>which].bucket[bucket]
                        for bucket in range(FGW_RATIO_BUCKETS)])
        ratios[name] = Ratios(counts, summed.ratios[<int>which].sum)
    return Totals(
        counters={name: summed.value[<int>which] for name, which in COUNTERS.items()},
        # A gauge is a sum of ups and downs; it may be seen below 0 for an instant.
        gauges={name: <long long>summed.value[<int>which] for name, which in GAUGES.items()},
        fates={name: summed.value[FGW_COUNT_FATE + at] for at, name in enumerate(FATES)},
        tokens={name: summed.value[FGW_COUNT_TOKENS + at] for at, name in enumerate(TOKENS)} | {
            name: summed.value[FGW_COUNT_UNITS + at] for at, name in enumerate(IMAGE_TOKENS)},
        totals_unequal=tuple([summed.value[FGW_COUNT_TOTALS_UNEQUAL + at] for at in range(8)]),
        unread={name: summed.value[FGW_COUNT_UNREAD + at]
                for at, name in enumerate(UNREAD) if name},
        units={name: summed.value[FGW_COUNT_UNITS + len(IMAGE_TOKENS) + at]
               for at, name in enumerate(UNITS)},
        codes={summed.codes[at].code: summed.codes[at].count
               for at in range(FGW_CODES) if summed.codes[at].code},
        times=times,
        ratios=ratios,
        shadows={summed.shadows[at].rule: (summed.shadows[at].actions, summed.shadows[at].limits)
                 for at in range(FGW_SHADOW_RULES) if summed.shadows[at].rule},
    )
