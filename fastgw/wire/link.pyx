"""A connection as a buffered protocol of uvloop that sends on its own socket.

uvloop's ``transport.write`` costs about 2 us and an object a call; ``send`` on the descriptor
costs the system call alone. A descriptor is used only where there is no TLS, only while the
transport's own queue is empty (so that bytes cannot overtake each other), and is forgotten first
thing in ``connection_lost``. With a high-water mark of 0, ``pause_writing`` and
``resume_writing`` are exactly the edges of that queue.
"""

from fcntl import ioctl
from socket import SO_LINGER, SOL_SOCKET
from struct import pack
from termios import TIOCOUTQ

cimport cython
from cpython.buffer cimport PyBuffer_FillInfo
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy


cdef extern from "<sys/uio.h>" nogil:
    ssize_t writev(int fd, const iovec *pieces, int count)


cdef extern from "<sys/socket.h>" nogil:
    int MSG_NOSIGNAL
    ssize_t send(int fd, const void *bytes, size_t length, int flags)


cdef enum:
    GATHER_BYTES = 4096  # pieces that are no more together are copied into one

cdef bytes RESET = pack("ii", 1, 0)   # struct linger: on, for no time


@cython.final
cdef class Scratch:
    def __cinit__(self, size_t size=RECV_BYTES):
        self.bytes = <uint8_t *>malloc(size)
        if self.bytes == NULL:
            raise MemoryError()
        self.size = size

    def __dealloc__(self):
        free(self.bytes)
        while self.n_blocks:
            self.n_blocks -= 1
            free(self.blocks[self.n_blocks])

    cdef uint8_t *take_block(self) noexcept nogil:
        if self.n_blocks == 0:
            return <uint8_t *>malloc(BLOCK_BYTES)
        self.n_blocks -= 1
        return self.blocks[self.n_blocks]

    cdef void give_block(self, uint8_t *block) noexcept nogil:
        if self.n_blocks == BLOCKS_KEPT:
            free(block)
            return
        self.blocks[self.n_blocks] = block
        self.n_blocks += 1


