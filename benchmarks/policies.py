"""Policies and keys that benches decide with: n rules, of which the last two match."""

import itertools
import json
import sys
from base64 import b64encode
from dataclasses import replace

from fastgw.config import Config, examine_text
from fastgw.config.model import Deny
from fastgw.policy.evaluate import facts_in_order
from fastgw.policy.policy import Policy
from fastgw.policy.scope import Scope

RULE = """
    - name: rule {i}
      expressions: ["ai.model.startsWith('other-{i}')", "key.tags.tier == 'free'"]
      actions: [{{type: deny, config: {{status_code: 403, message: "not this one"}}}}]"""
LAST = """
    - name: small answers
      expressions: ["ai.operation == 'chat'", "ai.max_output_tokens <= 4096"]
      actions: [{type: cap-output, config: {max_output_tokens: 512}}]
    - name: pace
      actions:
        - type: rate-limit
          config: {name: requests, unit: requests, capacity: 600, per: 60s, bucket_key: ["key.id"]}
        - type: rate-limit
          config: {name: tokens, unit: tokens, capacity: 100000, per: 60s,
                   bucket_key: ["key.id", "ai.model"]}
"""
HEAD = """
providers:
  - {id: openai, dialect: openai, base_url: "http://127.0.0.1:9/v1", keys: [{id: a, value: sk-x}]}
keys:
  - {id: bench, value: sk-fgw-bench, owner: {team: a}, tags: {tier: free}}
policy:
  on_http_request:"""
FACTS = {
    "req.method": "POST", "req.path": "/v1/chat/completions", "req.host": "127.0.0.1:8080",
    "req.size": 300, "conn.client_ip": "127.0.0.1", "ai.dialect": "openai",
    "ai.operation": "chat", "ai.provider": "", "ai.model": "gpt-4o", "ai.user": "u-1",
    "ai.stream": False, "ai.n": 1, "ai.input_tokens": 80, "ai.max_output_tokens": 256,
    "key.id": "bench", "key.tags.tier": "free",
}


def config(rules: int) -> Config:
    """A configuration whose policy has `rules` rules; the last two match FACTS."""
    text = HEAD + "".join(RULE.format(i=i) for i in range(rules - 2)) + LAST
    if rules == 1:
        text = HEAD + LAST[LAST.index("\n    - name: pace"):]
    made, errors, _ = examine_text(text, "bench.yaml")
    assert made is not None, errors
    return made


# What large policies are made of, each with its number: one key, team, model, network, feature or
# range of sizes. PLAIN ones are those that every implementation of CEL can evaluate.
PLAIN = (
    ("ai.model.startsWith('other-{i}-')", "key.tags.tier == 'free'"),
    ("key.id == 'key-{i}'",),
    ("ai.model == 'model-{j}' && key.owner.team == 'team-{k}'",),
    ("ai.operation == 'chat'", "ai.input_tokens >= {i}0 && ai.input_tokens < {i}9"),
    ("ai.model in ['a-{i}', 'b-{i}', 'c-{i}'] && !ai.stream",),
    ("key.owner.team == 'team-{k}' || key.id == 'boss-{i}'", "ai.max_output_tokens > 8000"),
)
OURS = (
    ("conn.client_ip in cidr('10.{h}.{l}.0/24')",),
    ("ai.model.glob('vendor-{i}/*')",),
    ("req.path.matches('^/lab-{i}/[0-9]+$')",),
)
MANY_FACTS = FACTS | {"key.owner.team": "team-7", "ai.max_output_tokens": 256}


def conditions(kinds: tuple[tuple[str, ...], ...]):
    """Without end: the expressions of one rule after the other."""
    for i in itertools.count():
        numbers = {"i": i, "j": i % 97, "k": i // 97, "h": i >> 8 & 255, "l": i & 255}
        yield tuple(text.format(**numbers) for text in kinds[i % len(kinds)])


def many(rules: int, kinds: tuple[tuple[str, ...], ...] = PLAIN + OURS) -> Config:
    """As ``config``, with so many rules of mixed kinds before the last two."""
    base = config(3)
    rule, last = base.rules[0], base.rules[-2:]
    rule = replace(rule, actions=(Deny(),))
    texts = itertools.islice(conditions(kinds), rules - len(last))
    first = rule.expressions[0]
    made = [replace(rule, name=f"rule {i}",
                    expressions=tuple(replace(first, text=text) for text in asked))
            for i, asked in enumerate(texts)]
    return replace(base, rules=(*made, *last))


def index_of(rules: int) -> dict:
    """The rule index of ``many``, and MANY_FACTS in the order that it reads them."""
    policy = Policy(many(rules))
    scope = Scope()
    scope.dynamic += policy.dynamic_facts
    return {"index": b64encode(policy.blob.index_bytes).decode(),
            "facts": facts_in_order(scope, MANY_FACTS)}


if __name__ == "__main__":  # for benches that run where compiling so many would take minutes
    json.dump(index_of(int(sys.argv[1])), sys.stdout)
