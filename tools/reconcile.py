"""The mock's books beside the gateway's ledger: one entry a call, equal or inside its interval."""

import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fastgw.ledger.query import Ledger

_COUNTED = ("input_tokens", "output_tokens")


def _interval(attempt: dict[str, Any], name: str) -> tuple[int, int] | None:
    low_high = (attempt["usage"].get("interval") or {}).get(name)
    return None if low_high is None else (low_high[0], low_high[1])


def judge(line: dict[str, Any], decision: dict[str, Any] | None) -> tuple[str, str]:
    """How a billed line stands in the ledger, and why: equal, inside, or a contradiction
    (missing, doubled, open, unequal, outside)."""
    if decision is None:
        return "missing", "no decision of this request"
    found = [one for one in decision["attempts"] if one["number"] == line["attempt"]]
    if len(found) != 1:
        return ("doubled" if found else "missing"), f"{len(found)} entries of the attempt"
    attempt = found[0]
    if not attempt.get("fate"):
        return "open", "the attempt has no close"
    told = attempt["usage"]
    exact = told.get("provenance") == "provider"
    for name in _COUNTED:
        interval = _interval(attempt, name)
        if exact and told[name] != line[name]:
            return "unequal", f"{name} {told[name]} in the ledger, {line[name]} billed"
        if not exact and (interval is None or not interval[0] <= line[name] <= interval[1]):
            return "outside", f"{name} {line[name]} billed, {interval} in the ledger"
    return ("equal" if exact else "inside"), attempt["fate"]


def reconcile(lines: Iterable[dict[str, Any]], data_dir: Path) -> dict[str, Any]:
    """{"billed", "verdicts": {verdict: {fate or reason: n}}, "contradictions": [up to 20]}.

    A contradiction is any line that is neither equal nor inside.
    """
    verdicts: dict[str, Counter[str]] = {}
    contradictions: list[dict[str, Any]] = []
    billed = 0
    with Ledger(data_dir) as ledger:
        for line in lines:
            if not line["billed"]:
                continue
            billed += 1
            decision = ledger.decision(line["request_id"]) if line["request_id"] else None
            verdict, why = judge(line, decision)
            if verdict in ("equal", "inside"):
                verdicts.setdefault(verdict, Counter())[why] += 1
                continue
            verdicts.setdefault(verdict, Counter())["all"] += 1
            if len(contradictions) < 20:
                contradictions.append({"verdict": verdict, "why": why, "line": line})
    return {
        "billed": billed,
        "verdicts": {verdict: dict(counts) for verdict, counts in verdicts.items()},
        "contradictions": contradictions,
    }


def reconciled(lines: list[dict[str, Any]], data_dir: Path, within_s: float) -> dict[str, Any]:
    """`reconcile` as soon as nothing contradicts, or as it stands when the time is up."""
    deadline = time.monotonic() + within_s
    while True:
        told = reconcile(lines, data_dir)
        if not told["contradictions"] or time.monotonic() > deadline:
            return told
        time.sleep(0.2)
