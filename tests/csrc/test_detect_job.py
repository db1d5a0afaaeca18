"""csrc/fgw_detect_job.c, fgw_detect_json.c, fgw_detect_window.c: documents with labels in place.

Method: through ctypes, with undefined behaviour trapping and scratch filled with rubbish. orjson
is the oracle: a redacted document parses, and to the same but for the labels.
"""

import random

import orjson
import pytest

from tests.csrc.detect_native import Job

SEED = 20261121
MAIL, CARD = "jo@example.com", "4111111111111111"


def escape_at_random(text, draw):
    """The inside of a JSON string, some of its characters as escapes."""
    out = ""
    for character in text:
        code = ord(character)
        if code > 0xffff and draw.random() < 0.5:
            code -= 0x10000
            out += f"\\u{0xd800 + (code >> 10):04x}\\u{0xdc00 + (code & 1023):04X}"
        elif character in '"\\\n' or draw.random() < 0.2:
            out += "\\/" if character == "/" and draw.random() < 0.5 else (
                f"\\u{code:04x}" if code < 0x10000 else character)
        else:
            out += character
    return out


def test_any_spelling_of_a_string_is_redacted_to_the_same():
    draw = random.Random(SEED)
    print("seed", SEED)
    text = f'a/b "{MAIL}" é \U0001f600 {CARD}\n-----end'
    for _ in range(300):
        body = f'{{"messages":[{{"content":"{escape_at_random(text, draw)}"}}]}}'.encode()
        assert orjson.loads(body)["messages"][0]["content"] == text
        out = orjson.loads(Job().document(body))
        assert out["messages"][0]["content"] == \
            'a/b "[REDACTED:email]" é \U0001f600 [REDACTED:payment_card]\n-----end'


def test_long_texts_slide_through_the_window():
    draw = random.Random(SEED)
    for size in (3900, 4000, 4090, 4096, 4100, 9000, 70000):
        before = "".join(draw.choice("ab cd\n") for _ in range(size))
        body = orjson.dumps({"messages": [{"content": f"{before} {MAIL} {before} {CARD} x"}]})
        out = orjson.loads(Job().document(body))["messages"][0]["content"]
        assert out == f"{before} [REDACTED:email] {before} [REDACTED:payment_card] x"


def test_what_is_found_says_where_and_never_what():
    body = orjson.dumps({"messages": [{"content": "x"}, {"content": [
        {"type": "text", "text": MAIL}, {"type": "text", "text": MAIL}]}],
        "weird name, says " + MAIL: {"x": CARD}})
    job = Job()
    job.document(body)
    assert job.path("email") == "messages[1].content[0].text"
    assert job.count("email") == 2
    assert job.path("payment_card") == ""


@pytest.mark.parametrize("member", ["model", "role", "type", "id", "tool_call_id", "signature"])
def test_what_no_person_wrote_is_passed_over(member):
    body = orjson.dumps({"messages": [{member: MAIL, "content": "x"}]})
    assert Job().document(body) == body


@pytest.mark.parametrize("depth", [1, 50, 126, 127, 128, 200])
def test_depth_is_bounded_and_what_is_too_deep_is_read_as_text(depth):
    body = b"[" * depth + b'"' + MAIL.encode() + b'"' + b"]" * depth
    assert Job().document(body) == body.replace(MAIL.encode(), b"[REDACTED:email]")


def test_broken_json_is_survived_at_every_cut():
    body = orjson.dumps({"messages": [{"content": f"x {MAIL}", "n": [1, {"a": None}]}]})
    for cut in range(len(body)):
        out = Job().document(body[:cut])
        assert b"example.com" not in out or cut < body.index(b"example.com") + 11


def test_mutated_documents_are_survived():
    draw = random.Random(SEED)
    body = bytearray(orjson.dumps({"messages": [{"content": f"\\ {MAIL} \" {CARD}", "tool_calls": [
        {"function": {"arguments": '{"a":"\\u0041"}'}}]}]}))
    for _ in range(2000):
        copy = bytearray(body)
        for _ in range(draw.randint(1, 4)):
            copy[draw.randrange(len(copy))] = draw.choice(b'"\\{}[]:,u0 \n')
        Job().document(bytes(copy))


def test_an_event_is_undecided_from_its_last_word_on():
    job = Job()
    block = b'data: {"choices":[{"index":0,"delta":{"content":"write to joh"}}]}\n\n'
    assert job.event(block, 100) == 0
    assert job.decided(100, len(block)) == block.index(b"joh")
    more = b'data: {"choices":[{"index":0,"delta":{"content":"n. "}}]}\n\n'
    assert job.event(more, 100 + len(block)) == 0
    assert job.decided(100, len(block + more)) == len(block + more)
