# csrc/fgw_policy.h, name for name. No logic lives here.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from fastgw.native.record cimport fgw_rule_trace


cdef extern from "fgw_policy.h" nogil:
    enum:
        FGW_FACTS_MAX
        FGW_KEY_TEXT_MAX
        FGW_LISTED_MAX
        FGW_SAID_FIELDS_MAX
        FGW_SAID_BODY_MAX
        FGW_DETECTS_MAX
        FGW_SHADOWS_MAX
        FGW_DRAINS_MAX

    enum fgw_value_type:
        FGW_VALUE_ABSENT
        FGW_VALUE_BOOL
        FGW_VALUE_INT
        FGW_VALUE_STRING
        FGW_VALUE_DOUBLE
        FGW_VALUE_UINT
        FGW_VALUE_BYTES
        FGW_VALUE_LIST
        FGW_VALUE_MAP
        FGW_VALUE_TIMESTAMP
        FGW_VALUE_DURATION
        FGW_VALUE_TYPE
        FGW_VALUE_OPTIONAL
        FGW_VALUE_IP
        FGW_VALUE_CIDR
        FGW_VALUE_NULL
        FGW_VALUE_ERROR
        FGW_VALUE_SOURCE
        FGW_VALUE_REGEX
        FGW_VALUE_ZONE

    # The member `as` of fgw_value: a name that Cython keeps for itself, hence the C names.
    union fgw_value_as:
        int64_t number
        double real

    struct fgw_value:
        const uint8_t *bytes
        const fgw_value *items
        uint32_t length
        uint32_t type
        fgw_value_as as_ "as"

    enum fgw_fact:
        FGW_FACT_REQ_METHOD
        FGW_FACT_REQ_PATH
        FGW_FACT_REQ_QUERY
        FGW_FACT_REQ_HOST
        FGW_FACT_REQ_SIZE
        FGW_FACT_CONN_CLIENT_IP
        FGW_FACT_CONN_TLS
        FGW_FACT_AI_DIALECT
        FGW_FACT_AI_OPERATION
        FGW_FACT_AI_PROVIDER
        FGW_FACT_AI_MODEL
        FGW_FACT_AI_USER
        FGW_FACT_AI_STREAM
        FGW_FACT_AI_TOOLS
        FGW_FACT_AI_N
        FGW_FACT_AI_INPUT_TOKENS
        FGW_FACT_AI_MAX_OUTPUT_TOKENS
        FGW_FACT_KEY_ID
        FGW_FACT_TIME_NOW
        FGW_FACT_TIME_HOUR
        FGW_FACT_TIME_WEEKDAY
        FGW_FACTS_FIXED

    enum fgw_action_type:
        FGW_ACTION_NONE
        FGW_ACTION_DENY
        FGW_ACTION_RATE_LIMIT
        FGW_ACTION_CAP_OUTPUT
        FGW_ACTION_RESTRICT_MODELS
        FGW_ACTION_USAGE_CAP
        FGW_ACTION_CONCURRENCY_LIMIT
        FGW_ACTION_CUSTOM_RESPONSE
        FGW_ACTION_RESTRICT_IPS
        FGW_ACTION_CAP_INPUT
        FGW_ACTION_ROUTE
        FGW_ACTION_ADD_HEADERS
        FGW_ACTION_REMOVE_HEADERS
        FGW_ACTION_SET_VARS
        FGW_ACTION_LOG
        FGW_ACTION_ON_ABORT
        FGW_ACTION_DETECT

    struct fgw_demand:
        uint64_t identity[2]
        uint16_t limit
        uint16_t text_offset
        uint16_t text_length
        uint8_t enforced
        uint64_t rule

    struct fgw_said:
        uint32_t fields_used
        uint32_t body_used
        uint32_t vars_used
        uint8_t *fields
        uint8_t *body

    struct fgw_drain:
        uint64_t max_tokens
        uint64_t max_ns
        uint64_t max_concurrent
        uint32_t number

    struct fgw_effects:
        uint8_t denied
        uint8_t n_rules
        uint8_t n_demands
        uint8_t deny_action
        uint16_t rules_total
        uint16_t status
        uint16_t code
        uint16_t key_text_used
        uint32_t message
        uint32_t route
        uint16_t shadows
        uint8_t spoken
        uint8_t n_logs
        uint8_t n_removed
        uint16_t logs[8]            # FGW_LISTED_MAX
        uint16_t removed[8]         # FGW_LISTED_MAX
        fgw_said *said
        void *known                 # struct fgw_known_keys, or NULL
        void *run                   # struct fgw_cel_run
        uint64_t rule
        int64_t input_max
        int64_t output_max
        uint64_t output_rule
        uint64_t detects
        uint64_t shadow_rules[16]  # FGW_SHADOWS_MAX
        const fgw_drain *drain
        fgw_rule_trace rules[16]    # FGW_RULES_MAX
        fgw_demand demands[8]       # FGW_LIMITS_MAX
        uint8_t key_text[1024]      # FGW_KEY_TEXT_MAX

    struct fgw_amounts:
        uint64_t by_unit[6]         # FGW_UNITS
