"""Instructions and constants to the bytes of one program, as csrc/fgw_cel.h lays them out."""

from __future__ import annotations

import ipaddress
import math
import struct
from typing import Any

from fastgw.policy.program import compile_pattern
from fastgw.policy.zones import zone_table

# In the order of enum fgw_cel_op (tests/policy/test_assemble.py compares).
OPS = {name: number for number, name in enumerate(
    "FACT FACT_OR HAS_FACT FACT_EQ FACT_NE CONSTANT CONSTANT_LIST IN_CONSTANTS SOURCE "
    "EQ NE LT LE GT GE ADD SUB MUL DIV MOD IN AND OR NOT NEGATE "
    "JUMP AND_JUMP OR_JUMP ERROR_JUMP FALSE_JUMP INDEX OPT_INDEX SELECT OPT_SELECT HAS "
    "LIST APPEND APPEND_OPT MAP INSERT INSERT_OPT MERGE "
    "STORE LOAD ITERATE NEXT LOOP GUARD ERROR_EXIT OR_OPTIONAL OR_VALUE OPT_MAP "
    "CALL CONCAT".split())}

# Name to (least, most operands), in the order of FGW_CEL_FUNCTIONS.
ARITY: dict[str, tuple[int, int]] = {}
for _counts, _names in (
        ((1, 1), "SIZE"), ((2, 2), "CONTAINS STARTS_WITH ENDS_WITH MATCHES GLOB"),
        ((1, 1), "INT UINT DOUBLE STRING BYTES BOOL TIMESTAMP DURATION TYPE"),
        ((1, 2), "GET_FULL_YEAR GET_MONTH GET_DATE GET_DAY_OF_MONTH GET_DAY_OF_WEEK "
                 "GET_DAY_OF_YEAR GET_HOURS GET_MINUTES GET_SECONDS GET_MILLISECONDS"),
        ((2, 2), "CHAR_AT"), ((2, 3), "INDEX_OF LAST_INDEX_OF"), ((1, 2), "JOIN"),
        ((2, 3), "SPLIT"), ((3, 4), "REPLACE"), ((2, 3), "SUBSTRING"),
        ((1, 1), "TRIM LOWER_ASCII UPPER_ASCII REVERSE QUOTE"), ((2, 2), "FORMAT"),
        ((1, 255), "LEAST GREATEST"),
        ((1, 1), "CEIL FLOOR ROUND TRUNC ABS SIGN SQRT IS_NAN IS_INF IS_FINITE"),
        ((2, 2), "BIT_AND BIT_OR BIT_XOR"), ((1, 1), "BIT_NOT"),
        ((2, 2), "BIT_SHIFT_LEFT BIT_SHIFT_RIGHT"),
        ((1, 1), "BASE64_ENCODE BASE64_DECODE IP CIDR IS_IP IS_CIDR IP_IS_CANONICAL FAMILY "
                 "IS_UNSPECIFIED IS_LOOPBACK IS_GLOBAL_UNICAST IS_LINK_LOCAL_MULTICAST "
                 "IS_LINK_LOCAL_UNICAST"),
        ((2, 2), "CONTAINS_IP CONTAINS_CIDR"), ((1, 1), "MASKED PREFIX_LENGTH OPTIONAL_OF"),
        ((0, 0), "OPTIONAL_NONE"),
        ((1, 1), "OPTIONAL_OF_NON_ZERO HAS_VALUE VALUE OPTIONAL_UNWRAP"),
        ((3, 3), "SLICE"), ((1, 2), "FLATTEN"), ((1, 1), "DISTINCT SORT RANGE FIRST LAST"),
        ((1, 1), "GET_REQ_HEADER"), ((0, 0), "RANDOM")):
    ARITY.update(dict.fromkeys(_names.split(), _counts))
FUNCTIONS = {name: number for number, name in enumerate(ARITY)}

# enum fgw_value_type
TYPES = {"bool": 1, "int": 2, "string": 3, "double": 4, "uint": 5, "bytes": 6, "list": 7,
         "map": 8, "timestamp": 9, "duration": 10, "type": 11, "optional": 12, "ip": 13,
         "cidr": 14, "null": 16, "regex": 19, "zone": 20}

MAGIC = 0x314C4543
STACK = SLOTS = 64
CODE_MAX = 16384
CONSTANTS_MAX = 65535
_HEADER = struct.Struct("<IIHHHHQHB5x")
_CODE = struct.Struct("<BBHHH")
_READS_FACT = frozenset(OPS[name] for name in "FACT FACT_OR HAS_FACT FACT_EQ FACT_NE".split())
_INT = struct.Struct("<q")


class TooLarge(Exception):
    """An expression that needs more instructions, constants or variables than a program has."""


