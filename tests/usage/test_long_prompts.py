"""Goal: however long a prompt is, one turn of the event loop counts only so many bytes of it.

Method: whole attempts through a worker, of 1 KiB to 32 MiB, that end without a provider's number.
What was counted is seen in the CLOSE record: by so much its interval is narrower than that of a
model without a tokenizer, and that is what the first bytes of the body make, no more. That other
streams do not wait is shown on a whole gateway in tests/journey/test_long_prompts.py.
"""

import random
import string

import pytest
from fastgw.usage.tokenizers import Tokenizers, load_tokenizers

from fastgw.ledger.records import PROVENANCE_ESTIMATED, Close
from fastgw.usage import tokens
from tests.worker import chat, chunked, delta, request, stream_head

OPENAI, HEARD, STEP = 1, 24576, 1 << 20
SIZES = [1 << 10, HEARD // 2, HEARD - 1000, HEARD + 1, 1 << 16, 1 << 20, 8 << 20, (32 << 20) - 500]
LETTERS = "".join(random.Random(5).choices(string.ascii_lowercase + " ", k=1 << 16))
WRITINGS = {"prose": "Nobody waits for what another asks. ", "Chinese": "没有人等待别人的问题。",
            "letters": LETTERS}


def body_of(model: str, writing: str, size: int) -> bytes:
    unit = WRITINGS[writing]
    content = unit * (size // len(unit.encode()) + 1)
    content = content.encode()[:size].decode(errors="ignore")
    return chat(model=model, stream=True, messages=[{"role": "user", "content": content}])


def high_of(worker, body: bytes, how: str) -> int:
    """The upper end of what the prompt may have cost."""
    one = worker()
    client = one.connect()
    raw = request(body)
    client.feed(*(raw[at:at + STEP] for at in range(0, len(raw), STEP)))
    one.upstream.feed(stream_head() + chunked(delta("words")))
    if how == "left":
        client.end()
    else:
        one.upstream.end()
    close = one.one(Close)
    assert close.provenance == PROVENANCE_ESTIMATED
    assert close.tokens.input <= close.input_high
    return close.input_high


@pytest.mark.parametrize("how", ["left", "broken off"])
@pytest.mark.parametrize("size", SIZES)
def test_a_turn_counts_the_first_bytes_of_a_prompt_of_any_length(worker, size, how):
    load_tokenizers()
    body = body_of("gpt-4o", "prose", size)

    saved = (high_of(worker, body_of("gpx-4o", "prose", size), how)  # nobody's tokenizer
             - high_of(worker, body, how))

    heard, _, expected = Tokenizers().counted(OPENAI, "o200k_base", body)
    assert saved == expected > 0
    assert heard == min(size, HEARD - body.index(b"Nobody"))
    assert saved < HEARD


@pytest.mark.parametrize("writing", WRITINGS)
@pytest.mark.parametrize("size", SIZES[:6])
def test_the_interval_holds_what_the_whole_prompt_is(worker, size, writing):
    """The rest behind the first bytes is a token a byte, as it is without a tokenizer."""
    load_tokenizers()
    body = body_of("gpt-4o", writing, size)
    content = body[body.index(b"content") + 10:-3]

    high = high_of(worker, body, "broken off")

    assert tokens.count(content, "gpt-4o") < high <= len(body) + 8192
