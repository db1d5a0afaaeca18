"""Wire, as seen from Python: heads and chunks, beside the parsers that are our oracles."""

import h11
import httptools

from benchmarks.texts import CHUNK, HEAD, RESPONSE_HEAD
from fastgw.wire.chunk import Chunks
from fastgw.wire.head import Head


def test_parse_a_request_head_of_17_fields(benchmark):
    head = Head()

    def parse():
        head.begin()
        return head.request(HEAD)

    assert benchmark(parse) == len(HEAD)


def test_parse_a_response_head_of_8_fields(benchmark):
    head = Head()

    def parse():
        head.begin()
        return head.response(RESPONSE_HEAD, "POST")

    assert benchmark(parse) == len(RESPONSE_HEAD)


def test_decode_a_chunk_of_one_event(benchmark):
    chunks = Chunks()

    assert benchmark(chunks.feed, CHUNK)[1]


def test_the_same_request_head_in_httptools(benchmark):
    benchmark(lambda: httptools.HttpRequestParser(object()).feed_data(HEAD))


def test_the_same_request_head_in_h11(benchmark):
    def parse():
        connection = h11.Connection(h11.SERVER)
        connection.receive_data(HEAD)
        return connection.next_event()

    assert benchmark(parse).method == b"POST"
