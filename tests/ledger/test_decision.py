"""A decision is rendered from its records alone, in the shape of INTERFACE section 5.

Method: stories made of records; names from a real ledger.
"""

import ipaddress

import pytest

from fastgw.ledger.decision import Story, render
from fastgw.ledger.journal import name_hash
from fastgw.ledger.names import Names
from fastgw.ledger.records import (
    FATE_CUT_BY_CLIENT,
    NAME_REASON,
    NAME_REQUEST,
    UNBOUNDED,
    Close,
    Grant,
    Name,
    Open,
    RequestId,
    RuleTrace,
    Tokens,
)
from fastgw.ledger.ring import SUPERVISOR
from fastgw.ledger.span import Span
from fastgw.ledger.sqlite import open_reader
from fastgw.ledger.store import Store
from tests.ledger.fabricate import T0, close, dims, names, pace, request

ID = RequestId(1, 2, 3)
SHAPE = [
    "request_id",
    "time",
    "verdict",
    "status",
    "dialect",
    "operation",
    "model",
    "stream",
    "key",
    "policy_version",
    "code",
    "reason",
    "rules",
    "limits",
    "attempts",
    "usage",
    "phases_us",
]


@pytest.fixture
def known(tmp_path):
    records = b"".join(
        [*names(), Name(NAME_REASON, name_hash("too eager"), 0, "too eager").pack()]
    )
    Store(tmp_path).commit([Span(1, 0, 0, 0, len(records), records)])
    return Names(open_reader(tmp_path))


def told(names: Names, *records) -> dict:
    story = Story()
    for record in records:
        story.add(record)
    return render(story, names)


def test_an_allowed_request(known):
    found = told(
        known,
        request(ID, T0 + 123_456_789, phase_us=(5, 0, 7)),
        Open(ID, T0, 1, dims()),
        close(
            ID, T0 + 10**9, input=100, output=7, phase_us=(5, 0, 7, 0, 0, 0, 0, 0, 900), events=3
        ),
    )

    assert list(found)[: len(SHAPE)] == SHAPE
    assert found["request_id"] == "00000001-02-0000000003"
    assert found["time"] == "2027-01-15T08:00:00.123Z"
    assert (found["verdict"], found["status"], found["code"], found["reason"]) == (
        "allow",
        200,
        None,
        None,
    )
    assert (found["dialect"], found["operation"], found["model"]) == ("openai", "chat", "gpt-4o")
    assert found["key"] == {"id": "k1", "owner": {"team": "a"}, "tags": {"tier": "free"}}
    assert found["phases_us"] == {"head": 5, "authenticate": 7, "upstream": 900}
    (attempt,) = found["attempts"]
    assert (attempt["provider"], attempt["model"], attempt["events"]) == ("openai", "gpt-4o", 3)
    assert found["usage"] == {
        "input_tokens": 100,
        "cached_input_tokens": 0,
        "cache_write_tokens": 0,
        "output_tokens": 7,
        "reasoning_tokens": 0,
        "total_tokens": 107,
        "provenance": "provider",
        "interval": {"input_tokens": [100, 100], "output_tokens": [7, 7]},
    }
    assert found["cost_nano_usd"] == attempt["cost_nano_usd"] == 1000


def test_a_limit_tells_what_was_forgiven_before(known, tmp_path):
    given = Grant(T0, pace().identity, before=9, after=2).pack()
    Store(tmp_path).commit([Span(77, SUPERVISOR, 0, 0, len(given), given)])

    (limit,) = told(known, request(ID, T0 + 1, limits=[pace()]))["limits"]
    (sooner,) = told(known, request(ID, T0 - 1, limits=[pace()]))["limits"]

    assert limit["granted"] == 7 and "granted" not in sooner


