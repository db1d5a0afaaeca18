# csrc/fgw_explain.h, name for name. No logic lives here.
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t

from fastgw.native.record cimport fgw_limit_trace


cdef extern from "fgw_explain.h" nogil:
    enum:
        FGW_DURATION_MAX

    uint64_t FGW_EXPLAIN_FOREVER

    struct fgw_text:
        const uint8_t *bytes
        uint32_t length

    struct fgw_explain_code:
        fgw_text text
        fgw_text title
        fgw_text remedy
        fgw_text fields
        fgw_text open
        fgw_text rest
        fgw_text wait
        fgw_text behind
        fgw_text end
        uint16_t status
        uint8_t retry
        uint8_t repeats_id

    struct fgw_explain_limit:
        fgw_text name
        fgw_text spoken
        fgw_text policy
        fgw_text item
        uint8_t ceiling

    struct fgw_explain_rule:
        fgw_text line
        fgw_text name
        fgw_text spoken

    struct fgw_explain_state:
        const fgw_limit_trace *trace
        const fgw_explain_limit *known
        fgw_text key
        uint64_t needed

    struct fgw_refusal:
        const fgw_explain_code *code
        const fgw_explain_rule *rule
        fgw_explain_state limits[8]    # FGW_LIMITS_MAX
        uint32_t n_limits
        fgw_text reason
        fgw_text request_id
        fgw_text client_id
        fgw_text policy
        fgw_text model
        fgw_text parameter
        fgw_text allow
        uint64_t input_expected
        uint64_t input_ceiling
        uint32_t answers
        uint32_t attempts
        uint16_t status
        uint8_t close
        uint8_t head_only

    int32_t fgw_explain_change_text(
        uint8_t *out, uint32_t cap, const fgw_refusal *refusal) noexcept
    uint32_t fgw_explain_duration(uint8_t *out, uint64_t ns) noexcept
    int32_t fgw_explain_answer(
        uint8_t *out, uint32_t cap, uint32_t head_max, const fgw_refusal *refusal) noexcept
