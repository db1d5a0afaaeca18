"""The words for what records number: phases, fates, provenances, tiers, units, verdicts,
actions."""

PHASES = (
    "head",
    "dialect",
    "authenticate",
    "body",
    "identify",
    "policy",
    "route",
    "limit",
    "upstream",
    "stream",
    "usage",
    "settle",
    "explain",
)

FATES = (
    "open",
    "delivered",
    "cut by client",
    "cut by cap",
    "failed before first byte",
    "failed in stream",
    "retried away",
    "worker lost",
)

PROVENANCES = ("none", "provider", "counted", "estimated")

# How a point that no provider told was found (enum fgw_basis), and of what writing (fgw_writing).
BASES = ("none", "counted", "ratio", "rate", "bytes", "learned", "limit", "certain")
WRITINGS = ("prose", "code", "european", "cyrillic", "cjk", "other")
BY_WRITING = ("counted", "ratio", "rate")
# Of `bytes`: why the answer could not be read (enum fgw_unread).
UNREAD = ("", "content-encoding: br", "content-encoding: zstd", "content-encoding: another",
          "compressed, but broken")

# At whose price (enum fgw_tier).
TIERS = ("standard", "flex", "priority", "batch", "fast", "region", "reserved", "other")

UNITS = ("requests", "tokens", "input_tokens", "output_tokens", "cost", "slots")

LIMIT_VERDICTS = ("", "taken", "refused", "never", "undone", "table_full")

ACTIONS = (
    "",
    "deny",
    "rate-limit",
    "cap-output",
    "restrict-models",
    "usage-cap",
    "concurrency-limit",
    "custom-response",
    "restrict-ips",
    "cap-input",
    "route",
    "add-headers",
    "remove-headers",
    "set-vars",
    "log",
    "on-abort",
    "detect",
)


# What an action did, and what a shadow would have done: (did, verb of "would have …").
_DID = {
    "deny": ("deny", "denied"),
    "restrict-models": ("restrict-models", "denied"),
    "restrict-ips": ("restrict-ips", "denied"),
    "cap-input": ("cap-input", "denied"),
    "custom-response": ("custom-response", "answered"),
    "cap-output": ("cap-output: at most {} output tokens", "let at most {} output tokens pass"),
    "route": ("route: to candidates of its own", "routed to candidates of its own"),
    "add-headers": ("add-headers: {} added", "added header fields"),
    "remove-headers": ("remove-headers: {} names", "removed header fields"),
    "set-vars": ("set-vars: {} set", "set variables"),
    "log": ("log", "logged"),
    "detect": ("detect", "acted on what it found"),
    "on-abort": ("on-abort: drain, at most {} tokens more", "drained at most {} tokens more"),
}
_REFUSING = ("deny", "restrict-models", "restrict-ips", "cap-input")


def effect(action: str, value: int, code: int, enforced: bool) -> str:
    """What a rule's trace says of one action, in words."""
    if not action:
        return f"failed: FGW-{code:03d}" if code else "matched, without effect"
    if action == "detect" and not code:
        found = "detect: " + ("found" if value else "nothing found")
        return found if enforced else f"{found} (shadow: not enforced)"
    if action == "on-abort" and not value:
        return "on-abort: cancel" + ("" if enforced else " (shadow: not enforced)")
    did, would = _DID.get(action, (action, "taken part"))
    if not enforced:
        passed = action in _REFUSING and not code
        text = f"{action}: passes" if passed or action not in _DID else (
            f"would have {would.format(value)}" + (f": FGW-{code:03d}" if code else ""))
        return f"{text} (shadow: not enforced)"
    if code == 607:  # FIELD_REFUSED
        return f"{did.format(value)}, but fields were left out: FGW-607"
    return f"{action}: FGW-{code:03d}" if code else did.format(value)


def word(words: tuple[str, ...], number: int) -> str:
    """The word for a number; one of a newer writer is shown as it is."""
    return words[number] if 0 <= number < len(words) else f"#{number}"


def amount(number: int, unit: str) -> str:
    """For people: `1.25 dollars` for cost in micro-dollars, `12 tokens` else."""
    if unit == "cost":
        return f"{number / 1e6:.6f}".rstrip("0").rstrip(".") + " dollars"
    return f"{number} {unit.replace('_', ' ')}"
