# native/rule.pxd: csrc/fgw_rule.h, name for name. No logic lives here.
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint16_t

from fastgw.native.policy cimport fgw_value


cdef extern from "fgw_rule.h" nogil:
    enum fgw_rule_type:
        FGW_RULE_NULL
        FGW_RULE_ERROR

    enum fgw_rule_error:
        FGW_RULE_ERROR_ABSENT
        FGW_RULE_ERROR_TYPE
        FGW_RULE_ERROR_OVERFLOW
        FGW_RULE_ERROR_DIVIDE

    enum fgw_rule_op:
        FGW_RULE_CONSTANT
        FGW_RULE_FACT_NE
        FGW_RULE_OPS

    struct fgw_instruction:
        uint8_t op
        uint16_t at
        uint16_t to
        uint16_t count

    const int FGW_RULE_STACK
    const int FGW_RULE_CODE_MAX

    struct fgw_program:
        const fgw_instruction *code
        const fgw_value *constants
        uint16_t n_code
        uint16_t n_constants
        uint16_t n_facts

    int fgw_rule_verify(const fgw_program *program) noexcept
    int fgw_rule_glance(const fgw_program *program, const fgw_value *facts) noexcept
    int fgw_rule_eval(
        const fgw_program *program, const fgw_value *facts, fgw_value *result) noexcept
    int fgw_glob_match(const uint8_t *pattern, size_t pattern_length, const uint8_t *text,
                       size_t text_length) noexcept
