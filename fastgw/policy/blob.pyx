"""A compiled policy in a sealed memory file, mapped read-only by every process that runs it.

The process that compiles a policy seals it, once; children inherit the mapping, and others attach
to the descriptor. A file that is sealed can no longer be written, cut or grown by anyone, so what
was verified stays true.
"""
cimport cython
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy, memset
from posix.mman cimport MAP_FAILED, MAP_SHARED, PROT_READ, mmap, munmap

import fcntl
import os

from fastgw.native.blob cimport (
    FGW_BLOB_LAYOUT, FGW_BLOB_MAGIC, fgw_blob, fgw_blob_close, fgw_blob_verify,
)

_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


@cython.final
cdef class Blob:
    def __cinit__(self):
        self.descriptor = -1

    def __dealloc__(self):
        if self._block != NULL:
            munmap(<void *>self._block, self.size)
        if self.descriptor >= 0:
            os.close(self.descriptor)

    @staticmethod
    def seal(uint64_t version, bytes index, programs):
        cdef Blob blob = Blob()
        descriptor = os.memfd_create(
            f"fastgw-policy-{version:016x}", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            with open(descriptor, "wb", closefd=False) as file:
                file.write(whole(version, index, programs))
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
            blob._map(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        blob.descriptor = descriptor
        return blob

    @staticmethod
    def attach(int descriptor):
        cdef Blob blob = Blob()
        if fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & _SEALS != _SEALS:
            raise ValueError("this policy is not sealed: it could change while it is in use")
        blob._map(descriptor)
        blob.descriptor = os.dup(descriptor)
        return blob

    cdef int _map(self, int descriptor) except -1:
        cdef size_t size = os.fstat(descriptor).st_size
        cdef void *block = mmap(NULL, size, PROT_READ, MAP_SHARED, descriptor, 0)
        if block == MAP_FAILED:
            raise OSError("a sealed policy cannot be mapped")
        self._block = <const fgw_blob *>block
        self.size = size
        if fgw_blob_verify(block, size) != 0:
            raise ValueError("this is no compiled policy, or one of another version of fastgw")
        return 0

    @property
    def version(self):
        return self._block.version

    @property
    def programs(self):
        return self._block.n_programs

    @property
    def index_bytes(self):
        cdef const char *begin = <const char *>self.index()
        return begin[:self._block.index_size]

    cdef const fgw_index *index(self) noexcept nogil:
        return <const fgw_index *>(<const char *>self._block + self._block.index_at)

    cdef const fgw_cel_program *program(self, uint32_t i) noexcept nogil:
        cdef const char *base = <const char *>self._block
        cdef const uint32_t *offsets = <const uint32_t *>(base + self._block.programs_at)
        return <const fgw_cel_program *>(base + offsets[i])


def whole(uint64_t version, bytes index, programs):
    """The block: header, index, offsets, programs; each of them begins at a multiple of 8."""
    cdef fgw_blob head
    cdef bytearray out = bytearray(sizeof(fgw_blob))
    memset(&head, 0, sizeof(head))
    head.magic, head.layout, head.version = FGW_BLOB_MAGIC, FGW_BLOB_LAYOUT, version
    head.index_at, head.index_size = <uint32_t>len(out), <uint32_t>len(index)
    out += index
    head.programs_at, head.n_programs = <uint32_t>len(out), <uint32_t>len(programs)
    at = len(out) + (4 * len(programs) + 7) // 8 * 8
    offsets = bytearray()
    for program in programs:
        offsets += at.to_bytes(4, "little")  # OverflowError beyond 4 GiB
        at += len(program)
    out += offsets + bytes(-len(offsets) % 8) + b"".join(programs)
    if len(out) >> 32:
        raise OverflowError("a compiled policy of more than 4 GiB")
    head.size = <uint32_t>len(out)
    cdef char *block = out
    memcpy(block, &head, sizeof(head))
    fgw_blob_close(<fgw_blob *>block)
    return out
