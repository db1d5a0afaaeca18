"""Stream: events scanned and metered as they pass, one at a time and in one read of 64."""

import orjson

from benchmarks.texts import EVENT
from fastgw.dialect.meter import Meter


def meter():
    return Meter("openai", "chat", streaming=True)


def test_meter_one_event(benchmark):
    feed = meter().feed

    assert len(benchmark(feed, EVENT)) == 1


def test_meter_64_events_in_one_read(benchmark):
    feed = meter().feed

    assert len(benchmark(feed, EVENT * 64)) == 64


def test_meter_an_event_of_8_mb_in_reads_of_64_kb(benchmark):
    long = EVENT.replace(b" word", b"word " * (8 * 1024 * 1024 // 5))
    reads = [long[at:at + 65536] for at in range(0, len(long), 65536)]

    def feed():
        scan = meter()
        return sum(len(scan.feed(read)) for read in reads)

    assert benchmark.pedantic(feed, rounds=1) == 1


def test_the_same_64_events_split_and_parsed_in_python(benchmark):
    def parse():
        return [orjson.loads(event[6:]) for event in (EVENT * 64).split(b"\n\n") if event]

    assert len(benchmark(parse)) == 64
