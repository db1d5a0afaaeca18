"""Goal: what nobody told is booked as the model's family has it, with the error that goes with it,
and the interval is none the narrower for it.

Method: streams and answers that break off, through a worker, as OpenAI, Anthropic and Gemini
have them, with a cap (a tokenizer counts all of it) and without (a sample); beside
`families.estimate` of the same text. Recorded answers (../shared/vectors/streams) cut at a
quarter, a half, three quarters and the end, beside what their providers told.
"""

import functools
import json
import re
import statistics
import subprocess
import sys

import orjson
import pytest
from fastgw.usage.tokenizers import Tokenizers, load_tokenizers

from fastgw.dialect.names import DIALECTS, OPERATIONS
from fastgw.ledger.records import (
    FATE_CUT_BY_CLIENT,
    FATE_DELIVERED,
    PROVENANCE_ESTIMATED,
    PROVENANCE_PROVIDER,
    Close,
)
from fastgw.ledger.vocabulary import BASES, WRITINGS
from fastgw.usage import families, tokens
from tests.csrc.recorded import STREAMS, body_of
from tests.usage.test_families import CHINESE, CODE, GERMAN, PROSE, RUSSIAN
from tests.worker import (
    chat,
    chunked,
    event,
    policy,
    provider,
    request,
    response,
    stream_head,
    usage_event,
)

COUNTED, RATIO, RATE, BYTES, LEARNED, LIMIT = range(1, 7)
BR = 1 << 4  # above BYTES: why it was not read (enum fgw_unread)
SAMPLED = 8
PROVIDERS = [provider("openai"), provider("anthropic", "anthropic", path=""),
             provider("gemini", "gemini", path="")]
CAP = {"type": "usage-cap", "config": {
    "name": "cap", "unit": "output_tokens", "window": "day", "limit": 10**9,
    "bucket_key": ["key.id"]}}


def openai(text):
    return event({"model": "m", "choices": [{"index": 0, "delta": {"content": text}}]})


def anthropic(text):
    return b"event: content_block_delta\n" + event({
        "type": "content_block_delta", "index": 0,
        "delta": {"type": "text_delta", "text": text}})


def gemini(text):
    return event({"candidates": [{"content": {"parts": [{"text": text}], "role": "model"}}]})


WIRES = {
    "claude-sonnet-4-5": ("/v1/messages", anthropic),
    "claude-opus-4-8": ("/v1/messages", anthropic),
    "gemini-2.5-pro": ("/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse", gemini),
    "qwen3-max": ("/v1/chat/completions", openai),
    "deepseek-chat": ("/v1/chat/completions", openai),
    "llama-3.3-70b": ("/v1/chat/completions", openai),
    "mistral-large-latest": ("/v1/chat/completions", openai),
    "grok-4": ("/v1/chat/completions", openai), "gpt-4o": ("/v1/chat/completions", openai)}
TEXTS = {"prose": PROSE, "code": CODE, "cjk": CHINESE, "cyrillic": RUSSIAN, "european": GERMAN}


def ask(model, prompt="hello", limit=100_000):
    if "gemini" in model:
        return orjson.dumps({"contents": [{"parts": [{"text": prompt}], "role": "user"}],
                             "generationConfig": {"maxOutputTokens": limit}})
    return chat(model=model, stream=True, max_tokens=limit,
                messages=[{"role": "user", "content": prompt}])


def words(text):
    return re.findall(r"\s*\S{1,8}|\s+$", text)


def left(worker, model, text, capped=False, **more):
    """The CLOSE of a stream whose client left when this had been said."""
    load_tokenizers()
    rules = {"policy": policy({"name": "r", "actions": [CAP]})} if capped else {}
    one = worker(providers=PROVIDERS, **rules)
    path, say = WIRES[model]
    client = one.connect()
    client.feed(request(ask(model, **more), path=path))
    pieces = words(text)
    assert "".join(pieces) == text
    one.upstream.feed(stream_head(), *[chunked(say(piece)) for piece in pieces])
    client.end()
    return one.one(Close), len(pieces)


def said(close):
    return BASES[close.output_basis & 7], WRITINGS[close.output_basis >> 4]


@pytest.mark.parametrize("model", WIRES)
@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("capped", [False, True])
def test_what_an_aborted_stream_said_is_the_familys_estimate(worker, model, kind, capped):
    text = TEXTS[kind] * 40
    close, events = left(worker, model, text, capped)
    expected = families.estimate(text, model)

    # Of a sample: the texts repeat, so that it is as good as the whole.
    assert close.tokens.output == pytest.approx(expected.tokens, rel=0.01 if capped else 0.04)
    assert said(close) == ("counted" if expected.exact else "ratio", kind)
    assert bool(close.output_basis & SAMPLED) == (not capped)
    assert close.output_provenance == PROVENANCE_ESTIMATED and close.fate == FATE_CUT_BY_CLIENT
    # Not narrowed: an event is a token at least, and the limit is in force.
    assert (close.output_low, close.output_high) == (events, 100_000)


