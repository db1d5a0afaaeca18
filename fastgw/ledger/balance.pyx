"""The running gateway's own proof (DESIGN section 6): what workers counted is what they posted.

Workers count each attempt and post its CLOSE in one callback, and publish a cut between two of
them (csrc/fgw_books.h). The recorder looks at the cuts before it reads the rings, sums the CLOSEs
up to each cut's position as they pass, and compares how far both have come since the first cut
that it saw of that worker: attempts, tokens by class, cost. Nothing is in flight in a cut, so the
difference is 0, or a record was lost, doubled or changed. A worker that dies takes what it
did since its last cut out of the comparison; a recorder that starts begins anew.

Behind them the store sums the CLOSEs that it commits (`Taken`), beside its roll-ups, which are
summed by other code: these two must grow by the same as well.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport UINT64_MAX, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from fastgw.ledger import ring as rings
from fastgw.native.books cimport (
    fgw_books,
    fgw_books_add,
    fgw_books_apart,
    fgw_cut,
    fgw_cut_read,
)
from fastgw.shm.segment cimport Segment


@cython.final
cdef class _Side:
    """One worker's two accounts."""

    cdef:
        uint64_t ring        # whose records are summed; 0: none yet
        uint64_t position    # summed up to here
        fgw_books posted     # since `position` was first known
        fgw_cut cut          # the one that is waited for, or compared last
        bint waits
        bint begun           # of the cut's generation:
        uint64_t generation
        fgw_books counted_at
        fgw_books posted_at
        uint64_t apart       # of this generation
        uint64_t earlier     # of those before

    cdef int reach(self, const fgw_books *posted) except -1:
        """The records up to the cut's position come to `posted`."""
        self.waits = False
        if not self.begun or self.generation != self.cut.generation:
            self.earlier += self.apart
            self.apart = 0
            self.begun = True
            self.generation = self.cut.generation
            self.counted_at = self.cut.books
            self.posted_at = posted[0]
            return 0
        self.apart = fgw_books_apart(
            &self.cut.books, &self.counted_at, posted, &self.posted_at
        )
        return 1

    cdef int forget(self, uint64_t ring, uint64_t position) except -1:
        """From here on, as if it had just begun."""
        self.earlier += self.apart
        self.apart = 0
        self.ring, self.position = ring, position
        self.waits = self.begun = False
        memset(&self.posted, 0, sizeof(self.posted))
        return 0


@cython.final
cdef class Balance:
    """``look`` before each pass over the rings, ``passed`` with what of it is safe."""

    cdef:
        Segment _segment
        dict _sides
        readonly uint64_t compared    # cuts

    def __init__(self, Segment segment not None):
        self._segment = segment
        self._sides = {slot: _Side.__new__(_Side) for slot in range(segment.workers)}

    @property
    def difference(self):
        """Attempts, tokens and nano-dollars, all that differs of them added up."""
        return sum((<_Side>side).apart + (<_Side>side).earlier for side in self._sides.values())

    def look(self):
        cdef _Side side
        cdef fgw_cut seen
        for slot, each in self._sides.items():
            side = <_Side>each
            if side.waits or not side.ring:
                continue
            if not fgw_cut_read(&self._segment.counters_of(slot).cut, &seen):
                continue
            if seen.position < side.position:
                continue  # it was passed by before it was seen
            side.cut = seen
            side.waits = True
            if seen.position == side.position:
                self.compared += <uint64_t>side.reach(&side.posted)

    def passed(self, list spans):
        for span in spans:
            if span.lane == rings.MAIN and span.slot in self._sides:
                self._pass(<_Side>self._sides[span.slot], span)

    cdef int _pass(self, _Side side, object span) except -1:
        cdef bytes records = span.records
        cdef const uint8_t *bytes = <const uint8_t *>PyBytes_AS_STRING(records)
        cdef size_t length = <size_t>len(records), at = 0
        if side.ring != span.ring or side.position != span.first:
            side.forget(span.ring, span.first)
        if side.waits and side.cut.position <= span.next:
            at = fgw_books_add(&side.posted, bytes, length, side.cut.position)
            self.compared += <uint64_t>side.reach(&side.posted)
        fgw_books_add(&side.posted, bytes + at, length - at, UINT64_MAX)
        side.position = span.next
        return 0


cdef enum:
    WORDS = sizeof(fgw_books) // 8


@cython.final
cdef class Taken:
    """What the CLOSEs that a store has committed come to, since it was opened."""

    cdef:
        fgw_books _kept
        fgw_books _fresh
        bint _moving

    def begin(self):
        """A transaction: what is added from here on is not kept yet."""
        self._fresh = self._kept
        self._moving = True

    def add(self, bytes records not None):
        fgw_books_add(
            &self._fresh, <const uint8_t *>PyBytes_AS_STRING(records), <size_t>len(records),
            UINT64_MAX,
        )

    def end(self, bint stored):
        """The transaction is there, or nothing of it."""
        if stored:
            self._kept = self._fresh
        self._moving = False

    def words(self):
        """As `fastgw.ledger.query.CLOSED` names them; None: a transaction is on its way."""
        cdef uint64_t words[WORDS]
        cdef uint32_t at
        if self._moving:
            return None
        memcpy(words, &self._kept, sizeof(words))
        return tuple([words[at] for at in range(WORDS)])
