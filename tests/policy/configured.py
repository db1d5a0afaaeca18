"""A policy from a few lines of YAML."""

from fastgw.config import examine_text
from fastgw.policy.policy import Policy

PROVIDERS = """
providers:
  - {id: openai, dialect: openai, base_url: "http://[::1]:1"}
  - {id: other, dialect: openai, base_url: "http://[::1]:2"}
"""
HASH = "sha256:" + "0" * 62
CHAT = {"ai.model": "gpt-4o", "ai.operation": "chat", "req.method": "POST", "key.id": "a"}


def config(rules="", keys=(), more=""):
    """``rules``: the list of on_http_request; ``keys``: what stands in each key, ids a, b, …"""
    text = PROVIDERS + more
    if rules:
        lines = "\n".join("    " + line for line in rules.strip("\n").splitlines())
        text += "policy:\n  on_http_request:\n" + lines + "\n"
    if keys:
        text += "keys:\n" + "".join(
            f'  - {{id: {chr(97 + i)}, hash: "{HASH}{i:02d}", {key}}}\n'
            for i, key in enumerate(keys)
        )
    loaded, errors, _ = examine_text(text, "f.yaml", {})
    assert errors == [], "\n".join(map(str, errors))
    return loaded


def policy(*args, **kwargs):
    return Policy(config(*args, **kwargs))
