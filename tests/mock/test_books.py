"""Goal: the books have every call once, with what was generated, however the call ended.

Method: aborts at known places against a paced or stalled mock, workers counted together, files
read after TERM; SDK figures are compared in test_openai_sdk and test_anthropic_sdk.
"""

import base64
import gzip
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import tiktoken

from fastgw.mock.runner import Mock
from fastgw.mock.words import WORDS, Words
from tests.mock.raw import KEY, answer, connect, request, until

VOCABULARIES = Path(__file__).parents[2] / ".." / "shared" / "data"
CLOSE = "connection: close\r\n"


def row(mock: Mock, calls: int = 1) -> dict:
    return mock.settled(calls)["by"][f"gpt-4o|{KEY}"]


def test_abort_before_the_first_byte_owes_the_input_only(mock: Mock) -> None:
    with connect(mock) as client:
        client.sendall(request("delay=30s,reasoning=5"))
        time.sleep(0.05)
        assert mock.books()["calls"] == 0
    booked = row(mock)
    assert booked["input_tokens"] == 6
    assert booked["output_tokens"] == booked["reasoning_tokens"] == 0
    assert mock.lines()[0]["aborted"] is True


def test_aborted_stream_owes_what_was_generated(mock: Mock) -> None:
    with connect(mock) as client:
        client.sendall(request("events=1000,pace=5ms,tokens_per_event=3,reasoning=7", stream=True))
        got = b""
        while got.count(b'"content":" ') < 4:
            got += until(client, b"\r\n")
        seen = got.count(b'"content":" ')
    booked = row(mock)
    assert booked["reasoning_tokens"] == 7
    assert (booked["output_tokens"] - 7) % 3 == 0
    # It may have generated a little more before it noticed, never less than what was read.
    assert 3 * seen <= booked["output_tokens"] - 7 < 3 * 1000


def test_bill_all_owes_the_whole_answer(mock: Mock) -> None:
    with connect(mock) as client:
        client.sendall(request("events=1000,pace=5ms,bill_all=1", stream=True))
        until(client, b'"content":" ')
    assert row(mock)["output_tokens"] == 1000


def test_client_that_does_not_read_stops_the_generation(mock: Mock) -> None:
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.connect(("127.0.0.1", mock.port))
        client.sendall(request("events=30000", stream=True))
        assert client.recv(1) == b"H"
        time.sleep(0.2)
    # The sockets' own buffers take some 4 of the 7.5 MB; the rest was never generated.
    assert 10 < row(mock)["output_tokens"] < 25_000
    assert mock.lines()[0]["aborted"] is True


def test_half_closed_client_is_gone(mock: Mock) -> None:
    with connect(mock) as client:
        client.sendall(request("delay=30s"))
        time.sleep(0.02)
        client.shutdown(1)
        assert client.recv(1) == b""
    assert row(mock)["output_tokens"] == 0


def test_each_call_has_an_id_of_its_own_in_answer_and_line(mock: Mock) -> None:
    ids = []
    with connect(mock) as client:
        for stream in (False, True, False):
            client.sendall(request(stream=stream))
            got = until(client, b"0\r\n\r\n" if stream else b"}}}")
            found = {part.split(b'"')[0] for part in got.split(b'"id":"')[1:]}
            assert len(found) == 1
            ids.append(found.pop().decode())
    assert len(set(ids)) == 3
    assert [line["id"] for line in mock.lines()] == ids


def test_rows_are_by_model_and_credential(mock: Mock) -> None:
    for model, key in (("a", "k1"), ("a", "k2"), ("b" * 300, "k1"), ("a", "k1")):
        sent = request(fields=CLOSE, model=model).replace(KEY.encode(), key.encode())
        answer(mock, sent)
    by = mock.settled(4)["by"]
    assert {key: one["calls"] for key, one in by.items() if len(key) < 9} == {"a|k1": 2, "a|k2": 1}
    assert len(by) == 3 and [line["model"] for line in mock.lines()][2] == "b" * 300


def test_reset_forgets_sums_and_lines(mock: Mock) -> None:
    answer(mock, request(fields=CLOSE))
    assert mock.books()["calls"] == 1
    mock.reset()
    assert mock.books() == {"calls": 0, "by": {}} and mock.lines() == []
    answer(mock, request(fields=CLOSE))
    assert row(mock)["calls"] == 1 and len(mock.lines()) == 1


def test_file_is_whole_at_term_and_after_50_ms(tmp_path: Path) -> None:
    file = tmp_path / "books.jsonl"
    with Mock("--events", "4", "--books", str(file)) as mock:
        for _ in range(5):
            answer(mock, request(fields=CLOSE))
        deadline = time.monotonic() + 10  # 50 ms are promised to a machine that has nothing else
        while len(file.read_text().splitlines()) < 5:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        client = connect(mock)
        client.sendall(request("stall_after=2", stream=True))
        until(client, b'"content":" ')
        time.sleep(0.05)
        client.close()
        answer(mock, request(fields=CLOSE))
        assert mock.stop() == 0
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert sorted(line["output_tokens"] for line in rows) == [2, 4, 4, 4, 4, 4, 4]


def test_workers_share_one_set_of_books(tmp_path: Path) -> None:
    file = tmp_path / "books.jsonl"
    with Mock("--workers", "3", "--events", "5", "--books", str(file)) as mock:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: answer(mock, request(fields=CLOSE)), range(60)))
        # Exact at once, whichever worker is asked.
        for _ in range(6):
            assert row(mock, 60)["output_tokens"] == 300
        lines = mock.lines()
        assert len({line["id"] for line in lines}) == 60
        assert len({line["id"].split("-")[1][:2] for line in lines}) > 1
        mock.reset()
        assert mock.books()["calls"] == 0
        assert mock.stop() == 0
    assert file.read_text() == ""


def test_keys_restrict_credentials() -> None:
    with Mock("--keys", "k1,k2") as mock:
        taken = [answer(mock, request(fields=CLOSE).replace(KEY.encode(), key))[9:12]
                 for key in (b"k1", b"k2", b"k3")]
    assert taken == [b"200", b"200", b"401"]


@pytest.mark.parametrize("name", ["o200k_base", "cl100k_base"])
def test_words_are_one_token_each(name: str) -> None:
    packed = VOCABULARIES / f"{name}.tiktoken.gz"
    if not packed.exists():
        pytest.skip(f"{packed} is not here: no vocabulary to count with")
    rows = (line.split() for line in gzip.decompress(packed.read_bytes()).splitlines() if line)
    ranks = {base64.b64decode(token): int(rank) for token, rank in rows}
    assert all(b" " + word.encode() in ranks for word in WORDS)
    coder = tiktoken.Encoding(name, pat_str=r" ?\p{L}+", mergeable_ranks=ranks, special_tokens={})
    assert len(coder.encode(Words(3).text(1, 4000, 500))) == 500


def test_text_depends_on_the_seed_alone() -> None:
    assert Words(1).text(0, 0, 50) == Words(1).text(0, 0, 50) != Words(2).text(0, 0, 50)
    whole = Words(1).text(2, 0, 5000)
    assert whole == Words(1).text(2, 0, 1234) + Words(1).text(2, 1234, 5000 - 1234)
