"""The words for what records number: phases, fates, provenances, units, verdicts, actions."""

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
    "detect",
)


def word(words: tuple[str, ...], number: int) -> str:
    """The word for a number; one of a newer writer is shown as it is."""
    return words[number] if 0 <= number < len(words) else f"#{number}"


def amount(number: int, unit: str) -> str:
    """For people: `1.25 dollars` for cost in micro-dollars, `12 tokens` else."""
    if unit == "cost":
        return f"{number / 1e6:.6f}".rstrip("0").rstrip(".") + " dollars"
    return f"{number} {unit.replace('_', ' ')}"
