"""Goal: no token is paid twice and none is forgotten, in any dialect: what an attempt costs is
what the provider's own numbers come to.

Method: every recorded answer goes through a worker whose price table has another price for each
class. The other side is an invoice made here, in fractions, from the usage object as it was
recorded, by that vendor's rule (WIRE section 2); it shares no code with the gateway.
"""

from fractions import Fraction
from math import ceil

import pytest

from fastgw.ledger.records import Close
from tests.csrc.recorded import body_of, names, rows
from tests.worker import chat, provider, request

# Dollars per million, or thousand searches: no sum of some is a sum of others, at these counts.
PRICES = {"input": 1.000003, "cached_input": 0.100019, "cache_write": 1.250051,
          "cache_write_1h": 2.000113, "output": 5.000237, "reasoning": 7.000491,
          "audio_input": 11.001009, "audio_output": 13.002003, "image_input": 17.004007,
          "image_output": 19.008009, "searches": 10.000033}
OPENAI_WIRE = ("openai", "mistral", "deepseek", "openrouter", "groq", "huggingface", "xai", "zai",
               "together", "perplexity", "vercel-gateway", "snowflake", "avian", "cerebras",
               "crusoe", "gpustack", "llama.cpp", "vllm", "writer", "gemini-openai-compat",
               "bedrock-openai", "ollama-openai")
PATHS = {"chat": "/v1/chat/completions", "responses": "/v1/responses",
         "completions": "/v1/completions", "embeddings": "/v1/embeddings"}


def told(found: list[dict]) -> list[dict]:
    return [row for row in found if row["status"] == 200 and row["usage_raw"]
            and not row["error_midstream"] and not isinstance(row["usage_raw"], list)]


OPENAI = told([row for row in rows(*OPENAI_WIRE) if row["api"] in PATHS])
ANTHROPIC = told(rows("anthropic", api="messages"))
GEMINI = [row for row in told(rows("gemini", "vertex")) if "enerateContent" in row["api"]]
COHERE = told(rows("cohere", api="v2/chat")) + told(rows("cohere", api="rerank"))


def part(usage, *ways):
    """The first of these places that has a number, else 0."""
    for way in ways:
        at = usage
        for name in way.split("."):
            at = at.get(name) if isinstance(at, dict) else None
        if isinstance(at, (int, float)):
            return int(at)
    return 0


def of_openai(row):
    usage, vendor = row["usage_raw"], row["dialect"]
    read = part(usage, "prompt_tokens", "input_tokens")
    written, total = part(usage, "completion_tokens", "output_tokens"), part(usage, "total_tokens")
    inside, outside = ("prompt_tokens_details", "input_tokens_details"), (
        "completion_tokens_details", "output_tokens_details")
    thought = part(usage, *(f"{at}.reasoning_tokens" for at in outside), "reasoning_tokens")
    sound = part(usage, *(f"{at}.audio_tokens" for at in inside))
    if vendor == "mistral" and total > read + written and "prompt_audio_seconds" in usage:
        sound, read = total - read - written, total - written
    elif vendor == "vercel-gateway" and "google" in str(row["model"]):
        written += thought
    else:
        written = max(written, total - read)
    cached = part(usage, *(f"{at}.cached_tokens" for at in inside), "prompt_cache_hit_tokens",
                  "cached_tokens", "num_cached_tokens")
    stored = part(usage, *(f"{at}.cache_write_tokens" for at in inside),
                  "cache_creation_input_tokens")
    pictures = part(usage, *(f"{at}.image_tokens" for at in inside))
    made = part(usage, *(f"{at}.image_tokens" for at in outside))
    said = part(usage, *(f"{at}.audio_tokens" for at in outside))
    return {"input": read - cached - stored - sound - pictures, "cached_input": cached,
            "cache_write": stored, "audio_input": sound, "image_input": pictures,
            "output": written - thought - made - said, "reasoning": thought,
            "image_output": made, "audio_output": said}


def of_anthropic(row):
    usage = row["usage_raw"]
    passes = [usage] + [one for one in usage.get("iterations") or ()
                        if one["type"] not in ("message", "fallback_message")]
    if any(one.get("type") == "advisor_message" for one in passes):
        return None  # another model's
    if usage.get("inference_geo") not in (None, "global", "not_available"):
        return None  # a place that was blotted out of the recording
    bill = dict.fromkeys(("input", "cached_input", "cache_write", "cache_write_1h", "output",
                          "reasoning", "searches"), 0)
    for one in passes:
        hour = part(one, "cache_creation.ephemeral_1h_input_tokens")
        thought = part(one, "output_tokens_details.thinking_tokens")
        bill["input"] += part(one, "input_tokens")
        bill["cached_input"] += part(one, "cache_read_input_tokens")
        bill["cache_write_1h"] += hour
        bill["cache_write"] += part(one, "cache_creation_input_tokens") - hour
        bill["output"] += part(one, "output_tokens") - thought
        bill["reasoning"] += thought
    bill["searches"] = part(usage, "server_tool_use.web_search_requests")
    return bill


