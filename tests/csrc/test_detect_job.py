"""csrc/fgw_detect_job.c, fgw_detect_json.c, fgw_detect_window.c: documents with labels in place.

Method: through ctypes, with undefined behaviour trapping and scratch filled with rubbish. orjson
is the oracle: a redacted document parses, and to the same but for the labels.
"""

import random
import time

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


@pytest.mark.parametrize("first, second, last", [
    (b'{"message":{"content":"write to joh"},"done":false}\n',
     b'{"message":{"content":"n@example.com soon"},"done":false}\n', b'{"done":true}\n'),
    (b'{"response":"write to joh"}\n', b'{"response":"n@example.com soon"}\n', b'{"done":true}\n'),
    (b'[{"candidates":[{"content":{"parts":[{"text":"write to joh"}]}}]}',
     b',\r\n{"candidates":[\n{"content":\n{"parts":\n[{"text":"n@example.com soon"}]}}]}',
     b',\r\n{"candidates":[{"finishReason":"STOP"}]}'),
    (b'data: {"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"to joh"'
     b'}}}}\n\n',
     b'data: {"type":"content-delta","index":0,"delta":{"message":{"content":{"text":'
     b'"n@example.com so"}}}}\n\n', b'data: {"type":"content-end","index":0}\n\n'),
])
def test_a_text_runs_on_over_the_events_of_every_framing(first, second, last):
    job = Job()
    assert job.event(first, 0) == 0
    assert job.decided(0, len(first)) == first.index(b"joh")
    assert job.event(second, len(first)) == 0
    assert job.count("email") == 1
    job.event(last, len(first + second))
    whole = len(first + second + last)
    assert job.decided(0, whole) == whole


DELTA = b'data: {"choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n'


@pytest.mark.parametrize(("first", "then", "left"), [
    (b"card 4111 1111 1111 1111", b"23 ok", b" ok"),
    (b"mail john@example.co", b"m, ok", b", ok"),
    (b"key sk-ant-api03-Ab3dEf9hIj2kLm4nOp6qRs8t", b"Uv0wXy2z. ok", b" ok"),
    (b"nothing here", b" or here", b" or here"),
])
def test_what_must_be_let_out_is_cut_where_it_is_a_find_as_it_stands(first, then, left):
    events = [DELTA % text for text in (first, then)]
    job = Job()
    job.event(events[0], 0)
    job.let_out()
    assert job.decided(0, len(events[0])) == len(events[0])
    job.event(events[1], len(events[0]))
    shown = job.cut(b"".join(events)).split(b"\n\n")

    assert first.split()[-1] not in shown[0] or first.startswith(b"nothing")
    assert b'"content":"' + left + b'"' in shown[1]


@pytest.mark.parametrize("member", [b'"delta":"a",', b'"finish_reason":"a",'])
def test_an_event_of_a_thousand_deltas_is_walked_in_linear_time(member):
    """(Quadratic, a MiB of these took minutes.)"""
    inside = member * (2**20 // len(member)) + b'"x":1'
    begun = time.monotonic()
    Job().event(b'data: {"choices":[{' + inside + b"}]}\n\n", 0)
    Job().event(b"data: {" + inside + b"}\n\n", 0)
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize(("document", "text"), [
    (0, b'{"messages":[{"content":"data: name, ssn: 123-45-6789, and more, and more of it"}]}'),
    (1, b'{"text":"my number is 123-45-6789"}'),
    (1, b'{"logprob":NaN,"message":"my number is 123\\u002d45-6789"}'),
])
def test_what_is_easily_taken_for_something_else_is_looked_at(document, text):
    assert b"[REDACTED:us_ssn]" in Job().document(text, document)


def test_data_urls_are_passed_over_in_either_spelling():
    for slash in (b"/", b"\\/"):
        url = b"data:image" + slash + b"png;base64," + b"4111111111111111" * 8 + slash
        text = b'{"messages":[{"content":"' + url + b'"}]}'
        assert Job().document(text) == text


# ---- Gemini: what Google's API has where


def test_a_request_of_gemini_is_looked_at_where_people_write():
    body = orjson.dumps({
        "systemInstruction": {"parts": {"text": MAIL}},
        "contents": [
            {"role": "user", "parts": [{"text": MAIL}, {"inlineData": {"mimeType": MAIL}}]},
            {"parts": [{"functionCall": {"name": "f", "args": {MAIL: CARD}}}]},
            {"parts": [{"functionResponse": {"response": {"type": MAIL}}}]},
            {"parts": [{"text": "x", "thoughtSignature": MAIL, "fileData": {"fileUri": MAIL}}]},
        ],
        "generationConfig": {"stopSequences": [MAIL]}, "labels": {"a": MAIL},
        "cachedContent": MAIL,
    })
    out = orjson.loads(Job().document(body))
    said = "[REDACTED:email]"
    assert out["systemInstruction"]["parts"]["text"] == said
    assert out["contents"][0]["parts"] == [{"text": said}, {"inlineData": {"mimeType": MAIL}}]
    assert out["contents"][1]["parts"][0]["functionCall"]["args"] == {
        said: "[REDACTED:payment_card]"}
    assert out["contents"][2]["parts"][0]["functionResponse"]["response"] == {"type": said}
    assert out["contents"][3]["parts"][0] == {
        "text": "x", "thoughtSignature": MAIL, "fileData": {"fileUri": MAIL}}
    assert out["generationConfig"] == {"stopSequences": [MAIL]} and out["labels"] == {"a": MAIL}


def gemini_event(text: str, index: int = 0, **more) -> bytes:
    candidate = {"content": {"parts": [{"text": text}], "role": "model"}, "index": index, **more}
    return b"data: " + orjson.dumps({"candidates": [candidate]}) + b"\r\n\r\n"


def test_texts_of_a_candidate_go_on_over_chunks_until_it_ends():
    first, other = gemini_event("write to joh"), gemini_event("n@example.com", index=1)
    job = Job()
    assert job.event(first, 0) == 0
    assert job.decided(0, len(first)) == first.index(b"joh")
    assert job.event(other, len(first)) == 0  # another's word is another text
    assert job.decided(0, len(first)) == first.index(b"joh")
    last = gemini_event(" ok", finishReason="STOP")
    assert job.event(last, len(first + other)) == 0
    assert job.decided(0, len(first)) == len(first)
