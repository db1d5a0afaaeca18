# native/dialect_meter.pxd: csrc/fgw_dialect_meter.h, name for name. No logic lives here.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from fastgw.native.json cimport fgw_json_names
from fastgw.native.record cimport fgw_units
from fastgw.native.quotes cimport fgw_quotes
from fastgw.native.sample cimport fgw_sample
from fastgw.native.tier cimport fgw_tier_said
from fastgw.native.voice cimport fgw_voices

cdef extern from "fgw_dialect_meter.h" nogil:
    enum fgw_report_field:
        FGW_REPORT_INPUT
        FGW_REPORT_OUTPUT
        FGW_REPORT_TOTAL
        FGW_REPORT_CACHED
        FGW_REPORT_CACHE_WRITE
        FGW_REPORT_CACHE_WRITE_1H
        FGW_REPORT_REASONING
        FGW_REPORT_AUDIO_INPUT
        FGW_REPORT_AUDIO_OUTPUT
        FGW_REPORT_IMAGE_INPUT
        FGW_REPORT_IMAGE_OUTPUT
        FGW_REPORT_TOOL_INPUT
        FGW_REPORT_BILLED_INPUT
        FGW_REPORT_BILLED_OUTPUT
        FGW_REPORT_FIELDS

    struct fgw_usage_report:
        uint32_t present
        uint8_t vendor
        uint64_t *value

    enum fgw_vendor:
        FGW_VENDOR_REASONING_APART
        FGW_VENDOR_AUDIO_APART
        FGW_VENDOR_SPEECH

    enum fgw_usage_flag:
        FGW_USAGE_PROVIDER
        FGW_USAGE_PARTIAL
        FGW_USAGE_ZERO
        FGW_USAGE_CLAMPED
        FGW_USAGE_ITERATIONS
        FGW_USAGE_OTHER_MODEL
        FGW_USAGE_NO_INPUT
        FGW_USAGE_BILLED
        FGW_USAGE_BESIDE

    struct fgw_usage:
        uint64_t input
        uint64_t cached_input
        uint64_t cache_write
        uint64_t cache_write_1h
        uint64_t audio_input
        uint64_t image_input
        uint64_t output
        uint64_t reasoning
        uint64_t audio_output
        uint64_t image_output
        uint64_t billed_input
        uint64_t billed_output
        uint64_t images
        uint64_t audio_ms
        uint64_t characters
        uint64_t searches
        uint8_t tier
        uint32_t flags

    # The sums (over `struct fgw_usage`): cached and written in input, reasoning in output.
    uint64_t fgw_usage_input(const fgw_usage *usage) noexcept
    uint64_t fgw_usage_output(const fgw_usage *usage) noexcept

    enum fgw_event_flag:
        FGW_EVENT_DISPATCH
        FGW_EVENT_TEXT
        FGW_EVENT_USAGE
        FGW_EVENT_HIDE
        FGW_EVENT_FINISH
        FGW_EVENT_DONE
        FGW_EVENT_ERROR
        FGW_EVENT_BROKEN

    const int FGW_METER_ID_MAX
    const int FGW_METER_MODEL_MAX

    const int FGW_CHOICES_TRACKED
    const int FGW_BLOCKS_TRACKED

    struct fgw_stream_state:
        uint64_t *finished
        int64_t created
        int64_t sequence
        int64_t *block
        uint8_t blocks
        uint8_t begun

    enum fgw_meter_code:
        FGW_METER_MORE
        FGW_METER_EVENT

    enum fgw_stream_kind:
        FGW_STREAM_NONE
        FGW_STREAM_SSE
        FGW_STREAM_NDJSON
        FGW_STREAM_ARRAY
        FGW_STREAM_FRAMES

    struct fgw_meter:
        fgw_json_names *names
        uint8_t dialect
        uint8_t operation
        uint8_t streaming
        uint8_t hide_usage
        uint8_t event
        uint8_t ever
        uint8_t id_bytes
        uint8_t model_bytes
        uint64_t event_bytes
        uint64_t events
        uint64_t text_events
        uint64_t output_bytes
        fgw_usage_report report
        fgw_usage_report iterations
        fgw_usage_report beside
        fgw_units units
        fgw_tier_said said
        char *id
        char *model
        uint8_t tracked
        fgw_stream_state state
        fgw_stream_state before
        fgw_voices *voices
        fgw_sample *sample
        fgw_quotes *quotes

    void fgw_meter_init(fgw_meter *meter, uint8_t dialect, uint8_t operation,
                        int streaming) noexcept
    void fgw_meter_track(fgw_meter *meter) noexcept
    void fgw_meter_listen(fgw_meter *meter, fgw_voices *voices) noexcept
    uint64_t fgw_meter_output(
        const fgw_meter *meter, uint64_t edge, uint64_t *certain
    ) noexcept
    uint64_t fgw_meter_told_output(const fgw_meter *meter) noexcept
    void fgw_meter_keep(fgw_meter *meter, fgw_sample *sample) noexcept
    void fgw_meter_quote(fgw_meter *meter, fgw_quotes *quotes) noexcept
    uint64_t fgw_meter_text_bytes(const fgw_meter *meter) noexcept
    uint64_t fgw_meter_heard(const fgw_meter *meter) noexcept
    int fgw_meter_bears_text(const fgw_meter *meter) noexcept
    fgw_meter_code fgw_meter_next(
        fgw_meter *meter, const uint8_t *bytes, size_t length, size_t *at
    ) noexcept
    void fgw_meter_end(fgw_meter *meter) noexcept
    uint32_t fgw_meter_usage(const fgw_meter *meter, fgw_usage *usage) noexcept
