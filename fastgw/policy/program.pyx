import base64
import ipaddress
import math
import time

cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy

from fastgw.native.cel cimport (
    fgw_cel_eval,
    fgw_cel_program,
    fgw_cel_run,
    fgw_cel_source,
    fgw_cel_trace,
    fgw_cel_traced,
    fgw_cel_verify,
)
from fastgw.native.glob cimport fgw_glob_match
from fastgw.native.policy cimport (
    FGW_FACTS_MAX,
    FGW_VALUE_ABSENT,
    FGW_VALUE_BOOL,
    FGW_VALUE_BYTES,
    FGW_VALUE_CIDR,
    FGW_VALUE_DOUBLE,
    FGW_VALUE_DURATION,
    FGW_VALUE_INT,
    FGW_VALUE_IP,
    FGW_VALUE_LIST,
    FGW_VALUE_MAP,
    FGW_VALUE_NULL,
    FGW_VALUE_OPTIONAL,
    FGW_VALUE_SOURCE,
    FGW_VALUE_STRING,
    FGW_VALUE_TIMESTAMP,
    FGW_VALUE_TYPE,
    FGW_VALUE_UINT,
    fgw_value,
)
from fastgw.native.regex cimport (
    FGW_REGEX_ROOM,
    fgw_regex_compile,
    fgw_regex_error,
    fgw_regex_fault_text,
)

from fastgw.policy.zones import zone_offset

# By enum fgw_cel_error.
_ERRORS = {
    1: ("ABSENT", "the request does not have it"), 2: ("TYPE", "a value of another type"),
    3: ("OVERFLOW", "beyond 64 bits, or out of range"), 4: ("DIVIDE", "division by zero"),
    5: ("KEY", "no such key"), 6: ("INDEX", "index out of range"),
    7: ("RANGE", "a value that the type cannot hold"), 8: ("PARSE", "text of another form"),
    9: ("UTF8", "bytes that are no UTF-8"), 10: ("DUPLICATE", "a key twice in one map"),
    11: ("KEY_TYPE", "a key must be a bool, int, uint or string"),
    12: ("NONE", "the optional has no value"), 13: ("ARGUMENT", "an argument out of range"),
    14: ("REGEX", "a pattern that does not compile"), 15: ("ZONE", "an unknown time zone"),
    16: ("DEPTH", "values nested too deep"), 17: ("STEPS", "too many steps"),
    18: ("MEMORY", "out of memory for one evaluation"),
}
_TYPES = {
    "bool": FGW_VALUE_BOOL, "int": FGW_VALUE_INT, "string": FGW_VALUE_STRING,
    "double": FGW_VALUE_DOUBLE, "uint": FGW_VALUE_UINT, "bytes": FGW_VALUE_BYTES,
    "list": FGW_VALUE_LIST, "map": FGW_VALUE_MAP, "google.protobuf.Timestamp": FGW_VALUE_TIMESTAMP,
    "google.protobuf.Duration": FGW_VALUE_DURATION, "type": FGW_VALUE_TYPE,
    "optional_type": FGW_VALUE_OPTIONAL, "net.IP": FGW_VALUE_IP, "net.CIDR": FGW_VALUE_CIDR,
    "null_type": FGW_VALUE_NULL,
}
_TYPE_NAMES = {number: name for name, number in _TYPES.items()}
_RESULTS = {
    FGW_VALUE_BOOL: "bool", FGW_VALUE_INT: "int", FGW_VALUE_STRING: "string",
    FGW_VALUE_DOUBLE: "double", FGW_VALUE_UINT: "uint", FGW_VALUE_BYTES: "bytes",
    FGW_VALUE_LIST: "list", FGW_VALUE_MAP: "map", FGW_VALUE_TIMESTAMP: "timestamp",
    FGW_VALUE_DURATION: "duration", FGW_VALUE_TYPE: "type", FGW_VALUE_OPTIONAL: "optional",
    FGW_VALUE_IP: "ip", FGW_VALUE_CIDR: "cidr", FGW_VALUE_NULL: "null",
}
_DEPTH_MAX = 100
_SECOND = 1_000_000_000
cdef uint32_t ZONE_NAME_MAX = 64  # bytes