def test_a_refused_request_says_which_limit_with_its_values(known):
    found = told(
        known,
        request(
            ID,
            verdict=1,
            status=429,
            code=801,
            rule=name_hash("per-key pace"),
            reason=name_hash("too eager"),
            phase=7,
            limits=[pace(used=60, verdict=2, held=4, wait_ns=1_500_001, reset_ns=60 * 10**9)],
            client_ip=ipaddress.IPv6Address("::ffff:192.0.2.7").packed,
        ),
    )

    assert (found["verdict"], found["status"], found["code"]) == ("deny", 429, "FGW-801")
    assert (found["reason"], found["rule"], found["phase"]) == (
        "too eager",
        "per-key pace",
        "limit",
    )
    assert found["limits"] == [
        {
            "name": "pace",
            "key": "k1",
            "unit": "requests",
            "used": 60,
            "held": 4,
            "limit": 60,
            "reset_ms": 60_000,
            "taken": 0,
            "needed": 1,
            "place": None,
            "verdict": "refused",
            "wait_ms": 2,
            "enforced": True,
            "degraded": False,
            "algorithm": "token_bucket",
            "period_ns": 60 * 10**9,
            "window": "",
            "time_zone": "",
        }
    ]
    assert found["attempts"] == [] and found["complete"]
    assert found["usage"]["total_tokens"] == 0 and found["usage"]["provenance"] == "none"
    assert found["client_ip"] == "192.0.2.7"


def test_rules_say_what_they_did(known):
    rules = [
        RuleTrace(name_hash("no robots"), 1, 0, 601),
        RuleTrace(name_hash("per-key pace"), 3, 1, 0, 512),
        RuleTrace(name_hash("per-key pace")),
    ]
    found = told(known, request(ID, rules=rules, rules_total=20))

    assert [(rule["name"], rule["enforced"], rule["effect"]) for rule in found["rules"]] == [
        ("no robots", False, "would have denied: FGW-601 (shadow: not enforced)"),
        ("per-key pace", True, "cap-output: at most 512 output tokens"),
        ("per-key pace", True, "matched, without effect"),
    ]
    assert found["rules_total"] == 20


def test_attempts_add_up_and_the_weakest_provenance_is_told(known):
    first = close(ID, attempt=1, fate=6, final=0, input=10, output=0)
    second = Close(
        ID,
        T0,
        2,
        FATE_CUT_BY_CLIENT,
        dims(),
        Tokens(input=5, cached_input=5, output=3, reasoning=2),
        10,
        10,
        5,
        UNBOUNDED,
        None,
        provenance=3,
        input_provenance=1,
        output_provenance=3,
        final=1,
    )
    found = told(
        known, request(ID), Open(ID, T0, 1, dims()), first, Open(ID, T0, 2, dims()), second
    )

    assert [one["fate"] for one in found["attempts"]] == ["retried away", "cut by client"]
    usage = found["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["reasoning_tokens"]) == (20, 5, 2)
    assert usage["provenance"] == "estimated"
    assert usage["interval"] == {"input_tokens": [20, 20], "output_tokens": [5, None]}
    assert found["cost_nano_usd"] is None and found["status"] is None
    assert found["attempts"][1]["usage"]["provenances"] == {
        "input_tokens": "provider",
        "output_tokens": "estimated",
    }


def test_closes_alone_still_tell_a_story(known):
    found = told(known, close(ID))

    assert (found["verdict"], found["model"], found["complete"]) == ("allow", "gpt-4o", True)
    assert found["rules"] == found["limits"] == [] and found["policy_version"] == ""


def test_names_that_were_lost_show_as_their_hash(known):
    found = told(known, request(ID, dims=dims(key="stranger", model="other"), policy_version=255))

    assert found["model"] == f"?{name_hash('other'):016x}"
    assert found["key"]["id"].startswith("?") and found["policy_version"] == "00000000000000ff"


def test_a_clients_own_id_is_kept(known):
    found = told(known, request(ID), Name(NAME_REQUEST, 1, 0, "their-id", ID))

    assert found["client_request_id"] == "their-id"


def test_a_story_without_records_is_not_known():
    assert not Story().known
