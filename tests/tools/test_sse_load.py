"""Goal: the load client counts what was sent, and sees every kind of ending.

Method: against the mock, whose books are the truth about events and cuts.
"""

from collections.abc import Iterator

import pytest

from fastgw.mock.runner import Mock
from tools.sse_load import Spread, Target, load


@pytest.fixture(scope="module")
def mock() -> Iterator[Mock]:
    with Mock("--no-lines") as provider:
        yield provider


def run(mock: Mock, asked: str, path: str = "/v1/chat/completions", **options: float) -> dict:
    mock.reset()
    target = Target(mock.url + path, x_mock=asked)
    return load(target, **{"streams": 5, "total": 20, "seconds": 10.0, **options})


@pytest.mark.parametrize(("path", "others"), [
    ("/v1/chat/completions", 3),        # role, finish, [DONE]
    ("/v1/messages", 6),                # start, block start, ping, block stop, delta, stop
])
@pytest.mark.parametrize("asked", ["events=7", "events=7,pace=1ms", "events=7,bytes=1"])
def test_whole_streams_are_counted(mock: Mock, path: str, others: int, asked: str) -> None:
    told = run(mock, asked, path)
    assert (told["streams"], told["completed"], told["truncated"]) == (20, 20, 0)
    assert told["events"] == 20 * (7 + others)
    assert mock.settled(20)
    assert told["first_event_ms"]["p50"] is not None


def test_pace_shows_in_the_gaps(mock: Mock) -> None:
    told = run(mock, "events=10,pace=10ms", total=5)
    # Single gaps may be short where one before them was long; ten of them take their time.
    assert told["gap_ms"]["p50"] > 5.0 and told["seconds"] >= 0.099


def test_cut_streams_are_truncated(mock: Mock) -> None:
    told = run(mock, "events=7,cut_after=3", streams=4, total=4)
    assert (told["completed"], told["truncated"], told["lost_connections"]) == (0, 4, 4)


def test_stream_without_its_last_event_is_truncated(mock: Mock) -> None:
    told = run(mock, "events=7,error_after=3", streams=2, total=6)
    assert (told["completed"], told["truncated"]) == (0, 6)


def test_time_is_up_for_streams_that_stall(mock: Mock) -> None:
    told = run(mock, "events=7,stall_after=3", streams=3, seconds=0.3)
    assert (told["completed"], told["unfinished"], told["truncated"]) == (0, 3, 0)
    assert mock.settled(3)["by"]["gpt-4o|mock"]["output_tokens"] == 9


def test_refusals_are_counted_by_status(mock: Mock) -> None:
    told = run(mock, "status=429", streams=3, total=3)
    assert told["statuses"] == {429: 3} and told["completed"] == 0


def test_only_loopback_and_bounded_loads_are_run() -> None:
    with pytest.raises(ValueError, match="loopback"):
        load(Target("http://192.0.2.1/v1/chat/completions"), total=1)
    for options in ({"streams": 10**6}, {"total": 10**9}, {"seconds": 10**4}):
        with pytest.raises(ValueError, match="bounds"):
            load(Target("http://127.0.0.1:1/v1/chat/completions"), **options)


def test_spread_gives_percentiles_to_a_tenth_of_a_millisecond() -> None:
    spread = Spread()
    assert spread.percentile_ms(0.5) is None
    for at in range(1, 101):
        spread.add(at / 1000 + 0.00001)
    assert (spread.percentile_ms(0.5), spread.percentile_ms(0.99)) == (50.0, 99.0)
