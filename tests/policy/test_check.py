"""`fastgw check`: all errors at once, and warnings of what is legal but surprising.

Method: files with several mistakes. One mistake at a time is tests/config/test_broken.py.
"""

from fastgw.policy.check import check

GOOD = "providers: [{id: a, dialect: openai, base_url: 'https://h', keys: [{value: k}]}]\n"


def run(tmp_path, text):
    file = tmp_path / "f.yaml"
    file.write_text(text)
    return check(file, {})


def test_a_good_file_has_neither(tmp_path):
    assert run(tmp_path, GOOD) == ([], [])


def test_every_broken_expression_is_reported(tmp_path):
    errors, _ = run(
        tmp_path,
        GOOD
        + """
usage: {labels: {f: nope}}
policy:
  on_http_request:
    - expressions: ["ai.x", "ai.stream", "ai.y"]
      actions: [{type: rate-limit, config: {name: p, capacity: 1, per: 1s, bucket_key: [zz]}}]
""",
    )

    assert [(error.line, error.key.rpartition(".")[2]) for error in errors] == [
        (3, "f"),
        (6, "expressions[0]"),
        (6, "expressions[2]"),
        (7, "bucket_key[0]"),
    ]


def test_what_is_legal_but_surprising_is_a_warning(tmp_path):
    errors, warnings = run(
        tmp_path,
        """
admin: {token: short}
models_strict: true
models: [{id: m, candidates: [{provider: a, model: x}]}]
providers:
  - {id: a, dialect: openai, base_url: 'http://h', keys: [{value: k}]}
  - {id: b, dialect: openai, base_url: 'https://h'}
keys:
  - {id: k, value: v, access: {models: [n]}, expires: 2001-01-01T00:00:00Z}
policy:
  on_http_request:
    - {name: r}
    - {name: s, expressions: ["key.tags.t != 'x'"], actions: [{type: deny}]}
""",
    )

    assert errors == []
    words = [
        "no key: this provider",
        "has no action",
        "has expired",
        "no model has the id 'n', and models_strict",
        "no model uses the provider 'b', and models_strict",
        "unencrypted",
        "token is short",
        "where the tag 't' is absent",
    ]
    assert len(warnings) == len(words)
    for expected in words:
        assert [w for w in warnings if expected in str(w) and w.line], expected
