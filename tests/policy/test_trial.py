"""Deciding many times decides as deciding once. Method: both on one policy."""

from fastgw.policy.candidates import candidates
from fastgw.policy.index import NUMBER, Atom, build
from fastgw.policy.trial import decide_often, walk_often
from tests.policy.configured import CHAT, policy

RULES = """
- name: a
  expressions: ["key.tags.tier == 'free'"]
  actions: [{type: cap-output, config: {max_output_tokens: 9}}]
- {name: b, expressions: ["ai.operation == 'chat'"], actions: [{type: deny}]}
- {name: c, actions: [{type: deny}]}
"""


def test_repeated_decisions_are_the_decision():
    compiled, facts = policy(RULES), CHAT | {"key.tags.tier": "free"}

    assert decide_often(compiled, facts, 1000) == len(compiled.decide(facts)["rules"]) == 2


def test_repeated_walks_find_the_candidates():
    block = build([[frozenset([Atom(NUMBER, 0, i // 3)])] for i in range(9)], 1).block

    assert walk_often(block, [1], 1000) == len(candidates(block, [1])) == 3
