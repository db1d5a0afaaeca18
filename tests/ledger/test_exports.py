"""Usage reports of OpenAI and Anthropic: JSON and CSV say the same, normalised; what is none is
refused with place and remedy.

Method: small reports written out by hand from the providers' references, read and held against
the sums they must give.
"""

import json

import pytest

from fastgw.ledger.exports import DAY_NS, ExportError, read_export

START = 1_799_971_200  # 2027-01-15T00:00:00Z


def openai(*results, start=START, end=START + 86400, **more):
    filled = [{"object": "organization.usage.completions.result", **one} for one in results]
    bucket = {"object": "bucket", "start_time": start, "end_time": end, "results": filled}
    return json.dumps({"object": "page", "data": [bucket], **more}).encode()


def anthropic(*results):
    bucket = {"starting_at": "2027-01-15T00:00:00Z", "ending_at": "2027-01-16T00:00:00Z",
              "results": list(results)}
    return json.dumps({"data": [bucket], "has_more": False, "next_page": None}).encode()


USED = {"input_tokens": 100, "input_cached_tokens": 40, "output_tokens": 7,
        "num_model_requests": 3, "model": "gpt-4o-2024-08-06", "api_key_id": "key_a"}
CLAUDE = {
    "uncached_input_tokens": 10, "cache_read_input_tokens": 20, "output_tokens": 5,
    "cache_creation": {"ephemeral_1h_input_tokens": 3, "ephemeral_5m_input_tokens": 4},
    "model": "claude-sonnet-4-20250514", "api_key_id": "apikey_01", "service_tier": "standard",
}  # fmt: skip
OPENAI_CSV = b"""\
start_time,end_time,start_time_iso,end_time_iso,num_model_requests,model,api_key_id,input_tokens,\
output_tokens,input_cached_tokens,batch
1799971200,1799971260,2027-01-15T00:00:00+00:00,2027-01-15T00:01:00+00:00,3.0,gpt-4o-2024-08-06,\
key_a,100,7,40,False
1799971260,1799971320,2027-01-15T00:01:00+00:00,2027-01-15T00:02:00+00:00,,,,,,,
"""
CLAUDE_CSV = b"""\
usage_date_utc,model_version,api_key,workspace,usage_type,context_window,\
usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,\
usage_input_tokens_cache_read,usage_output_tokens,web_search_count
2027-01-15,claude-sonnet-4-20250514,apikey_01,Default,standard,200k,10,4,3,20,5,0
"""


OPENAI_COSTS = b"""\
start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,line_item,project_id,\
organization_id,organization_name
1799971200,1800057600,2027-01-15T00:00:00+00:00,2027-01-16T00:00:00+00:00,0.56,usd,,,org-1,Personal
"""


@pytest.mark.parametrize("raw", [openai(USED), OPENAI_CSV, b"\xef\xbb\xbf" + OPENAI_CSV])
def test_openai_counts_cached_tokens_inside_the_input(raw):
    export = read_export(raw, "f")

    (one,) = export.billed
    assert (export.dialect, one.day, one.model, one.key, one.requests) == (
        "openai", "2027-01-15", "gpt-4o-2024-08-06", "key_a", 3)
    assert one.tokens == {"input_tokens": 100, "cached_input_tokens": 40, "output_tokens": 7}
    assert export.operations == {"chat", "responses", "completions"}


@pytest.mark.parametrize("raw", [anthropic(CLAUDE), CLAUDE_CSV])
def test_anthropic_counts_them_beside_it_and_they_are_added(raw):
    export = read_export(raw, "f")

    (one,) = export.billed
    assert (export.dialect, one.day, one.key) == ("anthropic", "2027-01-15", "apikey_01")
    assert one.tokens == {"input_tokens": 37, "cached_input_tokens": 20,
                          "cache_write_5m_tokens": 4, "cache_write_1h_tokens": 3,
                          "output_tokens": 5}
    assert (export.start_ns, export.end_ns) == (START * 10**9, START * 10**9 + DAY_NS)


def test_sound_is_added_unless_the_report_breaks_its_totals_down():
    sound = {"input_audio_tokens": 5, "output_audio_tokens": 6}
    (old,) = read_export(openai(USED | sound), "f").billed
    (new,) = read_export(openai(USED | sound | {"input_text_tokens": 55}), "f").billed

    assert (old.tokens["input_tokens"], old.tokens["output_tokens"]) == (105, 13)
    assert (new.tokens["input_tokens"], new.tokens["output_tokens"]) == (100, 7)


