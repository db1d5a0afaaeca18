"""The functions of the language with their types.

A row: the machine's function (csrc/fgw_cel.h; - where the compiler has an op of its own), then
`name(types) result`, of a method `type::name(types) result`. `a|b` are two overloads, `...` is any
number of such arguments. No row stands here that the machine does not have.
"""

from __future__ import annotations

import functools
import itertools
import re
from dataclasses import dataclass

from fastgw.policy.types import Type, read

TABLE = """
SIZE size(string|bytes|list(T)|map(K, V)) int
SIZE string|bytes|list(T)|map(K, V)::size() int
CONTAINS string::contains(string) bool
STARTS_WITH string::startsWith(string) bool
ENDS_WITH string::endsWith(string) bool
MATCHES matches(string, string) bool
MATCHES string::matches(string) bool
GLOB glob(string, string) bool
GLOB string::glob(string) bool

INT int(int|uint|double|string|timestamp|duration) int
UINT uint(int|uint|double|string) uint
DOUBLE double(int|uint|double|string) double
STRING string(bool|int|uint|double|string|bytes|timestamp|duration|ip|cidr) string
BYTES bytes(string|bytes) bytes
BOOL bool(bool|string) bool
TIMESTAMP timestamp(string|int|timestamp) timestamp
DURATION duration(string|int|duration) duration
TYPE type(T) type
- dyn(T) dyn

GET_FULL_YEAR timestamp::getFullYear() int
GET_MONTH timestamp::getMonth() int
GET_DATE timestamp::getDate() int
GET_DAY_OF_MONTH timestamp::getDayOfMonth() int
GET_DAY_OF_WEEK timestamp::getDayOfWeek() int
GET_DAY_OF_YEAR timestamp::getDayOfYear() int
GET_HOURS timestamp|duration::getHours() int
GET_MINUTES timestamp|duration::getMinutes() int
GET_SECONDS timestamp|duration::getSeconds() int
GET_MILLISECONDS timestamp|duration::getMilliseconds() int
GET_FULL_YEAR timestamp::getFullYear(string) int
GET_MONTH timestamp::getMonth(string) int
GET_DATE timestamp::getDate(string) int
GET_DAY_OF_MONTH timestamp::getDayOfMonth(string) int
GET_DAY_OF_WEEK timestamp::getDayOfWeek(string) int
GET_DAY_OF_YEAR timestamp::getDayOfYear(string) int
GET_HOURS timestamp::getHours(string) int
GET_MINUTES timestamp::getMinutes(string) int
GET_SECONDS timestamp::getSeconds(string) int
GET_MILLISECONDS timestamp::getMilliseconds(string) int

CHAR_AT string::charAt(int) string
INDEX_OF string::indexOf(string) int
INDEX_OF string::indexOf(string, int) int
LAST_INDEX_OF string::lastIndexOf(string) int
LAST_INDEX_OF string::lastIndexOf(string, int) int
JOIN list(string)::join() string
JOIN list(string)::join(string) string
SPLIT string::split(string) list(string)
SPLIT string::split(string, int) list(string)
REPLACE string::replace(string, string) string
REPLACE string::replace(string, string, int) string
SUBSTRING string::substring(int) string
SUBSTRING string::substring(int, int) string
TRIM string::trim() string
LOWER_ASCII string::lowerAscii() string
UPPER_ASCII string::upperAscii() string
REVERSE string::reverse() string
REVERSE list(T)::reverse() list(T)
QUOTE strings.quote(string) string
FORMAT string::format(list(T)) string

LEAST math.least(number...) dyn
LEAST math.least(list(number)) dyn
GREATEST math.greatest(number...) dyn
GREATEST math.greatest(list(number)) dyn
CEIL math.ceil(double) double
FLOOR math.floor(double) double
ROUND math.round(double) double
TRUNC math.trunc(double) double
ABS math.abs(int) int
ABS math.abs(uint) uint
ABS math.abs(double) double
SIGN math.sign(int) int
SIGN math.sign(uint) uint
SIGN math.sign(double) double
SQRT math.sqrt(int|uint|double) double
IS_NAN math.isNaN(double) bool
IS_INF math.isInf(double) bool
IS_FINITE math.isFinite(double) bool
BIT_AND math.bitAnd(int, int) int
BIT_AND math.bitAnd(uint, uint) uint
BIT_OR math.bitOr(int, int) int
BIT_OR math.bitOr(uint, uint) uint
BIT_XOR math.bitXor(int, int) int
BIT_XOR math.bitXor(uint, uint) uint
BIT_NOT math.bitNot(int) int
BIT_NOT math.bitNot(uint) uint
BIT_SHIFT_LEFT math.bitShiftLeft(int, int) int
BIT_SHIFT_LEFT math.bitShiftLeft(uint, int) uint
BIT_SHIFT_RIGHT math.bitShiftRight(int, int) int
BIT_SHIFT_RIGHT math.bitShiftRight(uint, int) uint
BASE64_ENCODE base64.encode(bytes) string
BASE64_DECODE base64.decode(string) bytes

IP ip(string|ip) ip
IP cidr::ip() ip
CIDR cidr(string|cidr) cidr
IS_IP isIP(string|ip) bool
IS_CIDR isCIDR(string|cidr) bool
IP_IS_CANONICAL ip.isCanonical(string) bool
FAMILY ip::family() int
IS_UNSPECIFIED ip::isUnspecified() bool
IS_LOOPBACK ip::isLoopback() bool
IS_GLOBAL_UNICAST ip::isGlobalUnicast() bool
IS_LINK_LOCAL_MULTICAST ip::isLinkLocalMulticast() bool
IS_LINK_LOCAL_UNICAST ip::isLinkLocalUnicast() bool
CONTAINS_IP cidr::containsIP(ip|string) bool
CONTAINS_CIDR cidr::containsCIDR(cidr|string) bool
MASKED cidr::masked() cidr
PREFIX_LENGTH cidr::prefixLength() int

OPTIONAL_OF optional.of(T) optional(T)
OPTIONAL_NONE optional.none() optional(dyn)
OPTIONAL_OF_NON_ZERO optional.ofNonZeroValue(T) optional(T)
HAS_VALUE optional(T)::hasValue() bool
VALUE optional(T)::value() T
OPTIONAL_UNWRAP optional.unwrap(list(optional(T))) list(T)
OPTIONAL_UNWRAP list(optional(T))::unwrapOpt() list(T)
- optional(T)::or(optional(T)) optional(T)
- optional(T)::orValue(T) T

SLICE list(T)::slice(int, int) list(T)
FLATTEN list(T)::flatten() list(dyn)
FLATTEN list(T)::flatten(int) list(dyn)
DISTINCT list(T)::distinct() list(T)
SORT list(T)::sort() list(T)
RANGE lists.range(int) list(int)
FIRST list(T)::first() optional(T)
LAST list(T)::last() optional(T)

GET_REQ_HEADER getReqHeader(string) list(string)
- hasReqHeader(string) bool
RANDOM random() double
"""
# These read the request, or are another each time they are asked: never folded into a constant.
LIVE = frozenset(["getReqHeader", "hasReqHeader", "random"])
REQUEST_ONLY = frozenset(["getReqHeader", "hasReqHeader"])
_ROW = re.compile(r"(\S+) (?:(.+)::)?([\w.]+)\((.*)\) (\S.*)")


