"""Broken files: § stands just before the place that the one error must name.

A case is (text, key, words of the message, words of the remedy); instead of the text (text,
encoding) where it is not UTF-8.
"""

from fastgw.policy.check import check

CANARY = "sk-canary-71c0ffee"
ENV = {"CANARY": CANARY, "PORT": "8080"}
HASH = '"sha256:' + "a" * 64 + '"'

PROVIDERS = """
providers:
  - {id: openai, dialect: openai, base_url: "https://api.openai.com/v1",
     keys: [{value: "${env:CANARY}"}]}
"""
RULES = PROVIDERS + "policy:\n  on_http_request:\n"


def rule(expression):
    return RULES + f'    - expressions: [§"{expression}"]\n'


def action(text):
    return RULES + f"    - actions:\n        - {text}\n"


def pace(text):
    return action("{type: rate-limit, config: {name: pace, capacity: 9, per: 1m, " + text + "}}")


def key(text):
    return PROVIDERS + "keys:\n  - {id: a, hash: " + HASH + ", " + text + "}\n"


def provider(text):
    return 'providers:\n  - {id: x, dialect: openai, base_url: "http://[::1]:1", ' + text + "}\n"


def url(text):
    return "providers:\n  - {id: x, dialect: openai, base_url: §" + text + "}\n"


def model(text):
    return PROVIDERS + "models:\n  - {id: m, candidates: " + text + "}\n"


R0 = "policy.on_http_request[0]"
A0 = f"{R0}.actions[0]"


def written(marked, tmp_path):
    """The file of a case without its mark, and where that was: (path, line, column)."""
    encoding = "utf-8"
    if isinstance(marked, tuple):
        marked, encoding = marked
    before, _, after = marked.partition("§")
    line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
    file = tmp_path / "fastgw.yaml"
    file.write_bytes((before + after).encode(encoding))
    return file, line, column


def judge(case, tmp_path):
    """One error, at the mark, with its key, words and remedy, and without the canary."""
    marked, key_path, words, remedy = case
    file, line, column = written(marked, tmp_path)

    errors, _ = check(file, ENV)

    assert [str(error) for error in errors][1:] == []
    error = errors[0]
    assert (error.file, error.line, error.column, error.key) == (
        str(file), line, column, key_path), str(error)
    assert words in error.message, str(error)
    assert error.suggestion and remedy in error.suggestion, str(error)
    assert CANARY not in str(error) and CANARY not in repr(error)
