"""Goal: calls whose model stands elsewhere than first in a JSON body, or nowhere, are booked under
the model that answers, by its classes and at its price; where nobody can know it, at none.

Method: a whole gateway before the mock; what the ledger has of each call beside the mock's books:
models in paths, behind files in forms, in Ollama's two ways to embed; and none at all.
"""

import httpx
import pytest

from tests.journey.harness import KEY, configuration, serving

SOUND = b"RIFF" * 100
PRICES = """\
prices:
  - {models: [nomic-embed-text], providers: [ollama], input: 0.5, output: 0}
  - {models: [llama3.2], providers: [ollama], input: 0.5, output: 1}
  - {models: [deployed-small], providers: [azure], input: 3, output: 0}
"""


@pytest.fixture(scope="module")
def gateway(mock, tmp_path_factory):
    here = f"http://127.0.0.1:{mock.port}"
    prices = tmp_path_factory.mktemp("prices") / "prices.yaml"
    prices.write_text(PRICES)
    providers = [{"id": name, "dialect": name, "base_url": f"{here}{path}",
                  "keys": [{"value": "key-of-the-mock"}]}
                 for name, path in (("openai", "/v1"), ("gemini", ""), ("cohere", ""),
                                    ("ollama", ""), ("azure", ""))]
    config = configuration(mock.port, providers=providers, prices={"file": str(prices)})
    with serving(mock, config) as instance:
        yield instance


def form(*fields: tuple[str, object]) -> dict:
    """A form with its fields in this order."""
    return {"files": [(name, value if isinstance(value, tuple) else (None, value))
                      for name, value in fields]}


FILE = ("file", ("a.wav", SOUND))
EMBEDDED = {"model": "models/gemini-embedding-001",
            "content": {"parts": [{"text": "hello there, you two"}]}}
GEMINI = "/v1beta/models/gemini-embedding-001"
AZURE = "/openai/deployments/deployed-small/embeddings?api-version=2024-10-21"
CALLS = {
    # name: (path, what, the model, nano-dollars a token of input)
    "gemini's batch, models in path and body": (
        f"{GEMINI}:batchEmbedContents", {"json": {"requests": [EMBEDDED, EMBEDDED]}},
        "gemini-embedding-001", 150),
    "gemini's single": (f"{GEMINI}:embedContent", {"json": EMBEDDED}, "gemini-embedding-001", 150),
    "azure, no model in the body": (AZURE, {"json": {"input": ["abcd", "efgh"]}},
                                    "deployed-small", 3000),
    "azure, another model in the body": (
        AZURE, {"json": {"model": "text-embedding-3-large", "input": "abcdefgh"}},
        "deployed-small", 3000),
    "cohere's texts": ("/v2/embed", {"json": {
        "texts": ["abcd", "efgh"], "input_type": "search_query", "embedding_types": ["float"],
        "model": "embed-v4.0"}}, "embed-v4.0", 120),
    "ollama's embed": ("/api/embed", {"json": {"input": ["abcd"], "model": "nomic-embed-text"}},
                       "nomic-embed-text", 500),
    "a transcription, the model behind the file": (
        "/v1/audio/transcriptions", form(FILE, ("model", "gpt-4o-transcribe")),
        "gpt-4o-transcribe", None),
    "a transcription, the model before the file": (
        "/v1/audio/transcriptions", form(("model", "gpt-4o-transcribe"), FILE),
        "gpt-4o-transcribe", None),
    "edited pictures, the model behind the files": (
        "/v1/images/edits", form(("image[]", ("a.png", SOUND)), ("prompt", "a cat"),
                                 ("model", "gpt-image-1")), "gpt-image-1", None),
}


def ask(gateway, path: str, **what) -> tuple[httpx.Response, dict]:
    """(answer, its only attempt)"""
    fields = {"authorization": f"Bearer {KEY}", "x-mock": "events=6"}
    answer = httpx.post(gateway.url(path), headers=fields, **what)
    return answer, gateway.only_attempt(answer.headers["x-fastgw-request-id"])


