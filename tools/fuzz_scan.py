"""Fuzzes the scanners and the dialects' kernels for a bounded time.

    PYTHONPATH=. python tools/fuzz_scan.py [--seconds 20] [--seed N]

Four games, in turn. JSON: random documents and mutants must be judged and valued as by orjson.
SSE: random bytes of the format must give the events that a plain reading of the rules gives. Asks:
a request body is never read otherwise because of how it was cut, and an edited body parses to what
was wished. Meters: a mutated answer never depends on its cuts. The first difference is printed
with its seed, and the exit code is 1.
"""

import argparse
import random
import sys
import time
import traceback
from pathlib import Path

import orjson

from fastgw.dialect.meter import Meter
from fastgw.dialect.request import Ask, Route

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "csrc"))
import test_json  # noqa: E402
from scan_native import EventReader, Scan  # noqa: E402

PARTS = [
    b"data", b"data:", b"data: ", b"event: x", b"event:", b"id: 1", b"id:\0", b"retry: 5",
    b": c", b":",
    b"\n", b"\r", b"\r\n", b"\n\n", b"\r\n\r\n", b"a", b" ", b"\xef\xbb\xbf", b"\xef", b"dat",
    b"x" * 40,
    b"[DONE]", b"{}",
]  # fmt: skip
CHUNK = {
    "id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "m", "usage": None,
    "choices": [{"index": 0, "delta": {"content": "a\"é\n"}, "finish_reason": None}],
}  # fmt: skip
USAGE = {
    "prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 2},
}  # fmt: skip
BODY = {
    "model": "m", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 9, "stream": True,
    "stream_options": {"include_usage": False}, "tools": [{"type": "function"}], "n": 2,
    "user": "u",
}  # fmt: skip
ROUTES = [
    Route("POST", f"/v1/{path}")
    for path in ("chat/completions", "responses", "messages", "embeddings")
]


def cut(raw: bytes, rng: random.Random) -> list[bytes]:
    marks = sorted(rng.randrange(len(raw) + 1) for _ in range(rng.randrange(1, 8)))
    return [raw[a:b] for a, b in zip([0, *marks], [*marks, len(raw)], strict=True)]


def plain_events(raw: bytes) -> list[tuple[str, str]]:
    """The rules of the format, read off the whole input at once."""
    if raw.startswith(b"\xef\xbb\xbf"):
        raw = raw[3:]
    lines = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")[:-1]
    events, name, taken = [], b"", None
    for line in lines:
        if not line:
            if taken is not None:
                events.append((name.decode("utf-8", "replace") or "message",
                               b"\n".join(taken).decode("utf-8", "replace")))  # fmt: skip
            name, taken = b"", None
            continue
        field, _, value = line.partition(b":")
        value = value[1:] if value.startswith(b" ") else value
        if field == b"data":
            taken = [*(taken or []), value]
        elif field == b"event":
            name = value
    return events


def play_json(rng: random.Random, scan: Scan) -> None:
    value = {"a": test_json.random_value(rng), "s": test_json.random_value(rng)}
    document = test_json.dump(value, rng)
    if rng.random() < 0.7:
        document = test_json.mutate(document, rng)
    expected = test_json.valid(document)
    for pieces in test_json.every_way(document, rng):
        assert (scan.read(*pieces) == 0) == expected, (document, pieces)
        if expected:
            test_json.check_values(scan, document, orjson.loads(document))


def play_sse(rng: random.Random) -> None:
    raw = b"".join(rng.choices(PARTS, k=rng.randrange(30)))
    for pieces in ([raw], cut(raw, rng), [raw[at : at + 1] for at in range(len(raw))]):
        reader = EventReader()
        for piece in pieces:
            reader.feed(piece)
        got = [(event["event"], event["data"]) for event in reader.events]
        assert got == plain_events(raw), pieces


def play_ask(rng: random.Random) -> None:
    members = rng.sample(sorted(BODY), rng.randrange(len(BODY) + 1))
    document = orjson.dumps({name: BODY[name] for name in members})
    if rng.random() < 0.5:
        document = test_json.mutate(document, rng)
    route = rng.choice(ROUTES)
    whole, pieces = Ask(route, document), Ask(route, *cut(document, rng))
    seen = [
        (one.error_number, one.model, one.stream, one.n, one.output_limit)
        for one in (whole, pieces)
    ]
    assert seen[0] == seen[1], document
    if whole.error_number == 1:
        assert not test_json.valid(document) or document.count(b"[") > 100, document
        return
    assert test_json.valid(document), document
    if whole.error:
        return
    edited, hide = whole.edited(output_limit=5, model='n"', include_usage=True)
    again = Ask(route, edited)
    assert (again.error, again.model) == ("", 'n"'), edited
    assert again.output_limit in ((None,) if route.operation == "embeddings" else range(6)), edited
    assert hide <= again.include_usage, edited


def play_meter(rng: random.Random) -> None:
    kinds = [CHUNK, {**CHUNK, "choices": [], "usage": USAGE}, {"error": {"a": 1}}]
    events, line = rng.choices(kinds, k=3), rng.choice([b"\n", b"\r\n"])
    body = b"".join(b"data: " + orjson.dumps(event) + line * 2 for event in events)
    body += b"data: [DONE]" + line * 2
    if rng.random() < 0.6:
        body = test_json.mutate(body, rng)
    states = []
    for pieces in ([body], cut(body, rng), [body[at : at + 1] for at in range(len(body))]):
        meter = Meter(rng.choice(["openai"]), "chat", streaming=True)
        for piece in pieces:
            meter.feed(piece)
        meter.end()
        states.append((meter.report, meter.usage(), meter.ever, meter.events, meter.output_bytes))
    assert states[0] == states[1] == states[2], body


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", type=int, default=time.time_ns() & 0xFFFFFFFF)
    asked = parser.parse_args()
    rng, rounds = random.Random(asked.seed), 0
    scan = Scan(test_json.NODES, test_json.ROOMS)
    stop = time.monotonic() + asked.seconds
    try:
        while time.monotonic() < stop:
            play_json(rng, scan)
            play_sse(rng)
            play_ask(rng)
            play_meter(rng)
            rounds += 1
    except AssertionError as difference:
        print(f"seed {asked.seed}, round {rounds}: {difference}")
        traceback.print_exc()
        return 1
    print(f"seed {asked.seed}: {rounds} rounds, no difference")
    return 0


if __name__ == "__main__":
    sys.exit(main())
