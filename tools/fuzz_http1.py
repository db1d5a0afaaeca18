"""Fuzzes the HTTP/1.1 kernels against h11 and httptools for a bounded time.

    PYTHONPATH=. python tools/fuzz_http1.py [--seconds 20] [--seed N]

Each input is a mutated request or response (own samples, and the vectors where they are). What is
said may not depend on how the bytes are cut; no oracle may read a message otherwise without a
reason listed in tests/wire/oracles.py; what is written anew must read the same again.
"""

import argparse
import random
import sys
import time

from fastgw.wire.head import DROP_REQUEST, Head, field_id
from tests.wire.oracles import ORACLES, unexplained, unexplained_response
from tests.wire.series import read_bytewise, read_cut, read_whole, vectors

SAMPLES = [
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: h:80\r\nContent-Length: 5\r\n\r\n"
    b"helloGET / HTTP/1.1\r\n",
    b"POST /a?b=%20 HTTP/1.1\r\nHost: [::1]\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5;a=b\r\nhello\r\n0\r\nT: v\r\n\r\n",
    b"GET http://a.b:8/c?d HTTP/1.1\r\nHost: x\r\nConnection: close, X-A\r\n"
    b"X-A: 1\r\nExpect: 100-continue\r\n\r\n",
    b"\r\nOPTIONS * HTTP/1.0\r\nConnection: keep-alive\r\nA:\t b \r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nConnection: upgrade\r\nCookie: \x80\xff\r\n\r\n",
]
RESPONSES = [
    b"HTTP/1.1 200 OK\r\nContent-Type: a\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 103 x\r\nLink: y\r\n\r\nHTTP/1.1 429 \r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n0\r\n\r\n",
    b"\r\nHTTP/1.0 200 OK\r\nServer: a\r\n\r\nhello",
    b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
]
SPLICES = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\0",
    b":",
    b"\t",
    b" ",
    b",",
    b";",
    b"\x7f",
    b"\x80",
    b"_",
    b"0",
    b"1",
    b"f",
    b"\r\n\r\n",
    b"\r\n ",
    b"chunked",
    b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Host: b\r\n",
    b"Connection: te\r\n",
    b"0\r\n\r\n",
    b"HTTP/1.1",
    b"*",
    b"#",
    b"%",
    b"@",
    b"[",
    b'"',
]


def mutate(rng, corpus):
    raw = bytearray(rng.choice(corpus))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 5))):
        at = rng.randrange(len(raw) + 1)
        kind = rng.randrange(7)
        if kind <= 1:
            raw[at:at] = rng.choice(SPLICES)
        elif kind == 2:
            raw[at : at + 1] = rng.choice(SPLICES)
        elif kind == 3:
            del raw[at : at + rng.choice((1, 1, 2, 8))]
        elif kind == 4 and at < len(raw):
            raw[at] ^= 1 << rng.randrange(8)
        elif kind == 5:
            lines = bytes(raw).split(b"\r\n")
            lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))
            raw = bytearray(b"\r\n".join(lines))
        else:
            other = rng.choice(corpus)
            raw[at:] = other[rng.randrange(len(other) + 1) :]
    return bytes(raw)


def rewritten(raw):
    """The head written anew, without what a proxy drops; None if it is not complete and valid."""
    head = Head()
    if head.request(raw) <= 0:
        return None
    return head, head.request_line() + b"Host: a\r\n" + head.copy_fields(DROP_REQUEST) + b"\r\n"


def fault_of(raw, rng):
    """What is wrong about the way `raw` is read, or None."""
    whole = read_whole(raw)
    cuts = sorted(rng.randrange(len(raw) + 1) for _ in range(3))
    if read_bytewise(raw).said() != whole.said():
        return "byte by byte reads otherwise"
    if read_cut(raw, cuts).said() != whole.said():
        return f"cut at {cuts} reads otherwise"
    for name in ORACLES:
        difference = unexplained(raw, whole, name)
        if difference:
            return difference
    anew = rewritten(raw)
    if anew:
        head, text = anew
        again = Head()
        if again.request(text) != len(text):
            return f"written anew as {text!r}: {again.error}"
        dropped = head.dropped()
        kept = [
            field
            for field in head.fields()
            if field[0] not in dropped and not DROP_REQUEST >> field_id(field[0]) & 1
        ]
        if again.fields()[1:] != kept or again.path != head.path or again.query != head.query:
            return f"written anew as {text!r}: other fields"
    return None


def fault_of_response(raw, rng):
    """The same for a response to a GET or HEAD."""
    method = rng.choice(("GET", "GET", "HEAD"))
    whole = read_whole(raw, method)
    cuts = sorted(rng.randrange(len(raw) + 1) for _ in range(3))
    if read_bytewise(raw, method).said() != whole.said():
        return "byte by byte reads otherwise"
    if read_cut(raw, cuts, method).said() != whole.said():
        return f"cut at {cuts} reads otherwise"
    return unexplained_response(raw, whole, method)


CORPORA = {
    fault_of: (SAMPLES, "requests.jsonl"),
    fault_of_response: (RESPONSES, "responses.jsonl"),
}


def fuzz(judge, seconds, seed, inputs=None):
    """(inputs tried, [(input, fault)]) after `seconds`, or after a number of inputs."""
    rng = random.Random(seed)
    samples, name = CORPORA[judge]
    corpus = samples + [row["raw"] for row in vectors(name) if len(row["raw"]) < 2000]
    end, tried, faults = time.monotonic() + seconds, 0, []
    while time.monotonic() < end and (inputs is None or tried < inputs) and len(faults) < 20:
        raw = mutate(rng, corpus)
        fault = judge(raw, rng)
        tried += 1
        if fault:
            faults.append((raw, fault))
    return tried, faults


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    failed = 0
    for judge in CORPORA:
        tried, faults = fuzz(judge, options.seconds / len(CORPORA), options.seed)
        for raw, fault in faults:
            print(f"{fault}\n    {raw!r}")
        print(f"{judge.__name__}: {tried} inputs, {len(faults)} faults")
        failed += len(faults)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