class EvaluationError(Exception):
    def __init__(self, message, code="", instruction=0):
        super().__init__(message)
        self.code, self.instruction = code, instruction


@cython.final
cdef class _Values:
    """Memory of values that come from Python, until it goes."""

    cdef list texts
    cdef list blocks

    def __cinit__(self):
        self.texts, self.blocks = [], []

    def __dealloc__(self):
        for block in self.blocks:
            free(<void *><uint64_t>block)

    cdef fgw_value *take(self, size_t count) except NULL:
        cdef void *block = calloc(count + 1, sizeof(fgw_value))
        if block == NULL:
            raise MemoryError()
        self.blocks.append(<uint64_t>block)
        return <fgw_value *>block

    cdef int text(self, fgw_value *value, bytes content) except -1:
        self.texts.append(content)
        value.bytes = <const uint8_t *>PyBytes_AS_STRING(content)
        value.length = <uint32_t>len(content)
        return 0


cdef struct entries:
    fgw_value *pairs
    uint32_t count

cdef struct maps:
    entries by_id[16]


cdef uint32_t _count(const void *owner, uint32_t map) noexcept nogil:
    return (<const maps *>owner).by_id[map].count


cdef void _entry(const void *owner, uint32_t map, uint32_t i, fgw_value *key,
                 fgw_value *value) noexcept nogil:
    cdef fgw_value *pair = &(<const maps *>owner).by_id[map].pairs[2 * i]
    key[0] = pair[0]
    value[0] = pair[1]


cdef int _find(const void *owner, uint32_t map, const uint8_t *key, uint32_t length,
               fgw_value *value) noexcept nogil:
    cdef const entries *of = &(<const maps *>owner).by_id[map]
    cdef uint32_t i
    for i in range(of.count):
        if of.pairs[2 * i].length == length and \
                memcmp(of.pairs[2 * i].bytes, key, length) == 0:
            value[0] = of.pairs[2 * i + 1]
            return 1
    return 0


cdef int find_zone(const void *owner, const uint8_t *name, uint32_t length, int64_t seconds,
                   int32_t *offset) noexcept nogil:
    if length > ZONE_NAME_MAX:
        return -1
    with gil:
        return _find_zone((<const char *>name)[:length], seconds, offset)


cdef int _find_zone(bytes name, int64_t seconds, int32_t *offset) noexcept:
    try:
        offset[0] = zone_offset(name.decode(), seconds)
    except ValueError:
        return -1
    return 0


cdef int set_value(fgw_value *value, object content, list texts) except -1:
    value.bytes = NULL
    value.length = 0
    value.as_.number = 0
    if content is None:
        value.type = FGW_VALUE_ABSENT
    elif isinstance(content, bool):
        value.type = FGW_VALUE_BOOL
        value.as_.number = content is True
    elif isinstance(content, int):
        value.type = FGW_VALUE_INT
        value.as_.number = content
    elif isinstance(content, float):
        value.type = FGW_VALUE_DOUBLE
        value.as_.real = content
    elif isinstance(content, str):
        text = (<str>content).encode()
        texts.append(text)
        value.type = FGW_VALUE_STRING
        value.bytes = <const uint8_t *>PyBytes_AS_STRING(text)
        value.length = <uint32_t>len(text)
    else:
        raise ValueError(f"a {type(content).__name__} is no value of an expression")
    return 0


cdef object get_value(const fgw_value *value):
    return _plain(typed_value(value))


def _plain(typed):
    kind, value = typed["type"], typed.get("value")
    if kind == "list":
        return [_plain(one) for one in value]
    if kind == "map":
        return {_plain(key): _plain(one) for key, one in value}
    if kind == "bytes":
        return base64.b64decode(typed["value_base64"])
    if kind == "optional":
        return None if value is None else _plain(value)
    return float(value) if kind == "double" else value


