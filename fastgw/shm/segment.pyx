"""The shared segment: made by the supervisor, mapped by every process of the gateway.

Layout and rules are drawn in csrc/fgw_segment.h. A file on tmpfs rather than
multiprocessing.shared_memory, whose tracker destroys the segment for all; all of its pages are
allocated when it is made, so that a full tmpfs is an error then and not a SIGBUS later.
"""

import errno
import os
import stat
from pathlib import Path
from typing import NamedTuple

cimport cython
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from posix.mman cimport MAP_FAILED, MAP_SHARED, PROT_READ, PROT_WRITE, mmap, munmap
from posix.unistd cimport close

from fastgw.native.clock cimport fgw_clock_wall_ns
from fastgw.native.counters cimport fgw_counters, fgw_counters_reset_gauges
from fastgw.native.hold cimport fgw_hold_is_live, fgw_hold_is_open
from fastgw.native.segment cimport (
    FGW_OWNERS_SPARE, FGW_SEGMENT_DAMAGED, FGW_SEGMENT_FOREIGN, FGW_SEGMENT_LAYOUT,
    FGW_SEGMENT_OTHER_BOOT, FGW_SEGMENT_OTHER_LAYOUT, FGW_SEGMENT_OTHER_USER,
    FGW_SEGMENT_SHORT, FGW_WORKER_DEAD, FGW_WORKER_DRAINING, FGW_WORKER_NONE, FGW_WORKER_READY,
    FGW_WORKER_STARTING, fgw_segment, fgw_segment_adopt, fgw_segment_check,
    fgw_segment_counters, fgw_segment_generation, fgw_segment_groups, fgw_segment_header_of,
    fgw_segment_hold, fgw_segment_make, fgw_segment_plan, fgw_segment_slot, fgw_worker_claim,
    fgw_worker_queue, fgw_worker_read, fgw_worker_seen, fgw_worker_set_policy,
    fgw_worker_set_state, fgw_worker_slot, fgw_worker_turn)

from fastgw.errors import ShmError
from fastgw.shm.place import boot_id, make_folder

LAYOUT = FGW_SEGMENT_LAYOUT
NONE = FGW_WORKER_NONE
STARTING = FGW_WORKER_STARTING
READY = FGW_WORKER_READY
DRAINING = FGW_WORKER_DRAINING
DEAD = FGW_WORKER_DEAD
SUPERVISOR, CLUSTER = range(FGW_OWNERS_SPARE)  # owners of words behind the workers' slots

# Why a segment cannot be used; also the `reason` of the one that replaces it.
FAULTS = {
    FGW_SEGMENT_SHORT: "cut short",
    FGW_SEGMENT_FOREIGN: "not a segment, or never finished",
    FGW_SEGMENT_OTHER_LAYOUT: "of another layout",
    FGW_SEGMENT_DAMAGED: "header damaged",
    FGW_SEGMENT_OTHER_BOOT: "of another boot",
    FGW_SEGMENT_OTHER_USER: "of another user",
}


class WorkerSlot(NamedTuple):
    """What a worker's slot says. Times: ns of CLOCK_BOOTTIME; start_time: clock ticks."""

    pid: int
    state: int
    generation: int
    start_time: int
    heartbeat_ns: int
    turns: int
    policy_version: int