@pytest.mark.parametrize("model", WIRES)
def test_a_short_answer_is_counted_to_its_last_word(worker, model):
    close, _ = left(worker, model, PROSE * 3)

    assert close.tokens.output == pytest.approx(families.estimate(PROSE * 3, model).tokens, abs=1)
    assert not close.output_basis & SAMPLED


def test_an_answer_that_goes_on_as_code_is_sampled_there_too(worker):
    text = PROSE * 8 + CODE * 120
    close, _ = left(worker, "claude-sonnet-4-5", text)

    assert said(close) == ("ratio", "code")
    assert close.tokens.output == pytest.approx(
        families.estimate(text, "claude-sonnet-4-5").tokens, rel=0.2)


def test_no_estimate_passes_the_limit_in_force_nor_goes_below_what_is_certain(worker):
    close, events = left(worker, "claude-opus-4-8", PROSE * 20, limit=200)
    assert close.output_low == events and close.tokens.output == close.output_high == max(
        200, events)


@pytest.mark.parametrize("cut", [0.5, 0.9])
def test_a_document_that_breaks_off_has_said_what_came_of_it(worker, cut):
    load_tokenizers()
    text = PROSE * 20
    body = orjson.dumps({"id": "x", "model": "qwen3-max", "choices": [
        {"index": 0, "message": {"role": "assistant", "content": text}}]})
    came = body[:int(len(body) * cut)]
    one = worker(providers=PROVIDERS)
    client = one.connect()
    client.feed(request(ask("qwen3-max")))
    one.upstream.feed(response(body).partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + came)
    one.upstream.end()
    close = one.one(Close)

    share = families.estimate(came[came.index(b"The"):].decode(), "qwen3-max").tokens
    assert close.tokens.output == pytest.approx(share, rel=0.05)
    assert said(close) == ("ratio", "prose")


@pytest.mark.parametrize("model", WIRES)
@pytest.mark.parametrize("kind", TEXTS)
def test_a_prompt_that_nobody_told_of_is_the_familys_estimate(worker, model, kind):
    prompt = TEXTS[kind] * 30
    close, _ = left(worker, model, "so", prompt=prompt)
    expected = families.estimate(prompt, model)

    assert expected.tokens <= close.tokens.input <= expected.tokens * 1.01 + 8
    assert BASES[close.input_basis & 7] == ("counted" if expected.exact else "ratio")
    assert WRITINGS[close.input_basis >> 4] == kind
    assert close.input_low == 0 and close.input_high > len(prompt.encode()) / 5


def test_what_is_more_than_text_is_estimated_as_it_was_learned(worker):
    load_tokenizers()
    one = worker(providers=PROVIDERS)
    client = one.connect()
    client.feed(request(chat(model="qwen3-max", stream=True, tools=[
        {"type": "function", "function": {"name": "f", "parameters": {}}}])))
    one.upstream.feed(stream_head(), chunked(openai("so")))
    client.end()
    close = one.one(Close)

    assert close.input_basis == LEARNED and close.tokens.input > 0


def test_what_the_provider_told_has_no_basis(worker):
    one = worker(providers=PROVIDERS)
    client = one.connect()
    client.feed(request(chat(stream=True)))
    one.upstream.feed(stream_head(), chunked(openai("words"), usage_event(), b"data: [DONE]\n\n",
                                             b""))
    close = one.one(Close)

    assert close.provenance == PROVENANCE_PROVIDER
    assert close.input_basis == close.output_basis == 0


def test_a_compressed_answer_that_nobody_reads_has_a_token_for_ten_bytes(worker):
    for body, expected in ((b"\x8b" * 5000, 500), (b"\x8b" * 5, 0)):
        one = worker(providers=PROVIDERS)
        client = one.connect()
        client.feed(request(chat(max_tokens=900)))
        one.upstream.feed(response(body, "Content-Encoding: br"))
        close = one.one(Close)
        assert close.fate == FATE_DELIVERED and close.output_basis == BYTES | BR
        assert (close.output_low, close.tokens.output, close.output_high) == (0, expected, 900)


def test_a_page_is_no_answer_of_a_models(worker):
    """HTML with 200: something before the provider has answered, so nothing is taken for said."""
    one = worker(providers=PROVIDERS)
    client = one.connect()
    client.feed(request(chat(max_tokens=900)))
    page = b"<html><body>Please sign in to this network</body></html>"
    one.upstream.feed(response(page).replace(b"application/json", b"text/html"))
    close = one.one(Close)

    assert (close.output_low, close.tokens.output, close.output_high) == (0, 0, 900)