cdef object _error(const fgw_value *value):
    code, message = _ERRORS.get(value.as_.number, ("TYPE", "no value"))
    return EvaluationError(message, code, value.length)


cdef dict typed_value(const fgw_value *value):
    return _typed(value, 0)


cdef dict _typed(const fgw_value *value, int depth):
    cdef uint32_t i
    if value.type not in _RESULTS:
        raise _error(value)
    if depth > _DEPTH_MAX:
        raise EvaluationError(_ERRORS[16][1], "DEPTH")
    kind = _RESULTS[value.type]
    content = None
    if value.type == FGW_VALUE_LIST:
        content = [_typed(&value.items[i], depth + 1) for i in range(value.length)]
    elif value.type == FGW_VALUE_MAP:
        content = [[_typed(&value.items[2 * i], depth + 1),
                    _typed(&value.items[2 * i + 1], depth + 1)] for i in range(value.length)]
    elif value.type == FGW_VALUE_OPTIONAL:
        content = None if value.items == NULL else _typed(value.items, depth + 1)
    elif value.type == FGW_VALUE_BYTES:
        return {"type": kind, "value_base64": base64.b64encode(_bytes(value)).decode()}
    elif value.type == FGW_VALUE_TIMESTAMP:
        return {"type": kind, "seconds": value.as_.number, "nanos": value.length}
    elif value.type == FGW_VALUE_DURATION:
        seconds, nanos = divmod(abs(<object>value.as_.number), _SECOND)
        sign = -1 if value.as_.number < 0 else 1
        return {"type": kind, "seconds": sign * seconds, "nanos": sign * nanos}
    else:
        content = _scalar(value)
    return {"type": kind, "value": content}


cdef bytes _bytes(const fgw_value *value):
    return (<const char *>value.bytes)[:value.length] if value.length else b""


cdef object _scalar(const fgw_value *value):
    if value.type == FGW_VALUE_BOOL:
        return value.as_.number != 0
    if value.type == FGW_VALUE_INT:
        return value.as_.number
    if value.type == FGW_VALUE_UINT:
        return <uint64_t>value.as_.number
    if value.type == FGW_VALUE_STRING:
        return _bytes(value).decode("utf-8", "replace")
    if value.type == FGW_VALUE_DOUBLE:
        real = value.as_.real
        if math.isfinite(real):
            return real
        return "NaN" if real != real else "Infinity" if real > 0 else "-Infinity"
    if value.type == FGW_VALUE_TYPE:
        return _TYPE_NAMES[value.as_.number]
    if value.type == FGW_VALUE_IP:
        return str(ipaddress.ip_address(_bytes(value)))
    if value.type == FGW_VALUE_CIDR:
        return f"{ipaddress.ip_address(_bytes(value))}/{value.as_.number}"
    return None


cdef int _set(fgw_value *value, object typed, _Values values) except -1:
    """A fact from typed JSON; None is an absent one."""
    value.bytes = NULL
    value.length = 0
    value.as_.number = 0
    value.type = FGW_VALUE_ABSENT
    if typed is None:
        return 0
    kind, content = typed["type"], typed.get("value")
    if kind in ("list", "map"):
        return _set_items(value, kind, content, values)
    if kind == "optional":
        value.type = FGW_VALUE_OPTIONAL
        if content is not None:
            held = values.take(1)
            _set(held, content, values)
            value.items = held
    elif kind in ("timestamp", "duration"):
        _set_time(value, kind, typed)
    elif kind in ("bytes", "string"):
        value.type = FGW_VALUE_BYTES if kind == "bytes" else FGW_VALUE_STRING
        values.text(value, base64.b64decode(typed["value_base64"]) if kind == "bytes"
                    else content.encode())
    elif kind == "ip" or kind == "cidr":
        address = ipaddress.ip_interface(content)
        value.type = FGW_VALUE_IP if kind == "ip" else FGW_VALUE_CIDR
        values.text(value, address.ip.packed)
        value.as_.number = address.network.prefixlen if kind == "cidr" else 0
    else:
        _set_scalar(value, kind, content)
    return 0


