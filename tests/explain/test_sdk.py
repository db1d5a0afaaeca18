"""Refusals to the official SDKs: their own class, our reason, a retry exactly where waiting helps.

Method: the SDKs talk to an in-memory transport that answers with what the kernel renders; how
often they ask is counted, with a wait of one millisecond where they are told to wait.
"""

import anthropic
import httpx
import openai
import pytest

from fastgw.errors import Code
from tests.explain.reference import NEVER
from tests.explain.test_refusal import ANTHROPIC, OPENAI, S, cap, pace, read, refusal, rendered

HELLO = [{"role": "user", "content": "hi"}]
SOON = {"wait_ns": 10**6, "reset_ns": 10**6}
CASES = [
    (refusal(Code.KEY_UNKNOWN), openai.AuthenticationError, anthropic.AuthenticationError, 1),
    (refusal(Code.DENIED, rule="r", reason="not from here"), openai.PermissionDeniedError,
     anthropic.PermissionDeniedError, 1),
    (refusal(Code.LIMIT_UNBOUNDED), openai.BadRequestError, anthropic.BadRequestError, 1),
    (refusal(Code.LIMIT_REQUESTS, limits=[pace(**SOON)]), openai.RateLimitError,
     anthropic.RateLimitError, 3),
    (refusal(Code.LIMIT_REQUESTS, limits=[pace(wait_ns=3600 * S)]), openai.RateLimitError,
     anthropic.RateLimitError, 1),
    (refusal(Code.LIMIT_CAP, limits=[cap(), pace(**SOON)]), openai.RateLimitError,
     anthropic.RateLimitError, 1),
    (refusal(Code.LIMIT_NEVER, limits=[cap(verdict=NEVER)]), openai.RateLimitError,
     anthropic.RateLimitError, 1),
]


def transport(sdk, raw: bytes, asked: list[object]):
    """A client of whichever httpx the SDK was built on, that gets this answer to everything."""
    module = getattr(__import__(f"{sdk.__name__}._base_client", fromlist=["x"]), "httpx2", None)
    module = module or httpx
    status, fields, body = read(raw)

    def answer(request):
        asked.append(request)
        return module.Response(status, content=body, headers=fields)

    return module.Client(transport=module.MockTransport(answer))


@pytest.mark.parametrize("one, raised, _, times", CASES)
def test_openai_raises_its_own_and_retries_where_it_helps(one, raised, _, times):
    asked = []
    client = openai.OpenAI(api_key="k", base_url="http://x/v1", max_retries=2,
                           http_client=transport(openai, rendered(one, OPENAI), asked))
    with pytest.raises(raised) as caught:
        client.chat.completions.create(model="m", messages=HELLO)

    assert len(asked) == times
    assert Code(one.code).text in str(caught.value)
    assert caught.value.body["fastgw"]["code"] == Code(one.code).text


@pytest.mark.parametrize("one, _, raised, times", CASES)
def test_anthropic_raises_its_own_and_retries_where_it_helps(one, _, raised, times):
    asked = []
    client = anthropic.Anthropic(api_key="k", base_url="http://x", max_retries=2,
                                 http_client=transport(anthropic, rendered(one, ANTHROPIC), asked))
    with pytest.raises(raised) as caught:
        client.messages.create(model="m", max_tokens=1, messages=HELLO)

    assert len(asked) == times
    assert Code(one.code).text in str(caught.value)
    assert caught.value.body["error"]["fastgw"]["code"] == Code(one.code).text