@cython.final
cdef class Segment:
    """Made by `create` or `attach`. The mapping lives as long as this object."""

    def __cinit__(self):
        self.fd = -1
        self.reason = ""

    def __dealloc__(self):
        if self.map.base != NULL:
            munmap(self.map.base, self.map.size)
            self.map.base = NULL
        if self.fd >= 0:
            close(self.fd)  # libc's: at the interpreter's end `os` may be gone

    @staticmethod
    def create(path, *, int workers, entries=32768, holds_per_worker=4096, boot=None):
        """The segment at ``path`` for this boot; ``reason`` tells what became of an older one.

        ``entries``: how many buckets may be alive at once; each has room then, of 57 bytes.
        'kept': it had this layout, this boot and these sizes, so buckets survive the restart, and
        what its dead workers held is still to be swept. Otherwise it is made anew: 'new', or why
        the older one was of no use. Where only the sizes differ ('of other sizes'), the older one
        is ``replaced``, to be swept and its buckets carried over. ShmError: no room, not ours.
        """
        cdef fgw_segment plan
        if fgw_segment_plan(&plan, workers, holds_per_worker, fgw_segment_groups(entries)):
            raise ShmError(f"no segment for {workers} workers, {holds_per_worker} holds each and "
                           f"{entries} limit entries")
        path = os.fspath(path)
        boot = boot_id() if boot is None else boot
        make_folder(Path(path))
        older, reason = _older(path, boot)
        if older is not None:
            if _fits(older, plan):
                (<Segment>older).reason = "kept"
                return older
            reason = "of other sizes"
        made = _make(path, &plan, boot)
        (<Segment>made).reason = reason
        (<Segment>made).replaced = older
        return made

    @staticmethod
    def attach(where, *, bint readonly=False):
        """Maps an existing segment, by descriptor (kept open by the caller) or path.

        ShmError if there is none, if it is not this user's or not of this build's layout.
        """
        flags = (os.O_RDONLY if readonly else os.O_RDWR) | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            fd = os.dup(where) if isinstance(where, int) else os.open(where, flags)
        except OSError as error:
            raise ShmError(f"{where}: {error.strerror}: no gateway runs here?") from error
        segment, fault = _map(fd, None, readonly)
        if segment is None:
            raise ShmError(f"{where}: {fault}")
        (<Segment>segment).path = None if isinstance(where, int) else os.fspath(where)
        return segment

    @property
    def size(self):
        return self.map.size

    @property
    def workers(self):
        return self.map.workers

    @property
    def holds_per_worker(self):
        return self.map.holds_per_worker

    @property
    def groups(self):
        """Groups of the limit table, 14 places each."""
        return self.map.groups

    @property
    def boot(self):
        return bytes(fgw_segment_header_of(&self.map).boot[:16])

    @property
    def made_ns(self):
        """CLOCK_REALTIME."""
        return fgw_segment_header_of(&self.map).made_ns

    @property
    def generation(self):
        """How many supervisors have adopted it."""
        return fgw_segment_generation(&self.map)

    def adopt(self, int pid, start_time):
        """Raises the generation: supervisor only. Returns it."""
        self._check_writable()
        return fgw_segment_adopt(&self.map, pid, start_time)

    def worker(self, Py_ssize_t worker):
        """What its slot says; also of a spare owner, at ``workers`` + SUPERVISOR or CLUSTER."""
        cdef fgw_worker_seen seen
        fgw_worker_read(self.owner(worker), &seen)
        return WorkerSlot(seen.pid, seen.state, seen.generation, seen.start_time,
                          seen.heartbeat_ns, seen.turns, seen.policy_version)

    def claim(self, Py_ssize_t worker, int pid, start_time, generation):
        """Gives a swept slot to a new worker: STARTING."""
        self._check_writable()
        fgw_worker_claim(self.owner(worker), pid, start_time, generation)

    def set_state(self, Py_ssize_t worker, int state):
        self._check_writable()
        fgw_worker_set_state(self.owner(worker), state)

    def set_policy(self, Py_ssize_t worker, version):
        """The version that new requests of this worker are decided by."""
        self._check_writable()
        fgw_worker_set_policy(self.slot(worker), version)

    def turn(self, Py_ssize_t worker, now_ns):
        """A worker's sign of life. Hot code calls fgw_worker_turn itself."""
        self._check_writable()
        fgw_worker_turn(self.owner(worker), now_ns)

    def queue(self, Py_ssize_t worker):
        """(since when the oldest request waits for a slot, or 0; a bit for each bucket)."""
        cdef uint64_t keys
        cdef uint64_t oldest_ns = fgw_worker_queue(self.slot(worker), &keys)
        return oldest_ns, keys

    def reset_gauges(self, Py_ssize_t worker):
        self._check_writable()
        fgw_counters_reset_gauges(self.counters_of(worker))

    def live_holds(self, Py_ssize_t worker):
        """(holds in use, attempts open) of one worker."""
        cdef uint32_t index, live = 0, opened = 0
        self.slot(worker)
        for index in range(self.map.holds_per_worker):
            hold = fgw_segment_hold(&self.map, <uint32_t>worker, index)
            if fgw_hold_is_live(hold):
                live += 1
                opened += fgw_hold_is_open(hold) != 0
        return live, opened

    cdef fgw_worker_slot *slot(self, Py_ssize_t worker) except NULL:
        if not 0 <= worker < self.map.workers:
            raise IndexError(f"no worker {worker} in a segment for {self.map.workers}")
        return fgw_segment_slot(&self.map, <uint32_t>worker)

    cdef fgw_worker_slot *owner(self, Py_ssize_t owner) except NULL:
        if not 0 <= owner < <Py_ssize_t>self.map.workers + FGW_OWNERS_SPARE:
            raise IndexError(f"no owner {owner} in a segment for {self.map.workers} workers")
        return fgw_segment_slot(&self.map, <uint32_t>owner)

    cdef fgw_counters *counters_of(self, Py_ssize_t worker) except NULL:
        if not 0 <= worker < self.map.workers:
            raise IndexError(f"no worker {worker} in a segment for {self.map.workers}")
        return fgw_segment_counters(&self.map, <uint32_t>worker)

    cdef int _check_writable(self) except -1:
        if self.readonly:
            raise ShmError("this mapping is read-only")
        return 0


