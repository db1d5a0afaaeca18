"""Phase STREAM: bytes on to the client at once, scanned as they pass.

Three ways, cheapest first:

  raw     chunks that parsed strictly leave as the bytes they came in; the scan only reads.
  spans   the decoded body leaves framed anew, still without a copy.
  events  where the gateway asked for a usage chunk that the client did not ask for, or where a cap
          holds, an unfinished event is held back until it is known not to be that one, or not to
          pass the edge (law 8: bounded by HELD_MAX).
  screen  where a rule looks into the answer, whole events wait until their text is decided, and
          leave rewritten (``fastgw.stream.screen``); an answer that is no stream waits as a whole.

Whatever passes is metered before it is sent, so no event reaches a client before its tokens stand
in the hold's progress words (promise 6).
"""

import zlib

cimport cython
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

from fastgw.errors import UpstreamError
from fastgw.native.dialect_meter cimport (
    FGW_EVENT_HIDE,
    FGW_EVENT_TEXT,
    FGW_METER_EVENT,
    fgw_meter_bears_text,
    fgw_meter_end,
    fgw_meter_listen,
    fgw_meter_next,
    fgw_meter_output,
)
from fastgw.native.hold cimport fgw_hold_progress
from fastgw.stream.media cimport CODING_BR, inflater_of, inflates
from fastgw.native.voice cimport FGW_VOICES_MAX, fgw_voices_size, fgw_voices_start

cdef enum:
    HELD_MAX = 65536           # a usage chunk has some 400 bytes
    HELD_TEXT_MAX = 1 << 20    # of generated text, which must be counted before it may pass
    HELD_KEPT = 8192           # room that stays with the relay
    INFLATED_READ_MAX = 1 << 20
    INFLATED_MAX = 1 << 28     # 256 MiB of one answer; a bomb is larger


