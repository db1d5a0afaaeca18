"""Detect: how fast texts are looked at, and how much of what is there is found.

`python -m benchmarks.bench_detect` prints recall by kind and false finds by class of the corpus in
tests/detect/corpus.py; under `make benches` the times.
"""

import ctypes

import orjson

from tests.csrc.detect_native import KINDS, Job, find
from tests.detect.corpus import NEGATIVES, negatives, positives

SEED, COUNT = 20261121, 1000
PROSE = ("The internationalization of 2024 was characteristically straightforward: 12 of 350 "
         "people came, 3.5 % more than in 1999, and nobody complained about it. ")


def test_look_at_a_body_of_1_mb(benchmark):
    body = orjson.dumps({"messages": [{"role": "user", "content": PROSE * 6500}]})
    job = Job()
    out = ctypes.create_string_buffer(len(body) + 100)

    def look():
        return job.lib.shim_document(job.shim, 0, body, ctypes.c_size_t(len(body)), out,
                                     ctypes.c_size_t(len(out)))

    assert benchmark(look) == len(body)


def test_redact_a_body_of_1_mb_with_a_find_every_kilobyte(benchmark):
    body = orjson.dumps({"messages": [
        {"role": "user", "content": PROSE * 6 + "mail john@example.com "} for _ in range(1000)]})
    out = ctypes.create_string_buffer(2 * len(body))

    def look():
        job = Job()
        return job.lib.shim_document(job.shim, 0, body, ctypes.c_size_t(len(body)), out,
                                     ctypes.c_size_t(len(out)))

    assert benchmark.pedantic(look, rounds=5) < len(body)


def table() -> str:
    """Recall of each kind, false finds of each class of harmless text, precision over all."""
    lines, right, wrong = [f"seed {SEED}, {COUNT} texts each", "", "kind           recall"], 0, 0
    for kind in KINDS:
        kinds = [[one[2] for one in find(text.encode())] for text in positives(kind, COUNT, SEED)]
        hits = sum(kind in found for found in kinds)
        right += hits
        wrong += sum(other != kind for found in kinds for other in found)
        lines.append(f"{kind:<14} {hits / COUNT:7.2%}")
    lines += ["", "harmless text  false finds"]
    for name in NEGATIVES:
        found = sum(len(find(text.encode())) for text in negatives(name, COUNT, SEED))
        wrong += found
        lines.append(f"{name:<14} {found / COUNT:7.2%}")
    return "\n".join([*lines, "", f"precision      {right / (right + wrong):7.2%}"])


if __name__ == "__main__":
    print(table())
