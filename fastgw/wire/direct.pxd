# Reads of plain TCP connections on their own descriptors, without uvloop's transport between.
from libc.stdint cimport uint8_t


# What a read brought, with the GIL: so many bytes; 0: the peer's FIN; below 0: minus an errno.
ctypedef void (*on_read)(void *owner, uint8_t *bytes, ssize_t length) noexcept


# Where the bytes of one descriptor land. The owner keeps what the pointers show alive.
cdef struct landing:
    void *owner            # NULL: nobody's
    on_read tell
    uint8_t **at           # where the next bytes go, and how many fit, unless this is NULL:
    size_t *room
    uint8_t *otherwise     # then they go here
    size_t otherwise_room
    void *stream           # uv_stream_t, once it was found
    bint *reading          # not to be adopted while this is false


cdef class DirectReads:
    """One loop's. What is added is read as before until the next `adopt`."""
    cdef:
        readonly int adopted   # streams, so far
        void *_loop            # uv_loop_t
        int _waiting           # added, and not adopted yet

    cdef bint add(self, int fd, const landing *where) noexcept
    # The transport has begun to read again: read in its place. Nothing for who was not adopted.
    cdef void resume(self, int fd, void *owner) noexcept
    # Takes over the reads of all that were added: every 100 ms, for it looks at all handles.
    cdef void adopt(self) noexcept


# Nothing more is told to its owner. For another owner's descriptor: nothing happens.
cdef void forget_reads(int fd, void *owner) noexcept nogil
