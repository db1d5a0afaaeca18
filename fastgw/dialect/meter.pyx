"""A meter over one answer, for Python: the thin top of fgw_dialect_meter.

The relay runs the C itself; this serves tests and whatever reads a recorded answer.
"""

import cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport UINT64_MAX, int64_t, uint8_t, uint32_t, uint64_t

from fastgw.dialect.cut cimport cut_of

from fastgw.native.dialect_bedrock cimport fgw_bedrock_take_counts
from fastgw.native.dialect_meter cimport (
    FGW_METER_EVENT,
    FGW_REPORT_FIELDS,
    FGW_USAGE_BILLED,
    fgw_meter,
    fgw_meter_end,
    fgw_meter_init,
    fgw_meter_next,
    fgw_meter_output,
    fgw_meter_quote,
    fgw_meter_track,
    fgw_meter_usage,
    fgw_usage,
    fgw_usage_report,
)
from fastgw.native.quotes cimport FGW_QUOTE_PLACES, fgw_quotes
from fastgw.native.tier cimport FGW_TIER_UNTOLD, fgw_tier_of

from fastgw.dialect.names import (
    DIALECTS,
    EVENT_FLAGS,
    OPERATIONS,
    REPORT_FIELDS,
    STREAMS,
    USAGE_FLAGS,
    flag_names,
)


cdef dict report_of(const fgw_usage_report *report):
    return {
        REPORT_FIELDS[field]: report.value[field] if report.present >> field & 1 else None
        for field in range(<int>FGW_REPORT_FIELDS)
    }


@cython.final
cdef class Meter:
    """Reads one answer of ``dialect`` and ``operation``; ``streaming``: it is SSE, or one of
    `STREAMS`; ``tracked``: it may have to be ended here."""

    cdef fgw_meter _meter
    cdef fgw_quotes _quotes
    cdef uint64_t _seen

    def __init__(self, str dialect, str operation, *, object streaming, bint hide_usage=False,
                 bint tracked=False):
        kind = STREAMS.index(streaming) if isinstance(streaming, str) else int(streaming)
        fgw_meter_init(
            &self._meter, DIALECTS.index(dialect), OPERATIONS.index(operation), kind
        )
        self._meter.hide_usage = hide_usage
        fgw_meter_quote(&self._meter, &self._quotes)
        if tracked:
            fgw_meter_track(&self._meter)
        self._seen = 0

    def feed(self, bytes piece):
        """Reads on. Returns the events that ended: (end in the whole body, flags, text bytes)."""
        cdef size_t at = 0, length = PyBytes_GET_SIZE(piece)
        cdef const uint8_t *start = <const uint8_t *>PyBytes_AS_STRING(piece)
        ended = []
        while fgw_meter_next(&self._meter, start, length, &at) == FGW_METER_EVENT:
            flags = flag_names(EVENT_FLAGS, self._meter.event)
            ended.append((self._seen + at, flags, self._meter.event_bytes))
        self._seen += length
        return ended

    def end(self):
        """The body is over."""
        fgw_meter_end(&self._meter)

    def usage(self):
        """The disjoint classes so far, and the flags that say what they are worth."""
        cdef fgw_usage usage
        cdef uint32_t flags = fgw_meter_usage(&self._meter, &usage)
        classes = {
            "input": usage.input,
            "cached_input": usage.cached_input,
            "cache_write": usage.cache_write,
            "cache_write_1h": usage.cache_write_1h,
            "audio_input": usage.audio_input,
            "image_input": usage.image_input,
            "output": usage.output,
            "reasoning": usage.reasoning,
            "audio_output": usage.audio_output,
            "image_output": usage.image_output,
        }
        return classes, flag_names(USAGE_FLAGS, flags)

    def units(self):
        """What is billed and is no token."""
        cdef fgw_usage usage
        fgw_meter_usage(&self._meter, &usage)
        return {"images": usage.images, "audio_ms": usage.audio_ms,
                "characters": usage.characters, "searches": usage.searches}

    @property
    def tier(self):
        """At whose price the answer says that it came (enum fgw_tier), None: it does not say."""
        cdef int tier = fgw_tier_of(&self._meter.said)
        return None if tier == FGW_TIER_UNTOLD else tier

    @property
    def output(self):
        """Output tokens that are certain so far, of a tracked stream."""
        cdef uint64_t certain = 0
        fgw_meter_output(&self._meter, UINT64_MAX, &certain)
        return certain

    @property
    def cut(self):
        """Where a tracked stream stands without the event that just ended: for endings.Cut."""
        return cut_of(&self._meter)

    @property
    def report(self):
        """The provider's own numbers, None where it gave none."""
        return report_of(&self._meter.report)

    @property
    def iterations(self):
        """Sum of what the provider reported beside its top level (Anthropic)."""
        return report_of(&self._meter.iterations)

    @property
    def beside(self):
        """Other numbers, which are not in the classes: Bedrock's own count beside the model's, a
        session's transcriptions."""
        return report_of(&self._meter.beside)

    @property
    def quotes(self):
        """What the provider said of the usage, as it came: (object, whether it was cut)."""
        return [
            (self._quotes.quote[place].bytes[:self._quotes.quote[place].length],
             bool(self._quotes.quote[place].cut))
            for place in range(<int>FGW_QUOTE_PLACES) if self._quotes.quote[place].length
        ]

    def take_counts(self, int64_t input, int64_t output, int64_t cached, int64_t written):
        """What fields of the head say (Bedrock), before the body; -1: nothing."""
        fgw_bedrock_take_counts(&self._meter, input, output, cached, written)

    @property
    def billed(self):
        """Input and output tokens that are to be paid in place of the classes', or None."""
        cdef fgw_usage usage
        if fgw_meter_usage(&self._meter, &usage) & FGW_USAGE_BILLED:
            return usage.billed_input, usage.billed_output
        return None

    @property
    def ever(self):
        return flag_names(EVENT_FLAGS, self._meter.ever)

    @property
    def events(self):
        return self._meter.events

    @property
    def text_events(self):
        return self._meter.text_events

    @property
    def output_bytes(self):
        return self._meter.output_bytes

    @property
    def id(self):
        return self._meter.id[:self._meter.id_bytes].decode(errors="ignore")

    @property
    def model(self):
        return self._meter.model[:self._meter.model_bytes].decode(errors="ignore")
