# The head of the answer, as the client gets it: written anew.
from libc.stdint cimport int64_t, uint8_t

from fastgw.exchange cimport Exchange
from fastgw.native.http1 cimport fgw_head
from fastgw.stream.relay cimport Framing


cdef struct LimitTexts:
    const char *name         # "pace", quoted, and what comes before a number: ;r=
    size_t name_bytes
    const char *policy       # "pace";q=60;w=60
    size_t policy_bytes


cdef class AnswerTexts:
    # What of an answer's head does not change from request to request.
    cdef:
        bytes policy_version
        list texts              # [(bytes, bytes)], to which `limits` points
        LimitTexts *limits      # by limit

cdef Py_ssize_t write_answer_head(
    Exchange x, AnswerTexts texts, const fgw_head *head, const uint8_t *source, uint8_t *out,
    size_t room, Framing framing, bint close, bint drop_coding) noexcept

# `RateLimit-Policy` and `RateLimit` of the limits that were asked; the bytes written or -1.
cdef Py_ssize_t write_rate_limits(
    Exchange x, AnswerTexts texts, uint8_t *out, size_t room) noexcept
