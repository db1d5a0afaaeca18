"""A broken configuration says where, which key, what is wrong and what to do; nothing is ignored.

Method: each case is a small file in which § stands just before the place that the error must name
(line and column count from 1). Exactly one error may come of it, with that key, those words, that
remedy, and without the secret that every case carries.
"""

import pytest

from fastgw.policy.check import check
from tests.config.broken import (
    CANARY,
    ENV,
    HASH,
    PROVIDERS,
    judge,
    key,
    model,
    provider,
    rule,
    url,
)

# name: (file, key, words of the message, words of the suggestion)
CASES = {
    "not yaml": ("providers: [§}", "providers[0]", "not valid YAML", "brackets"),
    "tab": ("providers:\n§\t- a: 1", "providers", "not valid YAML", "indentation"),
    "duplicate key": (
        "listen:\n  port: 1\n  §port: 2\n",
        "listen.port",
        "twice (first on line 2)",
        "keep one",
    ),
    "no variable": (
        PROVIDERS + 'data_dir: §"${env:MISSING_DIR}"\n',
        "data_dir",
        "MISSING_DIR is not set",
        "export MISSING_DIR",
    ),
    "bad variable": (
        PROVIDERS + 'data_dir: §"${env:A-B}"\n',
        "data_dir",
        "no name of a variable",
        "${env:NAME}",
    ),
    "alias without anchor": ("listen: §*nowhere\n", "listen", "no anchor &nowhere", ""),
    "tag": ("listen: §!!python/object:os.system {}\n", "listen", "tag", "remove it"),
    "two documents": (PROVIDERS + "§---\na: 1\n", "", "a second document", "one document"),
    "no providers": (
        "§listen: {port: 80}\n",
        "providers",
        "'providers' is missing",
        "add providers",
    ),
    "empty": ("§", "providers", "'providers' is missing", "add providers"),
    "a list": ("§- a\n", "", "expected a mapping, got a list", ""),
    "unknown section": (
        PROVIDERS + "§polcy: {}\n",
        "polcy",
        "unknown key",
        "did you mean 'policy'?",
    ),
    "unknown key": (
        "listen: {§adress: 127.0.0.1}\n" + PROVIDERS,
        "listen.adress",
        "unknown key",
        "did you mean 'address'?",
    ),
    "port as text": (
        "listen: {port: §http}\n" + PROVIDERS,
        "listen.port",
        "a whole number from 0 to 65535, got 'http'",
        "",
    ),
    "port too high": ("listen: {port: §70000}\n" + PROVIDERS, "listen.port", "got '70000'", ""),
    "workers none": ("listen: {workers: §0}\n" + PROVIDERS, "listen.workers", "or 'auto'", ""),
    "address of nothing": (
        "listen: {address: §}\n" + PROVIDERS,
        "listen.address",
        "got nothing",
        "127.0.0.1",
    ),
    "tls": (
        "listen: {tls: §{cert: a, key: b}}\n" + PROVIDERS,
        "listen.tls",
        "tls is not supported yet",
        "remove it",
    ),
    "half_close": (
        "listen: {half_close: §alow}\n" + PROVIDERS,
        "listen.half_close",
        "one of allow, close",
        "did you mean 'allow'?",
    ),
    "admin open": (
        PROVIDERS + "admin: {address: §0.0.0.0}\n",
        "admin.address",
        "without token",
        "127.0.0.1",
    ),
    "same port": (PROVIDERS + "admin: {port: §8080}\n", "admin.port", "data port", "another port"),
    "gateway open": (
        "listen: {address: §0.0.0.0}\n" + PROVIDERS,
        "listen.address",
        "not loopback",
        "auth: none",
    ),
    "auth and keys": (
        PROVIDERS + "auth: §none\nkeys: []\n",
        "auth",
        "there are keys",
        "remove one",
    ),
    "store with an @ in its password": (
        PROVIDERS + f"store: §postgresql://u:{CANARY}@x@h/d\n",
        "store",
        "expected a URL with one @",
        "%40",
    ),
    "store unknown": (
        PROVIDERS + "store: §sqlit\n",
        "store",
        "expected sqlite",
        "did you mean 'sqlite'?",
    ),
    "ledger full": (
        PROVIDERS + "on_ledger_full: §keep\n",
        "on_ledger_full",
        "reject, drop",
        "reject",
    ),
    "export later": (
        PROVIDERS + "export: [{type: §otlp}]\n",
        "export[0].type",
        "not supported yet",
        "kafka, webhook",
    ),
    "export without a type": (
        PROVIDERS + "export: [§{topic: x}]\n", "export[0]", "type: kafka or webhook", "",
    ),
    "export of kafka without brokers": (
        PROVIDERS + "export: [§{type: kafka, topic: x}]\n",
        "export[0].brokers",
        "'brokers' is missing",
        "",
    ),
    "export twice by one name": (
        PROVIDERS + "export: [{type: webhook, url: 'http://127.0.0.1/a'}, "
        "§{type: webhook, url: 'http://127.0.0.1/b'}]\n",
        "export[1].name",
        "'webhook' is here twice",
        "",
    ),
    "export to a broken url": (
        PROVIDERS + f"export: [{{type: webhook, url: §'ftp://{CANARY}'}}]\n",
        "export[0].url",
        "https://",
        "",
    ),
    "export with half a login": (
        PROVIDERS + "export: [§{type: kafka, brokers: ['b:9092'], topic: t, username: u}]\n",
        "export[0]",
        "username and password go together",
        "add the other",
    ),
    "retention that is none": (
        PROVIDERS + "retention: {decisions: §30min}\n", "retention.decisions", "1h to 100y", "30d",
    ),
    "retention the wrong way round": (
        PROVIDERS + "retention: {minutely: §100d}\n",
        "retention.minutely",
        "begin where",
        "minutely: 7d",
    ),
    "size": (PROVIDERS + "limits: {body: §32XB}\n", "limits.body", "expected a size", "32MiB"),
    "labels five": (
        PROVIDERS + "usage: {labels: §{a: 'true', b: 'true', c: 'true', d: 'true', e: 'true'}}\n",
        "usage.labels",
        "at most 4",
        "",
    ),
    "label broken": (
        PROVIDERS + "usage: {labels: {f: §\"req.header['x']\"}}\n",
        "usage.labels.f",
        "unknown variable",
        "did you mean 'req.headers'?",
    ),
    "provider twice": (
        PROVIDERS + '  - {id: §openai, dialect: openai, base_url: "http://[::1]"}\n',
        "providers[1].id",
        "twice",
        "another id",
    ),
    "dialect later": (
        PROVIDERS.replace("dialect: openai", "dialect: §gemini"),
        "providers[0].dialect",
        "gemini is not supported yet",
        "openai, anthropic",
    ),
    "dialect unknown": (
        PROVIDERS.replace("dialect: openai", "dialect: §opnai"),
        "providers[0].dialect",
        "expected one of",
        "did you mean 'openai'?",
    ),
    "url scheme": (url("ftp://a"), "providers[0].base_url", "https:// or http://", "example"),
    "url without host": (url('"https:///v1"'), "providers[0].base_url", "names a host", "example"),
    "url with key": (
        url(f'"https://u:{CANARY}@h/v1"'),
        "providers[0].base_url",
        "credential",
        "keys",
    ),
    "url query": (url('"https://h/v1?a=b"'), "providers[0].base_url", "no query", "example"),
    "url port": (url('"https://h:99999/v1"'), "providers[0].base_url", "not a URL", "example"),
    "url dots": (url('"https://h/a/../v1"'), "providers[0].base_url", "dot segment", "example"),
    "url host": (url('"https://a..b/v1"'), "providers[0].base_url", "no URL can have", "example"),
    "breaker": (
        provider("breaker: §{volume: 20}"),
        "providers[0].breaker",
        "breaker is not supported yet",
        "",
    ),
    "timeout": (
        provider("timeouts: {connect: §2}"),
        "providers[0].timeouts.connect",
        "a duration of 1ns to 400d, got '2'",
        "30s",
    ),
    "retry budget": (
        provider("retries: {budget: §120%}"),
        "providers[0].retries.budget",
        "0% to 100%",
        "20%",
    ),
    "retry on": (
        provider("retries: {on: [§200]}"),
        "providers[0].retries.on[0]",
        "400 to 599",
        "",
    ),
    "provider key": (
        'providers:\n  - {id: x, dialect: openai, base_url: "http://[::1]", '
        f'keys: [{{value: §"{CANARY} "}}]}}',
        "providers[0].keys[0].value",
        "expected the provider's key",
        "${env:NAME}",
    ),
    "model without candidate": (
        model("§[]"),
        "models[0].candidates",
        "no candidate serves 'm'",
        "candidates: [",
    ),
    "model of nobody": (
        model("[{provider: §opena, model: x}]"),
        "models[0].candidates[0].provider",
        "no provider has the id 'opena'",
        "did you mean 'openai'?",
    ),
    "model of two dialects": (
        PROVIDERS + '  - {id: a, dialect: anthropic, base_url: "http://[::1]"}\nmodels:\n'
        "  - {id: m, candidates: [{provider: openai, model: x}],\n"
        "     fallback: [{provider: §a, model: y}]}",
        "models[0].fallback[0].provider",
        "translation is not supported yet",
        "openai",
    ),
    "model twice": (
        model("[{provider: openai, model: x}]")
        + "  - {id: §m, candidates: [{provider: openai, model: y}]}\n",
        "models[1].id",
        "twice",
        "another id",
    ),
    "key hash": (
        PROVIDERS + 'keys: [{id: a, hash: §"sha256:12"}]\n',
        "keys[0].hash",
        "64 hex digits",
        "sha256sum",
    ),
    "key without secret": (
        PROVIDERS + "keys: [§{id: a}]\n",
        "keys[0]",
        "needs its hash",
        "sha256",
    ),
    "key with both": (
        key('value: "${env:CANARY}"').replace("{id: a", "§{id: a"),
        "keys[0]",
        "both hash and value",
        "sha256",
    ),
    "key twice": (
        key("tags: {a: b}") + "  - {id: §a, value: other}\n",
        "keys[1].id",
        "twice",
        "another id",
    ),
    "secret twice": (
        key("tags: {a: b}") + "  - §{id: b, hash: " + HASH + "}\n",
        "keys[1]",
        "the same secret as keys[0]",
        "new one",
    ),
    "key rate": (
        key("limits: {requests: §60/m}"),
        "keys[0].limits.requests",
        "an amount per time, got '60/m'",
        "60/1m",
    ),
    "key rate of nothing": (
        key("limits: {requests: §0/1m}"),
        "keys[0].limits.requests",
        "an amount per time",
        "60/1m",
    ),
    "key rate too fast": (
        key("limits: {tokens: §2000/1us}"),
        "keys[0].limits.tokens",
        "more than one unit a nanosecond",
        "longer period",
    ),
    "key provider": (
        key("access: {providers: [§opnai]}"),
        "keys[0].access.providers[0]",
        "no provider has the id",
        "did you mean 'openai'?",
    ),
    "key operation": (
        key("access: {operations: [§chatt]}"),
        "keys[0].access.operations[0]",
        "expected one of",
        "did you mean 'chat'?",
    ),
    "key access empty": (key("access: {models: §[]}"), "keys[0].access.models", "at least 1", ""),
    "key expires": (
        key("expires: §2027-01-01"),
        "keys[0].expires",
        "a time with its offset",
        "2027-01-01T00:00:00Z",
    ),
    "phase of connections": (
        PROVIDERS + "policy: {on_tcp_connect: §[]}\n",
        "policy.on_tcp_connect",
        "connections have no policy here",
        "restrict-ips or deny",
    ),
    "event phase": (
        PROVIDERS + "policy: {on_event_stream_message: [{actions: [{type: detect, config: "
        "{kinds: [§ssn], then: redact}}]}]}\n",
        "policy.on_event_stream_message[0].actions[0].config.kinds[0]",
        "ssn",
        "us_ssn",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_check_names_place_key_and_remedy_when_broken(name, tmp_path):
    judge(CASES[name], tmp_path)


def test_expression_error_points_at_the_character(tmp_path):
    file = tmp_path / "fastgw.yaml"
    file.write_text(rule("ai.n > 1 && ai.modell == 'x'").replace("§", ""))

    errors, _ = check(file, ENV)

    assert errors[0].message.splitlines()[1:] == [
        "    ai.n > 1 && ai.modell == 'x'",
        "                ^^^^^^^^^",
    ]


def test_check_reports_every_mistake_at_once(tmp_path):
    file = tmp_path / "fastgw.yaml"
    file.write_text("listen: {port: x}\nadmin: {prot: 1}\n" + PROVIDERS)

    errors, _ = check(file, ENV)

    assert [error.key for error in errors] == ["listen.port", "admin.prot"]


def test_missing_file_is_one_clear_error(tmp_path):
    errors, _ = check(tmp_path / "none.yaml", ENV)

    assert "No such file" in str(errors[0]) and "fastgw init" in errors[0].suggestion