@cython.final
cdef class Relay:
    def __cinit__(self, Batch batch, Receiver receiver):
        self.batch = batch
        self.receiver = receiver

    def __dealloc__(self):
        free(self.held)
        free(self.voices)

    cdef int begin(self, Exchange x, Framing framing, bint from_chunks, bint metered,
                   bint hide, bint capped, int coding) except -1:
        """Start an answer. ``hide``: one event of it may be the gateway's alone; ``capped``: it
        must not pass x.edge_output. ``coding``: of `media.Coding`."""
        cdef bint clear = coding < CODING_BR
        self.framing = framing
        self.coding = coding
        self.metered = metered and clear
        self.whole_events = (hide or capped) and clear
        self.capped = capped and clear
        self.cut = False
        self.detached = False
        self.screen = None
        self.withheld = None
        self.held_since_ns = 0
        self.raw = from_chunks and framing == FRAMING_CHUNKED and not self.whole_events
        self.ended = False
        self.letting = False
        self.between = True
        self.unreadable = False
        self.inflated = 0
        self.fed = False
        self.held_length = 0
        self.sent_bytes = 0
        self.inflating = self.whole_events and inflates(coding)
        self.inflater = None
        if self.metered and inflates(coding):
            self.inflater = zlib.decompressobj(47)
        return 0

    cdef int look(self, fgw_detect_job *job, uint32_t kinds, uint32_t redact, uint32_t deny,
                  int coding) except -1:
        if self._screen is None:
            self._screen = Screen.__new__(Screen)
        self.screen = self._screen
        self.screen.begin(job, kinds, redact, deny)
        self.whole_events = True
        self.raw = False
        self.inflating = inflates(coding)
        if self.inflating and self.inflater is None:
            self.inflater = zlib.decompressobj(47)
        return 0

    cdef int detach(self) except -1:
        self.detached = True
        self.raw = self.whole_events = self.inflating = False
        self.screen = None
        self.withheld = None
        self.held_since_ns = 0
        self._let_go()
        return 0

    cdef bint readable(self) noexcept:
        return self.metered and not self.unreadable

    cdef int let_out(self, Exchange x) except -1:
        if self.screen is None:
            return 0
        self.held_since_ns = 0
        self.screen.let_out()
        self._release(x)
        return self.cut

    cdef int listen(
        self, Exchange x, const fgw_bpe_vocabulary *vocabulary, bint known
    ) except -1:
        """Let a tokenizer count what this capped stream says, each of its answers by itself."""
        cdef uint32_t answers = <uint32_t>min(x.ask.n, <uint64_t>FGW_VOICES_MAX)
        if answers != self.voices_room:
            free(self.voices)  # (3 KB an answer: room for many is not kept)
            self.voices_room = 0
            self.voices = <fgw_voices *>malloc(fgw_voices_size(answers))
            if self.voices == NULL:
                raise MemoryError()
            self.voices_room = answers
        fgw_voices_start(self.voices, vocabulary, answers, known)
        fgw_meter_listen(&x.meter, self.voices)
        return 0

    cdef int body(self, Exchange x, const uint8_t *bytes, size_t length) except -1:
        """Meter a slice of the decoded body and queue it for the client."""
        if self.detached:
            if self.inflater is not None:
                self._inflate(x, bytes, length)
            else:
                self._read_on(x, bytes, length)
            return self.receiver.on_cut(x) if self.cut else 0
        if self.withheld is not None:
            self.withheld.add(bytes, length)
            if self.inflater is not None:
                return self._inflate(x, bytes, length)
            return self._tap(x, bytes, length) if self.metered else 0
        if self.inflater is not None:
            self._inflate(x, bytes, length)
            if self.inflating:
                return self.receiver.on_cut(x) if self.cut else 0
        elif self.whole_events:
            self._events(x, bytes, length)
            # (Last of all: when it returns, this relay may serve another exchange.)
            return self.receiver.on_cut(x) if self.cut else 0
        elif self.metered:
            self._tap(x, bytes, length)
        return self._emit(x, bytes, length)

    cdef int end_of_read(self, Exchange x, const uint8_t *raw, size_t plain_to,
                         bint ends) except -1:
        """All slices of one read are queued; raw[0, plain_to) is whole plain chunks.

        They leave as they came, in place of the slices cut from them. ``ends``: the last of them
        is the empty chunk that ends the body.
        """
        cdef Batch batch = self.batch
        if not self.raw or not plain_to:
            return 0
        batch.replace_chunks(raw, plain_to)
        if ends:
            self.ended = True
        return 0

    cdef int finish(self, Exchange x) except -1:
        """The upstream's body has ended, as it should: end the client's."""
        if self.inflater is not None and self.fed:
            self._end_inflating(x)
        if self.cut:
            return 0
        if self.metered:
            fgw_meter_end(&x.meter)
        if self.detached:
            return 0
        if self.held_length:
            if self.capped and not self._passes(x):
                return 0
            self._emit(x, self.held, self.held_length)
            self.flush(x)
            self.held_length = 0
        if self.screen is not None:
            self._finish_screen(x)
            if self.cut:
                return 0
        return self.end(x)

    cdef int end(self, Exchange x) except -1:
        """The end of the client's body."""
        if self.framing == FRAMING_CHUNKED and not self.ended:
            self.batch.close_chunk()
            self.batch.push(b"0\r\n\r\n", 5)
        self.ended = True
        return 0

    cdef int flush(self, Exchange x) except -1:
        """Send what is queued; returns a value of ``Sent``."""
        self.progress(x)
        return self.batch.flush(x.client)

    cdef int progress(self, Exchange x) except -1:
        if self.metered and x.hold != NULL:
            fgw_hold_progress(
                x.hold, 0, x.output_certain if self.capped else x.meter.text_events,
                x.meter.events, self.sent_bytes,
            )
        return 0

    cdef bint at_boundary(self, Exchange x) noexcept:
        """The client stands between two events, so that another can be put in."""
        return (
            # (Within an announced length it would pass for the provider's own last bytes.)
            x.meter.streaming and not self.ended and not self.letting
            and self.framing != FRAMING_LENGTH
            and (self.whole_events or self.between)
            and (self.inflater is None or self.inflating)
        )

    cdef int append(self, Exchange x, const uint8_t *bytes, size_t length) except -1:
        """Put an event of the gateway's own behind what was sent; drop what was held back."""
        self.held_length = 0
        if self.screen is not None and not self.screen.denied:
            self.screen.drop_unfinished()
            self.screen.finish()
            self._release(x)
        return self._emit(x, bytes, length)

    cdef int _emit(self, Exchange x, const uint8_t *bytes, size_t length) except -1:
        if self.batch.is_full():
            # What was cut from this read is partly out: it cannot leave as it came any more.
            self.raw = False
            self.flush(x)
        if self.framing == FRAMING_CHUNKED:
            self.batch.push_chunked(bytes, length)
        elif self.framing != FRAMING_NONE:
            self.batch.push(bytes, length)
        self.sent_bytes += length
        return 0

    cdef int _tap(self, Exchange x, const uint8_t *bytes, size_t length) except -1:
        cdef size_t at = 0
        cdef size_t last = 0
        while fgw_meter_next(&x.meter, bytes, length, &at) == FGW_METER_EVENT:
            last = at
        self.between = last == length
        return 0

    cdef int _read_on(self, Exchange x, const uint8_t *bytes, size_t length) except -1:
        """Meter for the books alone; also here a cap ends what has no room in it."""
        cdef size_t at = 0
        while fgw_meter_next(&x.meter, bytes, length, &at) == FGW_METER_EVENT:
            if self.capped and not self._passes(x):
                return 0
        return 0

    cdef int _events(self, Exchange x, const uint8_t *bytes, size_t length) except -1:
        """Queue whole events; drop the one that only the gateway asked for; hold the rest."""
        cdef size_t at = 0
        cdef size_t start = 0
        while fgw_meter_next(&x.meter, bytes, length, &at) == FGW_METER_EVENT:
            if self.capped and not self._passes(x):
                return 0
            if self.screen is not None:
                self._look(x, bytes + start, at - start)
                if self.screen.denied:
                    break
            elif x.meter.event & FGW_EVENT_HIDE and not self.letting:
                self.held_length = 0
            else:
                if self.held_length:
                    self._emit(x, self.held, self.held_length)
                    self._emit(x, bytes + start, at - start)
                    self.flush(x)  # `held` is about to be filled again
                    self._let_go()
                else:
                    self._emit(x, bytes + start, at - start)
            self.letting = False
            start = at
        if self.screen is not None:
            if not self.screen.denied:
                self.screen.add(bytes + start, length - start)
            return self._release(x)
        if start == length:
            return 0
        return self._keep_unfinished(x, bytes + start, length - start)

    cdef int _look(self, Exchange x, const uint8_t *bytes, size_t length) except -1:
        """An event has ended: it is looked at, and waits until it is decided."""
        self.screen.add(bytes, length)
        self.screen.end_event(x.meter.event & FGW_EVENT_HIDE != 0)
        if x.meter.tracked and not self.capped:
            x.output_delivered = x.meter.text_events
        return 0

    cdef int _release(self, Exchange x) except -1:
        """Send what is decided. What is not is looked after by the journey."""
        cdef Py_ssize_t length = self.screen.release()
        if length:
            self.held_since_ns = 0
            self._emit(x, self.screen.out, <size_t>length)
            self.flush(x)  # `out` is written anew
        if self.screen.denied:
            self.cut = True
        elif not self.held_since_ns and self.screen.holds():
            self.held_since_ns = self.receiver.now_ns
            self.receiver.on_held(x)
        return 0

    cdef int _finish_screen(self, Exchange x) except -1:
        """The stream has ended: so has every text of it."""
        if self.capped and self.screen.has_unfinished() and not self._passes(x):
            self.screen.drop_unfinished()
        self.screen.finish()
        return self._release(x)

    cdef int _keep_unfinished(self, Exchange x, const uint8_t *bytes, size_t length) except -1:
        """Hold the beginning of an event; one that is too large for it is let pass as it comes."""
        if not self.letting and self.held_length + length <= HELD_MAX:
            return self._hold(bytes, length)
        if self.capped and fgw_meter_bears_text(&x.meter):
            # Letting it pass could deliver what the cap has no room for. (Also where its beginning
            # has passed, which bore none: the rest waits, and if need be is never sent.)
            if self.held_length + length <= HELD_TEXT_MAX:
                return self._hold(bytes, length)
            self.cut = True
            self._let_go()
            return 0
        if self.held_length:
            self._emit(x, self.held, self.held_length)
        self._emit(x, bytes, length)
        if self.held_length:
            self.flush(x)
            self._let_go()
        self.letting = True
        return 0

    cdef int _passes(self, Exchange x) except -1:
        """Whether the event that just ended may go on: what bears no text always may, for it
        delivers nothing, and what it says of usage is the truth."""
        cdef uint64_t certain = 0
        cdef uint64_t count = fgw_meter_output(&x.meter, x.edge_output, &certain)
        if (
            count > x.edge_output and x.meter.event & FGW_EVENT_TEXT
            and not self.receiver.on_edge(x, count)
        ):
            self.cut = True
            self._let_go()
            return 0
        x.output_delivered = count
        x.output_certain = certain
        return 1

    cdef void _let_go(self) noexcept:
        """What was held has left. A large room is given back: exchanges live on, 256 a worker."""
        self.held_length = 0
        if self.held_room > HELD_KEPT:
            free(self.held)
            self.held = NULL
            self.held_room = 0

    cdef int _hold(self, const uint8_t *bytes, size_t length) except -1:
        cdef uint8_t *grown
        if self.held_length + length > self.held_room:
            self.held_room = 2 * (self.held_length + length)
            grown = <uint8_t *>realloc(self.held, self.held_room)
            if grown == NULL:
                raise MemoryError()
            self.held = grown
        memcpy(self.held + self.held_length, bytes, length)
        self.held_length += length
        return 0

    cdef int _inflate(self, Exchange x, const uint8_t *bytes, size_t length) except -1:
        """Meter (and, where an event must be hidden, forward) what the upstream compressed."""
        cdef object data = bytes[:length]
        cdef object piece
        if self.unreadable:
            return 0
        try:
            while data and not self.cut:
                if not self.fed or self.inflater.eof:
                    # A further member (RFC 1952 section 2.2): some servers flush with one each.
                    self.inflater = inflater_of(data, self.coding)
                    self.fed = True
                piece = self.inflater.decompress(data, INFLATED_READ_MAX)
                data = self.inflater.unused_data or self.inflater.unconsumed_tail
                self._inflated(x, piece)
        except (zlib.error, UpstreamError) as error:
            if self.inflating:
                raise UpstreamError(str(error)) from None
            # The client's copy is untouched: it goes on, and the count becomes an estimate.
            self.unreadable = True
        return 0

    cdef int _inflated(self, Exchange x, bytes piece) except -1:
        self.inflated += <uint64_t>len(piece)
        if self.inflated > INFLATED_MAX:
            raise UpstreamError("an answer that inflates beyond 256 MiB")
        if self.detached:
            return self._read_on(x, piece, <size_t>len(piece))
        if not self.inflating:
            return self._tap(x, piece, <size_t>len(piece))
        self._events(x, piece, <size_t>len(piece))
        # Behind it: a flush within lets go of all that is kept, and the batch may point here.
        self.batch.keep.append(piece)
        return 0

    cdef int _end_inflating(self, Exchange x) except -1:
        """The compressed body has ended; the client's must not, where it is short of its end."""
        if self.unreadable or self.cut:
            return 0
        self._inflated(x, self.inflater.flush())
        if not self.inflater.eof:
            if self.inflating:
                raise UpstreamError("a compressed answer that breaks off")
            self.unreadable = True
        return 0
