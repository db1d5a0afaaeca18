# native/detect.pxd: csrc/fgw_detect.h, fgw_detect_window.h, fgw_detect_json.h and
# fgw_detect_job.h, name for name. No logic lives here.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t


cdef extern from "fgw_detect.h" nogil:
    enum fgw_detect_kind:
        FGW_DETECT_API_KEY
        FGW_DETECT_PRIVATE_KEY
        FGW_DETECT_PAYMENT_CARD
        FGW_DETECT_US_SSN
        FGW_DETECT_EMAIL
        FGW_DETECT_PHONE
        FGW_DETECT_IBAN
        FGW_DETECT_JWT
        FGW_DETECT_KINDS

    enum:
        FGW_DETECT_HOLD
        FGW_DETECT_CONTEXT
        FGW_DETECT_PATTERNS_MAX
        FGW_DETECT_ALL_MAX

    enum fgw_pattern_flag:
        FGW_PATTERN_WORD_BEGINS
        FGW_PATTERN_WORD_ENDS

    struct fgw_detect_pattern:
        const uint8_t *program
        const char *name
        uint32_t name_length
        uint32_t flags

    int fgw_detect_pattern_fits(const uint8_t *program) noexcept
    void fgw_detect_pattern_first(fgw_detect_pattern *pattern) noexcept


cdef extern from "fgw_detect_window.h" nogil:
    enum fgw_cut_flag:
        FGW_CUT_FIRST
        FGW_CUT_BARE
        FGW_CUT_NUMBER

    struct fgw_detect_cut:
        uint32_t raw
        uint32_t length
        uint8_t kind
        uint8_t flags


cdef extern from "fgw_detect_json.h" nogil:
    enum:
        FGW_WALK_PATH_MAX

    enum fgw_walk_document:
        FGW_WALK_REQUEST
        FGW_WALK_ANSWER
        FGW_WALK_EVENT


cdef extern from "fgw_detect_job.h" nogil:
    enum:
        FGW_SCREEN_CHANNELS_MAX

    struct fgw_detect_report:
        uint32_t found
        uint32_t count[24]          # FGW_DETECT_ALL_MAX
        uint8_t path_length[24]
        uint8_t path[24][96]        # FGW_WALK_PATH_MAX

    struct fgw_detect_cuts:
        fgw_detect_cut *cuts
        uint32_t count
        uint32_t room
        uint32_t missed
        uint32_t kinds
        const fgw_detect_pattern *patterns

    struct fgw_screen_channel:
        uint64_t channel

    struct fgw_screen:
        fgw_screen_channel *channels
        uint32_t room
        uint32_t used
        uint32_t missed

    struct fgw_detect_job:
        fgw_detect_report *report
        fgw_detect_cuts *cuts
        fgw_screen *screen
        uint32_t kinds
        uint32_t n_patterns
        const fgw_detect_pattern *patterns

    int fgw_detect_document(
        fgw_detect_job *job, unsigned document, const uint8_t *bytes, size_t length
    ) noexcept
    void fgw_cuts_order(fgw_detect_cuts *cuts) noexcept
    size_t fgw_cuts_length(
        const fgw_detect_cuts *cuts, uint32_t start, size_t length
    ) noexcept
    size_t fgw_cuts_copy(
        const fgw_detect_cuts *cuts, uint32_t start, const uint8_t *bytes, size_t length,
        uint8_t *out
    ) noexcept
    const char *fgw_detect_kind_name(unsigned kind) noexcept
    int fgw_screen_event(
        fgw_detect_job *job, const uint8_t *bytes, size_t length, uint32_t base
    ) noexcept
    void fgw_screen_flush(fgw_detect_job *job, int out) noexcept
    uint32_t fgw_screen_decided(
        const fgw_screen *screen, uint32_t base, uint32_t length
    ) noexcept
