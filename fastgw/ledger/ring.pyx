"""A ring file, mapped: the way of a record from a worker to the recorder (csrc/fgw_ring.h)."""

import errno
import os
import secrets

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
from posix.mman cimport MAP_FAILED, MAP_SHARED, PROT_READ, PROT_WRITE, mmap, munmap

from fastgw.native.record cimport (
    FGW_RECORD_CLOSE, FGW_RECORD_NAME, FGW_RECORD_VERSION, fgw_record, fgw_record_close,
    fgw_record_name, fgw_request_id,
)
from fastgw.native.ring cimport (
    FGW_RING_DROPPED_CLOSE, FGW_RING_DROPPED_NAME, FGW_RING_DROPPED_OPEN,
    FGW_RING_DROPPED_REQUEST, FGW_RING_HEADER, FGW_RING_MAIN,
    FGW_RING_REFUSALS, FGW_RING_REFUSALS_MERGED, FGW_RING_REFUSALS_SEEN, FGW_RING_REFUSED_OPEN,
    FGW_RING_SIZE_MIN, FGW_RING_SUPERVISOR, fgw_record_check, fgw_ring_claim, fgw_ring_copy,
    fgw_ring_count, fgw_ring_counter, fgw_ring_facts, fgw_ring_format, fgw_ring_look,
    fgw_ring_open_consumer, fgw_ring_open_producer, fgw_ring_publish, fgw_ring_read_facts,
    fgw_ring_release, fgw_ring_reserve,
)

from fastgw.errors import ShmError
from fastgw.shm.place import boot_id

MAIN = FGW_RING_MAIN
REFUSALS = FGW_RING_REFUSALS
SUPERVISOR = FGW_RING_SUPERVISOR

_COUNTERS = {
    "dropped_open": FGW_RING_DROPPED_OPEN,
    "refused_open": FGW_RING_REFUSED_OPEN,
    "dropped_close": FGW_RING_DROPPED_CLOSE,
    "dropped_request": FGW_RING_DROPPED_REQUEST,
    "dropped_name": FGW_RING_DROPPED_NAME,
    "refusals": FGW_RING_REFUSALS_SEEN,
    "refusals_merged": FGW_RING_REFUSALS_MERGED,
}
# A NAME record is at most RECORD_MAX with its head; the rest of a longer text is not stored.
cdef size_t NAME_TEXT_MAX = 3968


