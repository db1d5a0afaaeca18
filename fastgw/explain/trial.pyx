"""Any refusal, without an exchange: for benches and tests."""

from libc.stdint cimport uint8_t
from libc.string cimport memset

from fastgw.explain.refusal cimport Explainer
from fastgw.native.explain cimport fgw_refusal, fgw_text
from fastgw.native.record cimport FGW_LIMITS_MAX, fgw_limit_trace

DEFAULTS = {
    "rule": 0, "message": 0, "limits": (), "request_id": b"00000001-00-0000000001",
    "model": b"", "parameter": b"max_tokens", "allow": b"POST", "input_expected": 0,
    "input_ceiling": 0, "answers": 1, "attempts": 0, "status": 0, "close": False,
    "head_only": False,
}


cdef fgw_text _text(bytes raw) noexcept:
    cdef fgw_text text
    text.bytes = <const uint8_t *>raw
    text.length = <unsigned int>len(raw)
    return text


def refuse(Explainer explainer, int code, int dialect, **wanted):
    """The answer as the client gets it. ``limits``: a dict each, with the trace's members, the
    limit's ``index`` in the policy, its ``key_text`` and what the request ``needed``; everything
    else as in struct fgw_refusal."""
    cdef fgw_refusal refusal
    cdef fgw_limit_trace[8] traces    # FGW_LIMITS_MAX
    cdef int i
    one = DEFAULTS | wanted
    memset(&refusal, 0, sizeof(refusal))
    memset(traces, 0, sizeof(traces))
    for i, limit in enumerate(one["limits"][:FGW_LIMITS_MAX]):
        traces[i].used = limit["used"]
        traces[i].held = limit["held"]
        traces[i].limit = limit["limit"]
        traces[i].taken = limit["taken"]
        traces[i].wait_ns = limit["wait_ns"]
        traces[i].reset_ns = limit["reset_ns"]
        traces[i].unit = limit["unit"]
        traces[i].verdict = limit["verdict"]
        traces[i].enforced = limit["enforced"]
        refusal.limits[i].trace = &traces[i]
        refusal.limits[i].known = &explainer._limits[<int>limit["index"]]
        refusal.limits[i].key = _text(limit["key_text"])
        refusal.limits[i].needed = limit["needed"]
        refusal.n_limits += 1
    refusal.rule = explainer.rule_of(one["rule"])
    if one["message"]:
        refusal.reason = explainer._reasons[<int>one["message"] - 1]
    refusal.request_id = _text(one["request_id"])
    refusal.model = _text(one["model"])
    refusal.parameter = _text(one["parameter"])
    refusal.allow = _text(one["allow"])
    refusal.input_expected = one["input_expected"]
    refusal.input_ceiling = one["input_ceiling"]
    refusal.answers = one["answers"]
    refusal.attempts = one["attempts"]
    refusal.status = one["status"]
    refusal.close = one["close"]
    refusal.head_only = one["head_only"]
    return explainer.bytes[:explainer.write(&refusal, code, dialect)]
