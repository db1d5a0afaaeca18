"""Broken actions; the form is that of tests/config/broken.py."""

from fastgw.config.actions import ELSEWHERE
from tests.config.broken import A0, action

FIELDS = ["Connection", "keep-alive", "TE", "transfer-encoding", "upgrade", "content-length",
          "Content-Encoding", "host", "expect", "x-fastgw-code", "RateLimit"]
CREDENTIALS = ["Authorization", "x-api-key", "api-key", "X-Goog-Api-Key", "cookie"]

CASES = {
    "blocks": (action("{type: restrict-ips, config: {allow: [§10.0.0.0/33]}}"),
               f"{A0}.config.allow[0]", "a block of IP addresses", "10.0.0.0/8"),
    "no block": (action("{type: restrict-ips, config: §{allow: []}}"), f"{A0}.config",
                 "neither allow nor deny", "10.0.0.0/8"),
    "policies of ngrok": (action("{type: restrict-ips, config: {ip_policies: §[a]}}"),
                          f"{A0}.config.ip_policies", "ngrok's account", "write their blocks"),
    "status": (action("{type: custom-response, config: {status_code: §101}}"),
               f"{A0}.config.status_code", "200 to 599", ""),
    "body of nothing": (
        action("{type: custom-response, config: {status_code: 204, body: §x}}"),
        f"{A0}.config.body", "has no body", "another status_code"),
    "cap of nothing": (action("{type: cap-input, config: {max_input_tokens: §0}}"),
                       f"{A0}.config.max_input_tokens", "from 1", ""),
    "route to nobody": (action("{type: route, config: {provider: §opena}}"),
                        f"{A0}.config.provider", "no provider has the id", "'openai'"),
    "route to no model": (action("{type: route, config: {model: §gpt}}"),
                          f"{A0}.config.model", "no entry of `models`", "which provider"),
    "route to nothing": (action("{type: route, config: §{}}"), f"{A0}.config",
                         "neither provider, nor model", "provider: openai"),
    "route twice": (
        action("{type: route, config: §{provider: openai, "
               "candidates: [{provider: openai, model: m}]}}"),
        f"{A0}.config", "candidates, and a provider", "remove one"),
    "drain of nothing": (action("{type: on-abort, config: {then: drain, max_tokens: §0}}"),
                         f"{A0}.config.max_tokens", "from 1", ""),
    "drain for ever": (action("{type: on-abort, config: {then: drain, max_seconds: §86401}}"),
                       f"{A0}.config.max_seconds", "to 86400", ""),
    "bounds of a cancel": (action("{type: on-abort, config: {then: cancel, max_seconds: §5}}"),
                           f"{A0}.config.max_seconds", "bounds a drain", "remove"),
    "no name": (action('{type: add-headers, config: {headers: {§"a b": x}}}'),
                f"{A0}.config.headers.a b", "is no name", ""),
    "two lines": (action('{type: add-headers, config: {headers: {a: §"x\\ny"}}}'),
                  f"{A0}.config.headers.a", "a control character", "without"),
    "variable": (action('{type: set-vars, config: {vars: {§"a-b": x}}}'),
                 f"{A0}.config.vars.a-b", "is no name", ""),
    "metadata": (action("{type: log, config: §{}}"), f"{A0}.config.metadata",
                 "'metadata' is missing", ""),
    "per and rate": (
        action("{type: rate-limit, config: {name: a, capacity: 1, per: §1s, rate: 1s}}"),
        f"{A0}.config.per", "both per and rate", ""),
} | {
    f"add {name}": (action(f"{{type: add-headers, config: {{headers: {{{name}: §x}}}}}}"),
                    f"{A0}.config.headers.{name}", f"no rule can add '{name}'", "leave it out")
    for name in FIELDS + CREDENTIALS + ["set-cookie"]
} | {
    f"remove {name}": (action(f"{{type: remove-headers, config: {{headers: [§{name}]}}}}"),
                       f"{A0}.config.headers[0]", f"no rule can remove '{name}'", "leave it out")
    for name in FIELDS + CREDENTIALS
} | {
    f"type {kind}": (action(f"{{type: §{kind}}}"), f"{A0}.type",
                     f"{kind} is no action of this gateway", "")
    for kind in ELSEWHERE
}
