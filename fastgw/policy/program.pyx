"""A compiled expression: it owns the memory that its fgw_program points into."""
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from fastgw.native.policy cimport (
    FGW_FACTS_MAX, FGW_VALUE_ABSENT, FGW_VALUE_BOOL, FGW_VALUE_DOUBLE, FGW_VALUE_INT,
    FGW_VALUE_STRING, fgw_value,
)
from fastgw.native.rule cimport (
    FGW_RULE_CODE_MAX, FGW_RULE_CONSTANT, FGW_RULE_ERROR_ABSENT,
    FGW_RULE_ERROR_DIVIDE, FGW_RULE_ERROR_OVERFLOW, FGW_RULE_FACT_NE, FGW_RULE_NULL,
    fgw_glob_match, fgw_instruction, fgw_rule_eval, fgw_rule_verify,
)


class EvaluationError(Exception):
    """An expression has no value: an absent fact, an overflow, a division by zero."""


cdef int set_value(fgw_value *value, object content, list texts) except -1:
    value.bytes = NULL
    value.length = 0
    value.as_.number = 0
    if content is None:
        value.type = FGW_VALUE_ABSENT
    elif isinstance(content, bool):
        value.type = FGW_VALUE_BOOL
        value.as_.number = 1 if content else 0
    elif isinstance(content, int):
        value.type = FGW_VALUE_INT
        value.as_.number = content
    elif isinstance(content, float):
        value.type = FGW_VALUE_DOUBLE
        value.as_.real = content
    else:
        encoded = content if isinstance(content, bytes) else content.encode()
        texts.append(encoded)
        value.type = FGW_VALUE_STRING
        value.bytes = <const uint8_t *>PyBytes_AS_STRING(encoded)
        value.length = <uint32_t>PyBytes_GET_SIZE(encoded)
    return 0


cdef object get_value(const fgw_value *value):
    if value.type == FGW_VALUE_BOOL:
        return value.as_.number != 0
    if value.type == FGW_VALUE_INT:
        return value.as_.number
    if value.type == FGW_VALUE_DOUBLE:
        return value.as_.real
    if value.type == FGW_VALUE_STRING:
        return (<const char *>value.bytes)[:value.length].decode("utf-8", "replace")
    if value.type == FGW_RULE_NULL:
        return None
    reasons = {
        <int64_t>FGW_RULE_ERROR_ABSENT: "the request does not have it",
        <int64_t>FGW_RULE_ERROR_OVERFLOW: "beyond 64 bits",
        <int64_t>FGW_RULE_ERROR_DIVIDE: "division by zero",
    }
    raise EvaluationError(reasons.get(value.as_.number, "a value of another type"))


@cython.final
cdef class Program:
    def __cinit__(self, bytes code, tuple constants, int n_facts, str type):
        cdef Py_ssize_t n_code = len(code) // sizeof(fgw_instruction)
        cdef Py_ssize_t i
        if len(code) % sizeof(fgw_instruction) or not 0 < n_code <= FGW_RULE_CODE_MAX:
            raise ValueError("no program has this length")
        if len(constants) > 65535 or not 0 <= n_facts <= FGW_FACTS_MAX:
            raise ValueError("more constants or facts than a program can name")
        self.type = type
        self._texts = []
        self._code = <fgw_instruction *>calloc(n_code, sizeof(fgw_instruction))
        self._constants = <fgw_value *>calloc(len(constants) + 1, sizeof(fgw_value))
        if self._code == NULL or self._constants == NULL:
            raise MemoryError()
        memcpy(self._code, PyBytes_AS_STRING(code), n_code * sizeof(fgw_instruction))
        for i in range(len(constants)):
            set_value(&self._constants[i], constants[i], self._texts)
            if constants[i] is None:
                self._constants[i].type = FGW_RULE_NULL
        self.program.code = self._code
        self.program.constants = self._constants
        self.program.n_code = <unsigned short>n_code
        self.program.n_constants = <unsigned short>len(constants)
        self.program.n_facts = <unsigned short>n_facts
        if fgw_rule_verify(&self.program) != 0:
            raise ValueError("the program could leave its code, constants, facts or stack")
        for i in range(n_code):
            if self._code[i].op <= FGW_RULE_FACT_NE and self._code[i].op != FGW_RULE_CONSTANT:
                self.reads |= <uint64_t>1 << self._code[i].at

    def __dealloc__(self):
        free(self._code)
        free(self._constants)

    def evaluate(self, facts):
        cdef fgw_value[FGW_FACTS_MAX] values
        cdef fgw_value result
        cdef list texts = []
        cdef Py_ssize_t i
        if not self.program.n_facts <= len(facts) <= FGW_FACTS_MAX:
            raise ValueError(f"this program reads {self.program.n_facts} facts, got {len(facts)}")
        for i in range(len(facts)):
            set_value(&values[i], facts[i], texts)
        fgw_rule_eval(&self.program, values, &result)
        return get_value(&result)


def glob_match(str pattern, str text):
    cdef bytes p = pattern.encode(), t = text.encode()
    return fgw_glob_match(<const uint8_t *>PyBytes_AS_STRING(p), len(p),
                          <const uint8_t *>PyBytes_AS_STRING(t), len(t)) == 1
