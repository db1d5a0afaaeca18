"""Goal: what Anthropic's API says no with, in its own words.

Method: refusals' frames joined around a message and read back; SDKs read the rest in test_faces.py
and test_face.py.
"""

import orjson
import pytest

from fastgw.dialect.anthropic import KINDS, error, shape
from fastgw.dialect.face import Fault


@pytest.mark.parametrize("kind", KINDS)
def test_a_refusal_has_the_type_of_its_kind_and_its_id_twice(kind):
    made = shape(kind, 400, None, b'"fastgw":{"rule":')
    told = orjson.loads(made.opening + b"no" + made.rest + b'null,"request_id":"id-1' + made.end
                        + b'id-1"}')

    assert told["error"]["type"] == KINDS[kind] and told["error"]["message"] == "no"
    assert told["request_id"] == told["error"]["fastgw"]["request_id"] == "id-1"
    assert made.repeats_id


def test_an_error_names_its_request_at_the_top():
    told = error(Fault(529, "no", fastgw={"request_id": "id-1"}))

    assert told["request_id"] == "id-1" and told["error"]["type"] == "overloaded_error"
