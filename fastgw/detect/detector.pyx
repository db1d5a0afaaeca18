"""Phase POLICY, behind the rules: secrets and personal numbers in texts.

Only requests and answers for which a rule with `detect` matched come here, so what is done here
may cost something. What was found is never told: only its kind, how often, and where.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint16_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset

cimport cython

import orjson

from fastgw.codes cimport CODE_DETECTED
from fastgw.detect.fields cimport document_of, fields_of, rebuilt
from fastgw.native.detect cimport (
    FGW_DETECT_KINDS,
    FGW_WALK_ANSWER,
    FGW_WALK_REQUEST,
    fgw_cuts_copy,
    fgw_cuts_length,
    fgw_cuts_order,
    fgw_detect_cut,
    fgw_detect_document,
    fgw_detect_kind_name,
    fgw_detect_pattern,
    fgw_detect_pattern_first,
)
from fastgw.native.http1 cimport FGW_H_CONTENT_TYPE, fgw_http1_find
from fastgw.native.policy cimport FGW_ACTION_DETECT
from fastgw.native.record cimport FGW_RULES_MAX, fgw_rule_trace

cdef enum:
    CUTS_ROOM = 64          # more are made room for when they are there
    FIND_MIN = 6            # bytes of the shortest find: a@b.cc

PHASES = ("on_http_request", "on_http_response", "on_event_stream_message")
THENS = ("log", "redact", "deny")
KINDS = tuple(fgw_detect_kind_name(i).decode() for i in range(FGW_DETECT_KINDS))


@cython.final
cdef class Detector:
    def __cinit__(self, list detects, list patterns):
        """``detects``, ``patterns``: as policy.Policy has them."""
        cdef int i
        self._detects = detects
        self.job = <fgw_detect_job *>calloc(1, sizeof(fgw_detect_job))
        self._wishes = <Wish *>calloc(<size_t>len(detects) + 1, sizeof(Wish))
        self.cuts.cuts = <fgw_detect_cut *>calloc(CUTS_ROOM, sizeof(fgw_detect_cut))
        if self.job == NULL or self._wishes == NULL or self.cuts.cuts == NULL:
            raise MemoryError()
        self.cuts.room = CUTS_ROOM
        self._take_patterns(patterns)
        for i, detect in enumerate(detects):
            self._wishes[i].rule = detect["hash"]
            self._wishes[i].phase = PHASES.index(detect["phase"])
            self._wishes[i].then = THENS.index(detect["then"])
            self._wishes[i].enforced = detect["enforced"]
            for kind in detect["kinds"]:
                self._wishes[i].kinds |= <uint32_t>1 << self.names.index(kind)
            self._of_phase[self._wishes[i].phase] |= <uint64_t>1 << i

    def __dealloc__(self):
        free(self.job)
        free(self._wishes)
        free(self._row)
        free(self.cuts.cuts)

    cdef int _take_patterns(self, list patterns) except -1:
        cdef int i
        self._patterns = [(name.encode(), program, flags) for name, program, flags in patterns]
        self.names = [*KINDS, *(name for name, _, _ in patterns)]
        self._row = <fgw_detect_pattern *>calloc(
            <size_t>len(patterns) + 1, sizeof(fgw_detect_pattern)
        )
        if self._row == NULL:
            raise MemoryError()
        for i, (name, program, flags) in enumerate(self._patterns):
            self._row[i].program = program
            self._row[i].name = name
            self._row[i].name_length = <uint32_t>len(name)
            self._row[i].flags = flags
            fgw_detect_pattern_first(&self._row[i])
        self.job.patterns = self.cuts.patterns = self._row
        self.job.n_patterns = <uint32_t>len(patterns)
        return 0

    cdef Asked asked(self, Exchange x, Phase phase) noexcept:
        cdef Asked asked
        cdef uint64_t left = x.effects.detects & self._of_phase[<int>phase]
        cdef const Wish *wish = self._wishes
        memset(&asked, 0, sizeof(asked))
        while left:
            if left & 1:
                asked.look |= wish.kinds
                if wish.enforced:
                    asked.enforced |= wish.kinds
                if wish.enforced and wish.then == THEN_REDACT:
                    asked.redact |= wish.kinds
                if wish.enforced and wish.then == THEN_DENY:
                    asked.deny |= wish.kinds
            left >>= 1
            wish += 1
        return asked

    cdef int request(self, Exchange x) except -1:
        cdef Asked asked = self.asked(x, ON_REQUEST)
        if not asked.look:
            return 0
        memset(&self.report, 0, sizeof(self.report))
        if x.body_length and x.ask.body_bytes:
            x.screened = self._scan_form(x, asked) if x.ask.form else self._scan(
                FGW_WALK_REQUEST, x.bytes + x.body_at, x.body_length, asked
            )
            if x.screened is not None:
                x.body_length = <size_t>len(x.screened)
        self._trace(x)
        if not self.report.found & asked.deny:
            return 0
        self.remember(x, ON_REQUEST, &self.report)
        x.screened = None
        x.effects.denied = 1
        x.effects.deny_action = FGW_ACTION_DETECT
        x.reason = self._reason(x, asked.deny)
        return CODE_DETECTED

    cdef bytes _scan_form(self, Exchange x, Asked asked):
        """The same of a form, of whose parts those are looked at that are no files."""
        cdef int at = fgw_http1_find(&x.head, FGW_H_CONTENT_TYPE)
        cdef const uint8_t *body = x.bytes + x.body_at
        cdef list fields
        cdef bytes document
        if at < 0:
            return None
        fields = fields_of(
            x.bytes + x.head.headers[at].value_off, x.head.headers[at].value_len, body,
            x.body_length,
        )
        if not fields:
            return None
        document = document_of(fields)
        document = self._scan(
            FGW_WALK_REQUEST, <const uint8_t *>document, <size_t>len(document), asked
        )
        return None if document is None else rebuilt(fields, document, body, x.body_length)

    cdef object answer(self, Exchange x, bytes body):
        cdef Asked asked = self.asked(x, ON_RESPONSE)
        memset(&self.report, 0, sizeof(self.report))
        screened = self._scan(
            FGW_WALK_ANSWER, <const uint8_t *>body, <size_t>len(body), asked
        )
        if self.report.found & asked.deny:
            x.reason = self._reason(x, asked.deny)
            return None
        return body if screened is None else screened

    cdef bytes _scan(self, unsigned document, const uint8_t *text, size_t length, Asked asked):
        """Scan a document to self.report; returns it with labels, None where nothing changes."""
        cdef fgw_detect_cut *grown
        cdef size_t needed
        cdef bytes out
        self.job.report = &self.report
        self.job.cuts = &self.cuts
        self.job.kinds = asked.look
        self.cuts.kinds = asked.redact
        self.cuts.count = self.cuts.missed = 0
        fgw_detect_document(self.job, document, text, length)
        if self.cuts.missed:
            needed = self.cuts.count + self.cuts.missed + length // FIND_MIN
            grown = <fgw_detect_cut *>realloc(self.cuts.cuts, needed * sizeof(fgw_detect_cut))
            if grown == NULL:
                raise MemoryError()
            self.cuts.cuts = grown
            self.cuts.room = <uint32_t>needed
            self.cuts.count = self.cuts.missed = 0
            memset(&self.report, 0, sizeof(self.report))
            fgw_detect_document(self.job, document, text, length)
        if not self.cuts.count:
            return None
        fgw_cuts_order(&self.cuts)
        out = PyBytes_FromStringAndSize(
            NULL, <Py_ssize_t>fgw_cuts_length(&self.cuts, 0, length)
        )
        fgw_cuts_copy(&self.cuts, 0, text, length, <uint8_t *>PyBytes_AS_STRING(out))
        return out

    cdef int _trace(self, Exchange x) except -1:
        """What each action on the request has come to; of a denial the first that denies."""
        cdef uint64_t left = x.effects.detects & self._of_phase[<int>ON_REQUEST]
        cdef const Wish *wish = self._wishes
        cdef fgw_rule_trace *entry
        cdef uint16_t code
        cdef bint denied = False
        while left:
            if left & 1:
                code = 0
                if wish.then == THEN_DENY and wish.kinds & self.report.found:
                    code = CODE_DETECTED
                    if wish.enforced and not denied:
                        denied = True
                        x.effects.rule = wish.rule
                if x.effects.rules_total < 65535:
                    x.effects.rules_total += 1
                if x.effects.n_rules < FGW_RULES_MAX:
                    entry = &x.effects.rules[x.effects.n_rules]
                    x.effects.n_rules += 1
                    memset(entry, 0, sizeof(fgw_rule_trace))
                    entry.rule = wish.rule
                    entry.action = FGW_ACTION_DETECT
                    entry.enforced = wish.enforced
                    entry.code = code
                    entry.value = wish.kinds & self.report.found
            left >>= 1
            wish += 1
        return 0

    cdef int remember(self, Exchange x, Phase phase, const fgw_detect_report *report) except -1:
        cdef Asked asked
        cdef uint32_t kinds
        cdef int i
        if x.said is None:
            return 0
        asked = self.asked(x, phase)
        kinds = report.found & asked.look
        x.said.found |= kinds
        if kinds & asked.redact and not kinds & asked.deny:
            x.said.redacted = True
        if kinds & asked.enforced:
            x.said.acted = True
        for i in range(len(self.names)):
            if kinds >> i & 1:
                x.said.finds += report.count[i]
        return 0

    cdef list findings(self, Exchange x, Phase phase, const fgw_detect_report *report):
        cdef uint64_t left = x.effects.detects & self._of_phase[<int>phase]
        cdef int i = 0
        cdef list told = []
        while left >> i:
            if left >> i & 1 and self._wishes[i].kinds & report.found:
                told.append((
                    self._detects[i]["rule"],
                    f"{THENS[self._wishes[i].then]}: "
                    + self._words(report, self._wishes[i].kinds),
                    bool(self._wishes[i].enforced),
                    not self._wishes[i].enforced and self._wishes[i].then != THEN_LOG,
                    self._wishes[i].rule,
                ))
            i += 1
        return told

    cdef bytes _reason(self, Exchange x, uint32_t denied):
        text = "The request has " if not x.upstream_status else "The answer has "
        text += self._words(&self.report, denied)
        return orjson.dumps(text).strip(b'"')

    cdef str _words(self, const fgw_detect_report *report, uint32_t kinds):
        """`api_key in messages[2].content, email x3 in messages[0].content`: nothing of the
        finds."""
        cdef int i
        cdef list parts = []
        for i in range(len(self.names)):
            if not (report.found & kinds) >> i & 1:
                continue
            text = self.names[i]
            if report.count[i] > 1:
                text += f" x{report.count[i]}"
            if report.path_length[i]:
                path = report.path[i][:report.path_length[i]]
                text += f" in {path.decode('ascii', 'replace')}"
            parts.append(text)
        return ", ".join(parts)