cdef int _set_items(fgw_value *value, str kind, object content, _Values values) except -1:
    cdef Py_ssize_t i
    flat = content if kind == "list" else [one for pair in content for one in pair]
    items = values.take(len(flat))
    for i in range(len(flat)):
        _set(&items[i], flat[i], values)
    value.items = items
    value.length = <uint32_t>len(content)
    value.type = FGW_VALUE_LIST if kind == "list" else FGW_VALUE_MAP
    return 0


cdef int _set_time(fgw_value *value, str kind, object typed) except -1:
    seconds, nanos = typed["seconds"], typed.get("nanos", 0)
    if kind == "timestamp":
        value.type = FGW_VALUE_TIMESTAMP
        value.as_.number = seconds
        value.length = nanos
    else:
        value.type = FGW_VALUE_DURATION
        value.as_.number = seconds * _SECOND + nanos
    return 0


cdef int _set_scalar(fgw_value *value, str kind, object content) except -1:
    if kind == "null":
        value.type = FGW_VALUE_NULL
    elif kind == "bool":
        value.type = FGW_VALUE_BOOL
        value.as_.number = content is True
    elif kind == "int":
        value.type = FGW_VALUE_INT
        value.as_.number = content
    elif kind == "uint":
        value.type = FGW_VALUE_UINT
        value.as_.number = <int64_t><uint64_t>content
    elif kind == "double":
        value.type = FGW_VALUE_DOUBLE
        value.as_.real = float(content)
    elif kind == "type":
        value.type = FGW_VALUE_TYPE
        value.as_.number = _TYPES[content]
    else:
        raise ValueError(f"{kind!r} is no type of a value")
    return 0


@cython.final
cdef class _Bindings:
    """Everything that one run from Python reads and writes."""

    cdef:
        _Values values
        fgw_value[FGW_FACTS_MAX] facts
        maps of
        fgw_cel_source source
        fgw_cel_trace trace
        fgw_cel_run run
        void *_arena
        void *_entries

    def __cinit__(self, facts, sources, uint32_t steps, uint32_t arena, uint64_t seed):
        cdef Py_ssize_t i
        self.values = _Values()
        for i in range(len(facts)):
            _set(&self.facts[i], facts[i], self.values)
        for number, pairs in (sources or {}).items():
            self._fill(&self.of.by_id[<int>number], list(pairs))
        self._arena = calloc(arena + 1, 1)
        if self._arena == NULL:
            raise MemoryError()
        self.source.owner = &self.of
        self.source.count = _count
        self.source.entry = _entry
        self.source.find = _find
        self.source.zone = find_zone
        self.run.facts = self.facts
        self.run.source = &self.source
        self.run.arena = <uint8_t *>self._arena
        self.run.arena_size = arena
        self.run.steps = steps
        self.run.random = seed

    def __dealloc__(self):
        free(self._arena)
        free(self._entries)

    cdef int _fill(self, entries *of, list pairs) except -1:
        cdef Py_ssize_t i
        of.pairs = self.values.take(2 * len(pairs))
        of.count = <uint32_t>len(pairs)
        for i in range(len(pairs)):
            for j in range(2):
                _set(&of.pairs[2 * i + j], {"type": "string", "value": pairs[i][j]}, self.values)
        return 0

    cdef int record(self, uint32_t room) except -1:
        self._entries = calloc(room, sizeof(fgw_cel_traced))
        if self._entries == NULL:
            raise MemoryError()
        self.trace.entries = <fgw_cel_traced *>self._entries
        self.trace.room = room
        self.run.trace = &self.trace
        return 0

    cdef dict shown(self, const fgw_value *value):
        cdef entries *of
        cdef fgw_value map
        if value.type == FGW_VALUE_SOURCE:
            of = &self.of.by_id[value.as_.number]
            map.type = FGW_VALUE_MAP
            map.items = of.pairs
            map.length = of.count
            return typed_value(&map)
        try:
            return typed_value(value)
        except EvaluationError as error:
            return {"type": "error", "code": error.code, "message": str(error)}


