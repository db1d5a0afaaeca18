"""Policies and keys that benches decide with: n rules, of which the last two match."""

from fastgw.config import Config, examine_text

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