@pytest.mark.parametrize("name", CALLS)
def test_it_is_booked_as_the_books_have_it(gateway, mock, name):
    path, what, model, price = CALLS[name]
    answer, attempt = ask(gateway, path, **what)
    line, usage = mock.booked(answer.headers["x-fastgw-request-id"]), attempt["usage"]

    assert answer.status_code == 200, answer.text
    assert line["model"] == attempt["model"] == model
    assert (usage["input_tokens"], usage["output_tokens"], usage["provenance"]) == (
        line["input_tokens"], line["output_tokens"], "provider")
    assert usage["input_tokens"] > 0
    if price is not None:
        assert attempt["cost_nano_usd"] == price * usage["input_tokens"]
        assert usage["output_tokens"] == 0 and sum(usage["classes"].values()) == usage[
            "classes"]["input"]
    else:
        assert attempt["cost_nano_usd"]


@pytest.mark.parametrize("path, asked", [
    ("/api/chat", {"messages": [{"role": "user", "content": "hello"}]}),
    ("/api/generate", {"prompt": "hello", "stream": False})])
def test_ollamas_model_behind_all_else(gateway, mock, path, asked):
    answer, attempt = ask(gateway, path, json=asked | {"model": "llama3.2"})
    line, usage = mock.booked(answer.headers["x-fastgw-request-id"]), attempt["usage"]

    assert line["model"] == attempt["model"] == "llama3.2"
    assert usage["provenance"] == "provider" and usage["output_tokens"] == 6
    assert usage["classes"]["input"] == line["input_tokens"] > 0
    assert attempt["cost_nano_usd"] == 500 * line["input_tokens"] + 1000 * line["output_tokens"]


@pytest.mark.parametrize("asked", ["models/gemini-2.5-pro", "gemini-2.5-pro"])
def test_a_batch_for_another_model_than_its_paths_costs_nothing(gateway, asked):
    """Google refuses it, and so does the mock: no model embeds that no rule was asked about."""
    answer, attempt = ask(gateway, f"{GEMINI}:batchEmbedContents",
                          json={"requests": [EMBEDDED, EMBEDDED | {"model": asked}]})
    assert answer.status_code == 400
    assert (attempt["usage"]["total_tokens"], attempt["cost_nano_usd"]) == (0, 0)


@pytest.mark.parametrize("kind, cost", [("transcriptions", 900_000), ("translations", 900_000)])
def test_sound_by_the_second_with_the_model_behind_the_file(gateway, kind, cost):
    _, attempt = ask(gateway, f"/v1/audio/{kind}", **form(FILE, ("model", "whisper-1")))
    assert (attempt["model"], attempt["cost_nano_usd"]) == ("whisper-1", cost)
    assert attempt["usage"]["units"] == {"audio_ms": 9000}


@pytest.mark.parametrize("path, what", [
    ("/v1/images/generations", {"json": {"prompt": "a cat"}}),
    ("/v1/images/edits", form(("image", ("a.png", SOUND)), ("prompt", "a cat")))])
def test_pictures_of_no_named_model_are_an_interval_of_unknown_cost(gateway, mock, path, what):
    answer, attempt = ask(gateway, path, **what)
    line, usage = mock.booked(answer.headers["x-fastgw-request-id"]), attempt["usage"]

    assert answer.status_code == 200 and attempt["model"] == ""
    assert attempt["cost_nano_usd"] is None and usage["provenance"] == "estimated"
    for of in ("input_tokens", "output_tokens"):
        low, high = usage["interval"][of]
        assert low <= line[of] <= high


@pytest.mark.parametrize("path, what", [
    ("/v1/embeddings", {"json": {"input": "a"}}), ("/v2/embed", {"json": {"texts": ["a"]}}),
    ("/v2/rerank", {"json": {"query": "a", "documents": ["b"]}}),
    ("/v2/chat", {"json": {"messages": []}}), ("/api/embed", {"json": {"input": "a"}}),
    ("/api/chat", {"json": {"messages": []}}),
    ("/v1/audio/transcriptions", form(FILE)), ("/v1/audio/translations", form(FILE))])
def test_where_the_api_wants_a_model_a_request_without_one_ends_here(gateway, path, what):
    answer = httpx.post(gateway.url(path), headers={"authorization": f"Bearer {KEY}"}, **what)
    assert (answer.status_code, answer.headers["x-fastgw-code"]) == (400, "FGW-504")
