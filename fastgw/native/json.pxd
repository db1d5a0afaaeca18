# native/json.pxd: csrc/fgw_json.h and fgw_json_names.h, name for name. No logic lives here.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from "fgw_json_names.h" nogil:
    struct fgw_json_names:
        pass


cdef extern from "fgw_json.h" nogil:
    const int FGW_JSON_DEPTH_MAX
    const int FGW_JSON_KEY_MAX
    const int FGW_JSON_SLOTS_MAX
    const int FGW_JSON_COPY_MAX
    const int FGW_JSON_NO_SLOT

    enum fgw_json_type:
        FGW_JSON_ABSENT
        FGW_JSON_NULL
        FGW_JSON_FALSE
        FGW_JSON_TRUE
        FGW_JSON_NUMBER
        FGW_JSON_STRING
        FGW_JSON_OBJECT
        FGW_JSON_ARRAY

    enum fgw_json_text:
        FGW_JSON_IGNORE
        FGW_JSON_TEXT
        FGW_JSON_BINARY
        FGW_JSON_DATA_URL
        FGW_JSON_REMOTE
        FGW_JSON_WORD

    enum fgw_json_error:
        FGW_JSON_OK
        FGW_JSON_SYNTAX
        FGW_JSON_UTF8
        FGW_JSON_ESCAPE
        FGW_JSON_DEPTH
        FGW_JSON_NUMBER_RANGE

    enum fgw_json_node_flag:
        FGW_JSON_ONCE
        FGW_JSON_STICKY
        FGW_JSON_KEYS_TEXT
        FGW_JSON_PAUSE
        FGW_JSON_CASES

    struct fgw_json_edge:
        const char *key
        uint8_t key_length
        uint8_t first
        uint8_t node

    struct fgw_json_node:
        const fgw_json_edge *edges
        uint8_t edge_count
        uint8_t other
        uint8_t element
        uint8_t slot
        uint8_t text
        uint8_t flags

    struct fgw_json_room:
        uint16_t at
        uint16_t room

    struct fgw_json_spec:
        const fgw_json_node *nodes
        const fgw_json_room *rooms
        const char **words
        uint8_t node_count
        uint8_t slot_count

    struct fgw_json_slot:
        uint64_t start
        uint64_t end
        int64_t number
        uint32_t count
        uint16_t copied
        uint8_t type
        uint8_t inexact

    struct fgw_json:
        uint64_t offset
        uint64_t seen
        uint64_t twice
        uint64_t text_bytes
        uint64_t binary_bytes
        uint32_t binaries
        uint32_t remotes
        uint32_t strangers
        uint32_t variants
        uint8_t error
        uint8_t depth
        fgw_json_slot *slots
        fgw_json_names *names

    void fgw_json_init(fgw_json *json, const fgw_json_spec *spec, uint8_t root) noexcept
    int fgw_json_feed(fgw_json *json, const uint8_t *bytes, size_t length) noexcept
    int fgw_json_feed_some(
        fgw_json *json, const uint8_t *bytes, size_t length, size_t *used
    ) noexcept
    int fgw_json_end(fgw_json *json) noexcept
    fgw_json_type fgw_json_type_of(const fgw_json *json, unsigned slot) noexcept
    int64_t fgw_json_number(const fgw_json *json, unsigned slot, int64_t otherwise) noexcept
    const char *fgw_json_text_of(const fgw_json *json, unsigned slot) noexcept
