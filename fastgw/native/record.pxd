# csrc/fgw_record.h, name for name. No logic lives here.
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t


cdef extern from "fgw_record.h" nogil:
    const int FGW_RECORD_VERSION
    enum:
        # Lengths of arrays in records. C has the numbers; Cython only needs them constant.
        FGW_LABELS_MAX
        FGW_RULES_MAX
        FGW_LIMITS_MAX
        FGW_PHASES_MAX
    const uint64_t FGW_NAME_KEY0
    const uint64_t FGW_NAME_KEY1
    const int FGW_CLOSE_ASKED
    const size_t FGW_CLOSE_BYTES_2

    enum fgw_record_kind:
        FGW_RECORD_REQUEST
        FGW_RECORD_OPEN
        FGW_RECORD_CLOSE
        FGW_RECORD_NAME
        FGW_RECORD_REFUSED
        FGW_RECORD_GRANT
        FGW_RECORD_HELD

    struct fgw_request_id:
        uint32_t generation
        uint16_t worker
        uint16_t reserved
        uint64_t sequence

    struct fgw_record:
        uint32_t size
        uint8_t kind
        uint8_t version
        uint16_t flags
        uint64_t sequence
        fgw_request_id id
        uint64_t wall_ns

    struct fgw_dims:
        uint64_t account
        uint64_t model
        uint64_t provider
        uint64_t upstream_model
        uint64_t user
        uint64_t label[4]  # FGW_LABELS_MAX
        uint8_t dialect
        uint8_t operation
        uint8_t stream
        uint8_t tier

    enum fgw_basis:
        FGW_BASIS_NONE
        FGW_BASIS_COUNTED
        FGW_BASIS_RATIO
        FGW_BASIS_RATE
        FGW_BASIS_BYTES
        FGW_BASIS_LEARNED
        FGW_BASIS_LIMIT
        FGW_BASIS_CERTAIN

    enum fgw_unread:
        FGW_UNREAD_BR
        FGW_UNREAD_ZSTD
        FGW_UNREAD_OTHER
        FGW_UNREAD_BROKEN
        FGW_UNREADS

    const uint8_t FGW_BASIS_SAMPLED
    const uint8_t FGW_BASIS_WRITING

    enum fgw_tier:
        FGW_TIER_STANDARD
        FGW_TIER_FLEX
        FGW_TIER_PRIORITY
        FGW_TIER_BATCH
        FGW_TIER_FAST
        FGW_TIER_REGION
        FGW_TIER_RESERVED
        FGW_TIER_OTHER
        FGW_TIERS

    struct fgw_tokens:
        uint64_t input
        uint64_t cached_input
        uint64_t cache_write
        uint64_t cache_write_1h
        uint64_t output
        uint64_t reasoning
        uint64_t audio_input
        uint64_t audio_output

    struct fgw_units:
        uint64_t image_input
        uint64_t image_output
        uint64_t images
        uint64_t audio_ms
        uint64_t characters
        uint64_t searches

    enum:
        FGW_UNITS_WORDS

    enum fgw_provenance:
        FGW_PROVENANCE_NONE
        FGW_PROVENANCE_PROVIDER
        FGW_PROVENANCE_COUNTED
        FGW_PROVENANCE_ESTIMATED

    enum fgw_fate:
        FGW_FATE_OPEN
        FGW_FATE_DELIVERED
        FGW_FATE_CUT_BY_CLIENT
        FGW_FATE_CUT_BY_CAP
        FGW_FATE_FAILED_BEFORE_FIRST_BYTE
        FGW_FATE_FAILED_IN_STREAM
        FGW_FATE_RETRIED_AWAY
        FGW_FATE_WORKER_LOST

    enum fgw_request_flag:
        FGW_REQUEST_FITTED
        FGW_REQUEST_UNBOUNDED

    enum fgw_limit_verdict:
        FGW_LIMIT_TAKEN
        FGW_LIMIT_REFUSED
        FGW_LIMIT_NEVER
        FGW_LIMIT_UNDONE
        FGW_LIMIT_TABLE_FULL

    enum fgw_trace_flag:
        FGW_TRACE_DEGRADED
        FGW_TRACE_WAITS
        FGW_TRACE_LOST
        FGW_TRACE_RANG
        FGW_TRACE_SUMMED

    enum fgw_unit:
        FGW_UNIT_REQUESTS
        FGW_UNIT_TOKENS
        FGW_UNIT_INPUT_TOKENS
        FGW_UNIT_OUTPUT_TOKENS
        FGW_UNIT_COST
        FGW_UNIT_SLOTS
        FGW_UNITS

    struct fgw_rule_trace:
        uint64_t rule
        uint8_t action
        uint8_t enforced
        uint16_t code
        int64_t value

    struct fgw_limit_trace:
        uint64_t identity[2]
        uint64_t rule
        uint64_t used
        uint64_t held
        uint64_t limit
        uint64_t taken
        uint64_t wait_ns
        uint64_t reset_ns
        uint8_t unit
        uint8_t verdict
        uint8_t enforced
        uint8_t algorithm
        uint8_t flags
        uint16_t place

    struct fgw_record_request:
        fgw_record head
        fgw_dims dims
        uint64_t policy_version
        uint64_t client_request_id
        uint8_t client_ip[16]
        uint32_t input_bytes
        uint32_t input_estimate
        uint32_t output_max
        uint16_t status
        uint16_t code
        uint64_t rule
        uint64_t reason
        uint8_t verdict
        uint8_t phase
        uint8_t n_rules
        uint8_t n_limits
        uint16_t rules_total
        uint8_t sampled
        uint8_t tools
        uint32_t phase_us[13]  # FGW_PHASES
        uint32_t answers
        uint64_t input_high

    struct fgw_held:
        uint64_t identity[2]
        uint64_t amount

    struct fgw_record_open:
        fgw_record head
        fgw_dims dims
        uint64_t provider_key
        uint64_t input_high
        uint64_t output_high
        uint8_t attempt
        uint8_t n_held
        fgw_held held[8]  # FGW_LIMITS_MAX

    const int FGW_HELD_SETTLED

    struct fgw_record_held:
        fgw_record head
        uint64_t output_high
        uint8_t attempt
        uint8_t n_held
        fgw_held held[8]  # FGW_LIMITS_MAX

    struct fgw_record_close:
        fgw_record head
        fgw_dims dims
        fgw_tokens tokens
        uint64_t input_low
        uint64_t input_high
        uint64_t output_low
        uint64_t output_high
        int64_t cost_nano_usd
        uint32_t price_version
        uint16_t status
        uint16_t code
        uint8_t fate
        uint8_t provenance
        uint8_t input_provenance
        uint8_t output_provenance
        uint8_t attempt
        uint8_t final
        uint8_t input_basis
        uint8_t output_basis
        uint32_t events
        uint32_t overrun_tokens
        uint64_t bytes_in
        uint64_t bytes_out
        uint64_t started_ns
        uint64_t overrun_nano_usd
        uint32_t phase_us[16]  # FGW_PHASES_MAX
        fgw_units units

    void fgw_close_units(const fgw_record_close *close, fgw_units *units) noexcept

    struct fgw_record_name:
        fgw_record head
        uint64_t hash[2]
        uint8_t space
        uint16_t length
        char text[0]

    enum fgw_name_space:
        FGW_NAME_ACCOUNT
        FGW_NAME_MODEL
        FGW_NAME_PROVIDER
        FGW_NAME_RULE
        FGW_NAME_LIMIT
        FGW_NAME_BUCKET
        FGW_NAME_USER
        FGW_NAME_LABEL
        FGW_NAME_REASON
        FGW_NAME_POLICY
        FGW_NAME_REQUEST
        FGW_NAME_PROVIDER_KEY
        FGW_NAME_ADMIN
        FGW_NAME_FINDING
        FGW_NAME_NOTE
        FGW_NAME_QUOTE

    struct fgw_record_refused:
        fgw_record head
        uint64_t rule
        uint64_t account
        uint16_t code
        uint16_t status
        uint64_t count

    struct fgw_record_grant:
        fgw_record head
        uint64_t identity[2]
        uint64_t rule
        uint64_t admin
        uint64_t amount
        uint64_t before
        uint64_t after
        uint8_t unit
        uint8_t algorithm
