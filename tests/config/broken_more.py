"""Broken values of every sort: wrong types, amounts, phases, secrets, names of nobody."""

from tests.config.broken import A0, PROVIDERS, R0, RULES, action, model, provider

C0 = f"{A0}.config"

# name: (file, key, words of the message, words of the suggestion)
CASES = {
    'inf cap': (
        action('{type: usage-cap, config: {name: c, unit: cost, limit: §.inf, window: day}}'),
        f"{C0}.limit", "expected an amount, got '.inf'",
        'for example 100 or 250.00'),
    '1e3 capacity': (
        action('{type: rate-limit, config: {name: c, capacity: §1e400, per: 1m}}'),
        f"{C0}.capacity", "expected an amount, got '1e400'",
        'for example 100 or 250.00'),
    'underscore': (
        action('{type: rate-limit, config: {name: c, capacity: §1_000, per: 1m}}'),
        f"{C0}.capacity", "expected an amount, got '1_000'",
        'for example 100 or 250.00'),
    'overflow tokens': (
        action('{type: rate-limit, config: {name: c, unit: tokens, capacity: '
        '§99999999999999999999, per: 1m}}'),
        f"{C0}.capacity", "expected an amount, got '99999999999999999999'",
        'for example 100 or 250.00'),
    'per negative': (
        action('{type: rate-limit, config: {name: c, capacity: 1, per: §-1m}}'),
        f"{C0}.per", "expected a duration of 1ns to 400d, got '-1m'",
        'for example 30s, 500ms or 24h'),
    'per zero': (
        action('{type: rate-limit, config: {name: c, capacity: 1, per: §0s}}'),
        f"{C0}.per", "expected a duration of 1ns to 400d, got '0s'",
        'for example 30s, 500ms or 24h'),
    'per unitless': (
        action('{type: rate-limit, config: {name: c, capacity: 1, per: §60}}'),
        f"{C0}.per", "expected a duration of 1ns to 400d, got '60'",
        'for example 30s, 500ms or 24h'),
    'per minutes': (
        action('{type: rate-limit, config: {name: c, capacity: 1, per: §1min}}'),
        f"{C0}.per", "expected a duration of 1ns to 400d, got '1min'",
        'for example 30s, 500ms or 24h'),
    'per missing': (
        action('{type: rate-limit, config: §{name: c, capacity: 1}}'),
        f"{C0}.per", "'per' is missing",
        'add per: 30s, 500ms or 24h'),
    'name missing': (
        action('{type: rate-limit, config: §{capacity: 1, per: 1m}}'),
        f"{C0}.name", "'name' is missing",
        'add name: pace'),
    'name empty': (
        action('{type: rate-limit, config: {name: §"", capacity: 1, per: 1m}}'),
        f"{C0}.name", "expected a name, got ''",
        'for example pace'),
    'bucket key not list': (
        action('{type: rate-limit, config: {name: a, capacity: 1, per: 1m, '
        'bucket_key: §key.id}}'),
        f"{C0}.bucket_key", "expected a list, got 'key.id'",
        'write a list: [key.id]'),
    'config list': (
        action('{type: rate-limit, config: §[a]}'),
        C0, 'expected a mapping, got a list',
        'write keys and values: {name: …, capacit'),
    'action string': (
        action('§deny'),
        A0, "expected an action with type and config, got 'deny'",
        'write {type: deny}'),
    'actions map': (
        RULES + '    - actions: §{type: deny}\n',
        f"{R0}.actions", 'expected a list, got a mapping',
        'write a list: [{…}]'),
    'expressions string': (
        RULES + '    - expressions: §"ai.stream"\n',
        f"{R0}.expressions", "expected a list, got 'ai.stream'",
        'write a list: [ai.stream]'),
    'expression number': (
        RULES + '    - expressions: [§5]\n',
        f"{R0}.expressions[0]", 'an int where a bool is wanted',
        'compare it with something'),
    'expression map': (
        RULES + '    - expressions: [§{a: b}]\n',
        f"{R0}.expressions[0]", 'expected a CEL expression in quotes, got a mapping',
        'for example "ai.operation == \'chat\'"'),
    'expression empty': (
        RULES + '    - expressions: [§""]\n',
        f"{R0}.expressions[0]", "expected a CEL expression in quotes, got ''",
        'for example "ai.operation == \'chat\'"'),
    'rule unknown key': (
        RULES + '    - {§nam: x, actions: [{type: deny}]}\n',
        f"{R0}.nam", "unknown key 'nam'",
        "did you mean 'name'?"),
    'rule if': (
        RULES + '    - {§if: "ai.stream", actions: [{type: deny}]}\n',
        f"{R0}.if", "unknown key 'if'",
        'known here: name, expressions, actions, '),
    'rules map': (
        PROVIDERS + 'policy: {on_http_request: §{name: x}}\n',
        'policy.on_http_request', 'expected a list, got a mapping',
        'write a list: [{…}]'),
    'policy list': (
        PROVIDERS + 'policy: §[a]\n',
        'policy', 'expected a mapping, got a list',
        'write keys and values: {on_http_request:'),
    'phase unknown': (
        PROVIDERS + 'policy: {§on_request: []}\n',
        'policy.on_request', "unknown key 'on_request'",
        "did you mean 'on_http_request'?"),
    'phase response': (
        PROVIDERS + 'policy: {§on_http_respnse: []}\n',
        'policy.on_http_respnse', "unknown key 'on_http_respnse'",
        "did you mean 'on_http_response'?"),
    'wrong phase route': (
        PROVIDERS + 'policy: {on_http_response: [{actions: [{type: §route, config: '
        '{provider: openai}}]}]}\n',
        'policy.on_http_response[0].actions[0].type', 'route does not act in on_http_response',
        'write the rule under on_http_request'),
    'wrong phase limit': (
        PROVIDERS + 'policy: {on_http_response: [{actions: [{type: §rate-limit, config: '
        '{name: a, capacity: 1, per: 1m}}]}]}\n',
        'policy.on_http_response[0].actions[0].type',
        'rate-limit does not act in on_http_response',
        'write the rule under on_http_request'),
    'wrong phase deny event': (
        PROVIDERS + 'policy: {on_event_stream_message: [{actions: [{type: §deny}]}]}\n',
        'policy.on_event_stream_message[0].actions[0].type',
        'deny does not act in on_event_stream_message',
        'write the rule under on_http_request or '),
    'deny on usage': (
        PROVIDERS + 'policy: {on_http_response: [§{expressions: ["usage.cost > 1.0"], '
        'actions: [{type: deny}]}]}\n',
        'policy.on_http_response[0]',
        "the rule 'on_http_response[0]' asks for usage, which is ",
        'such a rule may have actions log and set'),
    'event res': (
        PROVIDERS + 'policy: {on_event_stream_message: [{expressions: [§"res.status == '
        '200"], actions: [{type: detect, config: {kinds: [email], then: '
        'redact}}]}]}\n',
        'policy.on_event_stream_message[0].expressions[0]',
        "'res.status' is not known yet: the answer comes later",
        'is decided with the request'),
    'detect res': (
        PROVIDERS + 'policy: {on_http_response: [{expressions: [§"res.status == 200"], '
        'actions: [{type: detect, config: {kinds: [email], then: redact}}]}]}\n',
        'policy.on_http_response[0].expressions[0]',
        "'res.status' is not known yet: the answer comes later",
        'is decided with the request'),
    'detect nothing': (
        action('{type: detect, config: §{then: redact}}'),
        C0, 'neither kinds nor patterns',
        'kinds: [api_key]'),
    'detect then': (
        action('{type: detect, config: {kinds: [email], then: §mask}}'),
        f"{C0}.then", "expected one of deny, redact, log, got 'mask'",
        'known here: deny, redact, log'),
    'detect no then': (
        action('{type: detect, config: §{kinds: [email]}}'),
        f"{C0}.then", "'then' is missing",
        'add then: deny | redact | log'),
    'detect regex': (
        action("{type: detect, config: {patterns: {emp: §'EMP-('}, then: log}}"),
        f"{C0}.patterns.emp", "pattern 'emp': a group that is not closed",
        "the syntax is RE2's: groups, classes, re"),
    'detect lookahead': (
        action("{type: detect, config: {patterns: {emp: §'a(?!b)'}, then: log}}"),
        f"{C0}.patterns.emp", "pattern 'emp': a lookaround, which cannot be matched in ",
        "the syntax is RE2's: groups, classes, re"),
    'detect own kind': (
        action("{type: detect, config: {patterns: {email: §'a+'}, then: log}}"),
        f"{C0}.patterns.email", "'email' is a kind of its own",
        'give the pattern another name'),
    'template open': (
        action('{type: add-headers, config: {headers: {x-a: §"${ai.model"}}}'),
        f"{C0}.headers.x-a", 'the ${ has no end',
        'close it with }'),
    'template type': (
        action('{type: add-headers, config: {headers: {x-a: §"${req.headers}"}}}'),
        f"{C0}.headers.x-a", 'a map(string, string) has no text',
        "name a part of it, or list.join(', ')"),
    'template empty': (
        action('{type: add-headers, config: {headers: {x-a: §"${}"}}}'),
        f"{C0}.headers.x-a", 'expected a value, found the end',
        'it stops too early: complete it'),
    'template unknown': (
        action('{type: custom-response, config: {body: §"${ai.modle}"}}'),
        f"{C0}.body", "unknown variable 'ai.modle'",
        "did you mean 'ai.model'?"),
    'template bad fn': (
        action('{type: log, config: {metadata: {a: §"${ai.model.foo()}"}}}'),
        f"{C0}.metadata.a", "unknown function 'foo'",
        'there are startsWith, endsWith, contains'),
    'log usage ok type': (
        action('{type: set-vars, config: {vars: {a: §"${usage.cost}"}}}'),
        f"{C0}.vars.a", "'usage.cost' is not known yet: usage comes later",
        'read it in the metadata of a log action,'),
    'vars before set': (
        RULES + '    - {expressions: [§"vars.a == 1"], actions: [{type: deny}]}\n'
        '    - {actions: [{type: set-vars, config: {vars: {a: 1}}}]}\n',
        f"{R0}.expressions[0]", "no set-vars before has set 'a'",
        'set it in a rule above'),
    'vars type': (
        RULES + '    - {actions: [{type: set-vars, config: {vars: {a: 1}}}]}\n'
        '    - {expressions: [§"vars.a == \'x\'"], actions: [{type: deny}]}\n',
        'policy.on_http_request[1].expressions[0]', 'int == string: the types differ',
        'string(…) converts it'),
    'cap result early': (
        RULES + '    - {expressions: [§"actions.usage_cap.remaining < 5"], actions: '
        '[{type: deny}]}\n',
        f"{R0}.expressions[0]", "'actions.usage_cap.remaining' is known only once limits ",
        'read it in on_http_response, or in the m'),
    'concurrency early': (
        RULES + '    - {expressions: [§"actions.concurrency_limit.limited"], actions: '
        '[{type: deny}]}\n',
        f"{R0}.expressions[0]", "'actions.concurrency_limit.limited' is known only once l",
        'read it in on_http_response, or in the m'),
    'restrict glob': (
        action('{type: restrict-models, config: {allow: [§"gpt 4"]}}'),
        f"{C0}.allow[0]", "expected a model's name, * for any text, got 'gpt 4'",
        'for example "claude-*"'),
    'restrict string': (
        action('{type: restrict-models, config: {allow: §gpt-4o}}'),
        f"{C0}.allow", "expected a list, got 'gpt-4o'",
        'write a list: [gpt-4o]'),
    'restrict empty': (
        action('{type: restrict-models, config: {allow: §[]}}'),
        f"{C0}.allow", 'expected at least 1 here, got 0',
        'leave allow out, or write allow: ["claud'),
    'ip words': (
        action('{type: restrict-ips, config: {allow: [§localhost]}}'),
        f"{C0}.allow[0]", "expected a block of IP addresses, got 'localhost'",
        'for example 10.0.0.0/8'),
    'ip range': (
        action('{type: restrict-ips, config: {deny: [§"10.0.0.1-10.0.0.9"]}}'),
        f"{C0}.deny[0]", "expected a block of IP addresses, got '10.0.0.1-10.0.0.9",
        'for example 10.0.0.0/8'),
    'ip v6': (
        action('{type: restrict-ips, config: {deny: [§"2001:db8::/129"]}}'),
        f"{C0}.deny[0]", "expected a block of IP addresses, got '2001:db8::/129'",
        'for example 10.0.0.0/8'),
    'cap output text': (
        action('{type: cap-output, config: {max_output_tokens: §many}}'),
        f"{C0}.max_output_tokens", 'expected a whole number from 1 to 9007199254740992, got ',
        'digits alone, for example 1'),
    'cap output neg': (
        action('{type: cap-output, config: {max_output_tokens: §-5}}'),
        f"{C0}.max_output_tokens", 'expected a whole number from 1 to 9007199254740992, got ',
        'the nearest that may stand here is 1'),
    'cap output float': (
        action('{type: cap-output, config: {max_output_tokens: §5.5}}'),
        f"{C0}.max_output_tokens", 'expected a whole number from 1 to 9007199254740992, got ',
        'the nearest that may stand here is 6'),
    'cap output key': (
        action('{type: cap-output, config: {§max_tokens: 5}}'),
        f"{C0}.max_tokens", "unknown key 'max_tokens'",
        "did you mean 'max_output_tokens'?"),
    'cap input overflow': (
        action('{type: cap-input, config: {max_input_tokens: §99999999999999999999}}'),
        f"{C0}.max_input_tokens", 'expected a whole number from 1 to 9007199254740992, got ',
        'the nearest that may stand here is 90071'),
    'deny message list': (
        action('{type: deny, config: {message: §[a]}}'),
        f"{C0}.message", 'expected text, got a list',
        'for example "seen by ${key.id}"'),
    'deny enforce': (
        action('{type: deny, enforce: §"no"}'),
        f"{A0}.enforce", "expected true or false, got 'no'",
        'for example true'),
    'deny code': (
        action('{type: deny, config: {§status: 403}}'),
        f"{C0}.status", "unknown key 'status'",
        "did you mean 'status_code'?"),
    'custom redirect': (
        action('{type: custom-response, config: {status_code: §999}}'),
        f"{C0}.status_code", "expected a whole number from 200 to 599, got '999'",
        'the nearest that may stand here is 599'),
    'custom hdr': (
        action('{type: custom-response, config: {headers: {Transfer-Encoding: §chunked}}}'),
        f"{C0}.headers.Transfer-Encoding",
        "no rule can add 'Transfer-Encoding': it belongs to one c",
        'leave it out'),
    'custom hdr list': (
        action('{type: custom-response, config: {headers: §[a]}}'),
        f"{C0}.headers", 'expected a mapping, got a list',
        'write names and values: {name: "seen by '),
    'route weight': (
        action('{type: route, config: {candidates: [{provider: openai, model: m, '
        'weight: §0}]}}'),
        f"{C0}.candidates[0].weight", "expected a whole number from 1 to 1000000, got '0'",
        'the nearest that may stand here is 1'),
    'route cand nomodel': (
        action('{type: route, config: {candidates: [§{provider: openai}]}}'),
        f"{C0}.candidates[0].model", "'model' is missing",
        'add model: gpt-4o'),
    'on-abort': (
        action('{type: on-abort, config: {then: §stop}}'),
        f"{C0}.then", "expected one of cancel, drain, got 'stop'",
        'known here: cancel, drain'),
    'log string': (
        action('{type: log, config: {metadata: §"x"}}'),
        f"{C0}.metadata", "expected a mapping, got 'x'",
        'write names and values: {name: "seen by '),
    'secret in base_url': (
        'providers:\n  - {id: x, dialect: openai, base_url: '
        '§"https://h/v1?key=abc"}\n',
        'providers[0].base_url', 'a base_url has no query and no fragment',
        'for example https://api.openai.com/v1'),
    'key both': (
        PROVIDERS + 'keys: [§{id: a, value: x, hash: "sha256:'+ 64 * "a" + '"}]\n',
        'keys[0]', 'both hash and value',
        'hash: "sha256:…", as `printf %s SECRET |'),
    'key none': (
        PROVIDERS + 'keys: [§{id: a, tags: {a: b}}]\n',
        'keys[0]', 'a key needs its hash, or value',
        'hash: "sha256:…", as `printf %s SECRET |'),
    'key id space': (
        PROVIDERS + 'keys: [{id: §"a b", value: x}]\n',
        'keys[0].id', "expected an id of letters, digits and . _ -, got 'a b'",
        'for example team-a'),
    'key value space': (
        PROVIDERS + 'keys: [{id: a, value: §"x y"}]\n',
        'keys[0].value', 'expected the key itself',
        'for example "${env:NAME}"'),
    'key value empty': (
        PROVIDERS + 'keys: [{id: a, value: §""}]\n',
        'keys[0].value', 'expected the key itself',
        'for example "${env:NAME}"'),
    'key tags list': (
        PROVIDERS + 'keys: [{id: a, value: x, tags: §[a]}]\n',
        'keys[0].tags', 'expected a mapping, got a list',
        'write names and values: {name: free}'),
    'key tag name': (
        PROVIDERS + 'keys: [{id: a, value: x, tags: {§1a: b}}]\n',
        'keys[0].tags.1a', "'1a' is no name here",
        'names match [A-Za-z_][A-Za-z0-9_-]{0,63}'),
    'key owner num': (
        PROVIDERS + 'keys: [{id: a, value: x, owner: {team: §{b: c}}}]\n',
        'keys[0].owner.team', 'expected text, got a mapping',
        'for example free'),
    'key expires word': (
        PROVIDERS + 'keys: [{id: a, value: x, expires: §tomorrow}]\n',
        'keys[0].expires', "expected a time with its offset, got 'tomorrow'",
        'for example 2027-01-01T00:00:00Z'),
    'key hash md5': (
        PROVIDERS + 'keys: [{id: a, hash: §"md5:abc"}]\n',
        'keys[0].hash', 'expected sha256: and 64 hex digits',
        'make one with `printf %s SECRET | sha256'),
    'key hash upper': (
        PROVIDERS + 'keys: [{id: a, hash: §"SHA256:'+ 64 * "a" + '"}]\n',
        'keys[0].hash', 'expected sha256: and 64 hex digits',
        'make one with `printf %s SECRET | sha256'),
    'provider key env': (
        'providers:\n  - {id: openai, dialect: openai, base_url: "https://h", '
        'keys: [{value: §"${env:MISSING}"}]}\n',
        'providers[0].keys[0].value', 'the variable MISSING is not set',
        'export MISSING=… before the start, or wr'),
    'env empty': (
        'providers:\n  - {id: openai, dialect: openai, base_url: "https://h", '
        'keys: [{value: §"${env:}"}]}\n',
        'providers[0].keys[0].value', "'' is no name of a variable",
        '${env:NAME}'),
    'provider id': (
        'providers:\n  - {id: §"open ai", dialect: openai, base_url: "https://h"}\n',
        'providers[0].id', "expected an id of letters, digits and . _ -, got 'open a",
        'for example team-a'),
    'provider missing dialect': (
        'providers:\n  - §{id: openai, base_url: "https://h"}\n',
        'providers[0].dialect', "'dialect' is missing",
        'add dialect: openai | anthropic'),
    'provider url missing': (
        'providers:\n  - §{id: openai, dialect: openai}\n',
        'providers[0].base_url', "'base_url' is missing",
        'add base_url: https://api.openai.com/v1'),
    'provider weight': (
        provider('keys: [{value: a, weight: §0}]'),
        'providers[0].keys[0].weight', "expected a whole number from 1 to 1000000, got '0'",
        'the nearest that may stand here is 1'),
    'provider keys map': (
        provider('keys: §{value: a}'),
        'providers[0].keys', 'expected a list, got a mapping',
        'write a list: [{…}]'),
    'timeouts': (
        provider('timeouts: {§conect: 1s}'),
        'providers[0].timeouts.conect', "unknown key 'conect'",
        "did you mean 'connect'?"),
    'timeouts neg': (
        provider('timeouts: {connect: §-1s}'),
        'providers[0].timeouts.connect', "expected a duration of 1ns to 400d, got '-1s'",
        'for example 30s, 500ms or 24h'),
    'retries': (
        provider('retries: {max: §-1}'),
        'providers[0].retries.max', "expected a whole number from 0 to 10, got '-1'",
        'the nearest that may stand here is 0'),
    'retries big': (
        provider('retries: {max: §1000}'),
        'providers[0].retries.max', "expected a whole number from 0 to 10, got '1000'",
        'the nearest that may stand here is 10'),
    'model nobody': (
        model('[{provider: §azure, model: x}]'),
        'models[0].candidates[0].provider', "no provider has the id 'azure'",
        'known here: openai'),
    'model fallback nobody': (
        model('[{provider: openai, model: x}], fallback: [{provider: §opena, model: y}]'),
        'models[0].fallback[0].provider', "no provider has the id 'opena'",
        "did you mean 'openai'?"),
    'model space': (
        PROVIDERS + "models:\n  - {id: §'a b', candidates: [{provider: openai, model: x}]}\n",
        'models[0].id', "expected a model's name without spaces, got 'a b'",
        'for example gpt-4o'),
    'model weight neg': (
        model('[{provider: openai, model: x, weight: §-1}]'),
        'models[0].candidates[0].weight', "expected a whole number from 1 to 1000000, got '-1'",
        'the nearest that may stand here is 1'),
    'labels bad': (
        PROVIDERS + 'usage: {labels: {f: §"ai.n + \'a\'"}}\n',
        'usage.labels.f', 'int + string: the types differ',
        'string(…) converts it'),
    'labels list': (
        PROVIDERS + 'usage: {labels: {f: §"[1,2]"}}\n',
        'usage.labels.f', 'a list(int) where a string or int or bool is wanted',
        'make a text of it: string(…), or name on'),
    'limits conn': (
        PROVIDERS + 'limits: {connections: §0}\n',
        'limits.connections', "expected a whole number from 1 to 10000000, got '0'",
        'the nearest that may stand here is 1'),
    'limits body zero': (
        PROVIDERS + 'limits: {body: §0}\n',
        'limits.body', "expected a size, got '0'",
        'for example 64KiB or 32MiB'),
    'admin token space': (
        PROVIDERS + 'admin: {token: §"a b"}\n',
        'admin.token', 'expected the admin token',
        'for example "${env:NAME}"'),
    'admin port': (
        PROVIDERS + 'admin: {port: §99999}\n',
        'admin.port', "expected a whole number from 0 to 65535, got '99999'",
        'the nearest that may stand here is 65535'),
    'data_dir empty': (
        PROVIDERS + 'data_dir: §""\n',
        'data_dir', "expected a directory, got ''",
        'for example ./fastgw-data'),
    'data_dir nl': (
        PROVIDERS + 'data_dir: §"a\\nb"\n',
        'data_dir', "expected a directory, got 'a",
        'for example ./fastgw-data'),
    'auth': (
        PROVIDERS + 'auth: §any\n',
        'auth', "expected none, got 'any'",
        'known here: none'),
    'store': (
        PROVIDERS + 'store: §5\n',
        'store', "expected sqlite or a URL of Postgres, got '5'",
        'sqlite, or postgresql:'),
    'cap tz offset': (
        action('{type: usage-cap, config: {name: c, unit: cost, limit: 5, window: '
        "day, time_zone: §'+02:00'}}"),
        f"{C0}.time_zone", "no time zone is named '+02:00'",
        'for example Europe/Berlin'),
    'cap window num': (
        action('{type: usage-cap, config: {name: c, unit: cost, limit: 5, window: §5}}'),
        f"{C0}.window", "expected one of hour, day, week, month, total, got '5'",
        'supported: hour, day, week, month, total'),
    'cap neg': (
        action('{type: usage-cap, config: {name: c, unit: cost, limit: §-5, window: day}}'),
        f"{C0}.limit", "expected an amount, got '-5'",
        'for example 100 or 250.00'),
    'concurrency text': (
        action('{type: concurrency-limit, config: {name: c, limit: §ten}}'),
        f"{C0}.limit", "expected a whole number from 1 to 1000000, got 'ten'",
        'digits alone, for example 1'),
    'concurrency over': (
        action('{type: concurrency-limit, config: {name: c, limit: §99999999}}'),
        f"{C0}.limit", "expected a whole number from 1 to 1000000, got '99999999",
        'the nearest that may stand here is 10000'),
}
