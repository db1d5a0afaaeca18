"""Goal: each vendor of the openai wire dialect is asked as its own API wants it.

Method: the table beside what a configuration may say; requests through a worker, of which what
the provider reads is taken apart here.
"""

import orjson
import pytest

from fastgw.config.model import VENDORS as NAMES
from fastgw.dialect.vendors import VENDORS
from fastgw.usage.prices import load_prices
from tests.worker import chat, provider, request, response

# What the vendors' own documents and recordings say (WIRE 1.4, 1.8, 1.10-1.15):
# path of chat behind the bare host, stream_options known and needed, the limit's name.
TOLD = {
    "azure": ("/openai/v1/chat/completions", True, "max_completion_tokens"),
    "mistral": ("/v1/chat/completions", False, "max_tokens"),
    "deepseek": ("/v1/chat/completions", True, "max_tokens"),
    "groq": ("/openai/v1/chat/completions", True, "max_completion_tokens"),
    "xai": ("/v1/chat/completions", True, "max_completion_tokens"),
    "openrouter": ("/api/v1/chat/completions", False, "max_completion_tokens"),
    "together": ("/v1/chat/completions", True, "max_tokens"),
    "perplexity": ("/chat/completions", False, "max_tokens"),
    "vllm": ("/v1/chat/completions", True, "max_completion_tokens"),
}
CAP = {"on_http_request": [{"actions": [
    {"type": "cap-output", "config": {"max_output_tokens": 7}}]}]}


def sent(worker, vendor, path="", key="sk-v", **more):
    """(target, fields, body) that the vendor gets of a stream under a cap."""
    row = provider("v", vendor, path)
    row["keys"][0]["value"] = key
    got, _ = worker(providers=[row], policy=CAP).ask(
        request(chat(model="m", stream=True, **more)), response())
    head, _, body = got.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return first.split(" ")[1], lines, orjson.loads(body)


def test_every_name_of_the_configuration_has_its_row_and_its_case():
    assert set(NAMES) == set(VENDORS) == set(TOLD)
    assert all(name == vendor.name for name, vendor in VENDORS.items())


@pytest.mark.parametrize("name", TOLD)
def test_a_stream_is_asked_for_in_the_vendors_own_way(worker, name):
    path, asks, limit = TOLD[name]
    target, _, body = sent(worker, name)

    assert target == path
    assert body.pop("stream_options", None) == ({"include_usage": True} if asks else None)
    assert body == {**orjson.loads(chat(model="m", stream=True)), limit: 7}


@pytest.mark.parametrize("name", TOLD)
def test_a_path_of_the_base_url_holds(worker, name):
    assert sent(worker, name, "/here/v1")[0] == "/here/v1/chat/completions"


@pytest.mark.parametrize("name, key, line", [
    ("mistral", "sk-v", "authorization: Bearer sk-v"),
    ("vllm", "eyJ", "authorization: Bearer eyJ"),
    ("azure", "0123abcd", "api-key: 0123abcd"),
    ("azure", "eyJ0eXAi.x.y", "authorization: Bearer eyJ0eXAi.x.y")])
def test_the_key_stands_where_the_vendor_reads_it_and_nowhere_else(worker, name, key, line):
    lines = sent(worker, name, key=key)[1]

    assert [one for one in lines if key in one] == [line]


def test_what_a_client_asks_for_itself_goes_on(worker):
    body = sent(worker, "mistral", stream_options={"include_usage": True})[2]

    assert body["stream_options"] == {"include_usage": True}


def test_vendors_share_a_model_and_each_try_is_worded_for_its_own(worker):
    """The same request, first to one that must be asked for usage, then to one that must not."""
    one = worker(
        providers=[provider("first", "groq", ""), provider("second", "mistral", "")],
        models=[{"id": "m", "candidates": [{"provider": "first", "model": "llama"}],
                 "fallback": [{"provider": "second", "model": "mistral-small"}]}])
    client = one.connect()
    client.feed(request(chat(model="m", stream=True)))
    one.upstream.feed(response(b"{}", status="503 Service Unavailable"))
    first, second = one.loop.opened
    bodies = [orjson.loads(each.taken().partition(b"\r\n\r\n")[2]) for each in (first, second)]

    assert [body["model"] for body in bodies] == ["llama", "mistral-small"]
    assert ["stream_options" in body for body in bodies] == [True, False]


@pytest.mark.parametrize("host, home", [("api.mistral.ai", ""), ("proxy", "api.mistral.ai")])
def test_a_vendor_costs_the_same_behind_a_proxy(host, home):
    rows = dict(load_prices().rows("openai", host, "any", home))

    assert "mistral-embed" in rows
    assert "mistral-embed" not in dict(load_prices().rows("openai", "proxy", "any"))