class Assembly:
    """One program in the making. Instructions are named as in enum fgw_cel_op."""

    def __init__(self, n_facts: int) -> None:
        self.n_facts = n_facts
        self.code: list[list[int]] = []
        self._constants: list[tuple[int, int, bytes]] = []
        self._known: dict[object, int] = {}
        self._places: dict[bytes, int] = {}
        self._text = bytearray()
        self._relative: list[int] = []  # constants that hold an offset into the text
        self._slots = 0
        self._n_slots = 0

    def emit(self, op: str, at: int = 0, to: int = 0, count: int = 0, arg: int = 0) -> int:
        """The instruction's number."""
        if len(self.code) >= CODE_MAX:
            raise TooLarge(f"more than {CODE_MAX} instructions")
        self.code.append([OPS[op], arg, at, to, count])
        return len(self.code) - 1

    def land(self, instruction: int) -> None:
        """Makes ``instruction`` jump to the next one that is emitted."""
        self.code[instruction][3] = len(self.code)

    @property
    def next(self) -> int:
        return len(self.code)

    def slots(self, count: int) -> int:
        """The first of ``count`` neighbouring variables that nobody uses."""
        first = self._slots
        if first + count > SLOTS:
            raise TooLarge(f"more than {SLOTS} variables at a time")
        self._slots += count
        self._n_slots = max(self._n_slots, self._slots)
        return first

    def free_slots(self, first: int) -> None:
        """Gives ``first`` and all taken after it back."""
        self._slots = first

    def constant(self, kind: str, value: Any) -> int:
        """Its number; equal constants are one. ``value`` is what Python has for it: seconds and
        nanoseconds of a timestamp, nanoseconds of a duration, the name of a type or zone, the text
        of an ip, cidr or regex. Raises ValueError for a text that is none."""
        known = (kind, value, math.copysign(1.0, value) if kind == "double" else 0)
        if known not in self._known:
            self._known[known] = self._add(kind, value)
        return self._known[known]

    def constants(self, items: list[tuple[str, Any]]) -> int:
        """The number of the first of them; they stand in a row."""
        first = len(self._constants)
        for kind, value in items:
            self._add(kind, value)
        return first

    def block(self, type: str = "") -> bytes:
        """The program. ``type`` is the result's, where it is known."""
        facts = {step[2] for step in self.code if step[0] in _READS_FACT}
        sources = {step[2] for step in self.code if step[0] == OPS["SOURCE"]}
        if any(step[0] == OPS["CALL"] and step[2] == FUNCTIONS["GET_REQ_HEADER"]
               for step in self.code):
            sources.add(4)
        start = _HEADER.size + _CODE.size * len(self.code) + 16 * len(self._constants)
        size = start + len(self._text) + -len(self._text) % 8
        header = _HEADER.pack(MAGIC, size, len(self.code), len(self._constants), self.n_facts,
                              self._n_slots, sum(1 << fact for fact in facts),
                              sum(1 << source for source in sources), TYPES.get(type, 0))
        body = b"".join(_CODE.pack(*step) for step in self.code)
        relative = set(self._relative)
        for i, (kind, length, payload) in enumerate(self._constants):
            if i in relative:
                payload = _INT.pack(_INT.unpack(payload)[0] + start)
            body += struct.pack("<II", kind, length) + payload
        return (header + body + bytes(self._text)).ljust(size, b"\0")

    def _add(self, kind: str, value: Any) -> int:
        length, payload = 0, bytes(8)
        if kind in ("string", "bytes", "regex", "zone", "ip", "cidr"):
            content, length = _content(kind, value)
            payload = _INT.pack(self._place(content))
            self._relative.append(len(self._constants))
        elif kind == "double":
            payload = struct.pack("<d", value)
        elif kind == "timestamp":
            payload, length = _INT.pack(value[0]), value[1]
        elif kind == "uint":
            payload = struct.pack("<Q", value)
        elif kind == "type":
            payload = _INT.pack(TYPES[value])
        elif kind != "null":
            payload = _INT.pack(value)
        if len(self._constants) >= CONSTANTS_MAX:
            raise TooLarge(f"more than {CONSTANTS_MAX} constants")
        self._constants.append((TYPES[kind], length, payload))
        return len(self._constants) - 1

    def _place(self, content: bytes) -> int:
        if content not in self._places:
            self._text += bytes(-len(self._text) % 8)
            self._places[content] = len(self._text)
            self._text += content
        return self._places[content]


def _content(kind: str, value: Any) -> tuple[bytes, int]:
    if kind == "cidr":
        address, slash, bits = value.partition("/")
        packed = _address(address)
        if not slash or not bits.isdecimal() or len(packed) != len(_address(address, unmap=False)):
            raise ValueError(f"{value!r} is no address with the length of its prefix")
        prefix = ipaddress.ip_interface(value).network.prefixlen
        return packed, len(packed) | prefix << 8
    content = {"string": lambda: value.encode(), "bytes": lambda: value,
               "regex": lambda: compile_pattern(value), "zone": lambda: zone_table(value),
               "ip": lambda: _address(value)}[kind]()
    return content, len(content)


def _address(text: str, unmap: bool = True) -> bytes:
    """As csrc/fgw_cel_net.c reads it: no zone, and IPv4 inside of IPv6 only in hexadecimal."""
    address = ipaddress.ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    if "%" in text or (mapped and "." in text):
        raise ValueError(f"{text!r} is no address")
    return (mapped if mapped and unmap else address).packed
