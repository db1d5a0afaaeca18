# native/cel.pxd: csrc/fgw_cel.h, name for name. No logic lives here.
from libc.stddef cimport size_t
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from fastgw.native.policy cimport fgw_value


cdef extern from "fgw_cel.h" nogil:
    enum fgw_cel_error:
        FGW_CEL_ERROR_ABSENT
        FGW_CEL_ERROR_TYPE
        FGW_CEL_ERROR_OVERFLOW
        FGW_CEL_ERROR_DIVIDE
        FGW_CEL_ERROR_KEY
        FGW_CEL_ERROR_INDEX
        FGW_CEL_ERROR_RANGE
        FGW_CEL_ERROR_PARSE
        FGW_CEL_ERROR_UTF8
        FGW_CEL_ERROR_DUPLICATE
        FGW_CEL_ERROR_KEY_TYPE
        FGW_CEL_ERROR_NONE
        FGW_CEL_ERROR_ARGUMENT
        FGW_CEL_ERROR_REGEX
        FGW_CEL_ERROR_ZONE
        FGW_CEL_ERROR_DEPTH
        FGW_CEL_ERROR_STEPS
        FGW_CEL_ERROR_MEMORY

    enum:
        FGW_CEL_OPS
        FGW_CEL_FUNCTION_COUNT

    const int FGW_CEL_STEPS
    const int FGW_CEL_ARENA

    enum fgw_cel_source_id:
        FGW_CEL_SOURCE_HEADERS
        FGW_CEL_SOURCE_QUERY
        FGW_CEL_SOURCE_TAGS
        FGW_CEL_SOURCE_OWNER
        FGW_CEL_SOURCE_HEADER_LINES
        FGW_CEL_SOURCES

    struct fgw_cel_program:
        uint32_t magic
        uint32_t size
        uint16_t n_code
        uint16_t n_constants
        uint16_t n_facts
        uint16_t n_slots
        uint64_t facts_read
        uint16_t sources
        uint8_t type

    struct fgw_cel_zone:
        int64_t since
        int32_t offset

    struct fgw_cel_source:
        const void *owner
        uint32_t (*count)(const void *owner, uint32_t map) noexcept
        void (*entry)(const void *owner, uint32_t map, uint32_t i, fgw_value *key,
                      fgw_value *value) noexcept
        int (*find)(const void *owner, uint32_t map, const uint8_t *key, uint32_t length,
                    fgw_value *value) noexcept
        int (*zone)(const void *owner, const uint8_t *name, uint32_t length, int64_t seconds,
                    int32_t *offset) noexcept

    struct fgw_cel_traced:
        uint32_t at
        fgw_value value

    struct fgw_cel_trace:
        uint32_t used
        uint32_t room
        fgw_cel_traced *entries

    struct fgw_cel_run:
        const fgw_value *facts
        const fgw_cel_source *source
        fgw_cel_trace *trace
        uint8_t *arena
        uint32_t arena_size
        uint32_t arena_used
        uint32_t steps
        uint64_t random

    int fgw_cel_verify(const void *block, size_t size) noexcept
    int fgw_cel_glance(const fgw_cel_program *program, const fgw_value *facts) noexcept
    int fgw_cel_eval(
        const fgw_cel_program *program, fgw_cel_run *run, fgw_value *result) noexcept