# ---------------------------------------------------------------- several answers in one stream
SEVERAL = [b"data: " + orjson.dumps({
    "model": "m", "choices": [{"index": index, "delta": {"content": "word " * 20}}]}) + b"\n\n"
    for index in (0, 1)]
ENDED = event({"model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
               "usage": {"prompt_tokens": 9, "completion_tokens": 20, "total_tokens": 29}})
PATHS = {"openai": "/v1/chat/completions",
         "azure": "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"}


@pytest.mark.parametrize("client_of", PATHS)
@pytest.mark.parametrize("n, goes_on", [(1, False), (2, True)])
def test_one_of_several_answers_has_ended_and_the_others_go_on(worker, client_of, n, goes_on):
    """A number that comes with the end of one answer is no last word on the others."""
    one = worker(providers=PROVIDERS)
    client = one.connect()
    client.feed(request(chat(stream=True, n=n, max_tokens=400), *(
        ["api-key: fgw-alice"] if client_of == "azure" else []), path=PATHS[client_of],
        key="" if client_of == "azure" else "fgw-alice"))
    one.upstream.feed(stream_head(), chunked(*SEVERAL[:n], ENDED))
    client.end()
    close = one.one(Close)

    assert (close.provenance == PROVENANCE_ESTIMATED) == goes_on
    if goes_on:
        assert close.input_provenance == PROVENANCE_PROVIDER and close.tokens.input == 9
        assert close.output_low <= 40 <= close.output_high == 800
        assert 20 <= close.tokens.output < 80
    else:
        assert close.tokens.output == 20 == close.output_low == close.output_high


@pytest.mark.parametrize("client_of", PATHS)
def test_once_all_is_read_the_number_is_that_of_all_answers(worker, client_of):
    one = worker(providers=PROVIDERS)
    client = one.connect()
    client.feed(request(chat(stream=True, n=2), *(
        ["api-key: fgw-alice"] if client_of == "azure" else []), path=PATHS[client_of],
        key="" if client_of == "azure" else "fgw-alice"))
    one.upstream.feed(stream_head(), chunked(*SEVERAL, ENDED, b"data: [DONE]\n\n", b""))
    close = one.one(Close)

    assert close.provenance == PROVENANCE_PROVIDER and close.tokens.output == 20


def test_what_runs_in_the_background_has_only_begun(worker):
    """A last number of 0 is none; one that is more is the provider's."""
    for output, told in ((0, False), (7, True)):
        one = worker(providers=PROVIDERS)
        client = one.connect()
        client.feed(request(orjson.dumps({"model": "gpt-5", "input": "x", "background": True,
                                          "max_output_tokens": 50}), path="/v1/responses"))
        one.upstream.feed(response(orjson.dumps({
            "id": "r", "status": "queued", "output": [],
            "usage": {"input_tokens": 5, "output_tokens": output, "total_tokens": 5 + output}})))
        close = one.one(Close)
        assert (close.output_provenance == PROVENANCE_PROVIDER) == told
        assert close.tokens.output == (output if told else 50)
        assert told or close.output_basis == LIMIT


# ---------------------------------------------------------------- what it is worth
def test_an_estimate_says_what_it_is_worth():
    usage = {"output_tokens": 812, "input_tokens": 9, "estimates": {
        "input_tokens": {"by": "learned"},
        "output_tokens": {"by": "ratio", "writing": "prose", "sampled": True}}}
    told = families.tell({"attempts": [{"model": "claude-sonnet-4-5", "usage": usage},
                                       {"model": "x", "usage": None}]})
    found = told["attempts"][0]["usage"]["estimates"]["output_tokens"]
    own, rate = families.family_of("claude-3").classes["prose"], families.rates()["prose"]

    assert (found["family"], found["ratio"]) == ("claude-3", own.ratio)
    assert found["error"] == [round(own.long.low * rate.sample.low, 2),
                              round(own.long.high * rate.sample.high, 2)]
    assert found["version"] == families.version() >= 20261122
    assert families.tell(told) == told


@pytest.mark.parametrize("model", [*WIRES, "unheard-of"])
@pytest.mark.parametrize("by", ["counted", "ratio", "rate"])
def test_the_error_grows_with_what_is_not_known(model, by):
    for writing in families.CLASSES:
        whole, some = (families.worth(model, by, writing, sampled, 900)
                       for sampled in (False, True))
        assert some["error"][0] <= whole["error"][0] <= 1 <= whole["error"][1] <= some["error"][1]
    assert families.worth(model, by, "other", True, 900)["error"] is None


