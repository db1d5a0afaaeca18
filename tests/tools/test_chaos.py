"""Goal: the chaos driver behaves as it says, and its comparison with the books has teeth.

Method: straight at the mock: without a gateway between them every call must be billed once,
and lines that are taken away, doubled or changed must be found.
"""

import time
from collections.abc import Iterator

import pytest

from fastgw.mock.runner import Mock
from tools.chaos import BEHAVIOURS, Plan, compare, mock_lines, run


@pytest.fixture(scope="module")
def mock() -> Iterator[Mock]:
    with Mock("--workers", "2") as provider:
        yield provider


def test_every_call_is_billed_once_whatever_its_client_does(mock: Mock) -> None:
    mock.reset()
    beats = []
    summary, calls = run(Plan(mock.url, clients=16, seconds=30.0, seed=3, calls_max=400),
                         disturb=lambda: beats.append(time.monotonic()), every_s=0.05)
    assert summary["calls"] == len(calls) == 400
    assert summary["disturbed"] == len(beats) >= 1
    assert {seen.behaviour for seen in calls} == {name for name, _ in BEHAVIOURS}
    assert {"whole", "left"} <= set(summary["outcomes"])
    assert not {"hung", "unanswered"} & set(summary["outcomes"])
    told = compare(calls, mock_lines(mock.url))
    assert told["billed"] == len(calls) and told["aborted"] > 0
    assert told["unbilled"] == told["unasked"] == told["repeated"] == told["unequal"] == []


def test_comparison_finds_what_does_not_agree(mock: Mock) -> None:
    mock.reset()
    _, calls = run(Plan(mock.url, clients=2, seconds=5.0, calls_max=30, seed=4,
                        behaviours=(("read", 1),)))
    lines = mock_lines(mock.url)
    plain = [seen.tag for seen in calls if not seen.stream]
    at = {line["tag"]: place for place, line in enumerate(lines)}
    gone, doubled, wrong = plain[:3]
    lines[at[wrong]]["output_tokens"] += 1
    lines.append(lines[at[doubled]])
    lines.append({**lines[0], "tag": "nobody"})
    del lines[at[gone]]
    told = compare(calls, lines)
    assert (told["unbilled"], told["repeated"], told["unasked"], told["unequal"]) == (
        [gone], [doubled], ["nobody"], [wrong])


def test_nobody_listening_is_unanswered_and_ends_in_time() -> None:
    begun = time.monotonic()
    summary, calls = run(Plan("http://127.0.0.1:9", clients=2, seconds=0.3))
    assert set(summary["outcomes"]) == {"unanswered"} and calls
    assert time.monotonic() - begun < 5


def test_only_loopback_is_disturbed() -> None:
    with pytest.raises(ValueError, match="loopback"):
        run(Plan("http://192.0.2.1:80"))