cdef int _fits(const fgw_cel_program *program, object facts) except -1:
    if not program.n_facts <= len(facts) <= FGW_FACTS_MAX:
        raise ValueError(f"this program reads {program.n_facts} facts, got {len(facts)}")
    return 0


@cython.final
cdef class Program:
    def __cinit__(self, bytes block):
        cdef size_t size = len(block)
        self._memory = calloc(size + 8, 1)
        if self._memory == NULL:
            raise MemoryError()
        memcpy(self._memory, PyBytes_AS_STRING(block), size)
        if fgw_cel_verify(self._memory, size) != 0:
            raise ValueError("the program could leave its code, constants, facts or stack")
        self.block = block
        self.program = <const fgw_cel_program *>self._memory
        self.type = _RESULTS.get(self.program.type, "")
        self.reads = self.program.facts_read
        self.sources = self.program.sources

    def __dealloc__(self):
        free(self._memory)

    cdef int decide(self, fgw_cel_run *run, fgw_value *result) noexcept nogil:
        return fgw_cel_eval(self.program, run, result)

    def evaluate(self, facts):
        cdef _Bindings bindings
        cdef fgw_value result
        cdef Py_ssize_t i
        _fits(self.program, facts)
        bindings = _Bindings((), None, 1_000_000, 1 << 20, 0)
        for i in range(len(facts)):
            set_value(&bindings.facts[i], facts[i], bindings.values.texts)
        fgw_cel_eval(self.program, &bindings.run, &result)
        return get_value(&result)

    def run(self, facts, sources=None, uint32_t steps=100_000, uint32_t arena=1 << 20,
            uint64_t seed=0, trace=None):
        cdef _Bindings bindings
        cdef fgw_value result
        cdef uint32_t i
        _fits(self.program, facts)
        bindings = _Bindings(facts, sources, steps, arena, seed)
        if trace is not None:
            bindings.record(10_000)
        fgw_cel_eval(self.program, &bindings.run, &result)
        for i in range(bindings.trace.used):
            trace.append((bindings.trace.entries[i].at,
                          bindings.shown(&bindings.trace.entries[i].value)))
        return typed_value(&result)

    def spent(self, facts, uint32_t steps=100_000, uint32_t arena=1 << 20):
        cdef fgw_value result
        cdef _Bindings bindings
        _fits(self.program, facts)
        bindings = _Bindings(facts, None, steps, arena, 0)
        fgw_cel_eval(self.program, &bindings.run, &result)
        return steps - bindings.run.steps, bindings.run.arena_used

    def timed(self, facts, uint32_t steps=100_000, uint32_t arena=1 << 20):
        cdef fgw_value result
        cdef _Bindings bindings
        _fits(self.program, facts)
        bindings = _Bindings(facts, None, steps, arena, 0)
        before = time.thread_time_ns()
        fgw_cel_eval(self.program, &bindings.run, &result)
        return time.thread_time_ns() - before


class PatternError(ValueError):
    def __init__(self, message, start, end):
        super().__init__(message)
        self.start, self.end = start, end


def compile_pattern(str pattern):
    cdef bytes text = pattern.encode("utf-8", "surrogatepass")
    cdef fgw_regex_error error
    cdef bytearray out = bytearray(4 * FGW_REGEX_ROOM)
    cdef int64_t size = fgw_regex_compile(
        <const uint8_t *>PyBytes_AS_STRING(text), len(text), <uint8_t *>PyByteArray_AS_STRING(out),
        len(out), &error)
    if size < 0:
        start = len(text[:error.offset].decode("utf-8", "replace"))
        length = len(text[error.offset : error.offset + error.length].decode("utf-8", "replace"))
        message = fgw_regex_fault_text(error.fault).decode()
        raise PatternError(message, start, start + max(length, 1))
    return bytes(out[:size])


def glob_match(str pattern, str text):
    cdef bytes p = pattern.encode(), t = text.encode()
    return fgw_glob_match(<const uint8_t *>PyBytes_AS_STRING(p), len(p),
                          <const uint8_t *>PyBytes_AS_STRING(t), len(t)) == 1