def test_where_no_tokenizer_is_loaded_bytes_of_such_writing_count(tmp_path):
    """In a process of its own: what one has loaded stays."""
    script = (
        "from fastgw.usage.tokenizers import Tokenizers\n"
        "from tests.usage.test_estimates import anthropic, TEXTS\n"
        "for kind, text in TEXTS.items():\n"
        "    body = anthropic(text * 40)\n"
        "    print(kind, *Tokenizers().estimated(2, 4, 1, 'claude-sonnet-4-5', body))\n")
    numbers = f"{DIALECTS.index('anthropic')}, {OPERATIONS.index('messages')},"
    script = script.replace("2, 4,", numbers)
    lines = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True,
                           check=True).stdout.splitlines()
    assert len(lines) == 5
    for line in lines:
        kind, count, basis, size = line.split()
        by_bytes = families.ratios("claude-sonnet-4-5")[1][families.KINDS.index(kind)]
        assert int(basis) & 7 == RATE and WRITINGS[int(basis) >> 4] == kind
        assert int(count) == pytest.approx(int(size) * by_bytes / 1000, abs=1)


# ---------------------------------------------------------------- beside what providers told
NO_TEXT = re.compile(
    rb'tool_use|tool_calls": ?\[|toolUse|functionCall|reasoning_content": ?"|"reasoning": ?"|'
    rb'"thinking"|input_json|function_call"|tool-call|tool_plan|"refusal": ?"|"thought": ?true')
APIS = {("gemini", "generateContent"): "generate", ("ollama", "api/chat"): "chat",
        ("gemini", "streamGenerateContent"): "generate", ("cohere", "v2/chat"): "chat",
        ("bedrock", "converse"): "converse", ("openai", "chat"): "chat",
        ("openai", "completions"): "completions", ("anthropic", "messages"): "messages"}
WIRE = {"anthropic-vertex": "anthropic", "vertex": "gemini"} | {
    name: name for name in DIALECTS if name not in ("", "azure")}
OWN_APIS = {"rawpredict": "messages", "streamrawpredict": "messages"}


def kind_of(row):
    form = row["content_type"] or ""
    if not row["streaming"]:
        return 0
    return 1 if "event-stream" in form else 2 if "ndjson" in form else 3


def recorded():
    """(row, dialect, operation, model, body): answers that are text alone, of models that are not
    OpenAI's, and of which the provider told 20 tokens or more."""
    manifest = STREAMS / "manifest.jsonl"
    if not manifest.exists():
        pytest.skip("../shared/vectors is not there")
    for row in map(json.loads, manifest.read_text().splitlines()):
        told = row["expected_usage"] or {}
        dialect = WIRE.get(row["dialect"], "openai")
        operation = OWN_APIS.get(row["api"]) or APIS.get((dialect, row["api"]))
        if row["status"] != 200 or (told.get("output") or 0) < 20 or told.get("reasoning") or (
            operation is None
        ):
            continue
        body = body_of(row)
        found = re.search(rb'"model(?:Version|_version)?": ?"([^"]+)"', body)
        model = row["model"] or (found[1].decode() if found else "")
        if not NO_TEXT.search(body) and tokens.encoding_of(model) is None:
            yield row, dialect, operation, model, body


@functools.cache
def errors():
    """By share of the bytes: (name, relative error of bytes / 4, of the estimate)."""
    load_tokenizers()
    one, found = Tokenizers(), {}
    for row, dialect, operation, model, body in recorded():
        of = functools.partial(one.estimated, DIALECTS.index(dialect),
                               OPERATIONS.index(operation), kind_of(row), model)
        said_in_all = of(body)[2]
        for share in (25, 50, 75, 100):
            count, basis, size = of(body[:len(body) * share // 100])
            truth = row["expected_usage"]["output"] * size / max(said_in_all, 1)
            if basis and truth >= 10:
                found.setdefault(share, []).append(
                    (row["name"], abs(size // 4 / truth - 1), abs(count / truth - 1)))
    return found


def test_recorded_answers_are_estimated_better_than_by_bytes():
    """They are English, most of Claude's, whose prose has four bytes a token: the one text and
    the one family for which a quarter of the bytes was right already."""
    for share, all_ in sorted(errors().items()):
        by_bytes, by_ratio = ([one[at] for one in all_] for at in (1, 2))
        figures = [round(figure, 3) for some in (by_bytes, by_ratio) for figure in (
            statistics.median(some), statistics.quantiles(some, n=10)[-1])]
        print(f"{share} %, {len(all_)} answers: bytes/4 median {figures[0]}, p90 {figures[1]}; "
              f"by ratio median {figures[2]}, p90 {figures[3]}")
        if share >= 50:
            assert len(all_) >= 20 and figures[2] < 0.15 and figures[3] < figures[1]