cdef bint _fits(Segment older, fgw_segment plan):
    return (older.map.workers == plan.workers and older.map.groups == plan.groups
            and older.map.holds_per_worker == plan.holds_per_worker)


cdef tuple _map(int fd, bytes boot, bint readonly):
    """(segment, '') or (None, fault). Takes the descriptor over, whatever comes of it."""
    cdef Segment segment = Segment.__new__(Segment)
    cdef fgw_segment found
    cdef const uint8_t *wanted = NULL
    segment.fd = fd
    segment.readonly = readonly
    seen = os.fstat(fd)
    if not stat.S_ISREG(seen.st_mode) or seen.st_uid != os.geteuid():
        return None, FAULTS[FGW_SEGMENT_OTHER_USER]
    if stat.S_IMODE(seen.st_mode) & 0o077:
        return None, "open to other users"
    cdef uint64_t size = seen.st_size
    if size == 0:
        return None, FAULTS[FGW_SEGMENT_SHORT]
    cdef void *base = mmap(
        NULL, size, PROT_READ if readonly else PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
    if base == MAP_FAILED:
        return None, "cannot be mapped"
    if boot is not None:
        wanted = boot
    fault = fgw_segment_check(&found, <uint8_t *>base, size, wanted, os.geteuid())
    # Kept as mapped, also if it is longer than it says: munmap must get the same size.
    segment.map.base = <uint8_t *>base
    segment.map.size = size
    if fault:
        return None, FAULTS[fault]
    found.size = size
    segment.map = found
    return segment, ""


def _older(path, boot):
    """(segment or None, reason): what lies at ``path`` already."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None, "new"
    except OSError as error:
        raise ShmError(f"{path}: {error.strerror}; remove it") from error
    segment, fault = _map(fd, boot, False)
    if segment is None:
        return None, fault
    (<Segment>segment).path = path
    return segment, ""


cdef Segment _make(path, fgw_segment *plan, bytes boot):
    """Under another name first: whoever opens ``path`` finds a finished segment, or none."""
    fresh = f"{path}.{os.getpid()}"
    try:
        fd = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC,
                     0o600)
    except OSError as error:
        raise ShmError(f"{fresh}: {error.strerror}") from error
    try:
        os.posix_fallocate(fd, 0, plan.size)
        _fill(fd, plan, boot)
        os.rename(fresh, path)
    except OSError as error:
        os.unlink(fresh)
        if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
            raise ShmError(f"{os.path.dirname(path)}: no room for {plan.size >> 20} MiB of shared "
                           "memory (free some, enlarge it, or set another shm_dir)") from error
        raise ShmError(f"{path}: {error.strerror}") from error
    finally:
        os.close(fd)
    segment, fault = _map(os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC), boot, False)
    if segment is None:
        raise ShmError(f"{path}: {fault}")
    (<Segment>segment).path = path
    return segment


cdef int _fill(int fd, fgw_segment *plan, bytes boot) except -1:
    cdef void *base = mmap(NULL, plan.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
    if base == MAP_FAILED:
        raise OSError(errno.ENOMEM, "cannot be mapped")
    cdef bytes secret = os.urandom(16)
    plan.base = <uint8_t *>base
    fgw_segment_make(plan, <const uint8_t *>boot, <const uint8_t *>secret, os.geteuid(),
                     fgw_clock_wall_ns())
    munmap(base, plan.size)
    return 0
