"""Recorded answers of providers (../shared/vectors/streams), and the ways to cut them."""

import gzip
import json
import random
from pathlib import Path

from fastgw.dialect.meter import Meter

STREAMS = Path(__file__).resolve().parents[3] / "shared/vectors/streams"
SEED = 20261121


def rows(*dialects: str, api: str = "") -> list[dict]:
    """The rows of these dialects whose api begins so; none where the vectors are absent."""
    manifest = STREAMS / "manifest.jsonl"
    if not manifest.exists():
        return []
    read = [json.loads(line) for line in manifest.read_text().splitlines()]
    return [row for row in read if row["dialect"] in dialects and row["api"].startswith(api)]


def names(found: list[dict]) -> list[str]:
    return [row["name"] for row in found]


def body_of(row: dict) -> bytes:
    if row["wire_file"] and row["wire_file"].endswith(".gzip"):
        return gzip.decompress((STREAMS / Path(row["wire_file"]).name).read_bytes())
    return (STREAMS / f"{row['name']}.bin").read_bytes()


def ways(body: bytes):
    """Whole, byte by byte, and at random cuts."""
    rng = random.Random(SEED)
    print("seed", SEED)
    yield [body]
    if len(body) < 300_000:
        yield [body[at : at + 1] for at in range(len(body))]
    for marks in (1, 3, 17, 200):
        at = sorted(rng.randrange(len(body) + 1) for _ in range(marks))
        yield [body[a:b] for a, b in zip([0, *at], [*at, len(body)], strict=True)]


def read(meter: Meter, pieces: list[bytes]) -> Meter:
    for piece in pieces:
        meter.feed(piece)
    meter.end()
    return meter


def state(meter: Meter):
    """All that a meter says, to be the same whatever the cut."""
    return (meter.report, meter.beside, meter.usage(), meter.billed, meter.ever, meter.events,
            meter.text_events, meter.output_bytes, meter.id, meter.model,
            meter.quotes)  # fmt: skip


def totals(classes: dict) -> tuple[int, int]:
    """Input and output, all classes."""
    inputs = ("input", "cached_input", "cache_write", "cache_write_1h", "audio_input",
              "image_input")
    return (sum(classes[name] for name in inputs),
            sum(value for name, value in classes.items() if name not in inputs))
