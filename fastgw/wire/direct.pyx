"""Reads of plain TCP connections on their own descriptors, without uvloop's transport between.

A read through a buffered protocol costs uvloop two calls into Python, two contexts entered, two
numbers and a buffer made, 0.5 us in all. libuv, which lies below it, needs none of this: it asks a
C function where bytes go, and tells another one that they came. The symbols are its public
interface, which uvloop's module exports. They are given to a stream that uvloop has opened and
goes on to own, so everything else (closing, writing what did not fit) is the transport's as ever.

libuv is told that there is no room, and says so (UV_ENOBUFS, as its manual has it) instead of
reading: we read then, by `recv`, which is a tenth of a microsecond cheaper than its `read`.

What happens rarely goes back to uvloop: it finds a FIN once more, an error is told as it would
have told it. Where the symbols are missing, or the loop is not uvloop's, nothing is adopted, and
uvloop reads.
"""

import ctypes

cimport cython
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport uintptr_t
from libc.stdlib cimport calloc


cdef extern from "<sys/socket.h>" nogil:
    ssize_t recv(int fd, void *into, size_t length, int flags)
    int MSG_DONTWAIT


# libuv's own, as far as it is needed here: its functions are asked for everything else.
cdef struct uv_buf:
    char *base
    size_t len

ctypedef void (*uv_alloc_cb)(void *handle, size_t suggested, uv_buf *buffer) noexcept nogil
ctypedef void (*uv_read_cb)(void *stream, ssize_t length, const uv_buf *buffer) noexcept
ctypedef void (*uv_walk_cb)(void *handle, void *argument) noexcept nogil

cdef enum:
    LIBUV = 1              # the major version that all this is of
    PAGE_BITS = 10
    PAGE = 1 << PAGE_BITS  # descriptors of one page of the table, and pages

cdef int (*uv_read_start)(void *, uv_alloc_cb, uv_read_cb) noexcept nogil
cdef int (*uv_read_stop)(void *) noexcept nogil
cdef int (*uv_fileno)(void *, int *) noexcept nogil
cdef void (*uv_walk)(void *, uv_walk_cb, void *) noexcept nogil

# By descriptor, which is one loop's at a time. Pages stay where they are: a callback of one loop
# may look something up while another loop's connections are added.
cdef landing *PAGES[PAGE]


cdef inline landing *landing_of(int fd) noexcept nogil:
    if fd < 0 or fd >> PAGE_BITS >= PAGE or PAGES[fd >> PAGE_BITS] == NULL:
        return NULL
    return &PAGES[fd >> PAGE_BITS][fd & PAGE - 1]


cdef inline int fd_of(void *handle) noexcept nogil:
    """-1: it has none, or it is closing."""
    cdef int fd = -1
    return fd if uv_fileno(handle, &fd) == 0 else -1


cdef inline landing *owned(int fd) noexcept nogil:
    cdef landing *found = landing_of(fd)
    return found if found != NULL and found.owner != NULL else NULL


cdef void forget_reads(int fd, void *owner) noexcept nogil:
    cdef landing *found = landing_of(fd)
    if found != NULL and found.owner == owner:
        found.owner = NULL
        found.stream = NULL


cdef void give_no_room(void *handle, size_t suggested, uv_buf *buffer) noexcept nogil:
    buffer.base, buffer.len = NULL, 0


cdef void read_now(void *stream, ssize_t length, const uv_buf *buffer) noexcept with gil:
    """There is something to read, or the end of it. One read: libuv calls again for the rest."""
    cdef int fd = fd_of(stream)
    cdef landing *found = owned(fd)
    cdef uint8_t *at
    cdef ssize_t got
    if found == NULL:
        uv_read_stop(stream)
        return
    at = found.at[0]
    if at != NULL:
        got = recv(fd, at, found.room[0], MSG_DONTWAIT)
    else:
        at = found.otherwise
        got = recv(fd, at, found.otherwise_room, MSG_DONTWAIT)
    if got < 0:
        got = -errno
        if got == -EAGAIN or got == -EINTR:
            return
    if got <= 0:
        found.stream = NULL
    found.tell(found.owner, at, got)


cdef void take_over(void *handle, void *argument) noexcept nogil:
    """One handle of the loop: ours from here on, if it waits for that. ``argument`` counts."""
    cdef landing *found = owned(fd_of(handle))
    if found == NULL or found.stream != NULL or not found.reading[0]:
        return
    found.stream = handle
    (<int *>argument)[0] += 1
    uv_read_stop(handle)
    uv_read_start(handle, give_no_room, read_now)


def _function(library, name):
    """The address of a function of libuv, of which ``library`` is or needs one."""
    return ctypes.cast(getattr(library, name), ctypes.c_void_p).value


def _find():
    """False: this uvloop does not show its libuv, or it is another than the one we know."""
    global uv_read_start, uv_read_stop, uv_fileno, uv_walk
    import uvloop.loop
    try:
        library = ctypes.CDLL(uvloop.loop.__file__)
        if library.uv_version() >> 16 != LIBUV:
            return False
        found = [_function(library, name) for name in (
            "uv_read_start", "uv_read_stop", "uv_fileno", "uv_walk")]
    except (OSError, AttributeError):
        return False
    uv_read_start = <int (*)(void *, uv_alloc_cb, uv_read_cb) noexcept nogil><uintptr_t>found[0]
    uv_read_stop = <int (*)(void *) noexcept nogil><uintptr_t>found[1]
    uv_fileno = <int (*)(void *, int *) noexcept nogil><uintptr_t>found[2]
    uv_walk = <void (*)(void *, uv_walk_cb, void *) noexcept nogil><uintptr_t>found[3]
    return True


_known = None


def direct_reads(loop):
    """The DirectReads of a loop; None where uvloop must read."""
    global _known
    import uvloop
    cdef DirectReads reads
    if not isinstance(loop, uvloop.Loop):
        return None
    if _known is None:
        _known = _find()
    if not _known:
        return None
    reads = DirectReads()
    reads._loop = PyCapsule_GetPointer(uvloop.loop.libuv_get_loop_t_ptr(loop), NULL)
    return reads


@cython.final
cdef class DirectReads:
    cdef bint add(self, int fd, const landing *where) noexcept:
        cdef int page = fd >> PAGE_BITS
        if fd < 0 or page >= PAGE:
            return False
        if PAGES[page] == NULL:
            PAGES[page] = <landing *>calloc(PAGE, sizeof(landing))
            if PAGES[page] == NULL:
                return False
        PAGES[page][fd & PAGE - 1] = where[0]
        self._waiting += 1
        return True

    cdef void resume(self, int fd, void *owner) noexcept:
        cdef landing *found = landing_of(fd)
        if found == NULL or found.owner != owner:
            return
        if found.stream == NULL:
            self._waiting += 1
            return
        uv_read_stop(found.stream)
        uv_read_start(found.stream, give_no_room, read_now)

    cdef void adopt(self) noexcept:
        if self._waiting:
            self._waiting = 0
            uv_walk(self._loop, take_over, &self.adopted)
