"""Goal: what OpenAI's API says no with, in its own words.

Method: refusals' frames joined around a message and read back; SDKs read the rest in test_faces.py
and test_face.py.
"""

import orjson
import pytest

from fastgw.dialect.face import Fault
from fastgw.dialect.openai import KINDS, error, shape


@pytest.mark.parametrize("kind", KINDS)
def test_a_refusal_has_the_type_of_its_kind(kind):
    made = shape(kind, 400, "model", b'"fastgw":{"rule":')
    told = orjson.loads(
        made.opening + b"no" + made.rest + b'null,"request_id":"id-1' + made.end)["error"]

    assert (told["type"], told["code"]) == KINDS[kind] and told["param"] == "model"
    assert told["message"] == "no" and told["fastgw"] == {"rule": None, "request_id": "id-1"}
    assert not made.repeats_id


def test_without_anything_of_ours_there_is_no_member_for_it():
    assert "fastgw" not in error(Fault(400, "no"))["error"]
