"""The memory of a compiled policy: plain structs, so that deciding needs no Python."""
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport uint8_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport calloc, free, realloc

from fastgw.native.action cimport fgw_patterns
from fastgw.native.cel cimport fgw_cel_program
from fastgw.policy.blob cimport Blob
from fastgw.policy.program cimport Program


@cython.final
cdef class Plan:
    def __cinit__(self):
        self._kept, self._rows = [], []

    def __dealloc__(self):
        cdef size_t i
        for i in range(self._n_blocks):
            free(self._blocks[i])
        free(self._blocks)

    cdef void *take(self, size_t count, size_t size) except NULL:
        cdef void **blocks = <void **>realloc(
            self._blocks, (self._n_blocks + 1) * sizeof(void *))
        if blocks == NULL:
            raise MemoryError()
        self._blocks = blocks
        cdef void *block = calloc(count if count else 1, size)
        if block == NULL:
            raise MemoryError()
        self._blocks[self._n_blocks] = block
        self._n_blocks += 1
        return block

    cdef const uint8_t *text(self, bytes text) except NULL:
        self._kept.append(text)
        return <const uint8_t *>PyBytes_AS_STRING(text)

    cdef int patterns(self, fgw_patterns *patterns, object texts) except -1:
        cdef uint32_t i
        patterns.given = texts is not None
        patterns.count = 0 if texts is None else len(texts)
        patterns.texts = <const uint8_t **>self.take(patterns.count, sizeof(uint8_t *))
        patterns.lengths = <uint32_t *>self.take(patterns.count, sizeof(uint32_t))
        for i in range(patterns.count):
            encoded = texts[i].encode()
            patterns.texts[i] = self.text(encoded)
            patterns.lengths[i] = <uint32_t>len(encoded)
        return 0

    cdef const fgw_cel_program **programs(self, list programs) except NULL:
        cdef const fgw_cel_program **row = <const fgw_cel_program **>self.take(
            len(programs), sizeof(fgw_cel_program *))
        cdef Py_ssize_t i
        for i in range(len(programs)):
            row[i] = (<Program>programs[i]).program
        self._rows.append((<uintptr_t>row, programs))
        return row

    cdef const fgw_cel_program *program(self, Program program) except NULL:
        self._kept.append(program)
        return program.program

    cdef Blob seal(self, uint64_t version, bytes index):
        cdef const fgw_cel_program **row
        cdef Py_ssize_t i
        numbers = {}  # of blocks: expressions that many rules share are there once
        for _, programs in self._rows:
            for program in programs:
                numbers.setdefault(program.block, len(numbers))
        cdef Blob blob = Blob.seal(version, index, list(numbers))
        for address, programs in self._rows:
            row = <const fgw_cel_program **><uintptr_t>address
            for i in range(len(programs)):
                row[i] = blob.program(numbers[programs[i].block])
        self._rows.clear()
        self._kept.append(blob)
        return blob
