"""Goal: a client of the OpenAI SDK has any vendor of its wire dialect behind it, and the ledger
has what the vendor's books have, whether its usage must be asked for or comes unasked.

Method: a whole gateway in front of the mock, which answers below `/v1` as each of them does; the
official SDK, unmodified.
"""

import openai
import pytest

from tests.journey.harness import KEY, configuration, serving, wait_until

HELLO = [{"role": "user", "content": "hello"}]
# Unasked, Mistral has usage in each stream, and who is asked has it because of that.
VENDORS = {"mistral": "usage=last", "azure": "", "groq": "", "vllm": "usage=every"}


@pytest.fixture(scope="module")
def gateway(mock):
    providers = [{"id": name, "dialect": name, "base_url": f"http://127.0.0.1:{mock.port}/v1",
                  "keys": [{"value": f"key-{name}"}]} for name in VENDORS]
    with serving(mock, configuration(mock.port, providers=providers)) as instance:
        yield instance


def client(gateway, says=""):
    return openai.OpenAI(base_url=gateway.url("/v1"), api_key=KEY, max_retries=0,
                         default_headers={"x-mock": says} if says else {})


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", VENDORS)
def test_the_ledger_has_what_the_vendors_books_have(gateway, mock, name, stream):
    events = ",".join(filter(None, ("events=9", VENDORS[name] if stream else "")))
    got = client(gateway, events).chat.completions.with_raw_response.create(
        model=f"{name}/some-model", messages=HELLO, stream=stream)
    if stream:
        text = "".join(choice.delta.content or "" for chunk in got.parse()
                       for choice in chunk.choices)
    else:
        text = got.parse().choices[0].message.content
    request_id = got.headers["x-fastgw-request-id"]
    usage = gateway.only_attempt(request_id)["usage"]
    (line,) = wait_until(lambda: [x for x in mock.lines() if x["request_id"] == request_id])

    assert text and got.headers["x-fastgw-provider"] == name
    assert usage["provenance"] == "provider" and line["output_tokens"] == 9
    assert [usage[of] for of in ("input_tokens", "output_tokens")] == [
        line[of] for of in ("input_tokens", "output_tokens")]


@pytest.mark.parametrize("status, kind", [
    (401, openai.AuthenticationError), (429, openai.RateLimitError),
    (500, openai.InternalServerError)])
def test_a_vendors_error_is_raised_as_the_sdks_own(gateway, status, kind):
    with pytest.raises(kind):
        client(gateway, f"status={status}").chat.completions.create(
            model="azure/some-model", messages=HELLO)
