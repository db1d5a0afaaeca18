"""What the `detect` actions of one policy do with a request, and ask of its answer."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from fastgw.exchange cimport Exchange
from fastgw.native.detect cimport (
    fgw_detect_cuts,
    fgw_detect_job,
    fgw_detect_pattern,
    fgw_detect_report,
)

cdef enum Phase:
    ON_REQUEST = 0
    ON_RESPONSE = 1
    ON_EVENT = 2

cdef enum Then:
    THEN_LOG = 0
    THEN_REDACT = 1
    THEN_DENY = 2

cdef struct Wish:
    uint64_t rule       # name hash
    uint32_t kinds      # bit per kind
    uint8_t phase
    uint8_t then
    uint8_t enforced

# What is asked of one text: bits of kinds.
cdef struct Asked:
    uint32_t look       # for all of these,
    uint32_t redact     # put a label in the place of these,
    uint32_t deny       # and pass nothing that has these
    uint32_t enforced   # those that some action looks for in earnest


cdef class Detector:
    cdef:
        fgw_detect_job *job         # one per worker; lent to the screens of streams
        fgw_detect_report report
        fgw_detect_cuts cuts
        Wish *_wishes
        uint64_t _of_phase[3]       # bits of fgw_effects.detects
        list _detects               # Policy.detects
        list _patterns              # Policy.patterns: keeps the programs
        list names                  # of kinds, and of patterns behind them
        fgw_detect_pattern *_row

    # Phase POLICY, behind the rules. Reads the body and effects.detects. Writes screened, a trace
    # per action; effects of a denial. Returns a code, or 0. Explains 403.
    cdef int request(self, Exchange x) except -1
    # What the matching rules of a phase ask of an answer.
    cdef Asked asked(self, Exchange x, Phase phase) noexcept
    # A whole answer: what of it may go to the client, or None where it is denied.
    cdef object answer(self, Exchange x, bytes body)
    # For later rules: what was found in one phase, once.
    cdef int remember(self, Exchange x, Phase phase, const fgw_detect_report *report) except -1
    # (rule's name, "redact: email x2 in choices[0].message.content", enforced, whether it would
    # have acted but is not enforced, the rule's hash) of each action that has found something.
    cdef list findings(self, Exchange x, Phase phase, const fgw_detect_report *report)
    cdef bytes _scan_form(self, Exchange x, Asked asked)
    cdef bytes _scan(self, unsigned document, const uint8_t *text, size_t length, Asked asked)
    cdef int _trace(self, Exchange x) except -1
    cdef int _take_patterns(self, list patterns) except -1
    cdef str _words(self, const fgw_detect_report *report, uint32_t kinds)
    cdef bytes _reason(self, Exchange x, uint32_t denied)
