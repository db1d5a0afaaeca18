"""Goal: an exchange that is used again knows nothing of the one before, and phases have one order.

Method: one worker reuses its exchange after a request with everything in it; another never had it.
"""

from fastgw.exchange import Phase

from fastgw.explain.catalogue import entries
from fastgw.ledger.records import Request
from tests.worker import chat, policy, request, response

RULES = policy({"name": "short", "expressions": ["ai.user == 'u-1'"], "actions": [
    {"type": "cap-output", "config": {"max_output_tokens": 9}},
    {"type": "rate-limit", "config": {"name": "pace", "unit": "requests", "capacity": 9,
                                      "per": "1h", "bucket_key": ["key.id"]}}]})
RICH = request(chat(user="u-1", n=2, stream=False, tools=[{"type": "function"}]),
               "X-Request-Id: mine", path="/providers/openai/v1/chat/completions")
OWN = {"id", "wall_ns", "phase_us"}


def told(one, client):
    """The answer's fields and the records of a plain request, without what is its own."""
    client.feed(request(chat()))
    got = one.upstream.taken()
    one.upstream.feed(response())
    records = [{name: getattr(record, name) for name in record.__slots__ if name not in OWN
                and name != "started_ns"} for record in one.records()]
    fields = {name: value for name, value in client.answer().fields.items()
              if name != "x-fastgw-request-id"}
    return fields, records, len(got)


def test_nothing_of_the_request_before_is_left(worker):
    used, fresh = worker(policy=RULES), worker(policy=RULES)
    client = used.connect()
    client.feed(RICH)
    used.upstream.taken()
    used.upstream.feed(response())
    assert client.answer().fields["x-fastgw-rule"] == "short"
    first = next(record for record in used.records() if isinstance(record, Request))
    assert first.limits and first.rules and first.tools and first.client_request_id

    assert told(used, client) == told(fresh, fresh.connect())


def test_nothing_of_a_refusal_is_left_either(worker):
    used, fresh = worker(), worker()
    client = used.connect()
    client.feed(request(b'{"model":7}'))
    client.answer()
    used.records()

    assert told(used, client) == told(fresh, fresh.connect())


def test_the_phases_stand_in_the_order_of_the_codes():
    order = [entries()[code].phase for code in sorted(entries()) if entries()[code].phase]
    numbers = [Phase[phase.upper()] for phase in order]

    assert numbers == sorted(numbers) and len(set(numbers)) >= 9
