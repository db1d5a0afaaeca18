"""Broken limits; the form is that of tests/config/broken.py."""

from tests.config.broken import A0, CANARY, PROVIDERS, R0, action, key, model, pace

C0 = f"{A0}.config"


def limit(kind, text):
    return action("{type: " + kind + ", config: {" + text + "}}")


def cap(text, first="name: c, unit: cost, limit: 250.00, window: month"):
    return limit("usage-cap", f"{first}, {text}")


def slots(text):
    return limit("concurrency-limit", "name: s, limit: 20, " + text)


def two(first, second):
    return action(first) + f"        - {second}\n"


PACE = "{type: rate-limit, config: {name: x, capacity: 9, per: 1m}}"
CAP = "{type: usage-cap, config: {name: x, unit: tokens, limit: 9, window: day}}"

# name: (file, key, words of the message, words of the suggestion)
CASES = {
    # Amounts.
    "capacity as text": (
        limit("rate-limit", "name: p, capacity: §many, per: 1m"),
        f"{C0}.capacity",
        "expected an amount, got 'many'",
        "100 or 250.00",
    ),
    "capacity below nothing": (
        limit("rate-limit", "name: p, capacity: §-5, per: 1m"),
        f"{C0}.capacity",
        "expected an amount, got '-5'",
        "",
    ),
    "half a request": (
        limit("rate-limit", "name: p, capacity: §1.5, per: 1m"),
        f"{C0}.capacity",
        "requests are whole numbers",
        "for example 2",
    ),
    "half a token": (
        limit("usage-cap", "name: c, unit: tokens, limit: §10.25, window: day"),
        f"{C0}.limit",
        "tokens are whole numbers",
        "for example 11",
    ),
    "a tenth of a micro-dollar": (
        limit("usage-cap", "name: c, unit: cost, limit: §0.0000001, window: day"),
        f"{C0}.limit",
        "finer than a micro-dollar",
        "six digits",
    ),
    "quoted dollars": (
        limit("usage-cap", 'name: c, unit: cost, limit: §"$250", window: day'),
        f"{C0}.limit",
        "expected an amount",
        "250.00",
    ),
    "more dollars than there are": (
        limit("usage-cap", "name: c, unit: cost, limit: §9000000000, window: day"),
        f"{C0}.limit",
        "more than 999,999,999,999,999 can be counted in cost",
        "a smaller amount",
    ),
    "cap of nothing": (
        limit("usage-cap", "name: c, unit: cost, limit: §0.00, window: day"),
        f"{C0}.limit",
        "lets nothing pass",
        "deny rule",
    ),
    "dollars too fast": (
        limit("rate-limit", "name: p, unit: cost, capacity: §2, per: 1ms"),
        f"{C0}.capacity",
        "more than one micro-dollar a nanosecond",
        "longer period",
    ),
    # Pace.
    "algorithm unknown": (
        pace("algorithm: §sliding_windw"),
        f"{C0}.algorithm",
        "expected one of token_bucket",
        "did you mean 'sliding_window'?",
    ),
    "unit of a person": (
        pace("unit: §dollars"),
        f"{C0}.unit",
        "one of requests, tokens, input_tokens, output_tokens, cost",
        "",
    ),
    "per a calendar month": (
        limit("rate-limit", "name: p, capacity: 9, per: §month"),
        f"{C0}.per",
        "a duration of 1ns to 400d, got 'month'",
        "30s",
    ),
    "a window that is no time": (
        limit("rate-limit", "name: p, capacity: 9, algorithm: sliding_window, per: §1ms"),
        f"{C0}.per",
        "no window is shorter than 2097152 ns",
        "token_bucket",
    ),
    "a window of more than its cell counts": (
        limit(
            "rate-limit",
            "name: p, unit: cost, capacity: §9000000, algorithm: fixed_window, per: 1d",
        ),
        f"{C0}.capacity",
        "a window counts up to 8,796,093,022,208 of cost",
        "token_bucket",
    ),
    "a window that outlives the table": (
        limit("rate-limit", "name: p, capacity: 9, algorithm: fixed_window, per: §500d"),
        f"{C0}.per",
        "a duration of 1ns to 400d, got '500d'",
        "30s",
    ),
    "nine parts of a key": (
        pace("bucket_key: §[" + ", ".join(["key.id"] * 9) + "]"),
        f"{C0}.bucket_key",
        "at most 8 here, got 9",
        "",
    ),
    "a double in a key": (
        pace('bucket_key: [§"1.5"]'),
        f"{C0}.bucket_key[0]",
        "a double where a string or int or bool is wanted",
        "",
    ),
    # Caps.
    "cap without window": (
        action("{type: usage-cap, config: §{name: c, unit: cost, limit: 5}}"),
        f"{C0}.window",
        "'window' is missing",
        "add window",
    ),
    "cap without unit": (
        action("{type: usage-cap, config: §{name: c, limit: 5, window: day}}"),
        f"{C0}.unit",
        "'unit' is missing",
        "add unit",
    ),
    "cap with per": (
        cap("§per: 1m"),
        f"{C0}.per",
        "unknown key 'per'",
        "",
    ),
    "window unknown": (
        limit("usage-cap", "name: c, unit: cost, limit: 5, window: §monthly"),
        f"{C0}.window",
        "expected one of hour, day, week, month, total, got 'monthly'",
        "did you mean 'month'?",
    ),
    "time zone unknown": (
        cap("time_zone: §europe/berlin"),
        f"{C0}.time_zone",
        "no time zone is named 'europe/berlin'",
        "did you mean 'Europe/Berlin'?",
    ),
    "time zone of a folder": (
        cap("time_zone: §../../../etc/passwd"),
        f"{C0}.time_zone",
        "no time zone is named",
        "for example Europe/Berlin",
    ),
    "time zone as a number": (
        cap("time_zone: §2"),
        f"{C0}.time_zone",
        "expected a time zone, got '2'",
        "Europe/Berlin",
    ),
    "time zone as a list": (
        cap("time_zone: §[UTC]"),
        f"{C0}.time_zone",
        "expected a time zone, got a list",
        "Europe/Berlin",
    ),
    "alert above all": (
        cap("alert_at: [0.5, §1.2]"),
        f"{C0}.alert_at[1]",
        "a fraction above 0, at most 1, got '1.2'",
        "0.8 or 80%",
    ),
    "alert at nothing": (
        cap("alert_at: [§0]"),
        f"{C0}.alert_at[0]",
        "a fraction above 0",
        "0.8",
    ),
    "alert in per cent without a sign": (
        cap("alert_at: [§80]"),
        f"{C0}.alert_at[0]",
        "a fraction above 0, at most 1, got '80'",
        "80%",
    ),
    "alert as one number": (cap("alert_at: §0.8"), f"{C0}.alert_at", "expected a list", ""),
    "unbounded maybe": (
        cap("unbounded: §maybe"),
        f"{C0}.unbounded",
        "one of allow, deny",
        "",
    ),
    "worker lost": (
        cap("on_worker_lost: §celing"),
        f"{C0}.on_worker_lost",
        "one of ceiling, progress",
        "did you mean 'ceiling'?",
    ),
    "store loss": (
        cap("on_store_loss: §closd"),
        f"{C0}.on_store_loss",
        "one of closed, local_share, open",
        "did you mean 'closed'?",
    ),
    "cap over nodes without a store": (
        cap("cluster: §true"),
        f"{C0}.cluster",
        "no `cluster` section",
        "redis://",
    ),
    "pace over nodes without a store": (
        pace("cluster: §true"),
        f"{C0}.cluster",
        "no `cluster` section",
        "redis://",
    ),
    # Concurrency.
    "no slot": (
        limit("concurrency-limit", "name: s, limit: §0"),
        f"{C0}.limit",
        "a whole number from 1 to",
        "",
    ),
    "half a slot": (
        limit("concurrency-limit", "name: s, limit: §2.5"),
        f"{C0}.limit",
        "a whole number from 1 to",
        "",
    ),
    "slots over nodes": (
        slots("§cluster: true"),
        f"{C0}.cluster",
        "unknown key 'cluster'",
        "",
    ),
    "queue without timeout": (
        slots("queue: §{max: 50}"),
        f"{C0}.queue.timeout",
        "'timeout' is missing",
        "30s",
    ),
    "queue without an end": (
        slots("queue: §{timeout: 5s}"),
        f"{C0}.queue.max",
        "'max' is missing",
        "add max",
    ),
    "queue of nobody": (
        slots("queue: {max: §0, timeout: 5s}"),
        f"{C0}.queue.max",
        "a whole number from 1 to",
        "",
    ),
    "queue as a number": (slots("queue: §50"), f"{C0}.queue", "expected a mapping", ""),
    # Names.
    "a pace and a cap of one name": (
        two(PACE, CAP.replace("name: x", "name: §x")),
        f"{R0}.actions[1].config.name",
        "the limit 'x' means something else on line",
        "another name",
    ),
    "one name in two units": (
        two(PACE, PACE.replace("name: x", "name: §x, unit: tokens")),
        f"{R0}.actions[1].config.name",
        "means something else on line",
        "another name",
    ),
    "one name for two time zones": (
        two(CAP, CAP.replace("name: x", "name: §x, time_zone: Asia/Tokyo")),
        f"{R0}.actions[1].config.name",
        "means something else on line",
        "another name",
    ),
    "one name for two keys": (
        two(CAP, CAP.replace("name: x", "name: §x, bucket_key: [key.id]")),
        f"{R0}.actions[1].config.name",
        "means something else on line",
        "another name",
    ),
    "one name of two sizes": (
        two(CAP, CAP.replace("name: x", "name: §x").replace("limit: 9", "limit: 8")),
        f"{R0}.actions[1].config.name",
        "the limit 'x' has other values on line",
        "the same values",
    ),
    "a name of the keys": (
        limit("rate-limit", 'name: §"key tokens", capacity: 9, per: 1m'),
        f"{C0}.name",
        "the name of the keys' own limits",
        "another name",
    ),
    "a name that fills the row": (
        limit("concurrency-limit", f"name: §{'𝄞' * 101}, limit: 1"),
        f"{C0}.name",
        "more than 400 bytes",
        "shorter",
    ),
    # Keys' own.
    "key cap by the fortnight": (
        key("limits: {cost: §250/fortnight}"),
        "keys[0].limits.cost",
        "an amount per time, got '250/fortnight'",
        "250/month",
    ),
    "key cap in cents of a token": (
        key("limits: {tokens: §0.5/day}"),
        "keys[0].limits.tokens",
        "tokens are whole numbers",
        "for example 1",
    ),
    "key cap too fine": (
        key("limits: {cost: §0.00000025/day}"),
        "keys[0].limits.cost",
        "finer than a micro-dollar",
        "six digits",
    ),
    "key with half a slot": (
        key("limits: {concurrency: §0.5}"),
        "keys[0].limits.concurrency",
        "a whole number from 1",
        "",
    ),
    "key limit unknown": (
        key("limits: {§slots: 5}"),
        "keys[0].limits.slots",
        "unknown key 'slots'",
        "",
    ),
    # Sections.
    "prices of nobody": (
        PROVIDERS + "prices: {file: §none.yaml}\n",
        "prices.file",
        "cannot read it: No such file",
        "it is looked for at /",
    ),
    "prices without file": (
        PROVIDERS + "prices: §{}\n",
        "prices.file",
        "'file' is missing",
        "add file",
    ),
    "store of another sort": (
        PROVIDERS + f"cluster: {{redis: §http://u:{CANARY}@h}}\n",
        "cluster.redis",
        "begins with redis:// or rediss:// or unix://",
        "redis://127.0.0.1",
    ),
    "store nowhere": (
        PROVIDERS + 'cluster: {redis: §"redis://"}\n',
        "cluster.redis",
        "says where",
        "",
    ),
    "store with a wrong port": (
        PROVIDERS + 'cluster: {redis: §"redis://h:99999"}\n',
        "cluster.redis",
        "expected a URL",
        "",
    ),
    "cluster without store": (
        PROVIDERS + "cluster: §{prefix: p}\n",
        "cluster.redis",
        "'redis' is missing",
        "",
    ),
    "webhook of a file": (
        PROVIDERS + f"alerts: {{webhook: §file:///{CANARY}}}\n",
        "alerts.webhook",
        "begins with https:// or http://",
        "https://127.0.0.1",
    ),
    "alerts to nobody": (
        PROVIDERS + 'alerts: §{secret: "${env:CANARY}"}\n',
        "alerts.webhook",
        "'webhook' is missing",
        "",
    ),
    "no output at all": (
        model("[{provider: openai, model: x}], max_output: §0"),
        "models[0].max_output",
        "a whole number from 1",
        "",
    ),
    "more output than room": (
        model("[{provider: openai, model: x}], context: 1000, max_output: §2000"),
        "models[0].max_output",
        "more than the model's whole context",
        "input and output together",
    ),
}
