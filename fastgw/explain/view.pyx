"""Phase EXPLAIN: what a refusal's text is made of, taken out of an exchange. Off the hot path."""

from libc.stdint cimport uint64_t

from fastgw.exchange cimport HEAD
from fastgw.native.http1 cimport FGW_M_HEAD


cdef uint64_t needed(Exchange x, int limit) noexcept:
    """What a limit that refused was asked for; pace never holds more than its capacity."""
    cdef uint64_t asked = x.expected.by_unit[x.traces[limit].unit]
    return asked if asked < x.traces[limit].limit else x.traces[limit].limit


cdef object view_of(Exchange x, int code):
    """What a refusal's text is made of, as Python objects: off the hot path."""
    cdef int i
    cdef list limits = []
    for i in range(x.n_traces):
        limits.append((
            x.effects.demands[i].limit,
            x.effects.key_text[
                x.effects.demands[i].text_offset:
                x.effects.demands[i].text_offset + x.effects.demands[i].text_length
            ],
            x.traces[i].used, x.traces[i].limit,
            x.traces[i].taken or needed(x, i), x.traces[i].wait_ns, x.traces[i].reset_ns,
            x.traces[i].verdict, x.traces[i].enforced,
        ))
    return {
        "code": code,
        "status": x.status if x.phase == HEAD else x.effects.status,
        "dialect": x.route.dialect,
        "operation": x.route.operation,
        "request_id": x.id_text[:x.id_length].decode(),
        "rule": x.effects.rule,
        "message": x.effects.message,
        "reason": x.reason,
        "limits": limits,
        "close": x.client.close_after,
        "head_only": x.head.method == FGW_M_HEAD,
        "model": x.ask.model[:x.ask.model_bytes],
        "allow": x.route.methods,
        "attempts": x.attempt,
        "output_max": x.output_max,
        "input_estimate": x.input_estimate,
    }