@cython.final
cdef class Ring:
    """See ring.pyi for Python callers and ring.pxd for hot ones."""

    def __cinit__(self):
        self._memory = NULL

    @staticmethod
    def create(path, uint64_t size, *, uint32_t slot, uint32_t lane=0):
        # The file gets its name when it is whole, so that the recorder never sees half a ring.
        folder, name = os.path.split(os.fspath(path))
        temporary = os.path.join(folder, f".new-{name}-{os.getpid()}")
        cdef int fd = -1
        cdef Ring ring = Ring.__new__(Ring)
        cdef fgw_ring_facts facts
        try:
            fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            os.posix_fallocate(fd, 0, FGW_RING_HEADER + size)
            ring._map(fd)
            memset(&facts, 0, sizeof(facts))
            facts.ring = secrets.randbits(63) | 1
            facts.size = size
            facts.slot = slot
            facts.lane = lane
            boot = boot_id()
            memcpy(facts.boot, PyBytes_AS_STRING(boot), 16)
            if fgw_ring_format(ring._memory, &facts) != 0:
                raise ShmError(f"ring {path}: size {size} is no power of two of at least "
                               f"{FGW_RING_SIZE_MIN} bytes")
            ring._open(path, True)
            os.rename(temporary, path)
            return ring
        except BaseException as error:
            try:
                os.unlink(temporary)
            except FileNotFoundError:
                pass
            if isinstance(error, OSError):
                raise ShmError(_because(path, error, size)) from None
            raise
        finally:
            if fd >= 0:
                os.close(fd)

    @staticmethod
    def attach(path, *, bint producer):
        cdef Ring ring = Ring.__new__(Ring)
        cdef int fd = -1
        try:
            fd = os.dup(path) if isinstance(path, int) else os.open(path, os.O_RDWR | os.O_CLOEXEC)
            ring._map(fd)
        except OSError as error:
            raise ShmError(f"ring {path}: {error.strerror}") from None
        finally:
            if fd >= 0:
                os.close(fd)
        ring._open(path, producer)
        return ring

    @staticmethod
    def open(path, uint64_t size, *, uint32_t slot, uint32_t lane=0):
        if os.path.exists(path):
            ring = Ring.attach(path, producer=True)
            if ring.size == size and ring.slot == slot and ring.lane == lane:
                return ring
            if ring.head != ring.tail:
                raise ShmError(f"ring {path} has another size and records that are not drained")
        return Ring.create(path, size, slot=slot, lane=lane)

    cdef int _map(self, int fd) except -1:
        cdef size_t length = os.fstat(fd).st_size
        if length < <size_t>(FGW_RING_HEADER + FGW_RING_SIZE_MIN):
            raise OSError(errno.EINVAL, "is no ring (too short)")
        cdef void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
        if memory == MAP_FAILED:
            raise OSError(errno.ENOMEM, "cannot be mapped")
        self._memory = memory
        self._length = length
        return 0

    cdef int _open(self, path, bint producer) except -1:
        cdef int failed
        if producer:
            failed = fgw_ring_open_producer(&self._ring, self._memory, self._length)
        else:
            failed = fgw_ring_open_consumer(&self._ring, self._memory, self._length)
        if failed:
            raise ShmError(f"ring {path} is damaged or of another version")
        self.path = str(path)
        self.producer = producer
        return 0

    def close(self):
        if self._memory != NULL:
            munmap(self._memory, self._length)
            self._memory = NULL
            memset(&self._ring, 0, sizeof(self._ring))

    def __dealloc__(self):
        if self._memory != NULL:
            munmap(self._memory, self._length)

    cdef int _facts(self, fgw_ring_facts *facts) except -1:
        self._check()
        fgw_ring_read_facts(&self._ring, facts)
        return 0

    @property
    def ring_id(self):
        cdef fgw_ring_facts facts
        self._facts(&facts)
        return facts.ring

    @property
    def size(self):
        return self._ring.size

    @property
    def slot(self):
        cdef fgw_ring_facts facts
        self._facts(&facts)
        return facts.slot

    @property
    def lane(self):
        cdef fgw_ring_facts facts
        self._facts(&facts)
        return facts.lane

    @property
    def boot(self):
        cdef fgw_ring_facts facts
        self._facts(&facts)
        return PyBytes_FromStringAndSize(<char *>facts.boot, 16)

    @property
    def head(self):
        return self._ring.head

    @property
    def tail(self):
        return self._ring.tail

    @property
    def reserved(self):
        return self._ring.reserved

    cdef int _check(self) except -1:
        if self._memory == NULL:
            raise ShmError(f"ring {self.path} is closed")
        return 0

    def counters(self):
        self._check()
        return {name: fgw_ring_counter(&self._ring, index) for name, index in _COUNTERS.items()}

    # ------------------------------------------------------------------- producer

    cdef int post(self, const fgw_record *record) noexcept nogil:
        cdef fgw_record *claim = fgw_ring_claim(&self._ring, record.size, 0)
        if claim == NULL:
            return -1
        memcpy(claim, record, record.size)
        fgw_ring_publish(&self._ring, 0)
        return 0

    cdef int post_name(
        self, uint8_t space, uint64_t hash0, uint64_t hash1, const uint8_t *text, size_t length,
        const fgw_request_id *id, uint64_t wall_ns,
    ) noexcept nogil:
        if length > NAME_TEXT_MAX:
            length = NAME_TEXT_MAX
        cdef uint32_t size = <uint32_t>(sizeof(fgw_record_name) + ((length + 7) & ~<size_t>7))
        cdef fgw_record_name *name = <fgw_record_name *>fgw_ring_claim(&self._ring, size, 0)
        if name == NULL:
            fgw_ring_count(&self._ring, FGW_RING_DROPPED_NAME)
            return -1
        memset(name, 0, sizeof(fgw_record_name))
        if length & 7:  # the text's last word has zeros behind it
            (<uint64_t *>(<uint8_t *>name + size - 8))[0] = 0
        name.head.kind = FGW_RECORD_NAME
        name.head.version = FGW_RECORD_VERSION
        name.head.wall_ns = wall_ns
        if id != NULL:
            name.head.id = id[0]
        name.hash[0] = hash0
        name.hash[1] = hash1
        name.space = space
        name.length = <unsigned short>length
        memcpy(<uint8_t *>name + sizeof(fgw_record_name), text, length)
        fgw_ring_publish(&self._ring, 0)
        return 0

    cdef int reserve_close(self, uint64_t also) noexcept nogil:
        return fgw_ring_reserve(&self._ring, sizeof(fgw_record_close), also)

    cdef int post_close(self, const fgw_record_close *record) noexcept nogil:
        cdef uint32_t size = sizeof(fgw_record_close)
        cdef fgw_record *claim = fgw_ring_claim(&self._ring, size, size)
        memcpy(claim, record, size)
        claim.kind = FGW_RECORD_CLOSE
        claim.version = FGW_RECORD_VERSION
        fgw_ring_publish(&self._ring, size)
        return 0

    def post_bytes(self, bytes record not None):
        self._check()
        cdef const fgw_record *head = <const fgw_record *>PyBytes_AS_STRING(record)
        cdef size_t length = len(record)
        if length < sizeof(fgw_record) or head.size != length or fgw_record_check(head, length):
            raise ValueError("not one whole record")
        return self.post(head) == 0

    def reserve(self, uint64_t size):
        self._check()
        return fgw_ring_reserve(&self._ring, size, 0) == 0

    # ------------------------------------------------------------------- consumer

    def look(self):
        self._check()
        cdef int64_t waiting = fgw_ring_look(&self._ring)
        if waiting < 0:
            raise ShmError(f"ring {self.path}: its producer's numbers are impossible")
        return waiting

    def read(self, uint64_t start, size_t limit=1 << 26):
        self._check()
        cdef uint64_t next = start
        cdef size_t room = 0
        if self._ring.tail <= start <= self._ring.head:
            room = min(limit, <size_t>(self._ring.head - start))
        cdef bytes out = PyBytes_FromStringAndSize(NULL, room)
        cdef int64_t written = fgw_ring_copy(
            &self._ring, start, <uint8_t *>PyBytes_AS_STRING(out), room, &next
        )
        if written < 0:
            raise ShmError(f"ring {self.path}: the record at {next} is damaged")
        return out[:written], next

    def release(self, uint64_t position):
        self._check()
        if fgw_ring_release(&self._ring, position) != 0:
            raise ShmError(f"ring {self.path}: cannot release {position}")


def _because(path, error, size):
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (f"{os.path.dirname(path) or '.'} has no room for a ring of {size} bytes; "
                "give shm_dir more room or use fewer workers")
    return f"ring {path}: {error.strerror}"