def test_openais_cache_writes_are_inside_the_input_where_they_are_told():
    (one,) = read_export(openai(USED | {
        "input_cache_write_tokens": 30, "input_uncached_tokens": 60, "input_text_tokens": 50,
        "input_audio_tokens": 10, "output_audio_tokens": 2}), "f").billed
    assert one.tokens == {"input_tokens": 100, "cached_input_tokens": 40,
                          "cache_write_tokens": 30, "output_tokens": 7}


def test_anthropics_older_and_flat_names_of_cache_writes_are_read():
    old = CLAUDE_CSV.replace(b"_cache_write_5m,usage_input_tokens_cache_write_1h", b"_cache_write")
    flat = {name: value for name, value in CLAUDE.items() if name != "cache_creation"} | {
        "cache_creation_5m_input_tokens": 4, "cache_creation_1h_input_tokens": 3}
    apart = {"cache_write_5m_tokens": 4, "cache_write_1h_tokens": 3}
    for raw, written in ((old.replace(b"200k,10,4,3,20", b"200k,10,7,20"),
                          {"cache_write_tokens": 7}), (anthropic(flat), apart)):
        (one,) = read_export(raw, "f").billed
        assert one.tokens == {"input_tokens": 37, "cached_input_tokens": 20,
                              **written, "output_tokens": 5}
        assert one.together()["cache_write_tokens"] == 7 and len(one.together()) == 4


def test_a_file_without_any_calls_is_a_day_without_bill():
    raw = b"start_time,end_time,start_time_iso,end_time_iso\n1799971200,1799974800,a,b\n"
    assert read_export(raw, "f").billed == []


def test_batches_are_left_out_and_said():
    export = read_export(openai(USED, USED | {"batch": True}), "f")

    assert len(export.billed) == 1
    assert export.notes[0].startswith("107 tokens of batches are left out")


def test_pages_are_read_together_and_a_further_one_is_said():
    both = b"[" + openai(USED) + b"," + openai(USED, has_more=True) + b"]"
    export = read_export(both, "f")

    assert len(export.billed) == 2 and "has_more" in export.notes[0]


def test_only_whole_buckets_of_the_window_count():
    raw = openai(USED)

    assert read_export(raw, "f", START * 10**9, START * 10**9 + DAY_NS).billed
    with pytest.raises(ExportError, match="no bucket of time lies within"):
        read_export(raw, "f", START * 10**9 + 1)


@pytest.mark.parametrize(
    "raw, place",
    [
        (b"", "f: the file is empty"),
        (b"{", "f: line 1: not JSON"),
        (b"[1]", r"f: \[0\].data: expected a list of buckets"),
        (b'{"data": [{}]}', r"f: data\[0\].results: expected a list"),
        (b'{"data": [{"results": []}]}', r"f: data\[0\].starting_at: expected a time, got None"),
        (openai(USED | {"input_tokens": -1}),
         r"f: data\[0\].results\[0\].input_tokens: expected a count, got -1"),
        (openai(USED | {"output_tokens": True}), "output_tokens: expected a count, got True"),
        (openai(USED | {"output_tokens": 1.5}), "output_tokens: expected a count, got 1.5"),
        (openai(USED | {"model": ["m"]}), r"results\[0\].model: expected a text, got \['m'\]"),
        (openai(USED | {"api_key_id": 7}), r"results\[0\].api_key_id: expected a text, got 7"),
        (anthropic(CLAUDE | {"cache_creation": [1]}), "cache_creation: expected an object"),
        (openai(USED | {"object": "organization.usage.images.result"}),
         "has no tokens to compare"),
        (openai(USED | {"object": "organization.costs.result"}), "report of costs.*of usage"),
        (anthropic({"amount": "12.5", "currency": "USD"}), "report of costs; tokens"),
        (OPENAI_COSTS, "line 1: this is a report of costs"),
        (openai(USED, end=START + 90000), "must lie within one day"),
        (openai(USED, end=START), "must lie within one day"),
        (b"a,b\n1,2\n", "f: line 1: these columns are no provider's"),
        (CLAUDE_CSV.replace(b",20,5,", b",20,five,"), "f: line 2.output_tokens: expected a count"),
        (b"start_time,end_time,model,input_tokens\n1799971200,1799971260,m,5\n",
         "f: line 2: no column output_tokens"),
        (b"\xff\xfe\x00", "neither JSON nor CSV"),
    ],
)
def test_what_is_no_report_is_refused_with_its_place(raw, place):
    with pytest.raises(ExportError, match=place):
        read_export(raw, "f")