cdef class Link:
    def __cinit__(self):
        self.fd = -1
        self.timer.owner = <void *>self

    # What uvloop calls. An exception must not reach it: it would end the worker's callback
    # without closing anything; on_failure ends one exchange instead.

    def connection_made(self, transport):
        try:
            self.transport = transport
            # (uvloop's TLS would flap at a mark of 0, and has no descriptor of ours to guard.)
            if transport.get_extra_info("sslcontext") is None:
                transport.set_write_buffer_limits(high=0)
                self.fd = transport.get_extra_info("socket").fileno()
            self.is_open = True
            self.reading = True
            self.on_open()
        except Exception as exception:
            self.on_failure(exception)

    def get_buffer(self, size_hint):
        if self.fd < 0:
            return memoryview(self)  # uvloop's TLS slices it; plain TCP wants the buffer alone
        return self

    def __getbuffer__(self, Py_buffer *view, int flags):
        if self.read_at != NULL:
            PyBuffer_FillInfo(view, self, self.read_at, <Py_ssize_t>self.read_room, 0, flags)
        else:
            PyBuffer_FillInfo(
                view, self, self.scratch.bytes, <Py_ssize_t>self.scratch.size, 0, flags
            )

    def __releasebuffer__(self, Py_buffer *view):
        pass

    def buffer_updated(self, Py_ssize_t length):
        try:
            self.on_bytes(
                self.read_at if self.read_at != NULL else self.scratch.bytes, <size_t>length
            )
        except Exception as exception:
            self.on_failure(exception)

    def pause_writing(self):
        self.blocked = True
        try:
            self.on_blocked()
        except Exception as exception:
            self.on_failure(exception)

    def resume_writing(self):
        self.blocked = False
        self.bytes_sent += self.bytes_queued
        self.bytes_queued = 0
        try:
            if self.is_open:
                self.on_writable()
        except Exception as exception:
            self.on_failure(exception)

    def eof_received(self):
        try:
            self.on_eof()
        except Exception as exception:
            self.on_failure(exception)
        # Stay open for writing: the owner decides when it closes.
        return self.is_open

    def connection_lost(self, why):
        self.fd = -1
        self.is_open = False
        try:
            self.on_closed(why)
        except Exception as exception:
            self.on_failure(exception)
        self.transport = None

    cdef ssize_t _hand_over(self, iovec *pieces, int count, size_t total) noexcept nogil:
        """One system call on the socket, which never blocks. Bytes taken, or -1 with errno.

        ``send`` of one piece is cheaper than ``writev`` of two by 0.25 us, of which gathering a
        head and a small body takes back a tenth.
        """
        cdef uint8_t gathered[GATHER_BYTES]
        cdef uint8_t *at = gathered
        cdef int i
        if count > 1:
            if total > GATHER_BYTES:
                # Python ignores SIGPIPE, so this needs no flag for it.
                return writev(self.fd, pieces, count)
            for i in range(count):
                memcpy(at, pieces[i].iov_base, pieces[i].iov_len)
                at += pieces[i].iov_len
            return send(self.fd, gathered, total, MSG_NOSIGNAL)
        return send(self.fd, pieces[0].iov_base, total, MSG_NOSIGNAL)

    # What the owner calls.

    cdef int send(self, iovec *pieces, int count) except -1:
        """Send all pieces, in order. Returns a value of ``Sent``."""
        cdef:
            size_t total = 0
            size_t taken = 0
            ssize_t sent
            int i
            bytes rest
            char *at
        if not self.is_open:
            return SENT_CLOSED
        for i in range(count):
            total += pieces[i].iov_len
        if total == 0:
            return SENT_QUEUED if self.blocked else SENT_ALL
        if self.fd >= 0 and not self.blocked:
            while True:
                sent = self._hand_over(pieces, count, total)
                if sent >= 0 or errno != EINTR:
                    break
            if sent < 0:
                if errno != EAGAIN:
                    # The peer is gone. uvloop learns it from its own read; here nothing more
                    # goes out.
                    self.abort()
                    return SENT_CLOSED
                sent = 0
            taken = <size_t>sent
            self.bytes_sent += taken
            if taken == total:
                return SENT_ALL
        rest = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>(total - taken))
        at = PyBytes_AS_STRING(rest)
        for i in range(count):
            if taken >= pieces[i].iov_len:
                taken -= pieces[i].iov_len
                continue
            memcpy(at, <char *>pieces[i].iov_base + taken, pieces[i].iov_len - taken)
            at += pieces[i].iov_len - taken
            taken = 0
        self.bytes_queued += <uint64_t>len(rest)
        self.transport.write(rest)
        if self.transport.is_closing():
            # It failed within write(): connection_lost will say why.
            self.abort()
            return SENT_CLOSED
        if self.blocked:
            return SENT_QUEUED
        # uvloop sent it within write(), or (TLS) its queue is still below the mark.
        self.bytes_sent += self.bytes_queued
        self.bytes_queued = 0
        return SENT_ALL

    cdef int send_bytes(self, const uint8_t *bytes, size_t length) except -1:
        cdef iovec piece
        piece.iov_base = <void *>bytes
        piece.iov_len = length
        return self.send(&piece, 1)

    cdef int pause_read(self) except -1:
        if self.reading and self.is_open:
            self.reading = False
            self.transport.pause_reading()
        return 0

    cdef int resume_read(self) except -1:
        if not self.reading and self.is_open:
            self.reading = True
            self.transport.resume_reading()
        return 0

    cdef int shut_write(self) except -1:
        """Send FIN after what is queued, and go on reading."""
        if self.is_open and self.transport.can_write_eof():
            self.transport.write_eof()
        return 0

    cdef int close(self) except -1:
        """Close after what is queued has left. Nothing is sent directly from here on."""
        if self.is_open:
            self.is_open = False
            self.fd = -1
            self.transport.close()
        return 0

    cdef int abort(self) except -1:
        """Close at once and drop what is queued. To the peer it is a FIN: a cut wherever the
        message says how long it is."""
        self.fd = -1
        self.is_open = False
        if self.transport is not None:
            self.transport.abort()
        return 0

    cdef int reset(self) except -1:
        """Abort with a RST: a cut also where the end of the connection ends the message."""
        if self.transport is not None:
            peer = self.transport.get_extra_info("socket")
            if peer is not None:
                peer.setsockopt(SOL_SOCKET, SO_LINGER, RESET)
        return self.abort()

    cdef size_t untaken(self) except? 0:
        """Bytes that the peer has not acknowledged yet, those in the kernel included: it wakes
        us for room only when a third of its buffer is free, which a slow reader takes minutes for.
        """
        cdef size_t waits
        if self.transport is None:
            return 0
        waits = self.transport.get_write_buffer_size()
        peer = self.transport.get_extra_info("socket")
        if peer is not None:
            waits += <size_t>int.from_bytes(ioctl(peer.fileno(), TIOCOUTQ, bytes(4)), "little")
        return waits

    cdef int on_open(self) except -1:
        return 0

    cdef int on_bytes(self, uint8_t *bytes, size_t length) except -1:
        return 0

    cdef int on_writable(self) except -1:
        return 0

    cdef int on_blocked(self) except -1:
        return 0

    cdef int on_eof(self) except -1:
        self.close()
        return 0

    cdef int on_closed(self, object why) except -1:
        return 0

    cdef int on_timer(self, uint64_t now_ns) except -1:
        return 0

    cdef int on_failure(self, object exception) except -1:
        self.abort()
        return 0
