"""Items of RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers), as text.

Made once at load, for admitted requests and for refusals; what changes is appended as they leave.
"""

from __future__ import annotations

_SECOND_NS = 1_000_000_000


def field_text(text: str) -> str:
    """What may stand in a header field: an operator's name for something can be any text."""
    return "".join(char if " " <= char <= "~" else "?" for char in text)


def item(name: str) -> str:
    """A limit's name as a structured-fields string (RFC 8941): visible ASCII, escaped."""
    return '"' + field_text(name).replace("\\", "\\\\").replace('"', '\\"') + '"'


def policy_item(name: str, capacity: int, period_ns: int) -> str:
    """`"pace";q=60;w=60`; a limit without a period (0) has no window."""
    window = f";w={max(1, -(-period_ns // _SECOND_NS))}" if period_ns else ""
    return f"{item(name)};q={capacity}{window}"
