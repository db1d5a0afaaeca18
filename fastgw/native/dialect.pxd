# native/dialect.pxd: csrc/fgw_dialect.h, name for name. No logic lives here.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from fastgw.native.json cimport fgw_json

cdef extern from "fgw_dialect.h" nogil:
    enum fgw_dialect:
        FGW_DIALECT_NONE
        FGW_DIALECT_OPENAI
        FGW_DIALECT_ANTHROPIC
        FGW_DIALECT_GEMINI
        FGW_DIALECT_AZURE
        FGW_DIALECT_BEDROCK
        FGW_DIALECT_OLLAMA
        FGW_DIALECT_COHERE
        FGW_DIALECTS

    enum fgw_operation:
        FGW_OPERATION_OTHER
        FGW_OPERATION_CHAT
        FGW_OPERATION_RESPONSES
        FGW_OPERATION_COMPLETIONS
        FGW_OPERATION_EMBEDDINGS
        FGW_OPERATION_MODELS
        FGW_OPERATION_MESSAGES
        FGW_OPERATION_COUNT_TOKENS
        FGW_OPERATION_MODERATIONS
        FGW_OPERATION_IMAGES
        FGW_OPERATION_AUDIO
        FGW_OPERATION_FILES
        FGW_OPERATION_BATCHES
        FGW_OPERATION_REALTIME
        FGW_OPERATION_GENERATE
        FGW_OPERATION_CONVERSE
        FGW_OPERATION_INVOKE
        FGW_OPERATION_RERANK
        FGW_OPERATIONS

    enum fgw_route_flag:
        FGW_ROUTE_BODY
        FGW_ROUTE_MODEL
        FGW_ROUTE_METERED
        FGW_ROUTE_SUB
        FGW_ROUTE_CAPPABLE
        FGW_ROUTE_STREAM
        FGW_ROUTE_IN_PATH
        FGW_ROUTE_FORM

    enum fgw_surface:
        FGW_SURFACE_V1
        FGW_SURFACE_MODELS
        FGW_SURFACE_DATED
        FGW_SURFACE_DEPLOYED

    uint8_t fgw_dialect_wire(uint8_t dialect) noexcept

    struct fgw_route:
        uint8_t dialect
        uint8_t operation
        uint8_t flags
        uint8_t methods
        uint16_t status
        uint16_t name_at
        uint16_t name_bytes
        uint16_t tail_at
        uint8_t surface

    int fgw_route_find(
        const char *method, size_t method_bytes, const char *path, size_t path_bytes,
        uint8_t told, fgw_route *route
    ) noexcept

    const int FGW_MODEL_MAX
    const int FGW_USER_MAX

    enum fgw_ask_error:
        FGW_ASK_OK
        FGW_ASK_NOT_JSON
        FGW_ASK_NOT_OBJECT
        FGW_ASK_DUPLICATE
        FGW_ASK_MODEL_MISSING
        FGW_ASK_MODEL_INVALID
        FGW_ASK_STREAM_INVALID
        FGW_ASK_N_INVALID
        FGW_ASK_LIMIT_INVALID
        FGW_ASK_FORM_INVALID

    enum fgw_ask_flag:
        FGW_ASK_STREAM
        FGW_ASK_TOOLS
        FGW_ASK_INCLUDE_USAGE
        FGW_ASK_UNBOUNDED
        FGW_ASK_MORE_MODELS
        FGW_ASK_BACKGROUND
        FGW_ASK_IN_PATH

    struct fgw_place:
        uint64_t at
        uint64_t bytes

    struct fgw_ask:
        uint8_t dialect
        uint8_t operation
        uint8_t flags
        uint8_t error
        uint8_t tier
        uint8_t tiers
        uint8_t limit_fields
        uint16_t model_bytes
        uint16_t user_bytes
        uint32_t n
        uint32_t messages
        uint32_t binaries
        uint32_t remotes
        int64_t output_limit
        int64_t *limit
        uint64_t body_bytes
        uint64_t text_bytes
        uint64_t tools_bytes
        uint64_t input_bytes
        uint64_t binary_bytes
        uint64_t characters
        uint64_t picture
        uint64_t members_at
        uint32_t members
        fgw_place model_at
        fgw_place *limit_at
        fgw_place options_at
        fgw_place include_at
        uint32_t options_members
        uint8_t options_type
        uint8_t form
        char *model
        char *user

    void fgw_ask_clear(fgw_ask *ask, const fgw_route *route) noexcept
    void fgw_ask_begin(fgw_json *json, uint8_t dialect, uint8_t operation) noexcept
    int fgw_ask_finish(fgw_ask *ask, fgw_json *json, const fgw_route *route) noexcept
    int fgw_ask_scan(
        fgw_ask *ask, fgw_json *json, const fgw_route *route, const uint8_t *body, size_t length
    ) noexcept

    int fgw_ask_take_path(fgw_ask *ask, const fgw_route *route, const char *path) noexcept

    const unsigned FGW_INPUT_ALLOWANCE
    const unsigned FGW_BINARY_ALLOWANCE
    uint64_t fgw_ask_input_guess(const fgw_ask *ask) noexcept
    uint64_t fgw_ask_input_bound(const fgw_ask *ask) noexcept
    uint64_t fgw_ask_pictures(const fgw_ask *ask) noexcept
    const char *fgw_ask_default_model(const fgw_ask *ask) noexcept
    bint fgw_ask_may_cache(const fgw_ask *ask, const uint8_t *body, size_t length) noexcept

    struct fgw_want:
        int64_t output_limit
        const char *model
        uint16_t model_bytes
        uint8_t include_usage
        uint8_t old_limit_name
        uint8_t model_in_body

    struct fgw_edit:
        uint64_t at
        uint64_t drop
        uint16_t source
        uint16_t bytes

    const int FGW_EDITS_MAX
    const int FGW_EDITS_TEXT

    struct fgw_edits:
        uint32_t count
        uint32_t hide_usage
        int64_t length_change

    int fgw_edits_plan(fgw_edits *edits, const fgw_ask *ask, const fgw_want *want) noexcept

    struct fgw_slice:
        const uint8_t *bytes
        size_t length

    const int FGW_SLICES_MAX

    int fgw_edits_slices(
        const fgw_edits *edits, const uint8_t *body, size_t length, fgw_slice *slices
    ) noexcept
    size_t fgw_edits_copy(
        const fgw_edits *edits, const uint8_t *body, size_t length, uint8_t *out
    ) noexcept
