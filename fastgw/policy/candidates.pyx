"""The rule index from Python: the hashes that its builder needs, and walks for tests and tools."""
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from fastgw.native.index cimport (
    FGW_INDEX_NO_RULE, fgw_index, fgw_index_hash, fgw_index_key, fgw_index_next, fgw_index_part,
    fgw_index_start, fgw_index_verify, fgw_index_walk,
)
from fastgw.native.policy cimport FGW_FACTS_MAX, fgw_value
from fastgw.policy.program cimport set_value


def key(int fact, int kind, uint32_t length, bytes content, int64_t number):
    cdef fgw_index_part part
    part.fact = <unsigned short>fact
    part.kind = <unsigned short>kind
    part.length = length
    return fgw_index_key(&part, <const uint8_t *>PyBytes_AS_STRING(content), len(content), number)


def slot_hash(keys):
    cdef uint64_t[128] row
    cdef size_t count = 0
    for one in keys:
        row[count] = one
        count += 1
    return fgw_index_hash(row, count)


def verify(bytes block):
    cdef void *copy = calloc(1, len(block) + 8)
    if copy == NULL:
        raise MemoryError()
    memcpy(copy, PyBytes_AS_STRING(block), len(block))
    cdef bint sound = fgw_index_verify(copy, len(block)) == 0
    free(copy)
    return sound


def candidates(bytes block, facts):
    cdef fgw_value[FGW_FACTS_MAX] values
    cdef fgw_index_walk walk
    cdef list texts = []
    cdef uint32_t rule
    cdef Py_ssize_t i
    if not verify(block):
        raise ValueError("this is no rule index")
    cdef const fgw_index *index = <const fgw_index *>PyBytes_AS_STRING(block)
    if not index.n_facts <= <uint32_t>len(facts) <= <uint32_t>FGW_FACTS_MAX:
        raise ValueError(f"this index reads {index.n_facts} facts, got {len(facts)}")
    for i in range(len(facts)):
        set_value(&values[i], facts[i], texts)
    fgw_index_start(index, values, &walk)
    found = []
    rule = fgw_index_next(&walk)
    while rule != FGW_INDEX_NO_RULE:
        found.append(rule)
        rule = fgw_index_next(&walk)
    return found
