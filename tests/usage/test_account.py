"""Goal: an attempt costs what its provider said, or an interval that the true number lies in.

Method: answers, whole and broken off, through a worker; the CLOSE record has the count.
"""

import orjson
import pytest
from fastgw.usage.tokenizers import load_tokenizers

from fastgw.ledger.records import (
    FATE_CUT_BY_CLIENT,
    PROVENANCE_ESTIMATED,
    PROVENANCE_NONE,
    PROVENANCE_PROVIDER,
    Close,
    Tokens,
)
from fastgw.ledger.vocabulary import TIERS
from fastgw.shm import counters
from fastgw.usage import tokens
from tests.worker import chat, chunked, delta, event, provider, request, response, stream_head


def closed(one, body: bytes, *reads: bytes, path: str = "/v1/chat/completions", leave=False):
    client = one.connect()
    client.feed(request(body, path=path))
    if reads:
        one.upstream.feed(*reads)
    if leave:
        client.end()
    return one.one(Close)


def test_openais_classes_are_made_disjoint(worker):
    usage = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150,
             "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 6},
             "completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": 5}}
    close = closed(worker(), chat(), response(orjson.dumps({"choices": [], "usage": usage})))

    assert close.tokens == Tokens(input=30, cached_input=64, audio_input=6, output=25,
                                  reasoning=20, audio_output=5)
    assert (close.input_low, close.input_high, close.output_low, close.output_high) == (
        100, 100, 50, 50)
    assert close.provenance == PROVENANCE_PROVIDER


def test_anthropics_classes_are_disjoint_already(worker):
    usage = {"input_tokens": 5, "cache_creation_input_tokens": 7, "cache_read_input_tokens": 11,
             "output_tokens": 13}
    close = closed(worker(), chat(max_tokens=99), response(orjson.dumps(
        {"type": "message", "content": [], "usage": usage})), path="/v1/messages")

    assert close.tokens == Tokens(input=5, cache_write=7, cached_input=11, output=13)


@pytest.mark.parametrize("status", [301, 400, 429, 500])
def test_what_the_provider_refused_costs_nothing(worker, status):
    one = worker(providers=[provider("openai", retries={"max": 0})])
    close = closed(one, chat(), response(b"{}", status=status))

    assert close.tokens == Tokens() and close.provenance == PROVENANCE_NONE
    assert (close.input_high, close.output_high) == (0, 0)


def test_what_generates_nothing_costs_nothing(worker):
    one = worker()
    client = one.connect()
    client.feed(request(path="/v1/models", method="GET"))
    one.upstream.feed(response(b'{"data":[]}'))

    assert one.one(Close).provenance == PROVENANCE_NONE


def test_a_stream_that_the_client_left_is_an_interval(worker):
    close = closed(worker(), chat(stream=True, max_tokens=40), stream_head(),
                   chunked(*[delta("words of text ") for _ in range(3)]), leave=True)

    assert close.fate == FATE_CUT_BY_CLIENT
    assert close.provenance == close.output_provenance == PROVENANCE_ESTIMATED
    assert (close.output_low, close.output_high) == (3, 40)
    assert 3 <= close.tokens.output <= 40
    assert 0 == close.input_low < close.tokens.input < close.input_high


def test_more_events_than_the_limit_allows_still_count(worker):
    close = closed(worker(), chat(stream=True, max_tokens=2), stream_head(),
                   chunked(*[delta("w") for _ in range(5)]), leave=True)

    assert close.output_low == close.output_high == close.tokens.output == 5


def test_a_client_that_left_before_the_answer_may_owe_everything(worker):
    close = closed(worker(), chat(max_tokens=40), leave=True)

    assert (close.output_low, close.output_high, close.tokens.output) == (0, 40, 0)
    assert close.input_low == 0 < close.tokens.input <= close.input_high


PROMPT = "The gateway counts what every answer has cost; é, 中文 and \n too. " * 200


