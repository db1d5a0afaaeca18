"""Goal: a cap is not passed, whatever the model writes and wherever a retry goes.

Method: whole requests through a worker. Its providers obey the limit that they are sent, or do
not; what was held, written and settled shows in the requests that arrive there and in records.
"""

import orjson
import pytest

from fastgw.ledger.records import PROVENANCE_PROVIDER, Close, Request
from fastgw.limit import peek
from fastgw.shm import counters
from tests.worker import chat, chunked, policy, provider, request, response, stream_head

ALLOWANCE = 4096  # of input that a provider may add
OPERATIONS = {
    "/v1/chat/completions": ("max_completion_tokens", {"messages": [
        {"role": "user", "content": "hello"}]}),
    "/v1/completions": ("max_tokens", {"prompt": "hello"}),
    "/v1/responses": ("max_output_tokens", {"input": "hello"}),
    "/v1/messages": ("max_tokens", {"messages": [{"role": "user", "content": "hello"}]}),
}


def cap(limit, unit="tokens", window="day", **more):
    config = {"name": f"cap {unit}", "unit": unit, "limit": limit, "window": window,
              "bucket_key": ["key.id"], **more}
    return {"actions": [{"type": "usage-cap", "config": config}]}


def capped(worker, *rules, **config):
    return worker(policy=policy(*rules), **config)


def body_of(raw):
    return orjson.loads(raw.partition(b"\r\n\r\n")[2])


def billed(input, output, path="/v1/chat/completions", **details):
    """An answer whose provider reports so many tokens."""
    if path == "/v1/chat/completions" or path == "/v1/completions":
        usage = {"prompt_tokens": input, "completion_tokens": output,
                 "total_tokens": input + output}
        return response(orjson.dumps({"choices": [], "usage": usage}))
    usage = {"input_tokens": input, "output_tokens": output, **details}
    kind = {"object": "response"} if path == "/v1/responses" else {"type": "message",
                                                                  "content": []}
    return response(orjson.dumps({**kind, "usage": usage}))


@pytest.mark.parametrize("path", OPERATIONS)
def test_what_is_left_is_written_in_the_dialects_own_field(worker, path):
    field, content = OPERATIONS[path]
    body = orjson.dumps({"model": "m", "max_tokens": 9000, **content})
    if path != "/v1/completions" and path != "/v1/messages":
        body = orjson.dumps({"model": "m", **content})
    limit = len(body) + ALLOWANCE + 77
    one = capped(worker, cap(limit))

    got, answer = one.ask(request(body, path=path), billed(9, 50, path))

    assert answer.status == 200
    assert body_of(got)[field] == 77
    asked, opened, close = one.records()
    assert (asked.output_max, asked.fitted) == (77, True)
    assert (opened.output_high, opened.held[0][2]) == (77, limit)
    assert close.overrun_tokens == 0 and asked.limits[0].taken == limit
    assert asked.limits[0].limit == limit


@pytest.mark.parametrize("more, left, sent", [
    ({"max_tokens": 500}, 77, {"max_tokens": 77}),
    ({"max_completion_tokens": 500}, 77, {"max_completion_tokens": 77}),
    ({"max_completion_tokens": 500, "max_tokens": 40}, 77,
     {"max_completion_tokens": 77, "max_tokens": 40}),
    ({"max_completion_tokens": None}, 77, {"max_completion_tokens": 77}),
    ({"max_tokens": 0}, 77, {"max_tokens": 77}),  # some providers take it for none
    ({"max_tokens": 50}, 77, {"max_tokens": 50}),
    ({"max_tokens": 500, "n": 3}, 77, {"max_tokens": 25}),
    ({"max_tokens": 500, "n": 3}, 3, {"max_tokens": 1})])
def test_the_largest_limit_that_fits_takes_the_place_of_the_clients(worker, more, left, sent):
    body = chat(model="m", **more)
    one = capped(worker, cap(len(body) + ALLOWANCE + left))

    got, _ = one.ask(request(body), billed(9, 1))

    written = {name: value for name, value in body_of(got).items() if "tokens" in name}
    assert written == sent


