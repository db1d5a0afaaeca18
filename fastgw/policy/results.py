"""What each action leaves for later rules under `actions.<type>.*`, and when it exists.

The order is that of the numbers in csrc/fgw_action_*.c. Results of limits are known only once
LIMIT has decided: in the response phase, and in `log`.
"""

from __future__ import annotations

_LIMIT = (("name", "string"), ("limited", "bool"), ("bucket_key", "string"), ("used", "int"),
          ("held", "int"), ("limit", "int"), ("remaining", "int"), ("taken", "int"),
          ("wait_ms", "int"), ("reset_ms", "int"))

# By type of action: (name, type) by number.
RESULTS: dict[str, tuple[tuple[str, str], ...]] = {
    "deny": (("denied", "bool"),),
    "custom-response": (("answered", "bool"),),
    "restrict-models": (("restricted", "bool"),),
    "restrict-ips": (("action", "string"), ("matched_cidr", "string")),
    "cap-input": (("exceeded", "bool"), ("input_tokens", "int"), ("max_input_tokens", "int")),
    "cap-output": (("max_output_tokens", "int"),),
    "route": (("provider", "string"), ("model", "string")),
    "add-headers": (("added", "int"), ("refused", "int")),
    "remove-headers": (("removed", "int"),),
    "set-vars": (("set", "int"),),
    "log": (("logged", "bool"),),
    "on-abort": (("action", "string"),),
    "rate-limit": _LIMIT,
    "usage-cap": _LIMIT,
    "concurrency-limit": _LIMIT,
}
_DETECT = (("found", "bool"), ("kinds", "list(string)"), ("count", "int"), ("redacted", "bool"),
           ("enforced", "bool"))
LIMITS = ("rate-limit", "usage-cap", "concurrency-limit")


def word(type: str) -> str:
    """The member of `actions` that an action's results stand under."""
    return type.replace("-", "_")


# Those of `detect` are of all its actions together.
OF_DETECT = frozenset(f"detect.{name}" for name, _ in _DETECT)
TYPES = {f"{word(type)}.{name}": kind
         for type, results in (RESULTS | {"detect": _DETECT}).items() for name, kind in results}
OF_LIMITS = frozenset(f"{word(type)}.{name}" for type in LIMITS for name, _ in RESULTS[type])
LATE = OF_LIMITS | OF_DETECT  # no rule of the request phase can know them
