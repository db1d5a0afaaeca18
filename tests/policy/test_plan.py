"""A plan owns what its structs point into, for as long as anybody decides by it.

Method: policies and parts are dropped and rebuilt while garbage is collected; decisions that read
freed memory would change (and crash under a debug allocator).
"""

import gc

from tests.policy.configured import CHAT, policy

RULES = """
- {name: m, actions: [{type: restrict-models, config: {allow: ["gpt-*"], deny: ["gpt-5*"]}}]}
- {name: d, expressions: ["req.headers['x-a'] in ['one', 'two']"],
   actions: [{type: deny, config: {message: for one and two}}]}
- {name: p, actions: [{type: rate-limit,
                       config: {name: p, capacity: 1, per: 1s, bucket_key: ["'k'"]}}]}
"""


def decisions(built):
    return [
        built.decide({**CHAT, **facts}, "a")
        for facts in ({}, {"ai.model": "gpt-5"}, {"ai.model": "o3"}, {"req.headers.x-a": "two"})
    ]


def test_decisions_do_not_change_while_others_come_and_go():
    built = policy(RULES, keys=['access: {models: ["gpt-*", o3]}'])
    before = decisions(built)

    for i in range(50):
        policy(RULES.replace("gpt", f"other{i}"), keys=["access: {models: [x]}"])
        gc.collect(0)

    assert decisions(built) == before
    assert [(one["denied"], one["rule"]) for one in before] == [
        (False, None),
        (True, "m"),
        (True, "m"),
        (True, "d"),
    ]
    assert before[3]["message"] == "for one and two"