def test_each_prompt_of_a_completion_may_use_the_whole_limit(worker):
    body = orjson.dumps({"model": "m", "prompt": ["a", "b", "c"], "max_tokens": 500})
    one = capped(worker, cap(len(body) + ALLOWANCE + 77))

    got, _ = one.ask(request(body, path="/v1/completions"), billed(9, 1, "/v1/completions"))

    assert body_of(got)["max_tokens"] == 25


def test_where_not_even_one_token_for_each_answer_fits_it_is_refused(worker):
    body = chat(model="m", max_tokens=500, n=3)
    one = capped(worker, cap(len(body) + ALLOWANCE + 2))

    got, answer = one.ask(request(body))

    assert answer.status == 429 and got == b""
    asked = one.one(Request)
    assert asked.output_max == 500 and not asked.fitted
    assert asked.limits[0].used == 0 and asked.limits[0].limit == len(body) + ALLOWANCE + 2


def test_a_used_up_cap_says_until_when_and_not_never(worker):
    body = chat(model="m")  # its ceiling is far above what the cap can ever hold
    one = capped(worker, cap(len(body) + ALLOWANCE + 100))
    one.ask(request(body), billed(ALLOWANCE, 60))
    one.records()

    answer = one.ask(request(body))[1]

    (trace,) = one.one(Request).limits
    assert answer.status == 429 and answer.code != "FGW-806"
    assert 0 < trace.wait_ns <= 25 * 3600 * 10**9
    assert trace.used == ALLOWANCE + 60


@pytest.mark.parametrize("unit, bill", [
    ("tokens", 30), ("input_tokens", 10), ("output_tokens", 20), ("requests", 1)])
def test_a_cap_settles_to_what_the_provider_reports(worker, unit, bill):
    one = capped(worker, cap(100_000_000, unit))
    one.ask(request(chat(model="m", max_tokens=50)), billed(10, 20))
    one.ask(request(chat(model="m", max_tokens=50)), billed(10, 20))

    requests = [record for record in one.records() if isinstance(record, Request)]
    held = {"tokens": 4096 + 50, "input_tokens": 4096, "output_tokens": 50, "requests": 1}[unit]
    assert requests[1].limits[0].used - bill == requests[1].limits[0].taken >= held


def test_pace_takes_what_is_expected_and_a_cap_the_ceiling(worker):
    pace = {"actions": [{"type": "rate-limit", "config": {
        "name": "pace", "unit": "tokens", "capacity": 5000, "per": "60s",
        "bucket_key": ["key.id"]}}]}
    one = capped(worker, pace, cap(100_000))
    body = chat(model="m", max_tokens=2000)
    one.ask(request(body), billed(9, 7))

    paced, whole = one.one(Request).limits
    assert 512 <= paced.taken <= 530 and whole.taken == len(body) + ALLOWANCE + 2000


def test_overrun_is_told_to_the_token(worker):
    one = capped(worker, cap(100_000))
    body = chat(model="gpt-4o", max_tokens=50)
    one.ask(request(body), billed(len(body) + ALLOWANCE + 5, 93))

    close = one.one(Close)
    assert close.overrun_tokens == 5 + 43
    assert close.overrun_nano_usd == 5 * 2500 + 43 * 10_000
    assert close.tokens.output == 93  # it is in the books all the same
    total = counters.total(one.segment).counters
    assert total["overrun_tokens"] == 48 and total["overrun_nano_usd"] == 442_500


