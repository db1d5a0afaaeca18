"""JSON answers: also when the answer is no.

Method: responses are built and their bodies read back.
"""

import json

from fastgw.admin.refusal import answer, refuse


def test_answers_are_json_whatever_they_hold():
    said = answer({"when": object, "n": 2**60})

    assert said.status_code == 200
    assert said.headers["content-type"] == "application/json"
    assert json.loads(said.body)["n"] == 2**60


def test_refusals_tell_programs_and_people():
    said = refuse(404, "not_found", "no such request")

    assert said.status_code == 404
    assert json.loads(said.body) == {"error": {"code": "not_found", "message": "no such request"}}