def of_gemini(row):
    usage = row["usage_raw"]

    def by(kind, *lists):
        return sum(part(one, "tokenCount") for name in lists for one in usage.get(name) or ()
                   if one.get("modality") == kind)

    asked = ("promptTokensDetails", "toolUsePromptTokensDetails")
    cached, bill = part(usage, "cachedContentTokenCount"), {}
    for kind, name in (("AUDIO", "audio"), ("IMAGE", "image")):
        bill[f"{name}_input"] = by(kind, *asked) - by(kind, "cacheTokensDetails")
        bill[f"{name}_output"] = by(kind, "candidatesTokensDetails")
    bill["cached_input"] = cached
    bill["input"] = (part(usage, "promptTokenCount") - cached + part(
        usage, "toolUsePromptTokenCount") - bill["audio_input"] - bill["image_input"])
    bill["output"] = (part(usage, "candidatesTokenCount")
                      - bill["audio_output"] - bill["image_output"])
    bill["reasoning"] = part(usage, "thoughtsTokenCount")
    return bill


def of_cohere(row):
    units = row["usage_raw"]["billed_units"]
    return {"input": part(units, "input_tokens"), "output": part(units, "output_tokens"),
            "searches": part(units, "search_units")}


def nano(bill):
    """Whole nano-dollars, rounded up once."""
    exact = sum(Fraction(str(PRICES[name])) * 10**9 * count
                / (1000 if name == "searches" else 10**6) for name, count in bill.items())
    return ceil(exact)


def closed(worker, tmp_path, row, path, dialect, body):
    """The CLOSE of this answer."""
    lines = ", ".join(f"{name}: {price}" for name, price in PRICES.items())
    tiers = ", ".join(f"{name}: 1" for name in ("flex", "priority", "batch", "region"))
    file = tmp_path / "prices.yaml"
    file.write_text(f"prices: [{{models: ['*'], {lines}, tiers: {{{tiers}}}}}]")
    one = worker(providers=[provider("p", dialect=dialect)], prices={"file": str(file)})
    client, answer = one.connect(), body_of(row)
    client.feed(request(body, path=path))
    head = (f"HTTP/1.1 200 OK\r\ncontent-type: {row['content_type'] or 'application/json'}\r\n"
            f"content-length: {len(answer)}\r\n\r\n")
    one.upstream.feed(head.encode(), answer)
    return one.one(Close)


def check(close, bill):
    if bill is None:
        assert close.cost_nano_usd is None
        return
    assert all(count >= 0 for count in bill.values()), bill
    assert close.provenance == 1, bill
    searches = close.units.searches - bill.get("searches", 0)  # told by the items of an output
    extra = {"searches": searches} if "searches" not in bill else {}
    assert close.cost_nano_usd == nano(bill | extra), (bill, close.tokens, close.units)


@pytest.mark.parametrize("row", OPENAI, ids=names(OPENAI))
def test_the_openai_wire(worker, tmp_path, row):
    body = chat(model="m", stream=row["streaming"], stream_options={"include_usage": True})
    if row["api"] != "chat":
        body = chat(model="m", input="x", prompt="x", stream=row["streaming"])
    close = closed(worker, tmp_path, row, PATHS[row["api"]], "openai", body)
    usage = row["usage_raw"]
    if not any(part(usage, name) for name in ("total_tokens", "prompt_tokens", "input_tokens")):
        assert close.provenance != 1  # all zeros beside an answer: not believed
        return
    cached, read = of_openai(row)["cached_input"], part(usage, "prompt_tokens", "input_tokens")
    if cached > read:  # Azure's Grok
        assert close.tokens.input == 0 and close.tokens.cached_input == read
        return
    check(close, of_openai(row))


@pytest.mark.parametrize("row", ANTHROPIC, ids=names(ANTHROPIC))
def test_anthropic(worker, tmp_path, row):
    body = chat(model="m", max_tokens=9, stream=row["streaming"])
    check(closed(worker, tmp_path, row, "/v1/messages", "anthropic", body), of_anthropic(row))


@pytest.mark.parametrize("row", GEMINI, ids=names(GEMINI))
def test_gemini(worker, tmp_path, row):
    call = "streamGenerateContent" if row["streaming"] else "generateContent"
    events = "event-stream" in (row["content_type"] or "")
    path = f"/v1beta/models/m:{call}" + "?alt=sse" * events
    close = closed(worker, tmp_path, row, path, "gemini",
                   b'{"contents": [{"parts": [{"text": "x"}]}]}')
    check(close, of_gemini(row))


@pytest.mark.parametrize("row", COHERE, ids=names(COHERE))
def test_cohere(worker, tmp_path, row):
    path = "/v2/rerank" if row["api"] == "rerank" else "/v2/chat"
    check(closed(worker, tmp_path, row, path, "cohere", chat(model="m", stream=row["streaming"])),
          of_cohere(row))


def test_there_is_something_to_check():
    if not rows("openai"):
        pytest.skip("no ../shared/vectors here")
    assert len(OPENAI) > 60 and len(ANTHROPIC) > 15 and len(GEMINI) > 20 and len(COHERE) > 5
