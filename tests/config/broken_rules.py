"""Broken rules and expressions; the form is that of tests/config/broken.py."""

from tests.config.broken import A0, R0, RULES, action, pace, rule

# name: (file, key, words of the message, words of the suggestion)
CASES = {
    "rule twice": (
        RULES + "    - {name: r, actions: [{type: deny}]}\n"
        "    - {name: §r, actions: [{type: deny}]}\n",
        "policy.on_http_request[1].name",
        "two rules are named 'r'",
        "own name",
    ),
    "rule enforce": (RULES + "    - {enforce: §maybe}\n", f"{R0}.enforce", "true or false", ""),
    "action without type": (action("§{config: {}}"), A0, "needs its 'type'", "deny | cap-output"),
    "action unknown": (
        action("type: §rate-limiter"),
        f"{A0}.type",
        "expected one of",
        "did you mean 'rate-limit'?",
    ),
    "action without config": (
        action("§{type: cap-output}"),
        f"{A0}.config",
        "'config' is missing",
        "add config",
    ),
    "deny status": (
        action("{type: deny, config: {status_code: §200}}"),
        f"{A0}.config.status_code",
        "400 to 599",
        "",
    ),
    "deny message": (
        action('{type: deny, config: {message: §"no ${ai.modell}"}}'),
        f"{A0}.config.message",
        "unknown variable 'ai.modell'",
        "'ai.model'",
    ),
    "cap of nothing": (
        action("{type: cap-output, config: {max_output_tokens: §0}}"),
        f"{A0}.config.max_output_tokens",
        "from 1",
        "",
    ),
    "models of nothing": (
        action("{type: restrict-models, config: §{}}"),
        f"{A0}.config",
        "neither allow nor deny",
        "allow: [",
    ),
    "limit typo": (
        action("{type: rate-limit, config: {name: p, §capasity: 3, per: 60s}}"),
        f"{A0}.config.capasity",
        "unknown key",
        "did you mean 'capacity'?",
    ),
    "limit unit": (
        pace("unit: §request"),
        f"{A0}.config.unit",
        "one of requests",
        "did you mean 'requests'?",
    ),
    "limit of nothing": (
        action("{type: rate-limit, config: {name: p, capacity: §0, per: 1m}}"),
        f"{A0}.config.capacity",
        "lets nothing pass",
        "deny rule",
    ),
    "limit too fast": (
        action("{type: rate-limit, config: {name: p, capacity: §9, per: 1ns}}"),
        f"{A0}.config.capacity",
        "nanosecond",
        "longer period",
    ),
    "limit of two meanings": (
        pace("unit: requests")
        + "        - {type: rate-limit, config: {name: §pace, capacity: 8, per: 1m}}\n",
        f"{R0}.actions[1].config.name",
        "has other values on line",
        "another name",
    ),
    "bucket key": (
        pace('bucket_key: [§"key.idd"]'),
        f"{A0}.config.bucket_key[0]",
        "unknown variable 'key.idd'",
        "did you mean 'key.id'?",
    ),
    "nine limits": (
        RULES
        + "    - {name: first, actions: [{type: deny, enforce: false}]}\n    - §name: many\n"
        + "      actions:\n"
        + "".join(
            f"      - {{type: rate-limit, config: {{name: l{i}, capacity: 1, per: 1s}}}}\n"
            for i in range(9)
        ),
        "policy.on_http_request[1]",
        "9 limits could be asked",
        "8 limits together",
    ),
    "unknown variable": (
        rule("ai.modell == 'x'"),
        f"{R0}.expressions[0]",
        "unknown variable 'ai.modell'",
        "did you mean 'ai.model'?",
    ),
    "group": (rule("ai == 'x'"), f"{R0}.expressions[0]", "no value of its own", "ai.model"),
    "types differ": (
        rule("ai.n == '3'"),
        f"{R0}.expressions[0]",
        "int == string",
        "without quotes: 3",
    ),
    "no bool": (
        rule("ai.model"),
        f"{R0}.expressions[0]",
        "a string where a bool is wanted",
        "compare",
    ),
    "response variable": (rule("res.status >= 500"), f"{R0}.expressions[0]", "comes later",
                          "in on_http_response"),
    "actions variable": (
        rule("actions.rate_limit.x == 1"),
        f"{R0}.expressions[0]",
        "no action leaves 'rate_limit.x'",
        "actions.rate_limit.",
    ),
    "result of a limit": (
        rule("actions.rate_limit.limited"),
        f"{R0}.expressions[0]",
        "known only once limits are taken",
        "on_http_response",
    ),
    "variable that nobody sets": (
        rule("vars.tier == 'free'"),
        f"{R0}.expressions[0]",
        "no set-vars before has set 'tier'",
        "set it in a rule above",
    ),
    "unknown function": (
        rule("ai.model.startWith('x')"),
        f"{R0}.expressions[0]",
        "unknown function 'startWith'",
        "did you mean 'startsWith'?",
    ),
    "network": (
        rule("conn.client_ip in cidr('203.0.113.0/33')"),
        f"{R0}.expressions[0]",
        "'203.0.113.0/33' is no cidr",
        "10.0.0.0/8",
    ),
    "regex": (
        rule("ai.model.matches('(x')"),
        f"{R0}.expressions[0]",
        "no pattern",
        "",
    ),
    "macro": (
        rule("req.headers.exists(h == 'x')"),
        f"{R0}.expressions[0]",
        "does not take 1 argument",
        "list.exists(x, condition)",
    ),
    "time": (
        rule("time.now > '2026-01-01T00:00:00Z'"),
        f"{R0}.expressions[0]",
        "timestamp > string",
        "timestamp('2026-01-01T00:00:00Z')",
    ),
    "zone": (
        rule("time.now.getHours('Europe/Berln') < 8"),
        f"{R0}.expressions[0]",
        "unknown time zone",
        "Europe/Berlin",
    ),
    "too dear": (
        rule(
            "req.headers.all(a, req.headers.all(b, req.headers.all(c, a != b && b != c)))"
        ),
        f"{R0}.expressions[0]",
        "steps, more than 100,000",
        "loop",
    ),
    "one equals": (
        rule("ai.model = 'x'"),
        f"{R0}.expressions[0]",
        "unexpected character '='",
        "equality is ==",
    ),
    "open string": (
        rule("ai.model == 'x"),
        f"{R0}.expressions[0]",
        "the string has no end",
        "close it",
    ),
    "whole map": (
        rule("req.headers == 'x'"),
        f"{R0}.expressions[0]",
        "map(string, string) == string",
        "['name']",
    ),
}
