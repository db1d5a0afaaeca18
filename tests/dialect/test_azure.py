"""Goal: what Azure's API says no with.

Method: refusals' frames joined around a message, and events, read back beside OpenAI's. (SDK:
tests/journey/test_azure.py.)
"""

import orjson
import pytest

from fastgw.dialect import openai
from fastgw.dialect.azure import FACE, KINDS, error, shape, stream_error
from fastgw.dialect.face import Fault


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_refusal_is_openais_with_azures_code(kind):
    made = shape(kind, 429, "model", b'"fastgw":{"rule":')
    raw = made.opening + b"no" + made.rest + b'null,"request_id":"i' + made.end
    told = orjson.loads(raw)["error"]

    assert kind in openai.KINDS and (told["type"], told["code"]) == KINDS[kind]
    assert (told["message"], told["param"], told["fastgw"]) == (
        "no", "model", {"rule": None, "request_id": "i"})


@pytest.mark.parametrize("status, code", [
    (401, "401"), (404, "DeploymentNotFound"), (429, "429"), (503, "ServiceUnavailable"),
    (418, None), (599, "InternalServerError")])
def test_errors_by_status(status, code):
    assert error(Fault(status, "no"))["error"]["code"] == code


@pytest.mark.parametrize("operation", ["chat", "responses"])
def test_an_error_in_a_stream_is_an_event(operation):
    *_, line = stream_error(operation, Fault(500, "no")).strip().split(b"\n")
    told = orjson.loads(line.removeprefix(b"data: "))
    assert told["error"]["message"] == "no" and told["error"]["code"] == "InternalServerError"


def test_streams_end_as_openais_do():
    assert FACE.stream_end is openai.FACE.stream_end
