"""Files that are no YAML, or not the YAML that a configuration is made of."""

from tests.config.broken import PROVIDERS

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: {'§' * (i == 4)}&a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 5)) + (
    "a5: [*a4, *a4, *a4, *a4, *a4]\n")

# name: (file, key, words of the message, words of the suggestion)
CASES = {
    "utf-16": (("§listen: {port: 1}\n", "utf-16"), "", "not UTF-8", "save the file as UTF-8"),
    "latin-1": (("data_dir: caf§é\n", "latin-1"), "", "not UTF-8", "save the file as UTF-8"),
    "nul": ("data_dir: a§\0b\n", "", "a character that YAML does not allow: U+0000", "delete it"),
    "bell": ("data_dir: a§\ab\n", "", "a character that YAML does not allow: U+0007",
             'write it as "\\u…"'),
    "deeper than anything": ("a: " + "[" * 49 + "§" + "[" * 11 + "]" * 60 + "\n",
                             "a" + "[0]" * 48 + "[0]", "nested deeper than 50", "never closed"),
    "bomb of aliases": (BOMB, "a5[4]", "more than 500000 values", "write less by aliases"),
    "alias near an anchor": (
        "listen: &lisen {port: 1}\nadmin: §*lissen\n", "admin", "no anchor &lissen",
        "did you mean '*lisen'?"),
    'tab in a mapping': (
        'providers:\n  - id: openai\n§\tdialect: openai\n',
        'providers[0].id', 'not valid YAML: found a tab character that violates inde',
        'indentation is made of spaces: replace t'),
    'bad indent': (
        PROVIDERS + 'listen:\n  port: 1\n   address§: a\n',
        'listen', 'not valid YAML: mapping values are not allowed in this c',
        'quote text that holds `: `, or look at t'),
    'unclosed quote': (
        PROVIDERS + 'data_dir: "abc\nshm_dir: x\n§',
        'data_dir', 'not valid YAML: found unexpected end of stream',
        'close the quotes that were opened before'),
    'unclosed bracket': (
        PROVIDERS + 'keys: [{id: a\n§',
        'keys[0]', "not valid YAML: did not find expected ',' or '}'",
        'close the brackets that were opened befo'),
    'colon': (
        PROVIDERS + 'data_dir: a§: b\n',
        '', 'not valid YAML: mapping values are not allowed in this c',
        'quote text that holds `: `, or look at t'),
    'dup in flow': (
        'providers:\n  - {id: a, dialect: openai, §id: b}\n',
        'providers[0].id', "'id' is here twice (first on line 2)",
        'keep one of them'),
    'list instead of map': (
        'listen: §[1]\n' + PROVIDERS,
        'listen', 'expected a mapping, got a list',
        'write keys and values: {address: …, port'),
    'map instead of list': (
        'providers: §{id: a}\n',
        'providers', 'expected a list, got a mapping',
        'write a list: [{…}]'),
    'percent': (
        PROVIDERS + 'data_dir: §%x\n',
        'data_dir', 'not valid YAML: found character that cannot start any to',
        'quote text that begins with %'),
    'at': (
        PROVIDERS + 'data_dir: §@x\n',
        'data_dir', 'not valid YAML: found character that cannot start any to',
        'quote text that begins with %'),
    'backtick': (
        PROVIDERS + 'data_dir: §`x`\n',
        'data_dir', 'not valid YAML: found character that cannot start any to',
        'quote text that begins with %'),
    'star': (
        PROVIDERS + 'keys: [{id: a, access: {models: [*§]}}]\n',
        'keys[0]', 'not valid YAML: did not find expected alphabetic or nume',
        'quote text that begins with * or &, as i'),
    'merge of scalar': (
        PROVIDERS + 'listen: {<<: §5}\n',
        'listen', "'<<' takes a mapping",
        'write <<: *name, of an anchor on a mappi'),
    'complex key': (
        '? §[a]\n: b\n',
        '', 'a key must be text',
        'write `key: value`; text with brackets i'),
    'int key': (
        PROVIDERS + '§1: a\n',
        '1', "unknown key '1'",
        'known here: listen, admin, data_dir, shm'),
    'null key': (
        PROVIDERS + '§~: a\n',
        '~', "unknown key '~'",
        'known here: listen, admin, data_dir, shm'),
    'tag binary': (
        PROVIDERS + 'data_dir: §!!binary aGk=\n',
        'data_dir', 'the YAML tag tag:yaml.org,2002:binary is not allowed',
        'remove it'),
    'tag own': (
        PROVIDERS + 'data_dir: §!env X\n',
        'data_dir', 'the YAML tag !env is not allowed',
        'remove it'),
    'python name': (
        PROVIDERS + 'data_dir: §!!python/name:os.system\n',
        'data_dir', 'the YAML tag tag:yaml.org,2002:python/name:os.system is ',
        'remove it'),
    'directive': (
        '§%YAML 9.9\n---\n' + PROVIDERS,
        '', 'not valid YAML: found incompatible YAML document',
        'leave the %YAML line out, or write %YAML'),
    'yes as bool': (
        PROVIDERS + 'models_strict: §yes\n',
        'models_strict', "expected true or false, got 'yes'",
        'for example true'),
    'octal port': (
        'listen: {port: §0o17777777}\n' + PROVIDERS,
        'listen.port', "expected a whole number from 0 to 65535, got '0o17777777",
        'the nearest that may stand here is 65535'),
    'float port': (
        'listen: {port: §80.5}\n' + PROVIDERS,
        'listen.port', "expected a whole number from 0 to 65535, got '80.5'",
        'the nearest that may stand here is 81'),
    'quoted port': (
        'listen: {port: §"80"}\n' + PROVIDERS,
        'listen.port', "expected a whole number from 0 to 65535, got '80'",
        'write it without quotes'),
    'neg port': (
        'listen: {port: §-1}\n' + PROVIDERS,
        'listen.port', "expected a whole number from 0 to 65535, got '-1'",
        'the nearest that may stand here is 0'),
    'huge int': (
        'listen: {port: §99999999999999999999999999999}\n' + PROVIDERS,
        'listen.port', "expected a whole number from 0 to 65535, got '9999999999",
        'the nearest that may stand here is 65535'),
    'nan': (
        PROVIDERS + 'keys: [{id: a, value: b, limits: {concurrency: §.nan}}]\n',
        'keys[0].limits.concurrency', "expected a whole number from 1 to 1000000, got '.nan'",
        'digits alone, for example 1'),
}
