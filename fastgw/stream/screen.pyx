"""Phase STREAM: events that are looked at before they go on.

An event waits until all of its text is decided: what its last word may be the beginning of is
known when the next words have come. It leaves with labels in place of what was found, in the order
it came in. At most HELD_MAX bytes and EVENTS_MAX events are kept waiting for that; the journey
lets them out when they have waited too long.
"""

cimport cython
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memmove, memset

from fastgw.errors import UpstreamError
from fastgw.native.detect cimport (
    FGW_SCREEN_CHANNELS_MAX,
    fgw_cuts_copy,
    fgw_cuts_length,
    fgw_cuts_order,
    fgw_detect_cut,
    fgw_screen_channel,
    fgw_screen_decided,
    fgw_screen_event,
    fgw_screen_flush,
)

cdef enum:
    HELD_MAX = 1 << 16        # bytes of whole events that wait for what comes next
    EVENTS_MAX = 256
    EVENT_MAX = 1 << 24       # bytes of one event, which must be whole to be looked at
    KEPT = 1 << 16            # room that stays with the screen
    FIND_MIN = 6              # bytes of the shortest find
    CHANNELS = 2              # texts of one stream at a time, to begin with


@cython.final
cdef class Screen:
    def __dealloc__(self):
        free(self._cuts.cuts)
        free(self._screen.channels)
        free(self._held)
        free(self._ends)
        free(self.out)

    cdef int begin(self, fgw_detect_job *job, uint32_t look, uint32_t redact,
                   uint32_t deny) except -1:
        """For an answer: ``look``, ``redact``, ``deny``: kinds, a bit each."""
        self._job = job
        self.look = look
        self.deny = deny
        memset(&self.report, 0, sizeof(self.report))
        self._cuts.kinds = redact | deny
        self._cuts.patterns = job.patterns
        self._cuts.count = self._cuts.missed = 0
        self._screen.used = self._screen.missed = 0
        self._length = self._scanned = self._n_ends = 0
        self._base = 0
        self.denied = False
        if self._room > KEPT:
            free(self._held)
            self._held = NULL
            self._room = 0
        return 0

    cdef bint holds(self) noexcept:
        return self._length > 0

    cdef bint has_unfinished(self) noexcept:
        return self._length > self._scanned

    cdef void drop_unfinished(self) noexcept:
        self._length = self._scanned

    cdef int add(self, const uint8_t *bytes, size_t length) except -1:
        cdef uint8_t *grown
        if self._length + length > self._room:
            if self._length + length - self._scanned > EVENT_MAX:
                raise UpstreamError("an event larger than 16 MiB cannot be looked at")
            self._room = 2 * (self._length + length)
            grown = <uint8_t *>realloc(self._held, self._room)
            if grown == NULL:
                raise MemoryError()
            self._held = grown
        memcpy(self._held + self._length, bytes, length)
        self._length += length
        return 0

    cdef int _grow(self) except -1:
        """Room for every find that the event may have, one more event, and texts of it."""
        cdef size_t needed = self._cuts.count + (self._length - self._scanned) // FIND_MIN + 2
        cdef fgw_detect_cut *cuts
        cdef uint32_t *ends
        cdef fgw_screen_channel *channels
        cdef uint32_t room
        if needed > self._cuts.room:
            cuts = <fgw_detect_cut *>realloc(self._cuts.cuts, 2 * needed * sizeof(fgw_detect_cut))
            if cuts == NULL:
                raise MemoryError()
            self._cuts.cuts = cuts
            self._cuts.room = <uint32_t>(2 * needed)
        if self._n_ends == self._ends_room:
            room = 2 * self._ends_room + 8
            ends = <uint32_t *>realloc(self._ends, room * sizeof(uint32_t))
            if ends == NULL:
                raise MemoryError()
            self._ends = ends
            self._ends_room = room
        if self._screen.used + CHANNELS > self._screen.room < FGW_SCREEN_CHANNELS_MAX:
            room = self._screen.room * 2 + CHANNELS
            channels = <fgw_screen_channel *>realloc(
                self._screen.channels, room * sizeof(fgw_screen_channel)
            )
            if channels == NULL:
                raise MemoryError()
            self._screen.channels = channels
            self._screen.room = room
        return 0

    cdef int _arm(self) except -1:
        self._job.report = &self.report
        self._job.cuts = &self._cuts
        self._job.screen = &self._screen
        self._job.kinds = self.look
        return 0

    cdef int end_event(self, bint hide) except -1:
        if hide:
            self.drop_unfinished()
            return 0
        if self._length == self._scanned:
            return 0
        self._grow()
        self._arm()
        fgw_screen_event(
            self._job, self._held + self._scanned, self._length - self._scanned,
            self._base + <uint32_t>self._scanned,
        )
        self._scanned = self._length
        self._ends[self._n_ends] = self._base + <uint32_t>self._length
        self._n_ends += 1
        if self.report.found & self.deny:
            self.denied = True
        elif self._length > HELD_MAX or self._n_ends > EVENTS_MAX:
            if fgw_screen_decided(&self._screen, self._base, <uint32_t>self._length) == 0:
                self.let_out()
        return 0

    cdef int finish(self) except -1:
        self.end_event(False)
        self._grow()
        self._arm()
        fgw_screen_flush(self._job, 0)
        if self.report.found & self.deny:
            self.denied = True
        return 0

    cdef int let_out(self) except -1:
        self._grow()
        self._arm()
        fgw_screen_flush(self._job, 1)
        if self.report.found & self.deny:
            self.denied = True
        return 0

    cdef Py_ssize_t release(self) except -1:
        cdef uint32_t decided, i, events = 0
        cdef size_t ready = 0, length
        cdef uint8_t *grown
        if not self._n_ends:
            return 0
        decided = fgw_screen_decided(&self._screen, self._base, <uint32_t>self._scanned)
        if self._cuts.count:
            fgw_cuts_order(&self._cuts)
            if self.denied:
                decided = min(decided, self._first_denied())
        for i in range(self._n_ends):
            if self._ends[i] - self._base > decided:
                break
            ready = self._ends[i] - self._base
            events = i + 1
        if not ready:
            return 0
        length = fgw_cuts_length(&self._cuts, self._base, ready)
        if length > self._out_room:
            grown = <uint8_t *>realloc(self.out, length)
            if grown == NULL:
                raise MemoryError()
            self.out = grown
            self._out_room = length
        fgw_cuts_copy(&self._cuts, self._base, self._held, ready, self.out)
        self._forget(ready, events)
        return <Py_ssize_t>length

    cdef uint32_t _first_denied(self) noexcept:
        cdef uint32_t i
        for i in range(self._cuts.count):
            if self.deny >> self._cuts.cuts[i].kind & 1:
                return self._cuts.cuts[i].raw - self._base
        return 0

    cdef void _forget(self, size_t ready, uint32_t events) noexcept:
        """held[0, ready) has gone, and what was to be cut from it."""
        cdef uint32_t gone = 0
        while gone < self._cuts.count and self._cuts.cuts[gone].raw - self._base < ready:
            gone += 1
        self._cuts.count -= gone
        memmove(
            self._cuts.cuts, self._cuts.cuts + gone, self._cuts.count * sizeof(fgw_detect_cut)
        )
        self._n_ends -= events
        memmove(self._ends, self._ends + events, self._n_ends * sizeof(uint32_t))
        self._length -= ready
        self._scanned -= ready
        memmove(self._held, self._held + ready, self._length)
        self._base += <uint32_t>ready
