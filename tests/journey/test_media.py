"""Goal: pictures, sound and moderations go through as the SDK has them, in JSON and in forms,
whole and streamed; what is told of them is in the ledger as in the books, and what nobody tells is
no zero: an interval that has the books in it, and a cost that is unknown.

Method: a whole gateway in front of the mock; the official SDK, unmodified.
"""

import httpx
import openai
import pytest

from tests.journey.harness import KEY, configuration, serving

SOUND = ("a.wav", b"RIFF" * 100)
PICTURE = ("a.png", b"\x89PNG" * 100)


@pytest.fixture(scope="module")
def gateway(mock):
    here = f"http://127.0.0.1:{mock.port}"
    config = configuration(
        mock.port,
        models=[{"id": "scribe", "candidates": [
            {"provider": "openai", "model": "gpt-4o-transcribe"}]}],
        keys=[{"id": "alice", "value": KEY},
              {"id": "bob", "value": "fgw-bob", "access": {"models": ["whisper-*"]}},
              {"id": "capped", "value": "fgw-capped", "limits": {"tokens": "100000/day"}}])
    config["providers"].append({"id": "azure", "dialect": "azure", "base_url": here,
                                "keys": [{"value": "key-azure"}]})
    with serving(mock, config) as instance:
        yield instance


def client(gateway, key=KEY, says="events=6"):
    return openai.OpenAI(base_url=gateway.url("/v1"), api_key=key, max_retries=0,
                         default_headers={"x-mock": says})


def azure(gateway, says="events=6"):
    return openai.AzureOpenAI(azure_endpoint=gateway.url(), api_key=KEY, max_retries=0,
                              api_version="2025-04-01-preview", default_headers={"x-mock": says})


def drawn(api, **more):
    return api.images.with_raw_response.generate(model="gpt-image-1", prompt="a cat", **more)


def edited(api, **more):
    return api.images.with_raw_response.edit(
        model="gpt-image-1", prompt="a cat", image=[PICTURE, PICTURE], **more)


def transcribed(api, model="gpt-4o-transcribe", **more):
    return api.audio.transcriptions.with_raw_response.create(model=model, file=SOUND, **more)


def spoken(api, model="gpt-4o-mini-tts", **more):
    return api.audio.speech.with_raw_response.create(
        model=model, voice="alloy", input="hello you", **more)


def usage_of(gateway, answer) -> tuple[dict, dict]:
    """(the one attempt, its usage)"""
    (attempt,) = gateway.decided(answer.headers["x-fastgw-request-id"])["attempts"]
    return attempt, attempt["usage"]


@pytest.mark.parametrize("api", [client, azure])
@pytest.mark.parametrize("make, more, classes", [
    (drawn, {}, {}), (drawn, {"stream": True, "partial_images": 2}, {}),
    (edited, {}, {}), (edited, {"stream": True}, {}),
    (transcribed, {}, {"audio_input": 7}), (transcribed, {"stream": True}, {"audio_input": 7}),
    (spoken, {"stream_format": "sse"}, {"audio_output": 6})])
def test_what_is_told_in_tokens_is_what_the_books_have(mock, gateway, api, make, more, classes):
    answer = make(api(gateway), **more)
    if more.get("stream"):
        last = list(answer.parse())[-1]
        assert last.type.endswith((".completed", ".done"))
    attempt, usage = usage_of(gateway, answer)
    line = mock.booked(answer.headers["x-fastgw-request-id"])

    assert usage["provenance"] == "provider" and attempt["fate"] == "delivered"
    assert (usage["input_tokens"], usage["output_tokens"]) == (
        line["input_tokens"], line["output_tokens"]) == (line["input_tokens"], 6)
    assert {name: usage["classes"][name] for name in classes} == classes


@pytest.mark.parametrize("make, model, more", [
    (drawn, "dall-e-3", {}),
    (transcribed, "whisper-1", {"response_format": "text"}),
    (spoken, "gpt-4o-mini-tts", {}), (drawn, "gpt-image-1", {"says": "events=6,usage=none"}),
    (transcribed, "gpt-4o-transcribe", {"says": "events=6,usage=none"})])
def test_what_nobody_tells_is_an_interval_and_of_unknown_cost(mock, gateway, make, model, more):
    api = client(gateway, says=more.pop("says", "events=6"))
    answer = make(api, **({"model": model} if make is not drawn else {}), **more) \
        if make is not drawn else api.images.with_raw_response.generate(model=model, prompt="a")
    attempt, usage = usage_of(gateway, answer)
    line = mock.booked(answer.headers["x-fastgw-request-id"])

    assert answer.http_response.status_code == 200
    assert usage["provenance"] == "estimated" and attempt["cost_nano_usd"] is None
    for of in ("input_tokens", "output_tokens"):
        low, high = usage["interval"][of]
        assert low <= line[of] <= high and high > 0, of


@pytest.mark.parametrize("make, model, unit, cost", [
    (transcribed, "whisper-1", "audio_ms", 9 * 100_000),  # 0.36 dollars an hour
    (spoken, "tts-1", "characters", 9 * 15_000)])         # 15 dollars a million
