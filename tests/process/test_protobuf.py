"""Attempts as Protobuf: what Google's own library reads with the shipped .proto is what was sent.

Method: usage.proto is compiled by protoc (grpcio-tools); random events go there and back.
"""

import importlib
import sys
from pathlib import Path

import orjson
import pytest
from google.protobuf.json_format import MessageToDict

import fastgw.process
from fastgw.process.protobuf import encode, fields
from tests.csrc.ledger_native import seeded


@pytest.fixture(scope="module")
def attempt(tmp_path_factory):
    """The class of the message."""
    from grpc_tools import protoc

    out, folder = tmp_path_factory.mktemp("proto"), Path(fastgw.process.__file__).parent
    assert protoc.main(["", f"-I{folder}", f"--python_out={out}", "usage.proto"]) == 0
    sys.path.insert(0, str(out))
    try:
        return importlib.import_module("usage_pb2").Attempt
    finally:
        sys.path.remove(str(out))


def made(draw) -> dict:
    def value(kind: str, label: str):
        if label == "repeated":
            return [draw.choice(["", "a", "ü" * 200]) for _ in range(draw.randrange(5))]
        if label == "optional" and draw.random() < 0.3:
            return None
        if kind.startswith("map"):
            return {f"k{n}": draw.choice(["", "x", "日本"]) for n in range(draw.randrange(4))}
        if kind == "string":
            return draw.choice(["", "text", "\x00", "é" * 300])
        if kind == "bool":
            return draw.random() < 0.5
        top = {"uint32": 2**32, "uint64": 2**64, "int64": 2**63}[kind]
        return draw.choice([0, 1, 127, 128, top - 1, draw.randrange(top)])

    return {name: value(kind, label) for _, name, kind, label in fields()}


def test_what_google_s_library_reads_is_what_was_sent(attempt):
    draw = seeded("protobuf")
    for _ in range(300):
        event = made(draw)
        message = attempt.FromString(encode(event))
        for _, name, kind, label in fields():
            got = getattr(message, name)
            if label == "optional" and event[name] is None:
                assert not message.HasField(name)
            elif label == "repeated":
                assert list(got) == event[name]
            elif kind.startswith("map"):
                assert dict(got) == event[name]
            else:
                assert got == event[name], name
        assert attempt.FromString(message.SerializeToString()) == message


def test_the_fields_are_those_of_the_file(attempt):
    described = {field.number: field.name for field in attempt.DESCRIPTOR.fields}
    assert described == {number: name for number, name, _, _ in fields()}
    assert list(described) == list(range(1, len(described) + 1)), "none is ever reused"
    assert MessageToDict(attempt.FromString(encode({
        name: None if label == "optional" else {} if kind.startswith("map") else
        [] if label == "repeated" else "" if kind == "string" else 0
        for _, name, kind, label in fields()}))) == {}


def test_a_negative_number_is_ten_bytes_as_protobuf_has_it(attempt):
    event = made(seeded("negative")) | {"cost_nano_usd": -1}
    assert attempt.FromString(encode(event)).cost_nano_usd == -1


def test_the_providers_words_and_the_estimates_are_texts(attempt):
    """What is no text goes as JSON, and JSON that came goes letter by letter."""
    said = '{"a": 1.10,"b":12345678901234567890123}'
    event = made(seeded("words")) | {
        "provider_usage": [orjson.Fragment(said), '{"cut'],
        "estimates": {"output_tokens": {"by": "ratio", "error": [0.7, 1.2]}}}
    message = attempt.FromString(encode(event))
    assert list(message.provider_usage) == [said, '{"cut']
    assert dict(message.estimates) == {"output_tokens": '{"by":"ratio","error":[0.7,1.2]}'}


def test_who_reads_by_the_description_as_it_was_reads_on(tmp_path):
    """Old readers skip what they do not know; numbers are only ever added."""
    from grpc_tools import protoc

    folder = Path(fastgw.process.__file__).parent
    lines = (folder / "usage.proto").read_text().splitlines()
    old = "\n".join(line for line in lines if " = 48;" not in line and " = 49;" not in line)
    (tmp_path / "older.proto").write_text(old.replace("fastgw.usage.v1", "fastgw.usage.older"))
    assert protoc.main(["", f"-I{tmp_path}", f"--python_out={tmp_path}", "older.proto"]) == 0
    sys.path.insert(0, str(tmp_path))
    try:
        reader = importlib.import_module("older_pb2").Attempt
    finally:
        sys.path.remove(str(tmp_path))
    event = made(seeded("older")) | {"provider_usage": ["{}"], "estimates": {"input_tokens": "x"}}
    message = reader.FromString(encode(event))
    assert (message.id, message.input) == (event["id"], event["input"])
    assert not hasattr(message, "provider_usage")
