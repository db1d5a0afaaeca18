"""The OpenAPI document holds together.

Method: every reference is followed; that it has exactly the routes there are is in test_api.py.
"""

import json

from fastgw.admin import openapi


def test_every_reference_leads_to_a_schema_and_every_schema_is_used():
    document = openapi.document()
    text = json.dumps(document)
    used = {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}

    assert used == set(document["components"]["schemas"])


def test_only_the_probes_need_no_token():
    open_paths = {
        path for path, calls in openapi.document()["paths"].items()
        if calls.get("get", {}).get("security") == []
    }

    assert open_paths == {"/healthz", "/readyz"}


def test_every_call_names_its_refusals():
    for path, calls in openapi.document()["paths"].items():
        for call in calls.values():
            assert call["summary"]
            expected = set() if path in ("/healthz", "/readyz") else {"401"}
            assert expected <= set(call["responses"]), path