def test_what_is_paid_by_a_unit_costs_that_and_no_tokens(mock, gateway, make, model, unit, cost):
    answer = make(client(gateway), model)
    attempt, usage = usage_of(gateway, answer)

    assert usage["provenance"] == "provider" and usage["total_tokens"] == 0
    assert usage["interval"] == {"input_tokens": [0, 0], "output_tokens": [0, 0]}
    assert attempt["cost_nano_usd"] == cost, (unit, usage)


@pytest.mark.parametrize("text", [
    '"\\ud83d\\ude00\\u00e9\\n"', '"\N{GRINNING FACE}\N{LATIN SMALL LETTER E WITH ACUTE}\\n"',
    '"\\"\\\\a"', '"\\ud7ff\\uD83D\\uDE00b"'])
def test_characters_are_code_points_however_they_are_written(gateway, text):
    body = '{"model":"tts-1","voice":"alloy","input":' + text + "}"
    answer = httpx.post(gateway.url("/v1/audio/speech"), content=body.encode(),
                        headers={"authorization": f"Bearer {KEY}"})
    assert usage_of(gateway, answer)[0]["cost_nano_usd"] == 3 * 15_000


def test_a_translation_and_moderations(mock, gateway):
    api = client(gateway)
    made = api.audio.translations.with_raw_response.create(model="whisper-1", file=SOUND)
    assert made.parse().text and usage_of(gateway, made)[0]["cost_nano_usd"] == 900_000
    made = api.moderations.with_raw_response.create(input=["a", "b"])
    assert len(made.parse().results) == 2
    attempt, _ = usage_of(gateway, made)
    assert (attempt["cost_nano_usd"], attempt["model"]) == (0, "omni-moderation-latest")
    assert mock.booked(made.headers["x-fastgw-request-id"])["model"] == attempt["model"]
    made = api.moderations.with_raw_response.create(model="omni-moderation-latest", input="a")
    assert usage_of(gateway, made)[0]["cost_nano_usd"] == 0


def test_pictures_whose_request_names_no_model_have_no_cost_that_is_known(gateway):
    """Which one draws then was documented differently from year to year."""
    made = httpx.post(gateway.url("/v1/images/generations"), json={"prompt": "a cat"},
                      headers={"authorization": f"Bearer {KEY}"})
    attempt, usage = usage_of(gateway, made)
    assert made.status_code == 200 and attempt["model"] == ""
    assert attempt["cost_nano_usd"] is None and usage["provenance"] == "estimated"


def test_a_model_of_the_house_is_put_into_the_form(mock, gateway):
    answer = transcribed(client(gateway), "scribe")
    line = mock.booked(answer.headers["x-fastgw-request-id"])
    assert line["model"] == "gpt-4o-transcribe" == answer.headers["x-fastgw-model"]
    answer = transcribed(azure(gateway), "azure/gpt-4o-transcribe")
    assert mock.booked(answer.headers["x-fastgw-request-id"])["path"] == (
        "/openai/deployments/gpt-4o-transcribe/audio/transcriptions")
    answer = transcribed(azure(gateway), "openai/gpt-4o-transcribe")
    assert mock.booked(answer.headers["x-fastgw-request-id"])["model"] == "gpt-4o-transcribe"


def test_a_keys_models_hold_for_forms(gateway):
    transcribed(client(gateway, "fgw-bob"), "whisper-1")
    for make in (transcribed, edited, drawn):
        with pytest.raises(openai.PermissionDeniedError) as caught:
            make(client(gateway, "fgw-bob"))
        assert caught.value.body["fastgw"]["code"] == "FGW-602"


@pytest.mark.parametrize("make", [drawn, edited, transcribed, spoken])
def test_what_no_limit_bounds_is_closed_to_a_key_with_a_cap(gateway, make):
    with pytest.raises(openai.BadRequestError) as caught:
        make(client(gateway, "fgw-capped"))
    assert caught.value.body["fastgw"]["code"] == "FGW-810"


@pytest.mark.parametrize("make", [drawn, transcribed])
def test_a_stream_that_is_left_lies_in_the_interval(mock, gateway, make):
    answer = make(client(gateway, says="events=200,pace=10ms"), stream=True)
    stream = answer.parse()
    for number, _ in enumerate(stream):
        if number == 5:
            break
    stream.close()
    line = mock.booked(answer.headers["x-fastgw-request-id"])
    attempt, usage = usage_of(gateway, answer)
    low, high = usage["interval"]["output_tokens"]
    assert line["aborted"] and attempt["fate"] == "cut by client"
    assert low <= line["output_tokens"] <= high and attempt["cost_nano_usd"] is None


@pytest.mark.parametrize("make", [drawn, transcribed, spoken])
@pytest.mark.parametrize("status, kind", [
    (400, openai.BadRequestError), (429, openai.RateLimitError), (500, openai.APIError)])
def test_the_providers_refusals_come_through_and_cost_nothing(gateway, make, status, kind):
    with pytest.raises(kind) as caught:
        make(client(gateway, says=f"status={status}"))
    (attempt,) = gateway.decided(caught.value.response.headers["x-fastgw-request-id"])["attempts"]
    assert attempt["usage"]["total_tokens"] == 0
