"""A tracer sees what each part of each expression came to, and changes nothing.

Method: a policy decided with and without one; through a worker as well, with a whole map.
"""

from tests.policy.configured import CHAT, policy
from tests.worker import chat, request, response
from tests.worker import policy as written

RULES = """
- name: one
  expressions: ["ai.n + 1 > 2 && ai.model == 'gpt-4o'", "key.tags.tier == 'free'"]
  actions: [{type: deny}]
"""


def test_every_part_is_shown_with_its_place_and_value():
    text = "ai.n + 1 > 2 && ai.model == 'gpt-4o'"
    built = policy(RULES)
    seen = {}
    plain = built.decide({**CHAT, "ai.n": 2})
    built.tracer = lambda rule, which, steps: seen.update({(rule, which): steps})

    assert built.decide({**CHAT, "ai.n": 2}) == plain
    shown = {text[start:end]: value["value"] for start, end, value in seen[0, 0]}
    assert shown["ai.n"] == 2 and shown["ai.n + 1"] == 3 and shown["ai.n + 1 > 2"] is True
    assert shown["ai.model == 'gpt-4o'"] is True and shown[text] is True
    assert seen[0, 1][-1][2] == {
        "type": "error", "code": "ABSENT", "message": "the request does not have it"}


def test_a_whole_request_is_seen(worker):
    one = worker(policy=written({
        "expressions": ["req.headers.exists(h, h == 'x-one')", "size(key.tags) > 9"],
        "actions": [{"type": "deny"}]}))
    seen = []
    one.plan.policy.tracer = lambda rule, which, steps: seen.append((which, steps[-1][2]["value"]))

    assert one.ask(request(chat(), "x-one: 1"), response())[1].status == 200
    assert seen == [(0, True), (1, False)]