def interval_of(worker, model, how, content=PROMPT, **more):
    """(low, high) of the input, where no provider told it."""
    ask = chat(stream=True, max_tokens=40, **more | {
        "model": model, "messages": [{"role": "user", "content": content}]})
    begun = (stream_head(), chunked(delta("words")))
    if how == "left":
        close = closed(worker(), ask, *begun, leave=True)
    elif how == "left early":
        close = closed(worker(), ask, leave=True)
    else:  # the provider breaks off
        one = worker()
        client = one.connect()
        client.feed(request(ask))
        one.upstream.feed(b"".join(begun))
        one.upstream.end()
        close = one.one(Close)
        client.lose()
    assert close.provenance == PROVENANCE_ESTIMATED
    assert close.tokens.input <= close.input_high
    return close.input_low, close.input_high, len(ask)


@pytest.mark.parametrize("how", ["left", "left early", "broken off"])
def test_a_prompt_that_nobody_told_of_is_counted_where_its_tokenizer_is_known(worker, how):
    load_tokenizers()
    text = tokens.count(PROMPT, "gpt-4o")
    least = max(text, len(PROMPT.encode()) // 4)

    low, high, size = interval_of(worker, "gpt-4o", how)

    # What the provider adds, and all of the body that is no text, is still allowed for.
    assert low == 0 and least + 4096 <= high <= least + 4096 + 2 + size - len(PROMPT.encode())
    assert high < size / 2 + 4096


@pytest.mark.parametrize("model, more", [
    ("claude-sonnet-5", {}), ("mistral-large", {}), ("gpt-4o-search-preview", {}),
    ("gpt-4o", {"web_search_options": {}})])
def test_other_prompts_are_bounded_by_their_bytes(worker, model, more):
    load_tokenizers()

    _low, high, size = interval_of(worker, model, "left", **more)

    assert high >= size + 4096


def test_a_text_of_few_tokens_is_a_quarter_of_its_bytes_at_least(worker):
    load_tokenizers()

    assert interval_of(worker, "gpt-4o", "left", " " * 8000)[1] >= 2000 + 4096


def test_anthropics_first_word_on_input_stands_where_the_stream_broke(worker):
    start = {"type": "message_start", "message": {"model": "m", "usage": {
        "input_tokens": 21, "cache_read_input_tokens": 4, "output_tokens": 1}}}
    close = closed(worker(), chat(stream=True, max_tokens=40), stream_head(),
                   chunked(b"event: message_start\n" + event(start)), leave=True,
                   path="/v1/messages")

    assert close.input_provenance == PROVENANCE_PROVIDER
    assert (close.tokens.input, close.tokens.cached_input) == (21, 4)
    assert close.input_low == 25 <= close.input_high
    assert close.output_high == 40 and close.output_provenance == PROVENANCE_ESTIMATED


def test_a_provider_that_reports_no_usage_is_estimated_from_the_text(worker):
    text = {"choices": [{"message": {"content": "word " * 80}}]}
    close = closed(worker(), chat(max_tokens=500), response(orjson.dumps(text)))

    assert close.provenance == PROVENANCE_ESTIMATED
    assert 80 <= close.tokens.output <= 130
    assert close.output_low <= close.tokens.output <= close.output_high == 500


def test_a_retried_attempt_and_its_successor_are_counted_apart(worker):
    one = worker()
    client = one.connect()
    one.loop.fault = [ConnectionRefusedError()]
    client.feed(request(chat()))
    one.upstream.feed(response())

    first, second = [record for record in one.records() if isinstance(record, Close)]
    assert (first.final, first.tokens, first.output_high) == (0, Tokens(), 0)
    assert (second.final, second.tokens.output) == (1, 19)


def test_what_was_refused_costs_nothing_whatever_the_price(worker):
    one = worker(providers=[provider("openai", retries={"max": 0})])
    for model in ("gpt-4o", "unheard-of"):
        close = closed(one, chat(model=model), response(b"{}", status=400))
        assert (close.cost_nano_usd, close.price_version) == (0, 0)


def test_an_unknown_price_is_null_and_counted_and_never_nothing(worker):
    one = worker()
    close = closed(one, chat(model="unheard-of"), response())

    assert close.cost_nano_usd is None and close.price_version == 0
    assert counters.total(one.segment).counters["cost_unknown"] == 1


GPT_5 = {"prompt_tokens": 4321, "completion_tokens": 777, "total_tokens": 5098}


def answered(**more):
    answer = {"id": "x", "model": "gpt-5", "choices": [], "usage": GPT_5}
    return response(orjson.dumps(answer | more))


@pytest.mark.parametrize(("asked", "told", "tier", "nano"), [
    (None, None, "standard", 13_171_250), ("auto", "default", "standard", 13_171_250),
    ("flex", "flex", "flex", 6_585_625), ("flex", None, "flex", 6_585_625),
    ("priority", "priority", "priority", 26_342_500),
    ("priority", "default", "standard", 13_171_250),  # it was downgraded
    ("auto", "priority", "priority", 26_342_500),     # a setting of the project's
    ("fast", "priority", "priority", 26_342_500), ("default", "scale", "reserved", None),
    ("a-tier-with-a-very-long-name", None, "other", None), (1, None, "other", None),
    ("flex", "a tier of next year", "other", None),
])
def test_the_answers_tier_rules_the_cost(worker, asked, told, tier, nano):
    """gpt-5: $1.25 in, $10 out; flex half, priority twice as much; no price at any other."""
    one = worker()
    body = chat(model="gpt-5") if asked is None else chat(model="gpt-5", service_tier=asked)
    close = closed(one, body, answered(service_tier=told))

    assert (TIERS[close.dims.tier], close.cost_nano_usd) == (tier, nano)
    assert counters.total(one.segment).counters["cost_unknown"] == (nano is None)


def test_the_tier_of_a_stream_stands_in_its_chunks(worker):
    one = worker()
    head = {"id": "x", "model": "gpt-5", "service_tier": "flex",
            "choices": [{"index": 0, "delta": {"content": "hi"}}]}
    last = {"id": "x", "model": "gpt-5", "service_tier": "flex", "choices": [], "usage": GPT_5}
    stop = {"id": "x", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    close = closed(one, chat(model="gpt-5", stream=True), stream_head(),
                   chunked(event(head), event(stop), event(last), b"data: [DONE]\n\n"),
                   b"0\r\n\r\n")

    assert (TIERS[close.dims.tier], close.cost_nano_usd) == ("flex", 6_585_625)


@pytest.mark.parametrize(("usage", "tier", "nano"), [
    ({"service_tier": "standard"}, "standard", 5 * 1000 + 25 * 100),
    ({"service_tier": "standard", "inference_geo": "global"}, "standard", 5 * 1000 + 25 * 100),
    ({"service_tier": "standard", "inference_geo": "us"}, "region", 5500 + 2750),
    ({"service_tier": "standard", "speed": "fast"}, "fast", 10_000 + 5000),
    ({"service_tier": "priority"}, "priority", None),  # what was agreed on, nobody here knows
    ({"service_tier": "standard", "speed": "fast", "inference_geo": "us"}, "other", None),
    ({"server_tool_use": {"web_search_requests": 3}}, "standard", 7500 + 30_000),
])
def test_anthropics_tiers_and_searches(worker, usage, tier, nano):
    """claude-opus-4-8, 1,000 in and 100 out: $5 and $25 a million; $10 for 1,000 searches."""
    close = closed(worker(), chat(model="claude-opus-4-8", max_tokens=999), response(orjson.dumps(
        {"type": "message", "content": [],
         "usage": {"input_tokens": 1000, "output_tokens": 100} | usage})), path="/v1/messages")

    assert TIERS[close.dims.tier] == tier
    assert close.cost_nano_usd == (None if nano is None else nano * 1000)
    assert close.units.searches == usage.get("server_tool_use", {}).get("web_search_requests", 0)


def test_a_unit_without_a_price_makes_the_cost_unknown(worker):
    one = worker()
    searched = {"type": "web_search_call", "action": {"type": "search"}}
    opened = {"type": "web_search_call", "action": {"type": "open_page"}}
    said = {"type": "message", "content": [{"type": "output_text", "text": "so it is"}]}
    usage = {"input_tokens": 10, "output_tokens": 3, "total_tokens": 13}

    def of(model):
        answer = {"id": "r", "output": [searched, opened, searched, said], "usage": usage}
        body = orjson.dumps({"model": model, "input": "x", "tools": [{"type": "web_search"}]})
        return closed(one, body, response(orjson.dumps(answer)), path="/v1/responses")

    close = of("gpt-5")
    assert close.units.searches == 2
    assert close.cost_nano_usd == 10 * 1250 + 3 * 10_000 + 2 * 10_000_000
    assert of("o1").cost_nano_usd is None  # no list has a price of its searches
    total = counters.total(one.segment)
    assert total.units["searches"] == 4 and total.counters["cost_unknown"] == 1


def test_tokens_of_pictures_are_a_class_of_their_own(worker):
    usage = {"input_tokens": 150, "output_tokens": 1056, "total_tokens": 1206,
             "input_tokens_details": {"text_tokens": 50, "image_tokens": 100},
             "output_tokens_details": {"image_tokens": 1000, "text_tokens": 56}}
    one = worker()
    close = closed(one, orjson.dumps({"model": "gpt-image-1.5", "prompt": "a cat"}),
                   response(orjson.dumps({"created": 1, "data": [], "usage": usage})),
                   path="/v1/images/generations")

    assert close.tokens == Tokens(input=50, image_input=100, output=56, image_output=1000)
    assert (close.input_low, close.output_high) == (150, 1056)
    assert close.cost_nano_usd == 50 * 5000 + 100 * 8000 + 56 * 10_000 + 1000 * 32_000
    assert counters.total(one.segment).tokens["image_output"] == 1000


@pytest.mark.parametrize("asked, nano", [
    ({}, 40_000_000), ({"quality": "hd", "size": "1024x1792"}, 120_000_000),
    ({"quality": None, "size": None}, 40_000_000), ({"quality": "hd"}, None),
    ({"size": "auto"}, None), ({"size": 5}, None)])
def test_a_picture_costs_what_its_quality_and_size_do(worker, tmp_path, asked, nano):
    """dall-e takes what is left out for standard/1024x1024; of a kind that no row has nothing is
    known."""
    (tmp_path / "prices.yaml").write_text(
        "prices:\n- {models: [dall-e-3], "
        "images: {standard/1024x1024: 0.04, hd/1024x1792: 0.12}}\n")
    one = worker(prices={"file": str(tmp_path / "prices.yaml")})
    two = orjson.dumps({"created": 1, "data": [{"url": "u"}, {"url": "v"}]})
    body = {"model": "dall-e-3", "prompt": "a cat", "n": 2} | asked
    close = closed(one, orjson.dumps(body), response(two), path="/v1/images/generations")

    assert close.units.images == 2
    assert close.cost_nano_usd == (None if nano is None else 2 * nano)


def test_the_cost_of_all_classes_is_the_sum_of_their_prices(worker):
    usage = {"input_tokens": 5, "cache_creation_input_tokens": 7, "cache_read_input_tokens": 11,
             "output_tokens": 13, "cache_creation": {"ephemeral_5m_input_tokens": 4,
                                                     "ephemeral_1h_input_tokens": 3}}
    one = worker()
    close = closed(one, chat(model="claude-sonnet-4-5", max_tokens=99), response(orjson.dumps(
        {"type": "message", "content": [], "usage": usage})), path="/v1/messages")

    assert close.cost_nano_usd == 5 * 3000 + 4 * 3750 + 3 * 6000 + 11 * 300 + 13 * 15_000
    assert counters.total(one.segment).counters["cost_nano_usd"] == close.cost_nano_usd


def test_an_answer_that_was_cut_costs_what_it_is_counted_at(worker):
    close = closed(worker(), chat(stream=True, max_tokens=40), stream_head(),
                   chunked(*[delta("words of text ") for _ in range(3)]), leave=True)

    assert close.cost_nano_usd == close.tokens.input * 2500 + close.tokens.output * 10_000 > 0


@pytest.mark.parametrize("lie", [2**63 - 1, 2**64 + 5, 1e30, 2**32 + 1])
@pytest.mark.parametrize("path, usage", [
    ("/v1/chat/completions", ("prompt_tokens", "completion_tokens")),
    ("/v1/messages", ("input_tokens", "output_tokens"))])
def test_a_number_that_no_model_could_reach_is_none(worker, path, usage, lie):
    """It would lock a cap until its window ends, or for ever, and spoil every sum."""
    shape = '"choices": []' if "chat" in path else '"type": "message", "content": []'
    said = f'{{{shape}, "usage": {{"{usage[0]}": {lie!r}, "{usage[1]}": {lie!r}}}}}'
    close = closed(worker(), chat(max_tokens=99), response(said.encode()), path=path)

    assert close.provenance == PROVENANCE_ESTIMATED and close.overrun_tokens == 0
    assert close.output_high == 99 and close.tokens.input + close.tokens.output < 99
