"""`fastgw explain`: one decision, as JSON from the ledger, told to people."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from fastgw.explain import catalogue
from fastgw.explain.refusal import change, duration


def complete(decision: dict[str, Any]) -> dict[str, Any]:
    """The decision with what the catalogue knows: a reason where none was recorded, and `change`,
    the
    smallest change that would have passed (null where it was allowed)."""
    known = _entry(decision)
    done = dict(decision)
    if known is not None and not done.get("reason"):
        done["reason"] = known.title
    denied = decision["verdict"] == "deny"
    done["change"] = None
    if denied and known is not None:
        done["change"] = change(
            decision["code"],
            decision["limits"],
            decision.get("input_estimate") or 0,
            decision.get("input_high") or 0,
            decision.get("answers") or 0,
            decision["operation"],
        )
    return done


def render(decision: dict[str, Any]) -> str:
    """Plain text, a few lines to a screen."""
    return "\n".join(map(plain, _lines(complete(decision)))) + "\n"


def plain(text: str) -> str:
    """What is no visible sign is shown as its escape: names come from clients, and a terminal
    would do what control characters say."""
    return text if text.isprintable() else "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )


def _lines(one: dict[str, Any]) -> Iterator[str]:
    where = f"  instance {one['instance']}" if one.get("instance") else ""
    yield f"{one['request_id']}  {one['time']}{where}"
    yield _headline(one)
    if one["verdict"] == "deny" or one["code"]:
        yield from _why(one)
    yield from _who(one)
    if one["rules"]:
        yield "rules that matched"
        for rule in one["rules"]:
            yield f"  {rule['name']}: {rule['effect']}"
        more = one.get("rules_total", 0) - len(one["rules"])
        if more > 0:
            yield f"  and {more} more"
    if one["limits"]:
        yield "limits at that instant"
        yield from map(_limit_line, one["limits"])
    if one["attempts"]:
        yield "attempts"
        for attempt in one["attempts"]:
            yield from _attempt_lines(attempt)
        yield "usage, all attempts"
        yield f"  {_usage(one['usage'])}"
        yield f"  cost {_cost(one.get('cost_nano_usd'))}"
    if one["phases_us"]:
        spent = ", ".join(f"{name} {us}" for name, us in one["phases_us"].items())
        yield f"time by phase, us: {spent}"
    if not one.get("complete", True):
        yield "still running: its last record is not written yet"


def _headline(one: dict[str, Any]) -> str:
    word = "DENIED" if one["verdict"] == "deny" else "allowed"
    status = f" {one['status']}" if one["status"] else ""
    stream = ", streamed" if one["stream"] else ""
    what = " ".join(part for part in (one["dialect"], one["operation"]) if part)
    model = f" for {one['model']}" if one["model"] else ""
    return f"{word}{status}: {what}{model}{stream}"


def _why(one: dict[str, Any]) -> Iterator[str]:
    yield "why"
    yield f"  {one['code']}: {one['reason']}" if one["code"] else f"  {one['reason']}"
    if one.get("rule"):
        yield f"  rule: {one['rule']}"
    for limit in one["limits"]:
        if limit["verdict"] in ("refused", "never", "table_full") and limit.get("enforced", True):
            yield f"  limit: {_limit_text(limit)}"
    if one.get("sampled"):
        yield "  this record is a sample: more refusals of its sort came, see their counts"
    known = _entry(one)
    if known is not None:
        yield f"  cause: {known.cause}"
    if one.get("change"):
        yield f"  {one['change']}"


def _who(one: dict[str, Any]) -> Iterator[str]:
    key = one["key"]
    if key:
        marks = {**(key.get("owner") or {}), **(key.get("tags") or {})}
        shown = ", ".join(f"{name}={value}" for name, value in marks.items())
        yield f"key {key['id']}" + (f" ({shown})" if shown else "")
    asked = []
    if one.get("input_estimate"):
        asked.append(f"about {one['input_estimate']} input tokens")
    if one.get("max_output_tokens"):
        why = " (what a cap had left)" if one.get("output_fitted") else ""
        asked.append(f"at most {one['max_output_tokens']} output tokens{why}")
    if one.get("unbounded"):
        asked.append("inputs that nothing bounds, which the caps let pass")
    if one.get("client_ip"):
        asked.append(f"from {one['client_ip']}")
    if one.get("labels"):
        asked.append("labels " + ", ".join(one["labels"]))
    if asked:
        yield "asked " + ", ".join(asked)
    if one["policy_version"]:
        yield f"policy {one['policy_version']}"


def _limit_line(limit: dict[str, Any]) -> str:
    shadow = "" if limit.get("enforced", True) else " (shadow)"
    alone = ", degraded: decided without the cluster's store" if limit.get("degraded") else ""
    return f"  {limit['verdict']:<8} {_limit_text(limit)}{shadow}{alone}"


def _limit_text(limit: dict[str, Any]) -> str:
    whose = f" for {limit['key']}" if limit["key"] else ""
    unit = "" if limit["unit"] == "cost" else f" {limit['unit']}"
    text = (
        f"{limit['name']}{whose}: {_in_unit(limit['used'], limit)} of "
        f"{_in_unit(limit['limit'], limit)}{unit} {_span(limit)}"
    )
    if limit["held"]:
        text += f" ({_in_unit(limit['held'], limit)} held by running requests)"
    if limit["taken"]:
        text += f", this request {_in_unit(limit['taken'], limit)}"
    if limit.get("granted"):
        text += f", {_in_unit(limit['granted'], limit)} forgiven before"
    if limit.get("needed"):
        text += f", this request needs {_in_unit(limit['needed'], limit)}"
    if limit.get("place"):
        text += f", it was number {limit['place']} in the queue"
    if limit["reset_ms"]:
        text += f", {_ENDS.get(_algorithm(limit), 'free again')} in "
        text += duration(limit["reset_ms"] * 1_000_000)
    return text


# What happens when a limit resets: a sliding window has then forgotten all that counts now.
_ENDS = {"token_bucket": "full again", "cap": "next window", "fixed_window": "next window"}


def _span(limit: dict[str, Any]) -> str:
    """Over what a limit counts: `used`, `used within the last 60 s`, `used this month (UTC)`,
    `in use`."""
    algorithm, window = _algorithm(limit), limit.get("window", "")
    if algorithm == "concurrency":
        return "in use"
    if window:
        zone = f" ({limit['time_zone']})" if limit.get("time_zone") else ""
        words = {"day": "today", "total": "in total"}
        return f"used {words.get(window, 'this ' + window)}{zone}"
    if algorithm in ("fixed_window", "sliding_window") and limit.get("period_ns"):
        within = "within the last" if algorithm == "sliding_window" else "in a window of"
        return f"used {within} {duration(limit['period_ns'])}"
    return "used"


def _algorithm(limit: dict[str, Any]) -> str:
    if limit["unit"] == "slots":
        return "concurrency"
    return limit.get("algorithm") or "token_bucket"


def _attempt_lines(attempt: dict[str, Any]) -> Iterator[str]:
    status = f" {attempt['status']}" if attempt["status"] else ""
    code = f" {attempt['code']}" if attempt.get("code") else ""
    took = f", {attempt['duration_ms']:.0f} ms" if attempt.get("duration_ms") else ""
    yield (
        f"  {attempt['number']}. {attempt['provider']}/{attempt['model']}: "
        f"{attempt['fate']}{status}{code}{took}"
    )
    if attempt["usage"] is not None:
        yield f"     {_usage(attempt['usage'])}, cost {_cost(attempt['cost_nano_usd'])}"
        yield from _estimate_lines(attempt["usage"].get("estimates", {}))
    for quote in attempt.get("provider_usage", ()):
        said = quote if isinstance(quote, str) else json.dumps(quote, ensure_ascii=False)
        yield f"     as the provider told it: {said}"
    if attempt.get("overrun_tokens"):
        spent = _cost(attempt.get("overrun_nano_usd") or None)
        yield (
            f"     {attempt['overrun_tokens']} of these tokens lie beyond the ceiling held for it"
            f" (cost {spent}): overrun"
        )


def _usage(usage: dict[str, Any]) -> str:
    parts = [_counted(usage, "input_tokens", "input")]
    if usage["cached_input_tokens"]:
        parts.append(f"{usage['cached_input_tokens']} of it cached")
    if usage["cache_write_tokens"]:
        parts.append(f"{usage['cache_write_tokens']} of it cache writes")
    parts.append(_counted(usage, "output_tokens", "output"))
    if usage["reasoning_tokens"]:
        parts.append(f"{usage['reasoning_tokens']} of it reasoning")
    return ", ".join(parts) + f" ({usage['provenance']})"


def _counted(usage: dict[str, Any], field: str, name: str) -> str:
    low, high = usage["interval"][field]
    point = usage[field]
    if low == high == point:
        return f"{point} {name}"
    return f"{point} {name} (between {low} and {'no known bound' if high is None else high})"


_BASES = {
    "bytes": "a token for ten bytes of a compressed body that could not be read",
    "learned": "by its bytes, and what was told of others of this model",
    "limit": "the limit in force: it runs on, and nobody tells how far",
    "certain": "what is certain, a token an event",
    "counted": "counted by its tokenizer",
}


def _estimate_lines(estimates: dict[str, Any]) -> Iterator[str]:
    """How the points that nobody told were found, and their error: apart from what is certain."""
    for field, one in estimates.items():
        how = _BASES.get(one["by"], one["by"])
        if "reason" in one:
            how += f" ({one['reason']})"
        if one.get("ratio") and one["by"] != "counted":
            unit = "a byte" if one["by"] == "rate" else "one of o200k_base"
            how = f"{one['ratio']} for {unit} ({one['family'] or 'unknown family'})"
        if "writing" in one:
            how += f", {one['writing']}" + (", by a sample" if one["sampled"] else "")
        if one.get("error"):
            how += ", 98 % of such texts {} to {} times that".format(*one["error"])
        yield f"     {field.removesuffix('_tokens')} estimated: {how}"


def _cost(nano_usd: int | None) -> str:
    if nano_usd is None:
        return "unknown (no price for this model)"
    return f"${nano_usd / 1e9:.9f}".rstrip("0").rstrip(".")


def _in_unit(number: int, limit: dict[str, Any]) -> str:
    if limit["unit"] == "cost":
        return f"${number / 1e6:.6f}".rstrip("0").rstrip(".")
    return str(number)


def _entry(decision: dict[str, Any]) -> catalogue.Entry | None:
    try:
        return catalogue.entry(decision["code"]) if decision["code"] else None
    except (KeyError, ValueError):
        return None  # of a newer writer
