# From the upstream's body to the client's: metered first, then sent, whole events at a time where
# one of them must not be seen.
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from fastgw.exchange cimport Exchange, Receiver
from fastgw.native.bpe cimport fgw_bpe_vocabulary
from fastgw.native.detect cimport fgw_detect_job
from fastgw.native.quotes cimport fgw_quotes
from fastgw.native.sample cimport fgw_sample
from fastgw.native.voice cimport fgw_voices
from fastgw.stream.batch cimport Batch
from fastgw.stream.screen cimport Screen
from fastgw.stream.withheld cimport Withheld


cdef enum Framing:
    FRAMING_NONE = 0       # no body
    FRAMING_LENGTH = 1
    FRAMING_CHUNKED = 2
    FRAMING_CLOSE = 3


cdef class Relay:
    cdef:
        Batch batch
        Receiver receiver
        Framing framing        # towards the client
        bint metered
        bint whole_events      # hold an unfinished event back: it may be the one to hide
        bint capped            # or the one that must not pass x.edge_output
        fgw_voices *voices     # of a capped stream's answers; made at first use, then kept
        uint32_t voices_room   # how many
        fgw_sample sample      # of what the answer says, for an estimate
        fgw_quotes quotes      # what the provider said of its usage, as it came
        bint cut               # it came: nothing further is passed on
        Screen screen          # looks at each event before it goes on; None: nobody does
        Screen _screen         # kept for the next answer
        uint64_t held_since_ns  # events wait since then; 0: none do
        Withheld withheld      # the answer is kept back as a whole; None: it is not
        bint detached          # read and metered, for nobody
        bint raw               # chunks may leave as they came
        bint ended             # the client has the end of the body
        bint inflating         # the client gets the inflated body (an event of it must be hidden)
        object inflater        # zlib.decompressobj of a compressed body
        int coding             # the body's, as it comes
        uint64_t inflated
        bint fed                   # of a compressed body
        bint unreadable            # inflating gave up: metered no further
        bint between           # the last read ended with an event
        uint8_t *held
        size_t held_length
        size_t held_room
        bint letting           # the event is too large to be the usage chunk: let it pass
        uint64_t sent_bytes    # of the body, before framing

    cdef int begin(self, Exchange x, Framing framing, bint from_chunks, bint metered,
                   bint hide, bint capped, int coding) except -1
    # After begin, of a stream: look for kinds (a bit each) in its events.
    cdef int look(self, fgw_detect_job *job, uint32_t kinds, uint32_t redact, uint32_t deny,
                  int coding) except -1
    # What has waited for too long goes on as it is.
    cdef int let_out(self, Exchange x) except -1
    cdef int listen(
        self, Exchange x, const fgw_bpe_vocabulary *vocabulary, bint known) except -1
    # The client is gone: meter what still comes, and keep nothing of it.
    cdef int detach(self) except -1
    # It can be: what it uses will be known when it has ended.
    cdef bint readable(self) noexcept
    # The hold is told how far it has come.
    cdef int progress(self, Exchange x) except -1
    cdef int body(self, Exchange x, const uint8_t *bytes, size_t length) except -1
    cdef int end_of_read(self, Exchange x, const uint8_t *raw, size_t plain_to,
                         bint ends) except -1
    cdef int finish(self, Exchange x) except -1
    cdef int flush(self, Exchange x) except -1
    cdef bint at_boundary(self, Exchange x) noexcept
    cdef int end(self, Exchange x) except -1
    cdef int append(self, Exchange x, const uint8_t *bytes, size_t length) except -1
    cdef int _emit(self, Exchange x, const uint8_t *bytes, size_t length) except -1
    cdef int _read_on(self, Exchange x, const uint8_t *bytes, size_t length) except -1
    cdef int _tap(self, Exchange x, const uint8_t *bytes, size_t length) except -1
    cdef int _inflated(self, Exchange x, bytes piece) except -1
    cdef int _end_inflating(self, Exchange x) except -1
    cdef int _inflate(self, Exchange x, const uint8_t *bytes, size_t length) except -1
    cdef int _passes(self, Exchange x) except -1
    cdef int _keep_unfinished(self, Exchange x, const uint8_t *bytes, size_t length) except -1
    cdef int _events(self, Exchange x, const uint8_t *bytes, size_t length) except -1
    cdef int _look(self, Exchange x, const uint8_t *bytes, size_t length) except -1
    cdef int _release(self, Exchange x) except -1
    cdef int _finish_screen(self, Exchange x) except -1
    cdef void _let_go(self) noexcept
    cdef int _hold(self, const uint8_t *bytes, size_t length) except -1
