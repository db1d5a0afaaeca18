# csrc/fgw_http1.h, fgw_http1_lines.h and fgw_http1_write.h, name for name. No logic lives here.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t


cdef extern from "fgw_http1_lines.h" nogil:
    struct fgw_lines:
        pass


cdef extern from "fgw_http1.h" nogil:
    const int FGW_HEADERS_MAX
    const int FGW_NOMINATED_MAX
    const int FGW_HEAD_BYTES
    const int FGW_HEAD_BYTES_MAX
    const int FGW_TARGET_BYTES

    struct fgw_span:
        uint32_t off
        uint32_t len

    enum fgw_method:
        FGW_M_NONE
        FGW_M_GET
        FGW_M_HEAD
        FGW_M_POST
        FGW_M_PUT
        FGW_M_PATCH
        FGW_M_DELETE
        FGW_M_OPTIONS

    enum fgw_field:
        FGW_H_OTHER
        FGW_H_HOST
        FGW_H_CONTENT_LENGTH
        FGW_H_TRANSFER_ENCODING
        FGW_H_CONNECTION
        FGW_H_KEEP_ALIVE
        FGW_H_PROXY_CONNECTION
        FGW_H_TE
        FGW_H_TRAILER
        FGW_H_UPGRADE
        FGW_H_EXPECT
        FGW_H_PROXY_AUTHENTICATE
        FGW_H_PROXY_AUTHORIZATION
        FGW_H_AUTHORIZATION
        FGW_H_X_API_KEY
        FGW_H_API_KEY
        FGW_H_X_GOOG_API_KEY
        FGW_H_COOKIE
        FGW_H_CONTENT_TYPE
        FGW_H_CONTENT_ENCODING
        FGW_H_ACCEPT
        FGW_H_ACCEPT_ENCODING
        FGW_H_ANTHROPIC_VERSION
        FGW_H_ANTHROPIC_BETA
        FGW_H_OPENAI_ORGANIZATION
        FGW_H_OPENAI_PROJECT
        FGW_H_X_REQUEST_ID
        FGW_H_X_FORWARDED_FOR
        FGW_H_FORWARDED
        FGW_H_USER_AGENT
        FGW_H_RETRY_AFTER
        FGW_H_RETRY_AFTER_MS
        FGW_H_X_SHOULD_RETRY
        FGW_H_DATE
        FGW_H_SERVER
        FGW_H_SET_COOKIE
        FGW_H_RATELIMIT
        FGW_H_RATELIMIT_POLICY
        FGW_H_X_MOCK
        FGW_H_X_FASTGW
        FGW_H_X_STAINLESS
        FGW_H_COUNT

    uint64_t FGW_H_BIT(int id)

    enum fgw_http1_error:
        FGW_E_NONE
        FGW_E_METHOD
        FGW_E_METHOD_UNKNOWN
        FGW_E_METHOD_REFUSED
        FGW_E_TARGET
        FGW_E_TARGET_TOO_LONG
        FGW_E_TARGET_AUTHORITY
        FGW_E_VERSION
        FGW_E_VERSION_UNSUPPORTED
        FGW_E_LINE_END
        FGW_E_FIELD_NAME
        FGW_E_FIELD_FOLDED
        FGW_E_FIELD_VALUE
        FGW_E_FIELD_ALIAS
        FGW_E_HEAD_TOO_LARGE
        FGW_E_TOO_MANY_FIELDS
        FGW_E_HOST_MISSING
        FGW_E_HOST_REPEATED
        FGW_E_HOST
        FGW_E_LENGTH
        FGW_E_LENGTH_REPEATED
        FGW_E_CODING
        FGW_E_CODING_UNKNOWN
        FGW_E_CODING_REPEATED
        FGW_E_CODING_IN_1_0
        FGW_E_CODING_AND_LENGTH
        FGW_E_CONNECTION
        FGW_E_EXPECT
        FGW_E_STATUS
        FGW_E_COUNT

    enum fgw_framing:
        FGW_FRAMING_NONE
        FGW_FRAMING_LENGTH
        FGW_FRAMING_CHUNKED
        FGW_FRAMING_CLOSE

    struct fgw_header:
        uint32_t name_off
        uint16_t name_len
        uint8_t id
        uint8_t nominated
        uint32_t value_off
        uint16_t value_len

    struct fgw_http1_limits:
        uint32_t head_max
        uint32_t target_max
        uint32_t headers_max

    struct fgw_head:
        uint8_t method
        uint8_t minor
        uint16_t status
        uint16_t error
        fgw_span method_text
        fgw_span target
        fgw_span path
        fgw_span query
        fgw_span authority
        fgw_span reason
        int64_t content_length
        uint8_t framing
        uint8_t chunked
        uint8_t keep_alive
        uint8_t expect_continue
        uint8_t upgrade
        uint8_t absolute
        uint8_t interim
        uint8_t n_nominated
        uint16_t n_headers
        uint64_t seen
        uint64_t repeated
        uint8_t *first
        fgw_header *headers

    void fgw_http1_begin(fgw_head *head) noexcept
    int32_t fgw_http1_request(
        fgw_head *head, const uint8_t *buf, uint32_t len, const fgw_http1_limits *limits,
        fgw_lines *lines
    ) noexcept
    int32_t fgw_http1_response(
        fgw_head *head, const uint8_t *buf, uint32_t len, const fgw_http1_limits *limits,
        fgw_lines *lines, uint8_t method
    ) noexcept
    int32_t fgw_http1_find(const fgw_head *head, uint8_t id) noexcept
    uint8_t fgw_http1_field_id(const uint8_t *name, uint32_t len) noexcept
    const char *fgw_http1_error_name(uint16_t error) noexcept


cdef extern from "fgw_http1_write.h" nogil:
    const uint64_t FGW_DROP_HOP
    const uint64_t FGW_DROP_CREDENTIALS
    const uint64_t FGW_DROP_REQUEST
    const uint64_t FGW_DROP_RESPONSE
    const int FGW_CHUNK_LINE_MAX

    int32_t fgw_http1_copy_fields(
        uint8_t *out, uint32_t cap, const fgw_head *head, const uint8_t *buf, uint64_t drop_mask
    ) noexcept
    int32_t fgw_http1_put_status(uint8_t *out, uint32_t cap, uint16_t status) noexcept
    int32_t fgw_http1_put_request_line(
        uint8_t *out, uint32_t cap, const fgw_head *head, const uint8_t *buf
    ) noexcept
    int32_t fgw_http1_put_field(
        uint8_t *out, uint32_t cap, const char *name, uint32_t name_len,
        const uint8_t *value, uint32_t value_len
    ) noexcept
    int32_t fgw_http1_put_number(
        uint8_t *out, uint32_t cap, const char *name, uint32_t name_len, uint64_t value
    ) noexcept
    int32_t fgw_http1_put_bytes(
        uint8_t *out, uint32_t cap, const void *bytes, uint32_t len
    ) noexcept
    int32_t fgw_http1_put_u64(uint8_t *out, uint32_t cap, uint64_t value) noexcept
    void fgw_http1_put_hex(uint8_t *out, uint32_t number) noexcept
    int32_t fgw_http1_put_chunk_size(uint8_t *out, uint32_t cap, uint64_t size) noexcept
    int32_t fgw_http1_put_end(uint8_t *out, uint32_t cap) noexcept
