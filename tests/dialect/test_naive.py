"""Meters beside a plain reading of the same answers (naive.py: WIRE.md, with libraries' parsers).

Method: the recorded answers, and each of them written anew in other ways that mean the same: other
order, white space, escapes in names, forms of numbers, members that nobody knows (with usage and
errors inside), line ends, comments, unknown fields, names of events, several data lines. Skipped
where the vectors are absent. Seeds are printed.
"""

import json
import random
import sys
from pathlib import Path

import pytest

from fastgw.dialect.meter import Meter

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "csrc")]
from naive import RULES, documents  # noqa: E402
from recorded import SEED, STREAMS, body_of, read, state, totals  # noqa: E402

OPENAI = {
    "avian", "azure", "bedrock-openai", "cerebras", "crusoe", "deepseek", "gemini-openai-compat",
    "gpustack", "groq", "huggingface", "llama.cpp", "mistral", "ollama-openai", "openai",
    "openrouter", "perplexity", "snowflake", "together", "vercel-gateway", "vllm", "writer",
    "xai", "zai",
}  # fmt: skip
JUNK = {"usage": {"prompt_tokens": 99, "x": [[{}]]}, "error": {"choices": []}, "input_tokens": 7}
WAYS = ("order", "junk", "space", "numbers", "escapes", "names")


def wire(row: dict) -> tuple[str, str, str] | None:
    """Dialect, operation and framing of a recorded answer."""
    dialect, api, streams = row["dialect"], row["api"], row["streaming"]
    if dialect in OPENAI and api in ("chat", "responses", "completions", "embeddings"):
        return "openai", api, "sse" if streams else ""
    if dialect.startswith("anthropic") and api in ("messages", "rawPredict", "streamRawPredict"):
        return "anthropic", "messages", "sse" if streams else ""
    if dialect in ("gemini", "vertex") and api.endswith("enerateContent"):
        kind = "array" if "json" in (row["content_type"] or "") else "sse"
        return "gemini", "generate", kind if streams else ""
    if dialect == "cohere" and "chat" in api:
        kind = "ndjson" if "stream+json" in row["content_type"] else "sse"
        return "cohere", "chat", kind if streams else ""
    if dialect == "ollama":
        return "ollama", "chat" if "chat" in api else "generate", "ndjson" if streams else ""
    return None


def found() -> list:
    if not (STREAMS / "manifest.jsonl").exists():
        return []
    lines = (STREAMS / "manifest.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["status"] == 200 and wire(row)]


def metered(how: tuple[str, str, str], *pieces: bytes) -> Meter:
    dialect, operation, kind = how
    return read(Meter(dialect, operation, streaming=kind), list(pieces))


def seen(meter: Meter) -> dict:
    classes = meter.usage()[0]
    put, out = totals(classes)
    return {"input": put, "output": out, "cached": classes["cached_input"],
            "reasoning": classes["reasoning"]}  # fmt: skip


@pytest.mark.parametrize("row", found(), ids=lambda row: row["name"])
def test_recorded_answers_cost_what_a_plain_reading_says(row):
    how, body = wire(row), body_of(row)
    nothing = dict.fromkeys(("input", "output", "cached", "reasoning"), 0)
    assert seen(metered(how, body)) == (RULES[how[0]](documents(body, how[2])) or nothing)


class Writer:
    """JSON in other words."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.ways = {way for way in WAYS if rng.random() < 0.5}

    def space(self) -> str:
        return self.rng.choice(("", " ", "\n", "\t")) if "space" in self.ways else ""

    def name(self, name: str) -> str:
        plain = json.dumps(name)
        if "escapes" not in self.ways or not name.isidentifier():
            return plain
        at = self.rng.randrange(len(name))
        return f'"{name[:at]}\\u{ord(name[at]):04x}{name[at + 1:]}"'

    def number(self, value: int) -> str:
        if "numbers" not in self.ways or not value:
            return str(value)
        return self.rng.choice((f"{value}", f"{value}.0", f"{value}e0", f"{value}0e-1"))

    def text(self, value) -> str:
        if isinstance(value, list):
            return "[" + ",".join(map(self.text, value)) + "]"
        if isinstance(value, int) and not isinstance(value, bool):
            return self.number(value)
        if not isinstance(value, dict):
            return json.dumps(value, ensure_ascii=self.rng.random() < 0.5)
        members = [self.name(name) + self.space() + ":" + self.space() + self.text(member)
                   for name, member in value.items()]  # fmt: skip
        if "junk" in self.ways:
            members.append('"zz":' + json.dumps(JUNK))
        if "order" in self.ways:
            self.rng.shuffle(members)
        return "{" + (self.space() + ",").join(members) + self.space() + "}"


def framed(texts: list[str], kind: str, rng: random.Random, names: bool) -> str:
    if kind == "ndjson":
        return "\n".join(one.replace("\n", " ") for one in texts) + rng.choice(("\n", "", "\r\n"))
    if kind == "array":
        return "[" + rng.choice((",", ",\r\n", "\n,\n")).join(texts) + rng.choice(("]", "]\n", ""))
    if kind == "":
        return rng.choice(("", "\ufeff", " \n\n")) + texts[0] + rng.choice(("", "\n"))
    end, out = rng.choice(("\n", "\r\n", "\r")), rng.choice(("", "\ufeff"))
    for text in texts:
        out += rng.choice(("", f": PROCESSING{end}", f": ping{end}{end}"))
        out += rng.choice(("", f"id: 5{end}", f"retry: 9{end}", f'foo: {{"usage":{{}}}}{end}'))
        out += f"event: {rng.choice(('message', 'x'))}{end}" if names else ""
        for line in text.split("\n"):
            out += f"data:{rng.choice(('', ' '))}{line}{end}"
        out += end
    return out + f"data: [DONE]{rng.choice(('', ' '))}{end}{end}"


@pytest.mark.parametrize("row", found(), ids=lambda row: row["name"])
def test_answers_that_mean_the_same_cost_the_same_at_any_cut(row):
    how, body = wire(row), body_of(row)
    read_plainly = documents(body, how[2])
    if len(body) > 60_000 or not read_plainly:
        pytest.skip("too large, or nothing in it")
    rng = random.Random(f"{SEED} {row['name']}")
    print("seed", SEED)
    expected = seen(metered(how, body))
    flags = metered(how, body).usage()[1]
    for _ in range(4):
        writer = Writer(rng)
        texts = [writer.text(one) for one in read_plainly]
        again = framed(texts, how[2], rng, "names" in writer.ways).encode()
        whole = metered(how, again)
        assert (seen(whole), whole.usage()[1]) == (expected, flags), again
        cuts = sorted(rng.randrange(len(again) + 1) for _ in range(40))
        pieces = [again[a:b] for a, b in zip([0, *cuts], [*cuts, len(again)], strict=True)]
        assert state(metered(how, *pieces)) == state(whole)
