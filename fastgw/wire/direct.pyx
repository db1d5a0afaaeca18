"""Reads of plain TCP connections by libuv itself, without uvloop's transport between.

A read through a buffered protocol costs uvloop two calls into Python, two contexts entered, two
numbers and a buffer made, 0.5 us in all. libuv, which lies below it, needs none of this: it asks a
C function where bytes go, and tells another one that they came. The symbols are its public
interface, which uvloop's module exports. They are given to a stream that uvloop has opened and
goes on to own, so everything else (closing, writing what did not fit) is the transport's as ever.

What happens rarely goes back to it: a FIN is left unread for it to find once more, an error is
told as it would have told it. Where the symbols are missing, or the loop is not uvloop's, nothing
is adopted, and uvloop reads.
"""

import ctypes

cimport cython
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport uintptr_t
from libc.stdlib cimport calloc


# libuv's own, as far as it is needed here: its functions are asked for everything else.
cdef struct uv_buf:
    char *base
    size_t len

ctypedef void (*uv_alloc_cb)(void *handle, size_t suggested, uv_buf *buffer) noexcept nogil
ctypedef void (*uv_read_cb)(void *stream, ssize_t length, const uv_buf *buffer) noexcept
ctypedef void (*uv_walk_cb)(void *handle, void *argument) noexcept nogil

cdef enum:
    UV_EOF = -4095
    LIBUV = 1              # the major version that all this is of
    PAGE = 1024            # descriptors of one page of the table, and pages

cdef int (*uv_read_start)(void *, uv_alloc_cb, uv_read_cb) noexcept nogil
cdef int (*uv_read_stop)(void *) noexcept nogil
cdef int (*uv_is_closing)(void *) noexcept nogil
cdef int (*uv_fileno)(void *, int *) noexcept nogil
cdef void (*uv_walk)(void *, uv_walk_cb, void *) noexcept nogil

# By descriptor, which is one loop's at a time. Pages stay where they are: a callback of one loop
# may look something up while another loop's connections are added.
cdef landing *PAGES[PAGE]


cdef inline landing *landing_of(int fd) noexcept nogil:
    if fd < 0 or fd >= PAGE * PAGE or PAGES[fd // PAGE] == NULL:
        return NULL
    return &PAGES[fd // PAGE][fd % PAGE]


cdef inline landing *landing_at(void *handle) noexcept nogil:
    cdef int fd = -1
    cdef landing *found
    if uv_fileno(handle, &fd) != 0:
        return NULL
    found = landing_of(fd)
    return found if found != NULL and found.owner != NULL else NULL


cdef void forget_reads(int fd, void *owner) noexcept nogil:
    cdef landing *found = landing_of(fd)
    if found != NULL and found.owner == owner:
        found.owner = NULL
        found.stream = NULL


cdef void give_room(void *handle, size_t suggested, uv_buf *buffer) noexcept nogil:
    cdef landing *found = landing_at(handle)
    if found == NULL:
        buffer.base, buffer.len = NULL, 0
    elif found.at[0] != NULL:
        buffer.base, buffer.len = <char *>found.at[0], found.room[0]
    else:
        buffer.base, buffer.len = <char *>found.otherwise, found.otherwise_room


cdef void take_bytes(void *stream, ssize_t length, const uv_buf *buffer) noexcept with gil:
    cdef landing *found
    if length == 0:
        return  # (libuv's word for: try again later)
    found = landing_at(stream)
    if found == NULL:
        uv_read_stop(stream)
    elif length == UV_EOF:
        found.stream = NULL
        found.tell(found.owner, NULL, 0)
    else:
        found.tell(found.owner, <uint8_t *>buffer.base, length)


cdef void take_over(void *handle, void *argument) noexcept nogil:
    """One handle of the loop: ours from here on, if it waits for that. ``argument`` counts."""
    cdef landing *found
    if uv_is_closing(handle):
        return
    found = landing_at(handle)
    if found == NULL or found.stream != NULL or not found.reading[0]:
        return
    found.stream = handle
    (<int *>argument)[0] += 1
    uv_read_stop(handle)
    uv_read_start(handle, give_room, take_bytes)


def _function(library, name):
    """The address of a function of libuv, of which ``library`` is or needs one."""
    return ctypes.cast(getattr(library, name), ctypes.c_void_p).value


def _find():
    """False: this uvloop does not show its libuv, or it is another than the one we know."""
    global uv_read_start, uv_read_stop, uv_is_closing, uv_fileno, uv_walk
    import uvloop.loop
    try:
        library = ctypes.CDLL(uvloop.loop.__file__)
        if library.uv_version() >> 16 != LIBUV:
            return False
        found = [_function(library, name) for name in (
            "uv_read_start", "uv_read_stop", "uv_is_closing", "uv_fileno", "uv_walk")]
    except (OSError, AttributeError):
        return False
    uv_read_start = <int (*)(void *, uv_alloc_cb, uv_read_cb) noexcept nogil><uintptr_t>found[0]
    uv_read_stop = <int (*)(void *) noexcept nogil><uintptr_t>found[1]
    uv_is_closing = <int (*)(void *) noexcept nogil><uintptr_t>found[2]
    uv_fileno = <int (*)(void *, int *) noexcept nogil><uintptr_t>found[3]
    uv_walk = <void (*)(void *, uv_walk_cb, void *) noexcept nogil><uintptr_t>found[4]
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
        cdef int page = fd // PAGE
        if fd < 0 or page >= PAGE:
            return False
        if PAGES[page] == NULL:
            PAGES[page] = <landing *>calloc(PAGE, sizeof(landing))
            if PAGES[page] == NULL:
                return False
        PAGES[page][fd % PAGE] = where[0]
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
        uv_read_start(found.stream, give_room, take_bytes)

    cdef void adopt(self) noexcept:
        if self._waiting:
            self._waiting = 0
            uv_walk(self._loop, take_over, &self.adopted)
