# native/action.pxd: csrc/fgw_action.h, name for name. No logic lives here.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from fastgw.native.cel cimport fgw_cel_program, fgw_cel_run
from fastgw.native.policy cimport fgw_demand, fgw_effects, fgw_said, fgw_value


cdef extern from "fgw_action.h" nogil:
    enum:
        FGW_RESULTS_MAX

    enum fgw_action_code:
        FGW_CODE_DENIED
        FGW_CODE_MODEL_RESTRICTED
        FGW_CODE_POLICY_FAILED
        FGW_CODE_ANSWERED
        FGW_CODE_ADDRESS_RESTRICTED
        FGW_CODE_INPUT_TOO_LONG
        FGW_CODE_FIELD_REFUSED

    struct fgw_piece:
        const uint8_t *bytes
        uint32_t length
        const fgw_cel_program *program

    struct fgw_template:
        const fgw_piece *pieces
        uint32_t n_pieces

    struct fgw_patterns:
        const uint8_t **texts
        uint32_t *lengths
        uint32_t count
        uint8_t given

    struct fgw_action:
        uint8_t type
        uint8_t enforced
        uint8_t results[6]          # FGW_RESULTS_MAX
        uint16_t status
        uint32_t number
        int64_t value
        const void *more

    struct fgw_limit_keys:
        const uint8_t *prefix
        uint32_t prefix_length
        uint32_t n_keys
        uint32_t addresses
        const fgw_cel_program **keys

    struct fgw_models:
        fgw_patterns allow
        fgw_patterns deny

    struct fgw_address_range:
        uint8_t first[16]
        uint8_t last[16]
        const uint8_t *cidr
        uint32_t cidr_length
        uint32_t denied

    struct fgw_addresses:
        const fgw_address_range *ranges
        uint32_t n_ranges
        uint32_t allow_given

    struct fgw_made_field:
        const uint8_t *name
        uint32_t name_length
        fgw_template value

    struct fgw_made_fields:
        const fgw_made_field *fields
        uint32_t n_fields

    struct fgw_names:
        const uint8_t **names
        uint32_t *lengths
        uint32_t count

    struct fgw_answer:
        fgw_made_fields fields
        fgw_template body

    struct fgw_set_var:
        uint32_t fact
        const fgw_cel_program *program
        fgw_template text

    struct fgw_set_vars:
        const fgw_set_var *vars
        uint32_t n_vars

    struct fgw_words:
        const uint8_t *first
        const uint8_t *second
        uint32_t first_length
        uint32_t second_length

    void fgw_effects_clear(
        fgw_effects *effects, fgw_said *said, fgw_cel_run *run) noexcept
    int fgw_act(const fgw_action *action, uint64_t rule, fgw_value *facts,
                fgw_effects *effects) noexcept
    int fgw_patterns_match(
        const fgw_patterns *patterns, const uint8_t *text, uint32_t length) noexcept
    int fgw_model_allowed(const fgw_patterns *allow, const fgw_patterns *deny,
                          const fgw_value *facts) noexcept
    void fgw_action_value(
        const fgw_cel_program *program, fgw_cel_run *run, fgw_value *value) noexcept
    void fgw_action_trace(fgw_effects *effects, uint64_t rule, uint8_t type, uint8_t enforced,
                          uint16_t code, int64_t value) noexcept
    int fgw_action_refuse(fgw_effects *effects, uint64_t rule, uint8_t type, uint8_t enforced,
                          uint16_t status, uint16_t code) noexcept
    int fgw_action_demand(
        fgw_effects *effects, const fgw_demand *wanted, uint32_t text_length) noexcept
    int32_t fgw_action_say(const fgw_template *text, fgw_cel_run *run, uint8_t *out,
                           uint32_t room, int *failed) noexcept
