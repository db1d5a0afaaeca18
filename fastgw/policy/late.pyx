"""Phase POLICY, behind the request: facts that outlive the run that made them.

A worker has one array of facts, so what rules wrote there is kept with the exchange until the
answer comes, and until its end. Results of limits come into being between the two.
"""
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcpy

from fastgw.policy.results import LATE, OF_DETECT, OF_LIMITS

from fastgw.native.policy cimport (
    FGW_VALUE_ABSENT, FGW_VALUE_BOOL, FGW_VALUE_DOUBLE, FGW_VALUE_DURATION, FGW_VALUE_INT,
    FGW_VALUE_LIST, FGW_VALUE_STRING, FGW_VALUE_TIMESTAMP, FGW_VALUE_UINT,
)
from fastgw.native.record cimport FGW_LIMIT_TAKEN, FGW_LIMIT_UNDONE
from fastgw.policy.program cimport set_value

KEPT = ("vars", "actions", "res_header")
OF_ALGORITHM = {"cap": "usage_cap", "concurrency": "concurrency_limit"}


@cython.final
cdef class Late:
    """``dynamic``: Policy.dynamic_facts, of which the first stands at ``first``; ``limits``:
    Policy.limits, which may grow."""

    def __init__(self, tuple dynamic, int first, list limits):
        self._limits = limits
        self._texts = []
        self._kept, self.headers, self._answer, self._results = [], [], {}, {}
        for place, (kind, name) in enumerate(dynamic, first):
            if kind == "actions" and name in OF_LIMITS:
                action, _, result = name.partition(".")
                self._results.setdefault(action, {})[result] = place
            elif kind in KEPT and not (kind == "actions" and name in LATE):
                self._kept.append(place)
            if kind == "res_header":
                self.headers.append((place, name.encode()))
            elif kind in ("res", "upstream", "usage"):
                self._answer[f"{kind}.{name}"] = place
            elif kind == "actions" and name in OF_DETECT:
                self._answer[name] = place
                self._looks = True

    cdef bytes remember(self, const fgw_value *facts):
        cdef size_t count = <size_t>len(self._kept), size = count * sizeof(fgw_value)
        cdef size_t used = size
        cdef fgw_value one
        cdef bytes kept
        cdef uint8_t *out
        cdef size_t i
        cdef int place
        if count == 0:
            return b""
        for i in range(count):
            place = self._kept[i]
            if facts[place].type == FGW_VALUE_STRING:
                size += facts[place].length
        kept = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>size)
        out = <uint8_t *>PyBytes_AS_STRING(kept)
        for i in range(count):
            place = self._kept[i]
            one = facts[place]
            if one.type == FGW_VALUE_STRING:
                memcpy(out + used, one.bytes, one.length)
                one.as_.number = <int64_t>used
                used += one.length
            elif one.type not in (
                FGW_VALUE_BOOL, FGW_VALUE_INT, FGW_VALUE_UINT, FGW_VALUE_DOUBLE,
                FGW_VALUE_TIMESTAMP, FGW_VALUE_DURATION,
            ):
                one.type = FGW_VALUE_ABSENT  # lists and the like last as long as their run
            memcpy(out + i * sizeof(fgw_value), &one, sizeof(fgw_value))
        return kept

    cdef int recall(self, bytes kept, fgw_value *facts) except -1:
        cdef const uint8_t *stored = <const uint8_t *>PyBytes_AS_STRING(kept)
        cdef fgw_value one
        cdef size_t i
        cdef int place
        for i in range(<size_t>len(kept) and <size_t>len(self._kept)):
            memcpy(&one, stored + i * sizeof(fgw_value), sizeof(fgw_value))
            if one.type == FGW_VALUE_STRING:
                one.bytes = stored + one.as_.number
            place = self._kept[i]
            facts[place] = one
        return 0

    cdef int limits(self, const fgw_effects *effects, const fgw_limit_trace *traces, int count,
                    fgw_value *facts) except -1:
        """Of several limits of one sort the first that refuses is told of, else the last."""
        cdef const fgw_limit_trace *trace
        cdef int i
        told = {}
        if not self._results:
            return 0
        for places in self._results.values():
            for place in places.values():
                facts[<int>place].type = FGW_VALUE_ABSENT
        for i in range(count):
            trace = &traces[i]
            spec = self._limits[effects.demands[i].limit]
            sort = OF_ALGORITHM.get(spec.algorithm, "rate_limit")
            limited = trace.verdict not in (FGW_LIMIT_TAKEN, FGW_LIMIT_UNDONE)
            if sort not in self._results or told.get(sort):
                continue
            told[sort] = limited
            key = effects.key_text[
                effects.demands[i].text_offset:
                effects.demands[i].text_offset + effects.demands[i].text_length]
            found = {
                "name": spec.name, "limited": bool(limited), "bucket_key": key,
                "used": trace.used, "held": trace.held, "limit": trace.limit,
                "remaining": max(0, <int64_t>trace.limit - <int64_t>trace.used),
                "taken": trace.taken, "wait_ms": -(-trace.wait_ns // 1_000_000),
                "reset_ms": -(-trace.reset_ns // 1_000_000),
            }
            for name, place in self._results[sort].items():
                value = found[name]
                if type(value) is int:
                    value = min(value, 2**63 - 1)
                self.put(place, value, facts)
        return 0

    cdef int detected(self, Said said, list names, fgw_value *facts) except -1:
        cdef fgw_value *kinds
        cdef int i
        if not self._looks:
            return 0
        self.fill("detect.found", said.found != 0, facts)
        self.fill("detect.count", said.finds, facts)
        self.fill("detect.redacted", bool(said.redacted), facts)
        self.fill("detect.enforced", bool(said.acted), facts)
        place = self._answer.get("detect.kinds")
        if place is None:
            return 0
        kinds = &facts[<int>place]
        kinds.type = FGW_VALUE_LIST
        kinds.items = self._kinds
        kinds.length = 0
        kinds.as_.number = 0
        for i in range(len(names)):
            if said.found >> i & 1:
                set_value(&self._kinds[kinds.length], names[i], self._texts)
                kinds.length += 1
        return 0

    cdef int fill(self, str name, object value, fgw_value *facts) except -1:
        place = self._answer.get(name)
        if place is not None:
            self.put(place, value, facts)
        return 0

    cdef int put(self, int place, object value, fgw_value *facts) except -1:
        cdef fgw_value *fact = &facts[place]
        if not isinstance(value, bytes):
            set_value(fact, value, self._texts)
            return 0
        self._texts.append(value)
        fact.type = FGW_VALUE_STRING
        fact.bytes = <const uint8_t *>PyBytes_AS_STRING(value)
        fact.length = <uint32_t>len(value)
        return 0

    cdef int begin(self) except -1:
        self._texts.clear()
        return 0
