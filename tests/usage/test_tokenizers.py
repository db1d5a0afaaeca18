"""Tokenizers: an answer is counted by a vocabulary that is sure not to count too much, or by none.

Method: models by name; the counting itself is test_tokens' and tests/stream/test_edge's.
"""

from fastgw.usage.tokenizers import Tokenizers, load_tokenizers

OPENAI, ANTHROPIC = 1, 2


def test_each_model_is_counted_by_what_is_known_of_it():
    load_tokenizers()
    one = Tokenizers()
    asked = [(OPENAI, b"gpt-4o-mini"), (OPENAI, b"gpt-4"), (OPENAI, b"ft:gpt-4o:a:b"),
             (OPENAI, b"mistral-large"), (OPENAI, b""), (OPENAI, b"\xff\xfe"),
             (ANTHROPIC, b"claude-sonnet-5"), (ANTHROPIC, b"gpt-4")]
    expected = ["o200k_base", "cl100k_base", "o200k_base", None, None, None,
                "o200k_base", "o200k_base"]
    assert [one.name_of(*each) for each in asked * 2] == expected * 2


def test_names_that_clients_invent_do_not_pile_up():
    load_tokenizers()
    one = Tokenizers()
    for number in range(5000):
        assert one.name_of(OPENAI, b"gpt-4o-%d" % number) == "o200k_base"
    assert one.known <= 1024