@dataclass(frozen=True, slots=True)
class Overload:
    """``takes``: of a method its receiver first. ``variadic``: the last any number of times."""

    takes: tuple[Type, ...]
    gives: Type
    method: bool
    variadic: bool = False

    def shown(self, name: str) -> str:
        texts = [str(kind) for kind in self.takes]
        dots = "…" * self.variadic
        if self.method:
            return f"{texts[0]}.{name}({', '.join(texts[1:])})"
        return f"{name}({', '.join(texts)}{dots})"


@dataclass(frozen=True, slots=True)
class Function:
    """``number``: the machine's name of it, - if it has none."""

    name: str
    number: str
    overloads: tuple[Overload, ...]


@functools.cache
def functions() -> dict[str, Function]:
    """All by name."""
    found: dict[str, Function] = {}
    for row in TABLE.split("\n"):
        if not row:
            continue
        number, receiver, name, arguments, result = _ROW.fullmatch(row).groups()  # type: ignore
        variadic = arguments.endswith("...")
        columns = ([receiver] if receiver else []) + _split(arguments.removesuffix("..."))
        overloads = [
            Overload(tuple(map(read, choice)), read(result), bool(receiver), variadic)
            for choice in itertools.product(*(column.split("|") for column in columns))]
        known = found.get(name)
        found[name] = Function(name, number, (*(known.overloads if known else ()), *overloads))
    return found


def _split(arguments: str) -> list[str]:
    """At commas that stand in no brackets."""
    parts, depth = [""], 0
    for character in arguments:
        depth += (character == "(") - (character == ")")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]
