"""What `RateLimit-Policy` and `RateLimit` say of a limit (draft-ietf-httpapi-ratelimit-headers).

    RateLimit-Policy: "pace";q=60;w=60, "month";q=250000000;qu="micro-dollars"
    RateLimit: "pace";r=59;t=1, "month";r=249000000;t=86400

``q`` and ``r`` are integers there, so cost is in micro-dollars. ``w`` is left out where a window
has no fixed length (months) or no end, ``t`` where nothing resets (requests at a time).
"""

from __future__ import annotations

_SECOND_NS = 10**9
# Days and weeks last an hour less or more where the clocks change; `t` has the real end.
_CALENDAR_S = {"hour": 3600, "day": 86400, "week": 7 * 86400}
_QUOTA_UNITS = {
    "tokens": "tokens",
    "input_tokens": "input-tokens",
    "output_tokens": "output-tokens",
    "cost": "micro-dollars",
    "slots": "concurrent-requests",
}


def field_text(text: str) -> str:
    """What may stand in a header field: an operator's name for something can be any text."""
    return "".join(c if " " <= c <= "~" else "?" for c in text)


def item(name: str) -> str:
    """A structured-field string: visible ASCII only, escaped (RFC 8941 section 3.3.3)."""
    return '"' + field_text(name).replace("\\", "\\\\").replace('"', '\\"') + '"'


def policy_item(name: str, unit: str, capacity: int, period_ns: int, window: str = "") -> str:
    """``unit`` as in a configuration, or slots; ``window`` is that of a cap, or ''."""
    quota_unit = f';qu="{_QUOTA_UNITS[unit]}"' if unit in _QUOTA_UNITS else ""
    seconds = max(1, -(-period_ns // _SECOND_NS)) if period_ns else _CALENDAR_S.get(window, 0)
    length = f";w={seconds}" if seconds else ""
    return f"{item(name)};q={capacity}{quota_unit}{length}"