@pytest.mark.parametrize("room", [30_000, 200_000])
def test_what_pace_refuses_is_not_made_small_enough_to_pass(worker, room):
    """Two answers of 512 are expected; a cap with or without room for their ceiling."""
    pace = {"actions": [{"type": "rate-limit", "config": {
        "name": "pace", "unit": "output_tokens", "capacity": 1000, "per": "24h",
        "bucket_key": ["key.id"]}}]}
    one = capped(worker, pace, cap(room))
    asked = chat(model="m", n=2, max_tokens=20_000)
    assert one.ask(request(asked), billed(9, 900))[1].status == 200

    got, answer = one.ask(request(asked))

    assert answer.status == 429 and b"pace" in answer.body
    assert [r.output_max for r in one.records() if isinstance(r, Request)][1] == 20_000


# ---- money

MODELS = [{"id": "house", "candidates": [{"provider": "openai", "model": "gpt-4o-mini"}],
           "fallback": [{"provider": "spare", "model": "gpt-4o"}]}]
TWO = [provider("openai", retries={"max": 2, "on": [500]}), provider("spare")]


def test_money_is_held_for_the_dearest_candidate_that_may_be_tried(worker):
    """gpt-4o at 2.50 and 10 dollars, though gpt-4o-mini is asked first."""
    one = capped(worker, cap(1.0, "cost"), providers=TWO, models=MODELS)
    body = chat(model="house", max_tokens=1000, service_tier="default")
    client = one.connect()
    client.feed(request(body))
    one.upstream.feed(response(b"{}", status=500))
    one.upstream.feed(billed(100, 1000))

    asked, _, _, opened, close = one.records()
    nano = (len(body) + ALLOWANCE) * 2500 + 1000 * 10_000
    assert asked.limits[0].taken == -(-nano // 1000) == opened.held[0][2]
    assert close.cost_nano_usd == 100 * 2500 + 1000 * 10_000
    assert client.answer().fields["x-fastgw-provider"] == "spare"


@pytest.mark.parametrize(("tier", "input", "output"), [
    ("default", 2500, 10_000), ("flex", 2500, 10_000), ("priority", 4250, 17_000),
    ("fast", 4250, 17_000), ("auto", 4250, 17_000), (None, 4250, 17_000)])
def test_money_is_held_for_the_dearest_tier_that_the_answer_may_come_at(
    worker, tier, input, output
):
    """gpt-4o: 4.25 and 17 dollars at priority. Without a word the project's setting rules."""
    one = capped(worker, cap(1.0, "cost"))
    more = {} if tier is None else {"service_tier": tier}
    body = chat(model="gpt-4o", max_tokens=1000, **more)
    if tier == "flex":  # which this model does not have
        assert one.ask(request(body))[1].fields["x-fastgw-code"] == "FGW-812"
        return
    one.ask(request(body), billed(100, 1000))

    taken = next(r for r in one.records() if isinstance(r, Request)).limits[0].taken
    assert taken == -(-((len(body) + ALLOWANCE) * input + 1000 * output) // 1000)


@pytest.mark.parametrize("told, nano", [("priority", 100 * 4250 + 1000 * 17_000),
                                        ("default", 100 * 2500 + 1000 * 10_000)])
def test_a_cap_is_charged_at_the_tier_of_the_answer(worker, told, nano):
    one = capped(worker, cap(1.0, "cost"))
    for _ in range(2):
        one.ask(request(chat(model="gpt-4o", max_tokens=1000)), response(orjson.dumps(
            {"choices": [], "service_tier": told,
             "usage": {"prompt_tokens": 100, "completion_tokens": 1000}})))

    second = [record for record in one.records() if isinstance(record, Request)][1].limits[0]
    assert second.used - second.taken == -(-nano // 1000)


RERANK = [provider("cohere", dialect="cohere")]


@pytest.mark.parametrize("documents", [1, 100, 1000, 10_000])
def test_a_rerank_holds_at_least_the_search_units_that_it_can_be_billed(worker, documents):
    """Two dollars for 1,000 units; a unit is a query over 100 pieces, the smallest of three
    bytes."""
    one = capped(worker, cap(100.0, "cost"), providers=RERANK)
    body = orjson.dumps({"model": "rerank-v3.5", "query": "q", "documents": ["x"] * documents})
    units = -(-documents // 100)
    one.ask(request(body, path="/v2/rerank"), response(orjson.dumps(
        {"id": "r", "results": [], "meta": {"billed_units": {"search_units": units}}})))

    records = one.records()
    asked, close = (next(r for r in records if isinstance(r, kind)) for kind in (Request, Close))
    assert close.units.searches == units and close.cost_nano_usd == units * 2_000_000
    assert asked.limits[0].taken * 1000 >= close.cost_nano_usd
    assert close.overrun_tokens == 0 and close.provenance == PROVENANCE_PROVIDER


@pytest.mark.parametrize("tier, status", [("default", 200), ("scale", 403), ("flex", 403)])
def test_a_cap_in_money_lets_no_tier_pass_whose_price_is_unknown(worker, tier, status):
    one = capped(worker, cap(1.0, "cost"))
    client = one.connect()
    client.feed(request(chat(model="gpt-4o", max_tokens=10, service_tier=tier)))
    if status == 200:
        one.upstream.feed(billed(10, 10))
    answer = client.answer()

    assert answer.status == status
    assert status == 200 or answer.fields["x-fastgw-code"] == "FGW-812"


def test_what_money_is_left_bounds_the_output_at_the_dearest(worker):
    body = chat(model="house", service_tier="default")
    left = 123 * 10_000 + 9_999  # nano-dollars: 123 tokens of gpt-4o, not quite 124
    limit = (len(body) + ALLOWANCE) * 2500 + left
    one = capped(worker, cap(-(-limit // 1000) / 10**6, "cost"), providers=TWO, models=MODELS)

    got, answer = one.ask(request(body), billed(10, 10))

    assert body_of(got)["max_completion_tokens"] in (123, 124) and answer.status == 200
    close = one.one(Close)
    assert close.cost_nano_usd == 10 * 150 + 10 * 600


def test_a_cap_in_money_settles_to_whole_micro_dollars_rounded_up(worker):
    one = capped(worker, cap(1.0, "cost"))
    for _ in range(2):
        one.ask(request(chat(model="gpt-4o-mini", max_tokens=10)), billed(1, 1))

    second = [record for record in one.records() if isinstance(record, Request)][1].limits[0]
    assert second.used - second.taken == 1  # 0.75 micro-dollars


def test_a_model_without_a_price_is_refused_by_a_cap_in_money(worker):
    one = capped(worker, cap(1.0, "cost"))

    answer = one.ask(request(chat(model="unheard-of")))[1]

    assert (answer.status, answer.code) == (403, "FGW-812") and one.loop.opened == []


def test_a_candidate_without_a_price_is_passed_over(worker):
    models = [{"id": "house", "candidates": [{"provider": "openai", "model": "unheard-of"}],
               "fallback": [{"provider": "spare", "model": "gpt-4o"}]}]
    one = capped(worker, cap(1.0, "cost"), providers=TWO, models=models)

    answer = one.ask(request(chat(model="house")), response())[1]

    assert answer.fields["x-fastgw-provider"] == "spare"


def test_a_cap_that_lets_what_has_no_price_pass_says_so(worker):
    one = capped(worker, cap(1.0, "cost", unbounded="allow"))

    answer = one.ask(request(chat(model="unheard-of")), response())[1]

    asked, _, close = one.records()
    assert answer.status == 200 and asked.unbounded and close.cost_nano_usd is None
    assert counters.total(one.segment).counters["unbounded"] == 1


# ---- what has no bound

SEARCH = {"web_search_options": {}}


def test_inputs_that_the_provider_fetches_are_refused_or_recorded(worker):
    for unit in ("tokens", "input_tokens", "cost"):
        assert capped(worker, cap(1000, unit)).ask(
            request(chat(**SEARCH)))[1].code == "FGW-810"
    one = capped(worker, cap(100_000, "tokens", unbounded="allow"))
    body = chat(max_tokens=50, **SEARCH)

    answer = one.ask(request(body), billed(90_000, 20))[1]

    asked, opened, close = one.records()
    assert answer.status == 200 and asked.unbounded
    assert asked.limits[0].taken == len(body) + ALLOWANCE + 50
    assert opened.input_high > 2_000_000  # the interval that the books lie in
    assert close.overrun_tokens == 90_000 - len(body) - ALLOWANCE


def test_a_cap_of_what_is_bounded_minds_nothing_else(worker):
    for unit in ("requests", "output_tokens"):
        answer = capped(worker, cap(100_000, unit)).ask(
            request(chat(max_tokens=9, **SEARCH)), response())[1]
        assert answer.status == 200


def test_a_shadow_refuses_nobody_and_shrinks_nothing(worker):
    one = capped(worker, cap(10, "tokens", enforce=False), cap(1000, "cost", enforce=False))

    got, answer = one.ask(request(chat(model="unheard-of", max_tokens=50, **SEARCH)), response())

    assert answer.status == 200 and body_of(got)["max_tokens"] == 50


def test_pictures_in_base64_are_no_text(worker):
    picture = {"type": "image_url", "image_url": {
        "url": "data:image/png;base64," + "QUJD" * 100_000}}
    body = chat(model="m", max_tokens=10, messages=[{"role": "user", "content": [picture]}])
    one = capped(worker, cap(80_000))

    assert one.ask(request(body), response())[1].status == 200
    asked = one.one(Request)
    assert 800 <= asked.input_estimate <= 900
    assert 50_000 < asked.limits[0].taken < 65_000


# ---- together

def test_no_sum_of_bills_passes_a_cap_that_providers_obey(worker):
    """Several at once, each answered with as much as it was allowed: the sum stays within."""
    limit, total, refused = 30_000, 0, 0
    one, running, bills = capped(worker, cap(limit)), [], []

    def answer(at):
        client, end, allowed = running.pop(at)
        end.feed(billed(300, allowed))
        client.end()
        bills.append(one.one(Close))
        return 300 + allowed

    for number in range(200):
        client = one.connect()
        client.feed(request(chat(model="m", max_tokens=7000)))
        asked = [end for end in one.loop.opened if end.transport.sent]
        one.records()
        if asked:
            running.append((client, asked[0], body_of(asked[0].taken())["max_tokens"]))
        else:
            refused += 1
            client.end()
        if running and (len(running) > 2 or not asked):
            total += answer(number % len(running))
    while running:
        total += answer(0)

    assert refused > 100 and limit - 5000 <= total <= limit
    assert not any(bill.overrun_tokens for bill in bills)


def test_a_stream_that_was_cut_gives_back_what_it_did_not_use(worker):
    one = capped(worker, cap(50_000))
    client = one.connect()
    client.feed(request(chat(model="m", stream=True, max_tokens=30_000)))
    one.upstream.feed(stream_head(), chunked(b"data: {}\n\n"))
    client.end()

    one.ask(request(chat(model="m", max_tokens=30_000)), billed(5, 5))
    requests = [r for r in one.records() if isinstance(r, Request)]
    assert requests[1].limits[0].used < 36_000


def test_an_attempt_that_was_never_answered_costs_nothing_whatever_its_price(worker):
    """Else each retry of a model without a price would be charged as much as it held."""
    models = [{"id": "m", "candidates": [{"provider": "one", "model": "unpriced"}],
               "fallback": [{"provider": "two", "model": "gpt-4o"}]}]
    one = capped(worker, cap(5, unit="cost", unbounded="allow"), models=models,
                 providers=[provider("one"), provider("two")])
    client = one.connect()
    client.feed(request(chat(model="m", max_tokens=9)))
    one.upstream.lose()
    one.upstream.feed(billed(1000, 5))

    assert client.answer().fields["x-fastgw-attempts"] == "2"
    assert [close.cost_nano_usd for close in one.records() if isinstance(close, Close)
            ] == [0, 2_550_000]
    (level,) = peek.entries(one.segment)
    assert level.raw == 2550


@pytest.mark.parametrize("method, path, refused", [
    ("POST", "/v1/batches", True), ("POST", "/v1/messages/batches", True),
    ("GET", "/v1/realtime", True),
    ("GET", "/v1/batches", False), ("GET", "/v1/batches/b1", False),
    ("POST", "/v1/batches/b1/cancel", False)])
def test_what_generates_where_nobody_sees_it_has_no_bound(worker, method, path, refused):
    """A batch, or a session of its own with the provider, would pass every cap."""
    body = b'{"input_file_id":"f"}' if method == "POST" else b""
    kind = ["anthropic-version: 2023-06-01"] if "messages" in path else []
    one = capped(worker, cap(10**6))
    got, answer = one.ask(request(body, *kind, path=path, method=method),
                          *([] if refused else [response(b"{}")]))

    assert (answer.code, bool(got)) == (("FGW-810", False) if refused else ("", True))
    allowed = capped(worker, cap(10**6, unbounded="allow"))
    _, answer = allowed.ask(request(body, *kind, path=path, method=method), response(b"{}"))
    assert answer.status == 200


@pytest.mark.parametrize("more", [{}, {"stream": True}])
@pytest.mark.parametrize("leaves", [False, True])
def test_what_goes_on_in_the_background_is_charged_as_it_was_held(worker, more, leaves):
    """Its answer comes at once and says nothing; whoever leaves does not end it."""
    body = orjson.dumps({"model": "m", "input": "hello", "max_output_tokens": 5000,
                         "background": True, **more})
    one = capped(worker, cap(10**5))
    client = one.connect()
    client.feed(request(body, path="/v1/responses"))
    if leaves:
        client.lose()
    else:
        queued = {"object": "response", "id": "r", "status": "queued", "output": [], "usage": None}
        one.upstream.feed(response(orjson.dumps(queued)))
        assert client.answer().status == 200

    close = one.one(Close)
    assert (close.tokens.output, close.output_low, close.output_high) == (5000, 0, 5000)
    (entry,) = peek.entries(one.segment)
    assert entry.raw == 5000 + close.tokens.input


def test_what_ended_in_the_background_is_charged_as_it_was_used(worker):
    body = orjson.dumps({"model": "m", "input": "hi", "max_output_tokens": 5000,
                         "background": True})
    one = capped(worker, cap(10**5))
    one.ask(request(body, path="/v1/responses"), billed(9, 50, "/v1/responses"))

    assert one.one(Close).tokens.output == 50


REFERENCE = {"type": "item_reference", "id": "msg_1"}
HELLO = {"role": "user", "content": "hello"}


@pytest.mark.parametrize("path, body", [
    ("/v1/responses", {"input": "hello", "previous_response_id": "r"}),
    ("/v1/responses", {"input": "hello", "conversation": "c"}),
    ("/v1/responses", {"input": [HELLO, REFERENCE]}), ("/v1/responses", {"input": [{"id": "m"}]}),
    ("/v1/chat/completions", {"messages": [
        {"role": "assistant", "audio": {"id": "audio_1"}}, HELLO]})])
def test_what_the_provider_has_kept_passes_no_cap_of_tokens(worker, path, body):
    """Its tokens are input that is not in the body: no cap however large has room for them."""
    limit = "max_output_tokens" if "responses" in path else "max_tokens"
    body = orjson.dumps({"model": "m", limit: 5, **body})
    one = capped(worker, cap(10**6))
    got, answer = one.ask(request(body, path=path))
    assert (answer.code, got) == ("FGW-810", b"")
    allowed = capped(worker, cap(10**6, unbounded="allow"))
    _, answer = allowed.ask(request(body, path=path), response())
    assert answer.status == 200 and allowed.one(Request).unbounded
